"""Draws the small pictures that the fuzzer starts from: every format, every mode, every layout.

`python tests/fuzz/draw_corpus.py` writes them anew into the folder `corpus` beside this file.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

CORPUS = Path(__file__).with_name("corpus")
WIDTH, HEIGHT = 20, 14


def picture(mode: str = "RGB") -> Image.Image:
    """Return a few colours that run into each other, with a hole where the mode has one."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [columns * 12, rows * 18, (rows + columns) * 7, 255 * (rows > 3)]
    rgba = Image.fromarray(np.stack(planes, -1).astype(np.uint8))
    if mode in ("I;16", "I;16B", "I"):
        return Image.fromarray((rows * 4000).astype({"I;16": "<u2", "I;16B": ">u2", "I": "<i4"}[mode]))
    if mode == "F":
        return Image.fromarray((rows / HEIGHT).astype(np.float32))
    return rgba.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "P", "1") else rgba.convert(mode)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.XResolution] = 72.0
    return tags


def jpegs() -> Iterator[tuple[str, bytes]]:
    for mode in ("L", "RGB", "CMYK"):
        yield mode.lower(), encode(picture(mode), "JPEG", quality=70)
    adobe = encode(picture("CMYK"), "JPEG", quality=70)
    yield "cmyk-not-adobe", adobe.replace(b"\xff\xee\0\x0eAdobe", b"\xff\xee\0\x0eOther")
    yield "progressive", encode(picture(), "JPEG", progressive=True, quality=70)
    yield "restarts", encode(picture(), "JPEG", restart_marker_rows=1, subsampling="4:4:4")
    yield "sideways", encode(picture(), "JPEG", exif=exif(6), comment=b"hello", dpi=(72, 72))
    notes = b"<x:xmpmeta/>", bytes(200)
    yield "annotated", encode(picture(), "JPEG", exif=exif(3), xmp=notes[0], icc_profile=notes[1])
    yield "mpo", encode(picture(), "MPO", save_all=True, append_images=[picture("L")])


def chunk(name: bytes, content: bytes) -> bytes:
    checked = name + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(depth: int, colour: int, lines: list[bytes], *before: bytes, interlaced: bool = False) -> bytes:
    """Return a PNG of these rows of samples, for what Pillow does not write."""
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced)
    content = zlib.compress(b"".join(b"\0" + line for line in lines))
    chunks = [chunk(b"IHDR", head), *before, chunk(b"IDAT", content), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


# The seven passes of PNG's interlacing: first column and row, step of columns and rows.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def pngs() -> Iterator[tuple[str, bytes]]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield mode.lower().replace(";", ""), encode(picture(mode), "PNG")
    for depth in (1, 2, 4):
        few = picture().quantize(2**depth)
        yield f"palette{depth}", encode(few, "PNG", bits=depth)
        yield f"grey{depth}", png(depth, 0, [bytes(range(-(-WIDTH * depth // 8)))] * HEIGHT)
    deep = [bytes(range(6 * WIDTH))] * HEIGHT
    yield "rgb16", png(16, 2, deep)
    yield "rgba16", png(16, 6, [bytes(range(8 * WIDTH))] * HEIGHT)
    yield "la16", png(16, 4, [bytes(range(4 * WIDTH))] * HEIGHT)
    yield "rgb-transparent-colour", encode(picture(), "PNG", transparency=(0, 0, 0))
    yield "grey-transparent-colour", encode(picture("L"), "PNG", transparency=0)
    yield "deep-transparent-colour", png(16, 2, deep, chunk(b"tRNS", bytes(6)))
    yield "palette-transparent", encode(picture("P"), "PNG", transparency=bytes(range(200)))
    pixels = np.asarray(picture())
    passes = [pixels[y::down, x::right] for x, y, right, down in ADAM7]
    yield "interlaced", png(8, 2, [row.tobytes() for one in passes for row in one], interlaced=True)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "hello " * 9, zip=True)
    text.add_itxt("Author", "é", "fr", "Auteur", zip=True)
    yield (
        "annotated",
        encode(picture(), "PNG", pnginfo=text, exif=exif(8), icc_profile=bytes(200), dpi=(72, 72)),
    )
    yield "animated", encode(picture(), "PNG", save_all=True, append_images=[picture().rotate(90)], loop=0)


def webps() -> Iterator[tuple[str, bytes]]:
    yield "lossy", encode(picture(), "WEBP", quality=60)
    yield "lossless", encode(picture(), "WEBP", lossless=True)
    yield "alpha", encode(picture("RGBA"), "WEBP", quality=60)
    yield "annotated", encode(picture(), "WEBP", exif=exif(3), xmp=b"<x/>", icc_profile=bytes(200))
    yield "animated", encode(picture(), "WEBP", save_all=True, append_images=[picture().rotate(90)])


def gifs() -> Iterator[tuple[str, bytes]]:
    yield "palette", encode(picture("P"), "GIF")
    yield "grey", encode(picture("L"), "GIF", interlace=0)
    yield "transparent", encode(picture("P"), "GIF", transparency=3, comment=b"hello")
    yield "animated", encode(picture(), "GIF", save_all=True, append_images=[picture().rotate(90)], loop=0)


def bmp(bits: int, compression: int, extra: bytes, content: bytes, colours: int = 0) -> bytes:
    """Return a BMP for what Pillow does not write; `extra` are masks or colours."""
    info = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, bits, compression, 0, 0, 0, colours, 0)
    start = 14 + len(info) + len(extra)
    return b"BM" + struct.pack("<IHHI", start + len(content), 0, 0, start) + info + extra + content


def bmps() -> Iterator[tuple[str, bytes]]:
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield mode.lower(), encode(picture(mode), "BMP")
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    yield "bitfields", bmp(16, 3, masks, bytes(range(2 * WIDTH)) * HEIGHT)
    colours = bytes(range(64))
    runs = bytes((WIDTH // 2, 3)) + b"\0\4\1\2\3\4" + b"\0\0"
    yield "rle8", bmp(8, 1, colours, runs * (HEIGHT - 1) + b"\0\2\1\1" + b"\5\1\0\1", 16)
    yield "rle4", bmp(4, 2, colours, (bytes((WIDTH, 0x35)) + b"\0\0") * HEIGHT + b"\0\1", 16)


def tiff(tags: dict[int, list[int]], content: bytes) -> bytes:
    """Return a TIFF of these tags, for what Pillow does not write; offsets count from the content."""
    directory, values = b"", b""
    start = 8 + 2 + 12 * len(tags) + 4
    room = start + sum(4 * len(one) for one in tags.values() if len(one) > 1)
    for tag, given in sorted(tags.items()):
        numbers = [one + room for one in given] if tag in (273, 324) else given
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        place = packed if len(numbers) == 1 else struct.pack("<I", start + len(values))
        values += packed if len(numbers) > 1 else b""
        directory += struct.pack("<HHI", tag, 4, len(numbers)) + place
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + directory + bytes(4) + values + content


def tiffs() -> Iterator[tuple[str, bytes]]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B", "I", "F"):
        yield mode.lower().replace(";", ""), encode(picture(mode), "TIFF")
    for compression in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg"):
        yield compression.removeprefix("tiff_"), encode(picture(), "TIFF", compression=compression)
    yield "group4", encode(picture("1"), "TIFF", compression="group4")
    yield "big", encode(picture(), "TIFF", big_tiff=True)
    yield "sideways", encode(picture(), "TIFF", exif=exif(6))
    yield "pages", encode(picture("L"), "TIFF", save_all=True, append_images=[picture()])
    base = {256: [WIDTH], 257: [HEIGHT], 258: [8, 8, 8], 259: [1], 262: [2], 277: [3]}
    tiles = {322: [16], 323: [16], 324: [0, 768], 325: [768, 768]}
    yield "tiled", tiff({**base, **tiles}, bytes(range(256)) * 6)
    size = WIDTH * HEIGHT
    planes = {273: [0, size, 2 * size], 278: [HEIGHT], 279: [size] * 3, 284: [2]}
    deep = {**base, 258: [16], 262: [0], 277: [1], 273: [0], 278: [HEIGHT], 279: [2 * size]}
    yield "white-is-zero", tiff(deep, np.asarray(picture("I;16")).tobytes())
    packed = {**deep, 258: [12], 262: [1], 279: [size * 3 // 2]}
    yield "12-bits", tiff(packed, bytes(range(210)) * 2)
    yield "planes", tiff({**base, **planes}, np.asarray(picture()).transpose(2, 0, 1).tobytes())


def avifs() -> Iterator[tuple[str, bytes]]:
    yield "rgb", encode(picture(), "AVIF", quality=50)
    yield "alpha", encode(picture("RGBA"), "AVIF", quality=50)
    yield "sideways", encode(picture(), "AVIF", quality=50, exif=exif(6))
    yield (
        "animated",
        encode(picture(), "AVIF", quality=50, save_all=True, append_images=[picture().rotate(90)]),
    )


KINDS = {"jpg": jpegs, "png": pngs, "webp": webps, "gif": gifs, "bmp": bmps, "tif": tiffs, "avif": avifs}


def main() -> None:
    CORPUS.mkdir(exist_ok=True)
    for suffix, draw in KINDS.items():
        for name, data in draw():
            (CORPUS / f"{name}.{suffix}").write_bytes(data)


if __name__ == "__main__":
    main()
