import io

import numpy as np
import pytest
from PIL import Image

from shutterless.dataset.photo_stats import measure_photo
from shutterless.runtime.problems import Problem


def encoded(picture: Image.Image, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, **options)
    return stream.getvalue()


def test_stats_have_format_size_hash_and_contrast():
    data = encoded(Image.new("RGB", (40, 10), "teal"), format="PNG")
    stats = measure_photo(data)
    assert (stats.format, stats.width, stats.height, stats.size) == ("PNG", 40, 10, len(data))
    assert (stats.aspect, stats.contrast) == (4.0, pytest.approx(0))
    assert (stats.phash.shape, stats.phash.dtype) == ((4,), np.uint64)
    assert (stats.grey.shape, stats.grey.dtype) == ((64, 64), np.uint8)


def test_width_and_height_are_those_of_the_upright_photo():
    exif = Image.Exif()
    exif[0x0112] = 6  # lay the camera on its side
    stats = measure_photo(encoded(Image.new("RGB", (40, 10)), format="JPEG", exif=exif))
    assert (stats.width, stats.height) == (10, 40)


def test_half_black_half_white_has_the_most_contrast_there_is():
    picture = Image.new("L", (64, 64))
    picture.paste(255, (32, 0, 64, 64))
    assert measure_photo(encoded(picture, format="PNG")).contrast == pytest.approx(127.5)


def test_what_is_no_picture_is_a_problem():
    with pytest.raises(Problem):
        measure_photo(b"no picture")
