from random import Random

import pytest

from shutterless.dataset.synthetic.clothing_shapes import (
    FABRIC,
    GARMENTS,
    INSIDE,
    LIGHT,
    SHADE,
    TRIM,
    Garment,
)


def height(garment: Garment) -> float:
    ys = [y for shape in garment for _, y in shape.points]
    return max(ys) - min(ys)


@pytest.mark.parametrize("cut", GARMENTS.values(), ids=GARMENTS)
def test_a_cut_is_the_same_for_a_seed_and_another_for_another(cut):
    assert cut(Random(1)) == cut(Random(1)) != cut(Random(2))


@pytest.mark.parametrize("cut", GARMENTS.values(), ids=GARMENTS)
def test_a_cut_has_cloth_and_only_tones_that_are_known(cut):
    tones = {shape.tone for seed in range(20) for shape in cut(Random(seed))}
    assert FABRIC in tones <= {FABRIC, TRIM, SHADE, LIGHT, INSIDE}


def test_the_shortest_pants_are_longer_than_the_longest_shorts():
    pants, shorts = ([height(GARMENTS[kind](Random(s))) for s in range(50)] for kind in ("pants", "shorts"))
    assert min(pants) > max(shorts)
