"""`shutterless drift`: find out whether a deployed model sees other pictures than before."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import make_table, print_json, print_result, say, show
from shutterless.cli.options import AsJson

if TYPE_CHECKING:
    from shutterless.monitoring.types import Drift

ALARM = 3  # exit code
MAX_LABELS = 20


def drift(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle that was deployed.")],
    live: Annotated[Path, typer.Argument(metavar="LIVE", help="The folder that `collect` wrote.")],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="2026-11-20, or 7d ago.  [default: a window before --until]"),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="End of the period.  [default: now]")
    ] = None,
    window: Annotated[str, typer.Option(metavar="PERIOD", help="day, week or month (30 days).")] = "week",
    alarm: Annotated[bool, typer.Option("--alarm", help="Exit with code 3 if a test alarms.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            "-o",
            metavar="PATH",
            help="Also write a page: a .html file, or a folder for drift.html.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the pictures that a deployed model sees with its validation photos.

    Needs no labels: estimates how often each label occurs now and how many answers are right, and tests
    whether the pictures have changed. Without any change, at most 2 in 100 periods cause an alarm.

    \b
    Examples:
      shutterless drift bundle live --report drift.html
      shutterless drift bundle live --since 2026-11-01 --until 2026-11-08
      shutterless drift bundle live --alarm --json
    """
    from shutterless.monitoring.drift import drift as compare
    from shutterless.monitoring.text import notes

    result = compare(bundle, live, since=since, until=until, window=window, report=report)
    for note in notes(result):
        say(f"note: {note}")
    if as_json:
        print_json(result.to_json())
    else:
        _show(result)
    if report:
        from shutterless.monitoring.report import page_path

        say(f"Report: {page_path(report)}")
    if alarm and result.alarm:
        raise typer.Exit(ALARM)


def _show(drift: "Drift") -> None:
    from shutterless.monitoring.text import (
        MEANINGS,
        accuracy_text,
        by_change,
        conclusion,
        estimate_text,
        figure_rows,
        p_text,
    )

    figures = make_table("", "validation", "now")
    for row in figure_rows(drift):
        figures.add_row(*row)
    show(figures)
    labels = make_table("label", "then", "now (95 % interval)")
    for label, share in by_change(drift)[:MAX_LABELS]:
        labels.add_row(label, f"{100 * share.then:.1f} %", estimate_text(share.now))
    show(labels)
    if drift.signs:
        signs = make_table("test", "what is compared", "effect", "p, corrected", "alarm", text=2)
        for sign in drift.signs:
            signs.add_row(
                sign.name,
                MEANINGS[sign.name][0],
                f"{sign.effect:.3f}",
                p_text(sign.adjusted),
                "yes" if sign.alarms else "no",
            )
        show(signs)
    print_result(f"expected accuracy: {accuracy_text(drift)}")
    print_result(conclusion(drift))
