import io
import sys

import numpy as np
import pytest
from PIL import Image

from shutterless.runtime.image.decoder import InputSpec, read_header
from shutterless.runtime.image.heic import is_heic
from shutterless.runtime.problems import Problem
from tests.decoding import decode

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HEIC, True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", True),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", False),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1heic", False),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf", False),
        (b"\xff\xd8\xff", False),
        (b"", False),
    ],
)
def test_heic_is_known_by_its_brands(data, expected):
    assert is_heic(data) is expected


def test_without_its_extra_a_heic_is_refused_with_the_name_of_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(Problem) as caught:
        decode(HEIC, InputSpec(8, 8))
    assert caught.value.code == "unsupported-format"
    assert "shutterless[heic]" in caught.value.detail


def test_with_its_extra_a_heic_is_read_upright():
    pillow_heif = pytest.importorskip("pillow_heif")
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:32, :, 0] = 255  # red above
    tags = Image.Exif()
    tags[0x112] = 6
    file = io.BytesIO()
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    pillow_heif.from_pillow(stored).save(file, exif=tags.tobytes(), quality=95)
    data = file.getvalue()
    assert read_header(data) == ("HEIF", 96, 64)
    assert np.abs(decode(data, InputSpec(64, 96))[[5, 60]].astype(int) - upright[[5, 60]]).max() < 10
    with pytest.raises(Problem) as caught:
        decode(data[:-200], InputSpec(64, 96))
    assert caught.value.code == "unreadable-image"
