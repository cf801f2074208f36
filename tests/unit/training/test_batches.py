import numpy as np
import pytest

from shutterless.errors import ShutterlessError
from shutterless.training.batches import Batches
from shutterless.training.recipe import Augmentation


class Numbers:
    """Photos that carry their own number in every pixel."""

    def __getitem__(self, numbers):
        return np.broadcast_to(numbers[:, None, None, None], (len(numbers), 4, 4, 3)).astype(np.uint8)


def batches(seed=1, **options):
    return Batches(Numbers(), np.eye(10, dtype=np.float32), batch_size=4, seed=seed, **options)


def numbers(source):
    return [int(pixel) for batch in range(len(source)) for pixel in source[batch][0][:, 0, 0, 0]]


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


def test_a_batch_is_augmented_alike_however_often_it_is_asked_for():
    source = batches(augmentation=Augmentation(shift=0.5, rotation=45))
    np.testing.assert_array_equal(source[1][0], source[1][0])


def test_an_error_of_the_reader_is_kept_for_whoever_catches_what_keras_makes_of_it():
    class Broken:
        def __getitem__(self, numbers):
            raise ShutterlessError("gone")

    source = Batches(Broken(), np.eye(2), batch_size=1, seed=1)
    with pytest.raises(ShutterlessError):
        source[0]
    assert str(source.error) == "gone"
