"""`shutterless dataset import`: photos from a table or another tool's export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from shutterless.cli.console import make_table, print_result, progress_bar, say, show
from shutterless.utils.messages import plural


def import_photos(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A table, a folder, or an export.")],
    folder: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="A new or empty folder of photos.")
    ],
    format: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="auto, table, imagefolder, coco, label-studio or teachable-machine."
        ),
    ] = "auto",
    root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder that paths are relative to.  [default: the source's]"),
    ] = None,
    link: Annotated[
        bool, typer.Option("--link", help="Make hard links instead of copies where possible.")
    ] = False,
) -> None:
    """Import labelled photos into a folder for each label.

    From a table (CSV, JSON Lines, Parquet), a Hugging Face imagefolder, COCO annotations, Label Studio's JSON
    or a Teachable Machine project.

    \b
    Examples:
      shutterless dataset import photos.csv -o photos
      shutterless dataset import annotations/train.json --root images -o photos
      shutterless dataset import project.tm -o photos
    """
    from shutterless.dataset.importer import import_dataset

    with progress_bar() as progress:
        result = import_dataset(source, folder, format=format, root=root, link=link, progress=progress)
    show_counts(result.counts())
    if other := sum(not photo.label for photo in result.photos):
        print_result(f"{plural(other, 'photo')} in _other, which fit no label")
    for label, name in result.renamed.items():
        print_result(f"the label {label} is the folder {name}")
    for reason in result.skipped:
        print_result(str(reason))
    if groups := {photo.group for photo in result.photos if photo.group}:
        print_result(f"{plural(len(groups), 'group')} in groups.csv, which training keeps in one split each")
    say(f"Format: {result.format}. Next: shutterless dataset inspect {folder}")


def show_counts(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Print a table of photos by label and split."""
    from shutterless.dataset.inspect.plots import count_rows

    head, *rows, total = count_rows(counts)
    listing = make_table(*head)
    for row in rows:
        listing.add_row(*row)
    listing.add_section()
    listing.add_row(*total)
    show(listing)
