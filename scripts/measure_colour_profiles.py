"""Measure what ignoring a photo's colour profile costs, and what converting it would cost.

    python scripts/measure_colour_profiles.py MODEL PHOTOS

Each labelled photo is written as a camera with a wider gamut than sRGB would write it: converted by
LittleCMS, tagged with the profile, saved as JPEG. The model, a run or a bundle, then classifies it with the
profile ignored, with the pixels converted back by LittleCMS at full size, and with those of the model's input
converted by a table (`Color3DLUT`). "Saved again" is sRGB, saved with the same quality: what JPEG alone
changes. Each line compares with the photos as they are.
"""

import io
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFilter

from shutterless.dataset import Photo, load_labelled
from shutterless.dataset.types import read_photo_file
from shutterless.evaluation import Predictor
from shutterless.models import load_model
from shutterless.runtime.image.decoder import InputSpec, decode, fit, read_header

Curve = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
Colours = npt.NDArray[np.float64]
QUALITY, TABLE = 95, 17
D50 = (0.9642, 1.0, 0.8249)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


class Space(NamedTuple):
    """A colour space of three primaries.

    Attributes:
        primaries: CIE 1931 x and y of red, green and blue.
        white: x and y of white.
        curve: Parameters of an ICC parametric curve: the exponent alone, or those of function type 3.
    """

    primaries: tuple[tuple[float, float], ...]
    white: tuple[float, float]
    curve: tuple[float, ...]

    def matrix(self) -> Colours:
        """Return the matrix from linear RGB to XYZ, adapted to D50."""
        columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in self.primaries]).T
        x, y = self.white
        white = np.array((x / y, 1, (1 - x - y) / y))
        adaptation = np.diag((BRADFORD @ D50) / (BRADFORD @ white))
        return np.linalg.inv(BRADFORD) @ adaptation @ BRADFORD @ (columns * np.linalg.solve(columns, white))

    def to_linear(self, values: Colours) -> Colours:
        """Return linear light, 0 to 1."""
        g, a, b, c, d = self.curve if len(self.curve) > 1 else (*self.curve, 1, 0, 0, -1)
        return np.where(values >= d, np.maximum(a * values + b, 0) ** g, c * values)

    def from_linear(self, light: Colours) -> Colours:
        """Return the stored values, 0 to 1; what the space cannot show is clipped."""
        g, a, b, c, d = self.curve if len(self.curve) > 1 else (*self.curve, 1, 0, 0, -1)
        light = light.clip(0, 1)
        values = (light ** (1 / g) - b) / a
        return values if c == 0 else np.where(light >= c * d, values, light / c)

    def profile(self) -> bytes:
        """Return an ICC profile, version 4 (ICC.1:2010, matrix-based RGB)."""
        numbers = np.rint(np.array(self.curve) * 65536).astype(">i4").tobytes()
        curve = b"para\0\0\0\0" + struct.pack(">HH", 3 if len(self.curve) > 1 else 0, 0) + numbers
        text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2, 28) + b"\0x"
        tags = {b"desc": text, b"cprt": text, b"wtpt": _xyz(D50)}
        names = (b"rXYZ", b"gXYZ", b"bXYZ")
        tags |= {name: _xyz(column) for name, column in zip(names, self.matrix().T, strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
        return _profile_file({name: tag + bytes(-len(tag) % 4) for name, tag in tags.items()})


def _xyz(values: npt.ArrayLike) -> bytes:
    return b"XYZ \0\0\0\0" + np.rint(np.asarray(values) * 65536).astype(">i4").tobytes()


def _profile_file(tags: dict[bytes, bytes]) -> bytes:
    table, content, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, at + len(content), len(tag))
        content += tag
    size = at + len(content)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + np.rint(np.array(D50) * 65536).astype(">i4").tobytes()
    return head + bytes(128 - len(head)) + table + content


SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
D65 = (0.3127, 0.3290)
SRGB = Space(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), D65, SRGB_CURVE)
SPACES = {
    "sRGB, saved again": SRGB,
    "Display P3": Space(((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), D65, SRGB_CURVE),
    "Adobe RGB": Space(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), D65, (563 / 256,)),
    "ProPhoto RGB": Space(
        ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105)),
        (0.3457, 0.3585),
        (1.8, 1, 0, 1 / 16, 1 / 32),
    ),
}


def to_space(photo: Image.Image, space: Space) -> bytes:
    """Return a photo as a camera with this colour space would save it."""
    file = io.BytesIO()
    profile = space.profile()
    if space is not SRGB:
        source = ImageCms.ImageCmsProfile(io.BytesIO(SRGB.profile()))
        target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        photo = ImageCms.profileToProfile(photo, source, target, outputMode="RGB") or photo
    photo.save(file, "JPEG", quality=QUALITY, subsampling=0, icc_profile=profile)
    return file.getvalue()


def by_cms(data: bytes, spec: InputSpec) -> Image.Image:
    """Decode a photo, and convert it to sRGB by LittleCMS before it is resized."""
    photo = Image.open(io.BytesIO(data))
    source = ImageCms.ImageCmsProfile(io.BytesIO(photo.info["icc_profile"]))
    target = ImageCms.ImageCmsProfile(io.BytesIO(SRGB.profile()))
    return fit(ImageCms.profileToProfile(photo, source, target, outputMode="RGB") or photo, spec)


def by_table(data: bytes, spec: InputSpec, table: ImageFilter.Color3DLUT) -> Image.Image:
    """Decode a photo as shutterless does, and convert the model's input to sRGB by a table."""
    return decode(data, spec).filter(table)


def conversion_table(space: Space) -> ImageFilter.Color3DLUT:
    """Return the table of `TABLE`³ colours from a space to sRGB."""
    matrix = np.linalg.solve(SRGB.matrix(), space.matrix())

    def convert(*colour: float) -> tuple[float, ...]:
        return tuple(SRGB.from_linear(matrix @ space.to_linear(np.array(colour))))

    return ImageFilter.Color3DLUT.generate(TABLE, convert)


class Answers(NamedTuple):
    """A model's answers: right or not, the label, and its confidence."""

    guesses: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]


def ask(model: Predictor, pictures: list[Image.Image]) -> Answers:
    """Classify pictures of the model's input size."""
    scores = model.probabilities(np.stack([np.asarray(picture) for picture in pictures]))
    return Answers(scores.argmax(axis=1), scores.max(axis=1))


def measure(model: Predictor, root: Path, photos: tuple[Photo, ...]) -> None:
    """Print the table of answers."""
    truth = np.array([model.labels.index(photo.label) for photo in photos])
    files = [read_photo_file(root, photo) for photo in photos]
    originals = [decode(data, upright_size(data)) for data in files]
    as_they_are = ask(model, [decode(data, model.input) for data in files])
    print(f"{'as they are':42} right {np.sum(as_they_are.guesses == truth)} of {len(photos)}")
    for name, space in SPACES.items():
        stored = [to_space(photo, space) for photo in originals]
        table = conversion_table(space)
        ways = {"ignored": [decode(data, model.input) for data in stored]}
        if space is not SRGB:
            ways["LittleCMS"] = [by_cms(data, model.input) for data in stored]
            ways["table"] = [by_table(data, model.input, table) for data in stored]
        for way, pictures in ways.items():
            answers = ask(model, pictures)
            changed = np.sum(answers.guesses != as_they_are.guesses)
            gained = np.sum((answers.guesses == truth) & (as_they_are.guesses != truth))
            lost = np.sum((answers.guesses != truth) & (as_they_are.guesses == truth))
            difference = np.abs(answers.confidence - as_they_are.confidence)
            print(
                f"{name + ', ' + way:42} right {np.sum(answers.guesses == truth)}, changed {changed} "
                f"(+{gained} -{lost}), mean change of the confidence {difference.mean():.4f}, "
                f"95th percentile {np.quantile(difference, 0.95):.3f}",
                flush=True,
            )


def upright_size(data: bytes) -> InputSpec:
    """Return the specification that leaves a photo its own size."""
    header = read_header(data)
    return InputSpec(header.height, header.width)


def measure_costs() -> None:
    """Print how long importing and converting take."""
    pixels = np.random.default_rng(1).integers(0, 256, (3024, 4032, 3), np.uint8)
    phone = Image.fromarray(pixels)
    space = SPACES["Display P3"]
    source = ImageCms.ImageCmsProfile(io.BytesIO(space.profile()))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    small = phone.resize((224, 224))
    table = conversion_table(space)
    error = np.abs(
        np.asarray(small.filter(table)).astype(int) - np.asarray(ImageCms.applyTransform(small, transform))
    )
    print(f"the table beside LittleCMS: mean difference {error.mean():.2f}, largest {error.max()}")
    print(f"import of ImageCms: {_import_ms('PIL.ImageCms'):.1f} ms")
    print(f"making the transformation: {_ms(lambda: _transform(space)):.2f} ms")
    print(f"LittleCMS, 224×224: {_ms(lambda: ImageCms.applyTransform(small, transform)):.2f} ms")
    print(f"LittleCMS, 12 megapixels: {_ms(lambda: ImageCms.applyTransform(phone, transform), 3):.0f} ms")
    print(f"table, 224×224: {_ms(lambda: small.filter(table)):.2f} ms")


def _transform(space: Space) -> None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(space.profile()))
    ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")


def _ms(work: Callable[[], object], repeats: int = 20) -> float:
    times = []
    for _ in range(repeats):
        start_time = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start_time))
    return statistics.median(times)


def _import_ms(module: str) -> float:
    code = f"import time; from PIL import Image; t = time.time(); import {module}; print(time.time() - t)"
    times = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5)]
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    loaded_model = load_model(sys.argv[1])
    selection = load_labelled(Path(sys.argv[2]), labels=loaded_model.labels, spec=loaded_model.input)
    measure(loaded_model, selection.dataset.root, selection.dataset.photos)
    measure_costs()
