import base64
import io

import numpy as np
from PIL import Image

from shutterless.dataset import Photo
from shutterless.evaluation.report.thumbnails import SIDE, data_uri, overlay, read_thumbnails


def test_a_thumbnail_keeps_the_proportions_of_its_photo(tmp_path):
    photos = [Photo(name, "x", "test") for name in ("wide.png", "high.png", "black.png")]
    Image.new("RGB", (400, 100), "white").save(tmp_path / "wide.png")
    Image.new("RGB", (50, 100), "white").save(tmp_path / "high.png")
    Image.new("RGB", (50, 100), "black").save(tmp_path / "black.png")
    wide, high, black = read_thumbnails(tmp_path, photos)
    assert wide.shape == (SIDE // 4, SIDE, 3) and wide.min() == 255
    assert high.shape == (SIDE, SIDE // 2, 3)
    assert black.shape == (SIDE, SIDE, 3)


def test_a_data_address_holds_the_picture():
    pixels = np.full((8, 16, 3), (200, 60, 30), np.uint8)
    head, _, body = data_uri(pixels).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as picture:
        np.testing.assert_allclose(np.asarray(picture), pixels, atol=4)


def test_heat_changes_the_photo_only_where_it_is_hot():
    pixels = np.full((8, 8, 3), 100, np.uint8)
    heat = np.zeros((8, 8), np.float32)
    heat[2, 2] = 1
    changed = (overlay(pixels, heat) != pixels).any(axis=2)
    assert changed[2, 2] and changed.sum() == 1


def test_heat_that_is_not_a_number_is_none():
    pixels = np.full((4, 4, 3), 100, np.uint8)
    np.testing.assert_array_equal(overlay(pixels, np.full((2, 2), np.nan, np.float32)), pixels)
