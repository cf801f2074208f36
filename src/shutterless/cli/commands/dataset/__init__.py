"""`shutterless dataset`: get, draw, inspect and fix folders of labelled photos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.commands.dataset.fix import fix
from shutterless.cli.commands.dataset.import_photos import import_photos, show_counts
from shutterless.cli.console import print_json, print_result, progress_bar, say
from shutterless.cli.options import AsJson
from shutterless.errors import InputError
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.dataset.inspect.inspection import Inspection

GroupBy = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="Which photos show the same thing and stay in one split: auto, none, folder, a regular "
        "expression with one group, or a .csv file with the columns path and group.",
    ),
]

MAX_NAMED = 5  # photos, or groups of them, listed below a finding

app = typer.Typer(no_args_is_help=True, help="Get, draw, inspect and fix folders of labelled photos.")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    per_label: Annotated[int, typer.Option(min=10, metavar="N", help="Photos per label.")] = 120,
    size: Annotated[
        int, typer.Option(min=32, max=512, metavar="PX", help="Side of a photo, in pixels.")
    ] = 128,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Random seed: the same one draws the same photos.")
    ] = 42,
) -> None:
    """Draw a sample data set: ten kinds of clothes.

    \b
    Examples:
      shutterless dataset sample photos
      shutterless dataset sample photos --per-label 20 --size 64
    """
    from shutterless.dataset import draw_sample, load_dataset

    with progress_bar() as progress:
        draw_sample(folder, per_label=per_label, size=size, seed=seed, progress=progress)
        counts = load_dataset(folder, progress=progress).counts()
    show_counts(counts)
    say(f"Next: shutterless train {folder} -o run --backbone tiny")


@app.command()
def download(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set: clothing.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
) -> None:
    """Download a public data set and verify it.

    After a lost connection, the same command continues.

    Example: shutterless dataset download clothing photos
    """
    from shutterless.dataset import load_dataset
    from shutterless.dataset.public.download import download_dataset

    with progress_bar() as progress:
        download_dataset(name, folder, progress=progress)
        counts = load_dataset(folder, progress=progress).counts()
    show_counts(counts)
    say(f"Next: shutterless dataset inspect {folder}")


@app.command()
def inspect(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder or a table of labelled photos.")],
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write a page with pictures into this folder.")
    ] = None,
    features: Annotated[
        bool,
        typer.Option(
            "--features",
            help="Also compare the photos by a network: label errors, more duplicates, outliers, a map.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|BUNDLE|BACKBONE",
            help="The network for --features: a run, a bundle, or a backbone with ImageNet weights.",
            show_default="mobilenetv2",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(metavar="N", help="Seed of the split that training would make, without split folders."),
    ] = 42,
    group_by: GroupBy = "auto",
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything is found.")] = False,
) -> None:
    """Summarize a data set and report problems.

    Corrupt files, duplicates, leakage between splits, wrong labels, imbalance, odd sizes.

    \b
    Examples:
      shutterless dataset inspect photos
      shutterless dataset inspect photos --features --report inspection
      shutterless dataset inspect photos --strict
    """
    if model and not features:
        raise InputError("conflicting-options", "--model is for --features", "Add --features.")
    if report:
        from shutterless.dataset.inspect.report import require_report_folder

        require_report_folder(report, photos)
    with progress_bar() as progress:
        if features:
            from shutterless.curation.inspection import inspect_features
            from shutterless.features.embedding import DEFAULT_MODEL

            inspection = inspect_features(
                photos, model=model or DEFAULT_MODEL, seed=seed, group_by=group_by, progress=progress
            )
        else:
            from shutterless.dataset.inspect.inspection import inspect_dataset

            inspection = inspect_dataset(photos, seed=seed, group_by=group_by, progress=progress)
        page = None
        if report:
            from shutterless.dataset.inspect.report import write_inspection

            page = write_inspection(inspection, report, progress=progress)
    if as_json:
        print_json(inspection.to_json())
    else:
        _show_inspection(inspection)
    if page:
        say(f"Report: {page}")
    if strict and inspection.findings:
        raise typer.Exit(1)


app.command("import")(import_photos)
app.command()(fix)


def _show_inspection(inspection: "Inspection") -> None:
    from shutterless.dataset.types import summarize_groups

    show_counts(inspection.dataset.counts())
    if not inspection.has_split_folders:
        print_result(
            "Nothing gives the splits: training will split the photos like this, with the same seed."
        )
    if other := inspection.other:
        splits = ", ".join(f"{split} {number:,}" for split, number in other.items())
        print_result(f"{plural(sum(other.values()), 'photo')} in _other, which fit no label: {splits}")
    formats = ", ".join(f"{count:,} {name}" for name, count in inspection.formats.items())
    sides = (
        f"{name} {figures['smallest']:g} to {figures['largest']:g} px, median {figures['median']:g}"
        for name, figures in inspection.sides.items()
    )
    print_result("; ".join((formats, *sides)))
    for reason in inspection.dataset.skipped:
        print_result(str(reason))
    for finding in inspection.findings:
        print_result(f"\n{finding.level}: {finding.title}\n  {finding.advice}")
        reasons = {each.path: each.reason for each in finding.suggestions}
        _show_files(finding.files, reasons if all(len(paths) == 1 for paths in finding.files) else {})
    groups = inspection.dataset.groups
    for line in summarize_groups(groups):
        print_result(f"\n{line}\n  Training keeps each group in one split; --group-by overrides the rules.")
    _show_files([[photo.path for photo in group.photos] for group in groups], {})
    print_result(f"\nFindings: {len(inspection.findings)}")


def _show_files(groups: Sequence[Sequence[str]], reasons: Mapping[str, str]) -> None:
    for group in groups[:MAX_NAMED]:
        more = f" and {len(group) - MAX_NAMED} more" if len(group) > MAX_NAMED else ""
        reason = f": {reasons[group[0]]}" if group[0] in reasons else ""
        print_result(f"    {' = '.join(group[:MAX_NAMED])}{more}{reason}")
    if len(groups) > MAX_NAMED:
        print_result(f"    and {len(groups) - MAX_NAMED:,} more: --json lists them all")
