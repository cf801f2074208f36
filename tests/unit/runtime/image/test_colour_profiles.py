"""Colour profiles are ignored, in training and in serving; docs/pixels.md has the measurement behind it."""

import io

import numpy as np
import pytest
from PIL import Image

from measure_colour_profiles import SPACES
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.image.isolation import decode_isolated
from shutterless.runtime.image.ordinary import decode_ordinary
from tests.decoding import decode

SPEC = InputSpec(24, 32)


def encode(kind: str, **options: object) -> bytes:
    pixels = np.random.default_rng(3).integers(0, 256, (48, 64, 3), np.uint8)
    file = io.BytesIO()
    if kind == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(file, **options)
    else:
        Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("space", ["Display P3", "ProPhoto RGB"])
def test_a_profile_changes_no_pixel_in_training_or_in_serving(kind, space):
    profile = SPACES[space].profile()
    tagged, bare = encode(kind, icc_profile=profile), encode(kind)
    assert profile in tagged or kind == "PNG"  # which compresses it
    pixels = decode(tagged, SPEC)
    np.testing.assert_array_equal(pixels, decode(bare, SPEC))
    served = decode_ordinary(tagged, SPEC, Budget())
    if served is None:
        served = decode_isolated(tagged, SPEC, Budget())
    np.testing.assert_array_equal(np.asarray(served), pixels)
