"""Pictures by their formats' grammars: segments, chunks, tags and boxes with numbers that decoders trip over.

A picture is described by its genes, one choice for each name in `GENES[format]`; `BUILDERS[format]` makes the
file. No gene knows what is dangerous: they are the fields of the formats, with small, large and odd values.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

from PIL import Image

Genes = dict[str, int]

SIDES = (1, 2, 16, 255, 1000, 4032, 7071, 16383, 40_000, 65_535)
COUNTS = (0, 1, 2, 10, 100, 1000, 10_000)
SIZES = (0, 1, 10, 1000, 60_000)
GENES: Mapping[str, Mapping[str, Sequence[int]]] = {
    "JPEG": {
        "width": SIDES,
        "height": SIDES,
        "frame": (0xC0, 0xC1, 0xC2, 0xC2, 0xC9, 0xCA),  # baseline, extended, progressive, arithmetic
        "precision": (8, 8, 8, 12),
        "components": (1, 3, 3, 4),
        "factor": (0x11, 0x22, 0x41, 0x44),
        "scans": (1, 2, 10, 64, 100, 1000),
        "scan_bytes": (0, 10, 1000, 30_000),
        "restart": (0, 1, 1000),
        "marker": (0xE1, 0xE2, 0xED, 0xEE, 0xFE),
        "segments": COUNTS[:-1],
        "segment_bytes": SIZES,
        "fill": (0, 0xFF, 0x41),
    },
    "PNG": {
        "width": (*SIDES, 50_000_000),
        "height": (*SIDES, 50_000_000),
        "depth": (1, 2, 4, 8, 8, 16),
        "colour": (0, 2, 3, 4, 6),
        "interlace": (0, 1),
        "rows": (0, 1, 10, 100),  # per cent of the pixels that the data has
        "data_chunks": (1, 10, 1000),
        "chunk": range(8),
        "chunks": COUNTS,
        "chunk_bytes": SIZES,
        "inflated": (0, 1000, 1_000_000),  # bytes that a compressed chunk unpacks to
    },
    "TIFF": {
        "width": (*SIDES, 10**6),
        "height": (*SIDES, 10**6),
        "bits": (1, 8, 8, 16, 32),
        "samples": (1, 3, 4),
        "photometric": (0, 1, 2, 5, 6, 8),
        "compression": (1, 5, 7, 8, 32773),
        "rows_per_strip": (1, 16, 65_535),
        "tile": (0, 0, 16, 1024, 16_384, 65_520),
        "pieces": (1, 2, 100, 10_000),
        "piece_bytes": (1, 100, 10_000),
        "orientation": (1, 6),
        "tags": (0, 10, 1000),
        "tag_bytes": SIZES,
    },
    "WEBP": {
        "width": (1, 224, 4032, 7071, 16_383),
        "height": (1, 224, 4032, 7071, 16_383),
        "kind": (0, 1, 2),  # lossy, lossless, extended with an animation
        "frames": (1, 10, 100),
        "chunks": COUNTS[:-2],
        "chunk_bytes": SIZES,
        "orientation": (1, 6),
    },
    "GIF": {
        "width": SIDES,
        "height": SIDES,
        "frame_width": SIDES,
        "frame_height": SIDES,
        "frames": COUNTS[1:-1],
        "code_size": (2, 8, 11),
        "data_bytes": (0, 10, 5000),
        "extensions": COUNTS,
        "interlace": (0, 1),
    },
    "BMP": {
        "width": (*SIDES, 10**7),
        "height": (*SIDES, 10**7),
        "bits": (1, 4, 8, 16, 24, 32),
        "compression": (0, 1, 2, 3),
        "runs": COUNTS,
        "run": (0x0000, 0x0100, 0x02FF, 0xFF01),
    },
    "AVIF": {
        "side": (16, 64, 1000),
        "width": (0, 1, 7000, 65_535),  # that the boxes claim, 0 for the true one
        "boxes": COUNTS[:-1],
        "box_bytes": SIZES,
        "depth": (0, 1, 10, 100),  # of boxes in boxes
    },
}


def draw_genes(kind: str, rng: random.Random) -> Genes:
    """Return random genes of a format."""
    return {name: rng.choice(choices) for name, choices in GENES[kind].items()}


def mutate_genes(kind: str, genes: Genes, rng: random.Random) -> Genes:
    """Return the genes with a few others in their place."""
    names = rng.sample(list(genes), rng.choice((1, 1, 2, 3)))
    return genes | {name: rng.choice(GENES[kind][name]) for name in names}


def build_jpeg(genes: Genes) -> bytes:
    """Return a JPEG whose blocks are one colour: its codes of one bit mean zero, and end of block."""
    sizes = [genes["factor"], *[0x11] * (genes["components"] - 1)]
    numbers = range(1, genes["components"] + 1)
    layout = b"".join(bytes((number, size, 0)) for number, size in zip(numbers, sizes, strict=True))
    frame = struct.pack(">BHHB", genes["precision"], genes["height"], genes["width"], genes["components"])
    tables = b"".join(bytes((index, 1, *[0] * 15, 0)) for index in (0x00, 0x10))
    segment = _segment(genes["marker"], bytes([genes["fill"]]) * genes["segment_bytes"])
    head = [
        b"\xff\xd8",
        *[segment] * _times(genes["segments"], len(segment)),
        _segment(0xDB, bytes((0, *[1] * 64))),
        _segment(genes["frame"], frame + layout),
        _segment(0xC4, tables),
        _segment(0xDD, struct.pack(">H", genes["restart"])),
    ]
    first, later = ((0, 0), (1, 63)) if genes["frame"] in (0xC2, 0xCA) else ((0, 63), (0, 63))
    scans = [_scan(numbers, *first)]
    scans += [_scan((1 + index % genes["components"],), *later) for index in range(genes["scans"] - 1)]
    data = bytes(genes["scan_bytes"])
    repeats = _times(len(scans), len(data) + 20)
    return b"".join((*head, *(scan + data for scan in scans[:repeats]), b"\xff\xd9"))


def _scan(components: Sequence[int], start: int, end: int) -> bytes:
    selectors = b"".join(bytes((number, 0)) for number in components)
    return _segment(0xDA, bytes((len(components),)) + selectors + bytes((start, end, 0)))


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def build_png(genes: Genes) -> bytes:
    """Return a PNG with chunks before its data, and as many rows as the genes want."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[genes["colour"]]
    row = 1 + (genes["width"] * channels * genes["depth"] + 7) // 8
    rows = min(genes["height"] * genes["rows"] // 100, 200_000_000 // row)
    data = _deflate_zeros(row * rows)
    length = max(1, len(data) // genes["data_chunks"])
    pieces = [data[at : at + length] for at in range(0, len(data), length)]
    size = genes["width"], genes["height"]
    header = struct.pack(">IIBBBBB", *size, genes["depth"], genes["colour"], 0, 0, genes["interlace"])
    chunk = _chunk(*_png_extra(genes))
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", bytes(768)) if genes["colour"] == 3 else b"",
            *[chunk] * _times(genes["chunks"], len(chunk)),
            *(_chunk(b"IDAT", piece) for piece in pieces),
            _chunk(b"IEND", b""),
        )
    )


def _png_extra(genes: Genes) -> tuple[bytes, bytes]:
    plain = bytes(genes["chunk_bytes"])
    packed = _deflate_zeros(genes["inflated"])
    return (
        (b"tEXt", b"a\0" + plain),
        (b"zTXt", b"a\0\0" + packed),
        (b"iTXt", b"a\0\1\0\0\0" + packed),
        (b"iCCP", b"a\0\0" + packed),
        (b"eXIf", b"II*\0" + plain),
        (b"tRNS", plain[:256]),
        (b"fcTL", plain[:26]),
        (b"vpAg", plain),
    )[genes["chunk"]]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _deflate_zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    pieces = [packer.compress(block) for _ in range(count >> 20)]
    return b"".join((*pieces, packer.compress(bytes(count & 0xFFFFF)), packer.flush()))


def build_tiff(genes: Genes) -> bytes:
    """Return a TIFF of strips or tiles that all lie at the same place."""
    pieces = genes["pieces"]
    content = {8: _deflate_zeros(200_000)}.get(genes["compression"], b"\x81\0" * genes["piece_bytes"])
    entries: list[tuple[int, int, Sequence[int]]] = [
        (256, 4, [genes["width"]]),
        (257, 4, [genes["height"]]),
        (258, 3, [genes["bits"]] * genes["samples"]),
        (259, 3, [genes["compression"]]),
        (262, 3, [genes["photometric"]]),
        (274, 3, [genes["orientation"]]),
        (277, 3, [genes["samples"]]),
    ]
    offsets, counts = [8] * pieces, [len(content)] * pieces
    if genes["tile"]:
        entries += [(322, 4, [genes["tile"]]), (323, 4, [genes["tile"]]), (324, 4, offsets), (325, 4, counts)]
    else:
        entries += [(273, 4, offsets), (278, 4, [genes["rows_per_strip"]]), (279, 4, counts)]
    entries += [(40_000 + index, 7, bytes(genes["tag_bytes"])) for index in range(genes["tags"])]
    body, table = bytearray(struct.pack("<2sHI", b"II", 42, 0) + content), b""
    for tag, form, values in sorted(entries, key=lambda entry: entry[0]):
        packed = (
            bytes(values) if form == 7 else struct.pack(f"<{len(values)}{'H' if form == 3 else 'I'}", *values)
        )
        place = packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", len(body))
        if len(packed) > 4 and len(body) < 15_000_000:
            body += packed
        table += struct.pack("<HHI", tag, form, len(values)) + place
    struct.pack_into("<I", body, 4, len(body))
    return bytes(body) + struct.pack("<H", len(entries)) + table + bytes(4)


def build_webp(genes: Genes) -> bytes:
    """Return a WebP of one colour whose header claims any size."""
    width, height = genes["width"], genes["height"]
    lossless = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + bytes((0x88, 0x88, 8, 0))
    still = io.BytesIO()
    Image.new("RGB", (16, 16)).save(still, "WEBP")
    lossy = bytearray(still.getvalue()[20:])
    struct.pack_into("<HH", lossy, 6, width, height)
    picture = _riff(b"VP8L", lossless) if genes["kind"] else _riff(b"VP8 ", bytes(lossy))
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    flags = 0x0A if genes["kind"] == 2 else 0x08
    exif = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 274, 3, 1, genes["orientation"]) + bytes(4)
    extra = _riff(b"XMP ", bytes(genes["chunk_bytes"]))
    body = _riff(b"VP8X", bytes((flags, 0, 0, 0)) + canvas)
    if genes["kind"] == 2:
        frame = _riff(b"ANMF", bytes(6) + canvas + bytes(4) + picture)
        body += _riff(b"ANIM", bytes(6)) + frame * genes["frames"]
    else:
        body += picture
    body += _riff(b"EXIF", exif) + extra * _times(genes["chunks"], len(extra))
    return _riff(b"RIFF", b"WEBP" + body)


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def build_gif(genes: Genes) -> bytes:
    """Return a GIF of frames that may be larger than their screen."""
    size = struct.pack("<HH", genes["width"], genes["height"])
    data = _lzw_zeros(genes["code_size"], genes["data_bytes"])
    blocks = [data[at : at + 255] for at in range(0, len(data), 255)]
    content = b"".join(bytes((len(block),)) + block for block in blocks)
    box = 0, 0, genes["frame_width"], genes["frame_height"], genes["interlace"] << 6
    frame = b"," + struct.pack("<HHHHB", *box) + bytes((genes["code_size"],)) + content + b"\0"
    extension = b"\x21\xfe\x01a\0"
    return b"".join(
        (
            b"GIF89a" + size + b"\xf7\0\0" + bytes(768),
            extension * _times(genes["extensions"], len(extension)),
            frame * _times(genes["frames"], len(frame)),
            b";",
        )
    )


def _lzw_zeros(code_size: int, size: int) -> bytes:
    """Return that many bytes of LZW codes, each for one more pixel of colour 0 than the one before it."""
    clear, bits, position = 1 << code_size, 0, 0
    while position < 8 * size:
        width = code_size + 1
        for code in (clear, 0, *range(clear + 2, 4096)):
            width += code == 1 << width
            bits |= code << position
            position += width
            if position >= 8 * size:
                break
    return bits.to_bytes(position // 8 + 1, "little")[:size]


def build_bmp(genes: Genes) -> bytes:
    """Return a BMP, perhaps of runs."""
    colours = 4 * (1 << genes["bits"]) if genes["bits"] <= 8 else 12
    data = struct.pack(">H", genes["run"]) * genes["runs"] + b"\0\1"
    size = genes["width"], genes["height"]
    info = struct.pack(
        "<IiiHHIIiiII", 40, *size, 1, genes["bits"], genes["compression"], len(data), 0, 0, 0, 0
    )
    offset = 14 + len(info) + colours
    return struct.pack("<2sIII", b"BM", offset + len(data), 0, offset) + info + bytes(colours) + data


def build_avif(genes: Genes) -> bytes:
    """Return an AVIF of one colour whose boxes claim another size, with free boxes before them."""
    file = io.BytesIO()
    Image.new("RGB", (genes["side"], genes["side"])).save(file, "AVIF", speed=10)
    data = bytearray(file.getvalue())
    if genes["width"] and (at := data.find(b"ispe")) > 0:
        struct.pack_into(">II", data, at + 8, genes["width"], genes["width"])
    box = _box(b"free", bytes(genes["box_bytes"]))
    for _ in range(genes["depth"]):
        box = _box(b"udta", box)
    # After everything else, as places in the file are counted from its start.
    return bytes(data) + box * _times(genes["boxes"], len(box))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


def _times(count: int, size: int) -> int:
    """Return how often a part fits into a request's bytes, at most `count`."""
    return min(count, 4_000_000 // max(size, 1))


BUILDERS: Mapping[str, Callable[[Genes], bytes]] = {
    "JPEG": build_jpeg,
    "PNG": build_png,
    "TIFF": build_tiff,
    "WEBP": build_webp,
    "GIF": build_gif,
    "BMP": build_bmp,
    "AVIF": build_avif,
}
