"""`shutterless compare`: compare two models photo by photo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import make_table, print_json, print_result, progress_bar, say, show, warn
from shutterless.cli.options import AsJson, LabelMap, Split, parse_label_map

if TYPE_CHECKING:
    from shutterless.evaluation.comparison.comparison import ModelAnswer, ModelComparison

MAX_CHANGES = 20


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run or a bundle.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The run or bundle to compare it with.")],
    photos: Annotated[
        Path | None,
        typer.Argument(
            metavar="PHOTOS", help="A folder or table of labelled photos.  [default: those of a run]"
        ),
    ] = None,
    split: Split = None,
    label_map: LabelMap = None,
    skip_unknown_labels: Annotated[
        bool, typer.Option("--skip-unknown-labels", help="Leave out photos of labels that neither knows.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Also write a page with the photos: a .html file, or a folder for comparison.html.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs or bundles photo by photo.

    Shows which answers changed, which got better and worse, and whether that is more than chance. Only
    photos that neither model was trained on are compared by default, recognised by their content.

    \b
    Examples:
      shutterless compare run-1 run-2
      shutterless compare old-bundle new-bundle photos --report comparison.html
      shutterless compare run bundle photos --split validation --json
    """
    from shutterless.models import compare as compare_models

    with progress_bar() as progress:
        comparison = compare_models(
            a,
            b,
            photos,
            split=split,
            label_map=parse_label_map(label_map) if label_map else None,
            skip_unknown_labels=skip_unknown_labels,
            report=report,
            progress=progress,
            on_warning=warn,
        )
    for note in comparison.notes():
        say(f"note: {note}")
    if as_json:
        print_json(comparison.to_json())
    else:
        _show(comparison)
    if report:
        from shutterless.evaluation.comparison.report import page_path

        say(f"Report: {page_path(report)}")


def _show(comparison: "ModelComparison") -> None:
    from shutterless.evaluation.comparison.text import conclusion, figure_rows
    from shutterless.evaluation.holdout import describe
    from shutterless.evaluation.intervals import percentage, percentage_of

    figures = make_table("", "A", "B", "difference")
    figures.add_row("model", comparison.a.name, comparison.b.name, "")
    for row in figure_rows(comparison):
        figures.add_row(*row)
    show(figures)
    labels = make_table("label", "photos", "recall A", "recall B", "better", "worse")
    for label, change in sorted(
        comparison.per_label.items(), key=lambda item: item[1].better - item[1].worse
    ):
        recalls = percentage(change.a, change.photos), percentage(change.b, change.photos)
        labels.add_row(label, f"{change.photos:,}", *recalls, f"{change.better:,}", f"{change.worse:,}")
    show(labels)
    _show_changes(comparison)
    for label, figures_of_label in comparison.unshared.items():
        recall = percentage_of(figures_of_label.right, figures_of_label.photos)
        print_result(
            f"only {figures_of_label.known_to.upper()} knows {label}: recall {recall}, not counted below"
        )
    same = percentage_of(comparison.same, comparison.photos)
    print_result(f"same answer to {same} on {describe(comparison.splits)}")
    print_result(conclusion(comparison))


def _show_changes(comparison: "ModelComparison") -> None:
    if not comparison.changes:
        return
    changes = make_table("effect", "photo", "label", "A", "B", text=5)
    for change in comparison.changes[:MAX_CHANGES]:
        changes.add_row(
            change.effect, change.path, change.label, _answer_text(change.a), _answer_text(change.b)
        )
    show(changes)
    if (more := len(comparison.changes) - MAX_CHANGES) > 0:
        print_result(f"--json lists {more:,} more photos with different answers")


def _answer_text(answer: "ModelAnswer") -> str:
    return f"{answer.label} {answer.confidence:.2f}"
