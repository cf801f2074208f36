"""Draw the table of photos by label and split, and a grid of samples, as pictures for documents."""

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from shutterless.dataset.types import totals

# Pixels.
TEXT = 20
LINE = 36
MARGIN = 24
CELL = 160
GAP = 8

# Labels in a picture; with more it would be too large to be shown anywhere.
MAX_ROWS = 40

INK, RULE, PAPER = "#1a1c1f", "#c9ccd1", "#ffffff"


def draw_counts(counts: Mapping[str, Mapping[str, int]]) -> Image.Image:
    """Draw the table of label × split with totals, as RGB.

    Args:
        counts: Label → split → number of photos. Only the largest labels are drawn, with the sum of all
            others, if there are more than `MAX_ROWS`.
    """
    if len(counts) > MAX_ROWS:
        largest = sorted(counts, key=lambda label: sum(counts[label].values()), reverse=True)
        others = totals({label: counts[label] for label in largest[MAX_ROWS - 1 :]})
        counts = {label: counts[label] for label in largest[: MAX_ROWS - 1]}
        counts[f"{len(largest) - MAX_ROWS + 1:,} other labels"] = others
    return _table(count_rows(counts))


def count_rows(counts: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Return the table's cells: a head, a row for each label, and the totals."""
    sums = totals(counts)
    rows = [
        [label, *(f"{number:,}" for number in (*row.values(), sum(row.values())))]
        for label, row in (*counts.items(), ("total", sums))
    ]
    return [["label", *sums, "total"], *rows]


def draw_samples(rows: Mapping[str, Sequence[Image.Image]]) -> Image.Image:
    """Draw a grid with a row of thumbnails for each label, as RGB.

    Args:
        rows: Label → thumbnails of at most 160 px. If there are more than `MAX_ROWS` labels, this many
            are drawn, spread evenly over all of them.
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
            x = MARGIN + names + column * (CELL + GAP)
            grid.paste(image, (x + (CELL - image.width) // 2, top + (CELL - image.height) // 2))
    return grid


def _table(rows: Sequence[Sequence[str]]) -> Image.Image:
    """Return a table of text and, from the second column on, numbers; lines set off its head and totals."""
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
    """Return Pillow's own font, which every machine has."""
    return ImageFont.load_default(TEXT)
