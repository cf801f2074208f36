import keras
import numpy as np
import pytest

from shutterless.errors import ShutterlessError
from shutterless.training.data import Batches, balanced_weights, pixels_of
from shutterless.training.recipe import ModelPhase


class Numbers:
    """Photos that carry their own number in every pixel."""

    def __getitem__(self, numbers):
        return np.broadcast_to(numbers[:, None, None, None], (len(numbers), 4, 4, 3)).astype(np.uint8)


def batches(seed=1, phase=None, **options):
    augmentation = phase.augmentation if phase else None
    return Batches(
        pixels_of(Numbers(), augmentation),
        np.eye(10, dtype=np.float32),
        batch_size=4,
        seed=seed,
        phase=phase,
        **options,
    )


def numbers(source):
    return [int(pixel) for batch in range(len(source)) for pixel in source[batch][0][:, 0, 0, 0]]


def phase(**options):
    return ModelPhase(epochs=1, learning_rate=1, **options)


def test_an_epoch_shows_every_photo_once_with_its_own_target():
    source = batches()
    assert len(source) == 3
    assert sorted(numbers(source)) == list(range(10))
    for batch in range(3):
        pixels, targets = source[batch]
        np.testing.assert_array_equal(targets.argmax(axis=1), pixels[:, 0, 0, 0])


def test_the_order_follows_from_the_seed_and_the_epoch():
    first, again, other = batches(), batches(), batches(seed=2)
    order = numbers(first)
    assert numbers(again) == order
    assert numbers(other) != order
    first.on_epoch_end()
    assert numbers(first) != order


def test_starting_at_an_epoch_is_like_coming_there():
    came, started = batches(phase=phase(mixup=0.5)), batches(phase=phase(mixup=0.5))
    came.on_epoch_end()
    came.on_epoch_end()
    started.epoch = 2
    for batch in range(3):
        for one, other in zip(came[batch], started[batch], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_batch_is_varied_alike_however_often_it_is_asked_for():
    source = batches(phase=phase(augmentation={"shift": 0.5, "rotation": 45}, cutmix=1))
    np.testing.assert_array_equal(source[1][0], source[1][0])
    np.testing.assert_array_equal(source[1][1], source[1][1])


@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_a_phase_that_mixes_gives_targets_of_more_than_one_label(mixing):
    _, targets = batches(phase=phase(**{mixing: 1.0}))[0]
    assert ((targets > 0) & (targets < 1)).any()
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)


def test_weights_of_labels_become_weights_of_photos():
    pixels, targets, weights = batches(class_weights=np.arange(10, dtype=np.float32))[0]
    np.testing.assert_array_equal(weights, pixels[:, 0, 0, 0])
    assert targets.shape == (4, 10)


def test_balanced_weights_let_every_label_count_alike():
    targets = np.eye(3, dtype=np.float32)[[0, 0, 0, 0, 0, 0, 1, 1, 2]]
    weights = balanced_weights(targets)
    np.testing.assert_allclose((targets @ weights) @ targets, [3, 3, 3], rtol=1e-6)
    assert (targets @ weights).mean() == pytest.approx(1)


def test_an_error_of_the_reader_is_kept_for_whoever_catches_what_keras_makes_of_it():
    class Broken:
        def __getitem__(self, numbers):
            raise ShutterlessError("gone", "gone")

    source = Batches(pixels_of(Broken()), np.eye(2), batch_size=1, seed=1)
    with pytest.raises(ShutterlessError):
        source[0]
    assert str(source.error) == "gone"


def learn(workers):
    """Return the weights that a small network has after two epochs."""
    network = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(10)])
    network.layers[-1].kernel.assign(np.full((48, 10), 0.01))
    network.compile("sgd", "mse")
    source = batches(phase=phase(augmentation={"rotation": 45, "shift": 0.3}, mixup=0.5), workers=workers)
    network.fit(source, epochs=2, shuffle=False, verbose=0)
    return network.get_weights()


def test_what_is_learnt_does_not_depend_on_how_many_threads_make_the_batches():
    for one, other in zip(learn(workers=1), learn(workers=2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batches_come_in_order_and_anew_in_every_epoch_whichever_is_made_first():
    source, seen = batches(), []

    class Watching(keras.Sequential):
        def train_step(self, data):
            seen.extend(data[0][:, 0, 0, 0].numpy().tolist())
            return {"loss": 0.0}

    network = Watching([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    network.compile("sgd", "mse", run_eagerly=True)
    network.fit(source, epochs=2, shuffle=False, verbose=0)
    first, second = batches(), batches()
    first.epoch, second.epoch = 1, 2  # Keras ends an epoch before it begins the first one
    assert seen == [*numbers(first), *numbers(second)]
