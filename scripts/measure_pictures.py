"""Compare the predicted with the measured time and memory of decoding each format's worst pictures.

    python scripts/measure_pictures.py [NAME]

prints the table of docs/security.md: how large each file is, what `work.estimate` predicts from its header,
what decoding it takes in a process of its own, and what a stranger who sends it gets. With NAME, only the
pictures whose names contain it.
"""

import functools
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable

from PIL import Image, ImageFile

from shutterless.runtime.image import ordinary
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import InputSpec, PreparedPicture
from shutterless.runtime.image.isolation import decode_isolated
from shutterless.runtime.image.opener import open_picture
from shutterless.runtime.problems import Problem

SPEC = InputSpec(224, 224)
PHONE, LARGE = (4032, 3024), (8160, 6120)
SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6
# Run in a process of its own: the CPU seconds and the bytes of memory that decoding standard input takes.
MEASURE = """
import sys, time, warnings
from pathlib import Path
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.runtime.image.opener import supported_formats

def peak():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024

warnings.simplefilter("ignore")
supported_formats()
data = sys.stdin.buffer.read()
Path("/proc/self/clear_refs").write_text("5")
memory, cpu_time = peak(), time.process_time()
decode(data, InputSpec(224, 224))
print(time.process_time() - cpu_time, peak() - memory)
"""


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def flat(mode: str, size: tuple[int, int], kind: str, **options: object) -> Callable[[], bytes]:
    """Return what makes a picture of one colour: a small file of many pixels."""
    return lambda: encode(Image.new(mode, size), kind, **options)


def noise(mode: str, size: tuple[int, int], kind: str, **options: object) -> Callable[[], bytes]:
    """Return what makes a picture of noise: the largest file for its pixels."""
    length = len(Image.new(mode, (1, 1)).tobytes()) * size[0] * size[1]
    return lambda: encode(Image.frombytes(mode, size, os.urandom(length)), kind, **options)


def photo(size: tuple[int, int], kind: str, mode: str = "RGB", **options: object) -> Callable[[], bytes]:
    """Return what makes a picture with shapes and a camera's noise."""

    def make() -> bytes:
        grain = Image.effect_noise(size, 24)
        picture = Image.blend(shapes().resize(size), grain.convert("RGB"), 0.3).convert(mode)
        if mode == "RGBA":
            picture.putalpha(grain)
        return encode(picture, kind, **options)

    return make


@functools.cache
def shapes() -> Image.Image:
    """Return a picture with edges and areas."""
    return Image.effect_mandelbrot((1600, 1200), (-2, -1.2, 0.8, 1.2), 60).convert("RGB")


def in_scans(size: tuple[int, int], scans: int) -> bytes:
    """Return a progressive JPEG of one colour with as many scans, most of which refine nothing."""
    data = encode(Image.new("L", size, 99), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    last = data[at:-2]
    return data[:at] + last * (scans - data.count(b"\xff\xda\0") + 1) + data[-2:]


def in_chunks(size: tuple[int, int], length: int) -> bytes:
    """Return a PNG, not compressed, in chunks of some bytes each."""
    import struct
    import zlib

    pixels = zlib.compress(bytes((3 * size[0] + 1) * size[1]), 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    parts = (chunk(b"IDAT", pixels[at : at + length]) for at in range(0, len(pixels), length))
    return b"".join((b"\x89PNG\r\n\x1a\n", head, *parts, chunk(b"IEND", b"")))


def in_jpeg_scans(size: tuple[int, int]) -> bytes:
    """Return a TIFF with a JPEG in it that says it is progressive."""
    data = encode(Image.new("RGB", size), "TIFF", compression="jpeg")
    return data.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc2\0\x11\x08")


def in_tiles(count: int) -> bytes:
    """Return a TIFF of one row of tiles of 16 × 16 pixels, which all have the same bytes."""
    import struct

    width, pixels = count * 16, 256
    entries = [(256, 4, 1, width), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(277, 3, 1, 1), (322, 4, 1, 16), (323, 4, 1, 16)]
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries += [(324, 4, count, start + pixels), (325, 4, count, start + pixels + 4 * count)]
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries))
    head += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    return head + bytes(pixels) + struct.pack("<I", start) * count + struct.pack("<I", pixels) * count


def heic_tiles(size: tuple[int, int]) -> bytes:
    """Return a HEIC in tiles, as phones write it."""
    from pillow_heif import options

    options.GRID_TILE_SIZE = 512
    try:
        return flat("RGB", size, "HEIF")()
    finally:
        options.GRID_TILE_SIZE = 0


def deep_heic(size: tuple[int, int]) -> bytes:
    """Return a HEIC with 10 bits per channel."""
    import pillow_heif  # type: ignore[import-untyped]

    file = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", size, bytes(6 * size[0] * size[1])).save(file, chroma=444)
    return file.getvalue()


PICTURES: dict[str, Callable[[], bytes]] = {
    "JPEG, 12 megapixels": photo(PHONE, "JPEG", quality=95),
    "JPEG, 12 megapixels, progressive": photo(PHONE, "JPEG", quality=95, progressive=True),
    "JPEG, 50 megapixels": photo(LARGE, "JPEG", quality=90),
    "JPEG, 50 megapixels, progressive": photo(LARGE, "JPEG", quality=85, progressive=True),
    "JPEG, noise": noise("RGB", (2100, 2100), "JPEG", quality=100, subsampling=0),
    "JPEG, noise, progressive": noise(
        "RGB", (2100, 2100), "JPEG", quality=100, subsampling=0, progressive=True
    ),
    "JPEG, 200 megapixels, one colour": flat("RGB", (16320, 12240), "JPEG"),
    "JPEG, 50 megapixels, 20 scans": lambda: in_scans((7071, 7071), 20),
    "JPEG, 50 megapixels, 100 scans": lambda: in_scans((7071, 7071), 100),
    "JPEG, 50 megapixels, not subsampled, progressive": flat(
        "RGB", (7071, 7071), "JPEG", progressive=True, subsampling=0
    ),
    "PNG, 12 megapixels": photo(PHONE, "PNG"),
    "PNG, 12 megapixels, sideways": photo(PHONE, "PNG", exif=SIDEWAYS),
    "PNG, noise": noise("RGB", (2580, 2580), "PNG"),
    "PNG, 50 megapixels": flat("RGB", (7071, 7071), "PNG"),
    "PNG, 50 megapixels, transparent": flat("RGBA", (7071, 7071), "PNG"),
    "PNG, 50 megapixels, 16 bits of grey": flat("I;16", (7071, 7071), "PNG"),
    "PNG, 6 megapixels in chunks of 8 KB": lambda: in_chunks((2560, 2560), 8192),
    "PNG, 2 megapixels in chunks of 100 bytes": lambda: in_chunks((1600, 1300), 100),
    "WebP, 12 megapixels": photo(PHONE, "WEBP", quality=85, method=0),
    "WebP, 12 megapixels, transparent": photo(PHONE, "WEBP", "RGBA", quality=60, method=0),
    "WebP, noise, lossless": noise("RGBA", (2100, 2100), "WEBP", lossless=True, method=0, quality=0),
    "WebP, 50 megapixels, one colour": flat("RGB", (7071, 7071), "WEBP", method=0),
    "WebP, 50 megapixels, transparent, sideways": flat(
        "RGBA", (16383, 3051), "WEBP", lossless=True, method=0, exif=SIDEWAYS
    ),
    "GIF, noise": noise("P", (3800, 3800), "GIF"),
    "GIF, 50 megapixels": flat("P", (7071, 7071), "GIF"),
    "BMP, 6 megapixels": noise("RGB", (2580, 2580), "BMP"),
    "TIFF, 6 megapixels": noise("RGB", (2580, 2580), "TIFF"),
    "TIFF, noise, LZW": noise("RGB", (2200, 2200), "TIFF", compression="tiff_lzw"),
    "TIFF, 50 megapixels, Deflate": flat("RGB", (7071, 7071), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, 50 megapixels, transparent": flat("RGBA", (7071, 7071), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, 49 megapixels, floating point": flat("F", (7000, 7000), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, 12 megapixels, JPEG": photo(PHONE, "TIFF", compression="jpeg"),
    "TIFF, 4,000 tiles": lambda: in_tiles(4000),
    "AVIF, 12 megapixels": photo(PHONE, "AVIF", speed=10),
    "AVIF, noise": noise("RGB", (2400, 2400), "AVIF", speed=10, quality=95),
    "AVIF, 49 megapixels, one colour": flat("RGB", (7000, 7000), "AVIF", speed=10),
    "AVIF, 49 megapixels, transparent": flat("RGBA", (7000, 7000), "AVIF", speed=10, subsampling="4:4:4"),
    "HEIC, 3 megapixels": photo((2016, 1512), "HEIF", quality=60),
    "HEIC, 12 megapixels, one colour": flat("RGB", PHONE, "HEIF"),
    "HEIC, 12 megapixels, tiles": lambda: heic_tiles(PHONE),
    "HEIC, 12 megapixels, not subsampled": flat("RGB", PHONE, "HEIF", chroma=444),
    "HEIC, 12 megapixels, transparent": flat("RGBA", PHONE, "HEIF"),
    "HEIC, 12 megapixels, 10 bits": lambda: deep_heic(PHONE),
}


def predict(data: bytes) -> tuple[float, float]:
    """Return the predicted CPU seconds and bytes."""
    work = PreparedPicture(open_picture(data), SPEC).work
    return work.seconds, work.memory


def measure(data: bytes) -> tuple[float, float]:
    """Return the CPU seconds and the bytes that decoding takes."""
    command = [sys.executable, "-c", MEASURE]
    process = subprocess.run(command, input=data, capture_output=True, check=True)
    seconds, memory = process.stdout.split()
    return float(seconds), int(memory)


def answer(data: bytes) -> str:
    """Return where a stranger's picture is decoded, or the code of the error."""
    try:
        if ordinary.decode_ordinary(data, SPEC, Budget()) is not None:
            return "in the service"
        decode_isolated(data, SPEC, Budget())
    except Problem as problem:
        return f"`{problem.code}`"
    return "in a child process"


def main(part: str = "") -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK = None, 1 << 26
    if any(name.startswith("HEIC") and part in name for name in PICTURES):
        import pillow_heif  # type: ignore[import-untyped]

        pillow_heif.register_heif_opener()
    print("| picture | file size | seconds: predicted | measured | memory: predicted | measured | decoded |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, make in PICTURES.items():
        if part not in name:
            continue
        data = make()
        try:
            (seconds, memory), (real_seconds, real_memory) = predict(data), measure(data)
        except Problem as problem:
            print(f"| {name} | {len(data):,} | | | | | `{problem.code}` |", flush=True)
            continue
        figures = f"{seconds:.2f} | {real_seconds:.2f} | {memory / 1e6:.0f} MB | {real_memory / 1e6:.0f} MB"
        print(f"| {name} | {len(data):,} | {figures} | {answer(data)} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
