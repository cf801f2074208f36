"""Stored activations, of a model whose frozen part only halves the brightness."""

import errno
from collections import namedtuple

import keras
import numpy as np
import pytest

from shutterless.errors import OutputError
from shutterless.training.activations.split import SplitModel
from shutterless.training.activations.store import ActivationStore, count_copies
from shutterless.training.recipe import ModelPhase
from shutterless.utils.progress import silent

COPIES = 3
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def parts():
    inputs, stored = keras.Input((4, 4, 3), dtype="uint8"), keras.Input((4, 4, 3))
    frozen = keras.Model(inputs, keras.layers.Rescaling(0.5)(inputs))
    return SplitModel(frozen, keras.Model(stored, keras.layers.Flatten()(stored)), "half")


@pytest.fixture
def readers():
    """Return 50 photos for training and 5 for validation, each of one brightness."""
    numbers = np.arange(55, dtype=np.uint8)[:, None, None, None]
    pixels = np.broadcast_to(numbers, (55, 4, 4, 3))
    return {"train": pixels[:50], "validation": pixels[50:]}


def make_store(folder, parts, readers, **augmentation):
    phase = ModelPhase(
        epochs=1, learning_rate=1, frozen_share=0.5, stored_copies=COPIES, augmentation=augmentation
    )
    return ActivationStore(folder, parts, readers, phase, seed=1, fingerprint="photos")


def file_of(folder):
    (file,) = folder.glob("activations-*")
    return file


def test_each_photo_has_its_own_activations(tmp_path, parts, readers):
    store = make_store(tmp_path, parts, readers)
    store.fill(silent)
    photos = np.array([49, 0, 7])
    assert store.read("train", photos, 0, RNG)[:, 0, 0, 0].tolist() == [24.5, 0, 3.5]
    assert store.read("validation", np.array([4, 0]), 9, RNG)[:, 0, 0, 0].tolist() == [27, 25]
    assert file_of(tmp_path).stat().st_size == 2 * 4 * 4 * 3 * (50 * COPIES + 5)


def test_the_copies_of_a_photo_are_used_in_turn(tmp_path, parts, readers):
    store = make_store(tmp_path, parts, readers, brightness=0.5)
    store.fill(silent)
    photos = np.arange(50)
    epochs = [store.read("train", photos, epoch, RNG) for epoch in range(COPIES + 1)]
    np.testing.assert_array_equal(epochs[0], epochs[COPIES])
    assert len({rows[40].tobytes() for rows in epochs}) == COPIES
    assert len(np.unique(store._first_copies)) == COPIES


@pytest.mark.parametrize(("cut", "chunks_left"), [(0, 6), (1, 6), (5000, 5), (14000, 2)])
def test_a_file_that_was_cut_off_anywhere_is_completed_to_the_same_bytes(
    tmp_path, parts, readers, cut, chunks_left
):
    make_store(tmp_path, parts, readers, brightness=0.5).fill(silent)
    file = file_of(tmp_path)
    whole, computed = file.read_bytes(), []
    file.write_bytes(whole[:cut])
    make_store(tmp_path, parts, readers, brightness=0.5).fill(lambda *step: computed.append(step))
    assert file.read_bytes() == whole
    assert len(computed) == chunks_left


def test_other_settings_are_another_file_and_the_old_one_is_removed(tmp_path, parts, readers):
    make_store(tmp_path, parts, readers, brightness=0.5).fill(silent)
    first = file_of(tmp_path)
    store = make_store(tmp_path, parts, readers, brightness=0.4)
    store.fill(silent)
    assert file_of(tmp_path) != first
    store.remove()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_error_of_the_output(tmp_path, parts, readers, monkeypatch):
    def fail(self, pixels):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ActivationStore, "_compute", fail)
    with pytest.raises(OutputError) as caught:
        make_store(tmp_path, parts, readers).fill(silent)
    assert caught.value.code == "cannot-write"


@pytest.mark.parametrize(
    ("free", "maximum", "copies"),
    [(10_000, 10_000, 4), (540, 10_000, 2), (300, 10_000, 1), (290, 10_000, 0), (10_000, 350, 3)],
)
def test_only_as_many_copies_as_have_room_are_stored(tmp_path, monkeypatch, free, maximum, copies):
    """A row has 10 bytes; there are 10 photos for training and 5 for validation."""
    usage = namedtuple("usage", "free")(free)
    monkeypatch.setattr("shutterless.training.activations.store.shutil.disk_usage", lambda path: usage)
    monkeypatch.setattr("shutterless.training.activations.store.MAX_BYTES", maximum)
    assert count_copies(tmp_path / "new", (5,), train=10, validation=5, wanted=4) == copies
