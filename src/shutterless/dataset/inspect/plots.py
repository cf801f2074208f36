"""The table of photos by label and split, and the picture grid, as pictures to put into a document."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from shutterless.dataset.types import totals

# Pixels.
TEXT = 20
LINE = 36
MARGIN = 24
CELL = 160
GAP = 8

# Rows of labels in a figure: more make a picture that nothing shows.
MAX_ROWS = 40

INK, RULE, PAPER = "#1a1c1f", "#c9ccd1", "#ffffff"


def draw_counts(counts: Mapping[str, Mapping[str, int]]) -> Image.Image:
    """Return the table of label × split with totals, RGB; of many labels the largest and the others' sum."""
    if len(counts) > MAX_ROWS:
        largest = sorted(counts, key=lambda label: sum(counts[label].values()), reverse=True)
        others = totals({label: counts[label] for label in largest[MAX_ROWS - 1 :]})
        counts = {label: counts[label] for label in largest[: MAX_ROWS - 1]}
        counts[f"{len(largest) - MAX_ROWS + 1:,} other labels"] = others
    return _table(count_rows(counts))


def count_rows(counts: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Return the table's cells: a head, a row for each label, and the totals."""
    below = totals(counts)
    return [
        ["label", *below, "total"],
        *(_count_row(label, row) for label, row in counts.items()),
        _count_row("total", below),
    ]


def _count_row(label: str, row: Mapping[str, int]) -> list[str]:
    return [label, *(f"{number:,}" for number in (*row.values(), sum(row.values())))]


def draw_samples(rows: Mapping[str, Sequence[Image.Image]]) -> Image.Image:
    """Return a grid with the thumbnails of each label, none larger than 160 px, in a row, RGB.

    Of many labels at most `MAX_ROWS` are drawn, spread evenly over all of them.
    """
    rows = dict(list(rows.items())[:: -(-len(rows) // MAX_ROWS)])
    names = round(max(_font().getlength(label) for label in rows)) + MARGIN
    columns = max(len(images) for images in rows.values())
    size = (2 * MARGIN + names + columns * (CELL + GAP), 2 * MARGIN + len(rows) * (CELL + GAP))
    grid = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(grid)
    for row, (label, images) in enumerate(rows.items()):
        top = MARGIN + row * (CELL + GAP)
        draw.text((MARGIN, top + CELL / 2), label, INK, _font(), anchor="lm")
        for column, image in enumerate(images):
            left = MARGIN + names + column * (CELL + GAP)
            grid.paste(image, (left + (CELL - image.width) // 2, top + (CELL - image.height) // 2))
    return grid


def _table(rows: Sequence[Sequence[str]]) -> Image.Image:
    """Return a table whose first column is text and the others figures; rules set off first and last row."""
    widths = [
        round(max(_font().getlength(text) for text in column)) + MARGIN for column in zip(*rows, strict=True)
    ]
    size = (sum(widths) + 2 * MARGIN, len(rows) * LINE + 2 * MARGIN)
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    for row, texts in enumerate(rows):
        middle, right = MARGIN + (row + 0.5) * LINE, float(MARGIN)
        draw.text((MARGIN, middle), texts[0], INK, _font(), anchor="lm")
        for column, (width, text) in enumerate(zip(widths, texts, strict=True)):
            right += width
            if column:
                draw.text((right, middle), text, INK, _font(), anchor="rm")
    for row in (1, len(rows) - 1):
        y = MARGIN + row * LINE
        draw.line([(MARGIN, y), (size[0] - MARGIN, y)], RULE, 2)
    return picture


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font: one that every machine has."""
    return ImageFont.load_default(TEXT)
