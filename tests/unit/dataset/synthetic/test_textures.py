from random import Random

import numpy as np
import pytest

from shutterless.dataset.synthetic.textures import background, blend, cloth, colour, grid, scaled


def test_a_grid_is_centred_and_turns():
    x, y = grid(4)
    assert x[0].tolist() == [-0.375, -0.125, 0.125, 0.375]
    turned, _ = grid(4, np.pi / 2)
    assert np.allclose(turned, y, atol=1e-6)


def test_blending_goes_from_the_first_colour_to_the_second():
    mixed = blend((0, 100, 200), (100, 100, 0), np.array([[0.0, 0.5, 1.0]]))
    assert mixed.tolist() == [[[0, 100, 200], [50, 100, 100], [100, 100, 0]]]


def test_scaling_darkens_or_lightens_within_the_range():
    assert scaled((100, 200, 0), 0.5) == (50, 100, 0)
    assert scaled((55, 155, 255), 1.5) == (155, 205, 255)


@pytest.mark.parametrize("seed", range(40))
def test_cloth_and_background_keep_their_size_and_range(seed):
    rng = Random(seed)
    for surface in (cloth(rng, 16, 0.3, colour(rng), colour(rng)), background(rng, 16)):
        assert surface.shape == (16, 16, 3)
        assert surface.min() >= 0
        assert surface.max() <= 255
