import hashlib
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

from shutterless.dataset.scan import load_dataset
from shutterless.dataset.synthetic import render
from shutterless.dataset.synthetic.clothing_shapes import GARMENTS
from shutterless.dataset.synthetic.render import draw_garment, draw_sample
from shutterless.errors import OutputError


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_sample_is_a_data_set_of_ten_labels_with_three_splits(tmp_path):
    dataset = load_dataset(draw_sample(tmp_path / "new" / "sample", per_label=4, size=32))
    assert dataset.labels == tuple(GARMENTS)
    assert dataset.counts() == {label: {"train": 4, "validation": 1, "test": 1} for label in GARMENTS}
    assert (dataset.unreadable, dataset.warnings) == ((), ())
    with Image.open(dataset.root / "train" / "hat" / "hat-0001.jpg") as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (32, 32))


def test_no_picture_occurs_twice(tmp_path):
    drawn = contents(draw_sample(tmp_path / "sample", per_label=4, size=32))
    assert Counter(drawn.values()).most_common(1)[0][1] == 1


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    first, second, other = (
        contents(draw_sample(tmp_path / name, per_label=1, size=32, seed=seed))
        for name, seed in (("first", 1), ("second", 1), ("other", 2))
    )
    assert first == second
    assert not set(first.values()) & set(other.values())


@pytest.mark.parametrize("label", GARMENTS)
def test_every_garment_can_be_drawn_from_many_seeds(label):
    pictures = np.stack([np.asarray(draw_garment(label, 24, Random(seed))) for seed in range(30)])
    assert pictures.shape == (30, 24, 24, 3)
    assert (pictures.std(axis=(1, 2)).max(axis=-1) > 2).all()


def test_an_empty_working_folder_is_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_sample(Path(), per_label=1, size=16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["test", "train", "validation"]


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError) as caught:
        draw_sample(tmp_path)
    assert caught.value.code == "not-empty"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failed_drawing_leaves_nothing(tmp_path, monkeypatch):
    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(render, "draw_garment", disk_full)
    with pytest.raises(OutputError) as caught:
        draw_sample(tmp_path / "sample")
    assert caught.value.code == "cannot-write"
    assert list(tmp_path.iterdir()) == []


def test_progress_runs_to_the_number_of_pictures(tmp_path):
    steps = []
    draw_sample(
        tmp_path / "s", per_label=1, size=16, progress=lambda _, done, total: steps.append((done, total))
    )
    assert steps == [(done, 30) for done in range(1, 31)]
