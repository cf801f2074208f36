import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from shutterless.dataset import load_dataset
from shutterless.dataset.inspect.inspection import inspect_dataset
from shutterless.runtime.http_messages import Request
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import InputSpec, read_header
from shutterless.runtime.image.heic import is_heic
from shutterless.runtime.image.isolation import decode_isolated
from shutterless.runtime.image.opener import open_picture
from shutterless.runtime.image.ordinary import decode_ordinary
from shutterless.runtime.image.work import estimate
from shutterless.runtime.problems import Problem
from tests.decoding import decode

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
SPEC = InputSpec(32, 48)


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


def colours() -> np.ndarray:
    """Return a picture whose upper half is red, with a gradient from left to right."""
    pixels = np.zeros((128, 192, 3), np.uint8)
    pixels[:64, :, 0] = 255
    pixels[..., 2] = np.linspace(0, 255, 192)
    return pixels


def encode(pixels: np.ndarray, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(file, quality=95, chroma=444, **options)
    return file.getvalue()


def sideways() -> bytes:
    tags = Image.Exif()
    tags[0x112] = 6
    return encode(np.ascontiguousarray(np.rot90(colours())), exif=tags.tobytes())


def in_tiles() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.options.GRID_TILE_SIZE = 64
    try:
        return encode(colours())
    finally:
        pillow_heif.options.GRID_TILE_SIZE = 0


def deep() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    values = colours().astype(np.uint16) * 257
    pillow_heif.from_bytes("RGB;16", (192, 128), values.tobytes()).save(file, quality=95, chroma=444)
    return file.getvalue()


def several() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pictures = pillow_heif.from_pillow(Image.new("RGB", (40, 40)))
    pictures.add_from_pillow(Image.fromarray(colours()))
    pictures.save(file, quality=95, chroma=444, primary_index=1)
    return file.getvalue()


def transparent() -> bytes:
    """Return the picture whose lower half, which is black without red, is transparent."""
    opacity = np.zeros((128, 192, 1), np.uint8)
    opacity[:64] = 255
    return encode(np.dstack([colours(), opacity]))


def on_white() -> np.ndarray:
    pixels = colours()
    pixels[64:] = 255
    return pixels


KINDS = {
    "plain": (lambda: encode(colours()), colours),
    "sideways": (sideways, colours),
    "in tiles": (in_tiles, colours),
    "10 bits": (deep, colours),
    "several": (several, colours),
    "thumbnail": (lambda: encode(colours(), thumbnails=[32]), colours),
    "transparent": (transparent, on_white),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_heic_has_equal_pixels_in_training_and_in_serving(kind):
    make, expected = KINDS[kind]
    data = make()
    assert read_header(data) == ("HEIF", 192, 128)
    assert decode_ordinary(data, SPEC, Budget()) is None  # so that a stranger's goes to the child process
    pixels = decode(data, SPEC)
    np.testing.assert_array_equal(decode_isolated(data, SPEC, Budget()), pixels)
    resized = Image.fromarray(expected()).resize((SPEC.width, SPEC.height), Image.Resampling.BILINEAR)
    assert np.abs(pixels.astype(int) - np.asarray(resized)).mean() < 2


def test_a_heic_of_10_bits_or_with_transparency_is_expected_to_need_more_memory():
    plain, deeper, clear = (
        estimate(open_picture(make())).memory / (128 * 192)
        for make in (lambda: encode(colours()), deep, transparent)
    )
    assert deeper - plain > 6 and clear - plain > 5  # bytes of a pixel


def test_a_heic_that_ends_early_is_unreadable():
    with pytest.raises(Problem) as caught:
        decode(encode(colours())[:-200], SPEC)
    assert caught.value.code == "unreadable-image"


@pytest.fixture
def heic_photos(tmp_path):
    """Return a folder of labelled HEIC photos."""
    rng = np.random.default_rng(1)
    for label, channel in (("blue", 2), ("green", 1), ("red", 0)):
        (tmp_path / label).mkdir()
        for number in range(4):
            pixels = rng.integers(0, 60, (64, 64, 3), np.uint8)
            pixels[..., channel] += 160
            (tmp_path / label / f"IMG_{number}.HEIC").write_bytes(encode(pixels))
    return tmp_path


def test_heic_photos_get_the_same_scores_served_as_trained(heic_photos, service, classifier):
    dataset = load_dataset(heic_photos, spec=classifier.input)
    assert len(dataset.photos) == 12
    for photo in dataset.photos[::3]:
        body = (heic_photos / photo.path).read_bytes()
        response = service.respond(Request("POST", "/predict", {"content-type": "image/heic"}, {}, body))
        trained = classifier.probabilities(dataset.decoded.arrays[photo.path][None])[0]
        assert list(json.loads(response.body)["scores"].values()) == pytest.approx(trained, abs=1e-6)
        assert json.loads(response.body)["label"] == photo.label


def test_without_its_extra_heic_photos_are_left_out_with_the_name_of_the_extra(heic_photos, monkeypatch):
    for label in ("blue", "red"):
        Image.new("RGB", (64, 64), label).save(heic_photos / label / "jpeg.jpg")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (finding,) = (
        finding for finding in inspect_dataset(heic_photos).findings if finding.kind == "unreadable"
    )
    assert len(finding.files) == 12
    assert "shutterless[heic]" in finding.advice
