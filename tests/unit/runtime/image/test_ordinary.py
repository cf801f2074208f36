import io

import numpy as np
import pytest
from PIL import Image

from shutterless.runtime.image import decoder, ordinary
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.image.opener import open_picture
from shutterless.runtime.image.ordinary import decode_ordinary
from shutterless.runtime.image.work import Work
from shutterless.runtime.problems import Problem

SPEC = InputSpec(height=12, width=16)


def encode(kind: str, mode="RGB", size=(40, 30), **options) -> bytes:
    file = io.BytesIO()
    length = len(Image.new(mode, size).tobytes())
    values = np.random.default_rng(3).integers(0, 256, length, np.uint8)
    Image.frombytes(mode, size, values.tobytes()).save(file, kind, **options)
    return file.getvalue()


def code(data: bytes, budget: Budget) -> str:
    with pytest.raises(Problem) as caught:
        decode_ordinary(data, SPEC, budget)
    return caught.value.code


PHOTOS = {
    "JPEG": encode("JPEG"),
    "progressive JPEG": encode("JPEG", progressive=True),
    "CMYK": encode("JPEG", "CMYK"),
    "PNG": encode("PNG"),
    "transparent PNG": encode("PNG", "RGBA"),
    "WebP": encode("WEBP"),
    "transparent WebP": encode("WEBP", "RGBA"),
}


@pytest.mark.parametrize("data", PHOTOS.values(), ids=PHOTOS)
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_an_ordinary_photo_has_the_pixels_that_the_decoder_gives_it(data, resize):
    spec = InputSpec(12, 16, resize)
    picture = decode_ordinary(data, spec, Budget())
    assert picture is not None
    assert picture.tobytes() == decoder.decode(data, spec).tobytes()


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "AVIF"])
def test_a_format_that_no_phone_takes_photos_in_is_unusual(kind, monkeypatch):
    data = encode(kind)
    monkeypatch.setattr(ordinary, "open_file", lambda *_: pytest.fail("it was opened"))
    assert decode_ordinary(data, SPEC, Budget()) is None


@pytest.mark.parametrize("limit", [Work(0.0, 1 << 30), Work(1.0, 0)], ids=["seconds", "memory"])
def test_what_takes_long_or_much_memory_by_its_header_is_unusual(limit, monkeypatch):
    monkeypatch.setattr(ordinary, "MAX_WORK", limit)
    monkeypatch.setattr(decoder.PreparedPicture, "decode", lambda self: pytest.fail("it was decoded"))
    assert decode_ordinary(PHOTOS["JPEG"], SPEC, Budget()) is None


def test_what_consists_of_many_pieces_is_unusual_before_it_is_opened(monkeypatch):
    monkeypatch.setattr(ordinary, "MAX_PIECES", 3)
    monkeypatch.setattr(ordinary, "open_file", lambda *_: pytest.fail("it was opened"))
    assert decode_ordinary(PHOTOS["PNG"], SPEC, Budget()) is None


def test_what_not_even_a_child_could_decode_is_too_large(monkeypatch):
    monkeypatch.setattr(ordinary, "MAX_CHILD_MEMORY", 100)
    assert code(PHOTOS["JPEG"], Budget()) == "too-large"


def test_in_a_small_container_a_photo_must_fit_what_is_left(monkeypatch):
    monkeypatch.setattr(ordinary, "SMALL_MEMORY", 100)
    monkeypatch.setattr(ordinary, "available_memory", lambda: 1000)
    assert code(PHOTOS["JPEG"], Budget()) == "too-large"
    monkeypatch.setattr(ordinary, "available_memory", lambda: 10_000_000)
    assert decode_ordinary(PHOTOS["JPEG"], SPEC, Budget())


def test_a_photo_is_paid_for_with_the_time_that_it_took():
    budget = Budget(cpu_seconds=2.0)
    decode_ordinary(PHOTOS["JPEG"], SPEC, budget)
    assert 1.0 < budget.cpu_seconds < 2.0


def test_a_photo_that_would_take_more_than_is_left_is_not_decoded(monkeypatch):
    monkeypatch.setattr(decoder.PreparedPicture, "decode", lambda self: pytest.fail("it was decoded"))
    assert code(PHOTOS["JPEG"], Budget(cpu_seconds=0.0)) == "too-large"
    file = io.BytesIO()
    Image.new("L", (3000, 2000)).save(file, "PNG")
    assert code(file.getvalue(), Budget(cpu_seconds=0.05)) == "too-large"


def test_sixteen_photos_of_a_phone_fit_one_request():
    file = io.BytesIO()
    Image.new("RGB", (4032, 3024)).save(file, "JPEG")
    opened = open_picture(file.getvalue() + bytes(4_000_000))
    work = decoder.PreparedPicture(opened, InputSpec(224, 224)).work
    assert 0.07 < work.seconds <= Budget().cpu_seconds / 16


def test_a_picture_that_memory_does_not_hold_is_too_large(monkeypatch):
    def fail(self, use_photo):
        raise MemoryError

    monkeypatch.setattr(decoder.PreparedPicture, "decode", fail)
    assert code(PHOTOS["JPEG"], Budget()) == "too-large"


@pytest.mark.parametrize(("data", "expected"), [(b"", "unreadable-image"), (b"hello", "unsupported-format")])
def test_what_is_no_picture_starts_no_child(data, expected):
    assert code(data, Budget()) == expected
