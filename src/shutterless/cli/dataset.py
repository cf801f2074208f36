"""`shutterless dataset`: look at and make folders of labelled photos."""

from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.console import progress_bar, say, show, table

app = typer.Typer(no_args_is_help=True, help="Look at and make folders of labelled photos.")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    per_label: Annotated[int, typer.Option(min=10, help="Photos of each label.")] = 120,
    size: Annotated[int, typer.Option(min=32, max=512, help="Side of a photo, in pixels.")] = 128,
    seed: Annotated[int, typer.Option(help="The same seed draws the same photos.")] = 42,
) -> None:
    """Draw ten kinds of garments, to try everything without photos of your own.

    Example: shutterless dataset sample photos
    """
    from shutterless.dataset import draw_sample, load_dataset

    with progress_bar() as progress:
        draw_sample(folder, per_label=per_label, size=size, seed=seed, progress=progress)
        drawn = load_dataset(folder, progress=progress)
    counts = drawn.counts()
    splits = next(iter(counts.values()))
    listing = table("label", *splits)
    for label, numbers in counts.items():
        listing.add_row(label, *(str(number) for number in numbers.values()))
    show(listing)
    say(f"Next: shutterless train {folder} -o run --backbone tiny")
