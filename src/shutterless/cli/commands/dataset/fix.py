"""`shutterless dataset fix`: apply the findings that were accepted, or undo that."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.console import Rows, print_json, print_result, progress_bar, say
from shutterless.cli.options import AsJson
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.curation.fixes.fix import DatasetFix


def fix(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of labelled photos.")],
    findings: Annotated[
        Path | None,
        typer.Argument(
            metavar="FINDINGS.csv",
            help="The findings of dataset inspect --report, with yes in the column accept where you agree.",
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Undo the last fix; again for the one before it.")
    ] = False,
    skip_changed: Annotated[
        bool,
        typer.Option("--skip-changed", help="Undo: leave photos that have changed since as they are."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move, rename and remove photos as you have accepted it.

    All findings are checked before the first change. Nothing is deleted or replaced: removed photos are in
    PHOTOS/.shutterless/removed. An interrupted fix is finished by the next one.

    \b
    Examples:
      shutterless dataset fix photos inspection/findings.csv --dry-run
      shutterless dataset fix photos inspection/findings.csv
      shutterless dataset fix photos --undo
    """
    if undo == (findings is not None):
        raise typer.BadParameter("Name the findings, or undo a fix with --undo.")
    if skip_changed and not undo:
        raise typer.BadParameter("--skip-changed belongs to --undo.")
    from shutterless.curation.fixes.fix import fix_dataset, undo_fixes
    from shutterless.curation.fixes.problems import FixRefusedError

    try:
        with progress_bar() as progress:
            if findings:
                result = fix_dataset(photos, findings, dry_run=dry_run, progress=progress)
            else:
                result = undo_fixes(photos, skip_changed=skip_changed, dry_run=dry_run, progress=progress)
    except FixRefusedError as refusal:
        if as_json:
            print_json({"code": refusal.code, "problems": [each.to_json() for each in refusal.problems]})
        else:
            for problem in refusal.problems:
                print_result(str(problem))
        raise
    except KeyboardInterrupt:
        _say_unfinished(photos)
        raise
    if as_json:
        print_json(result.to_json())
    else:
        show_fix(result)


def _say_unfinished(photos: Path) -> None:
    from shutterless.curation.fixes.journal import read_journal

    if read_journal(photos).unfinished:
        say("Some photos are moved, others are not: the same command finishes this, --undo takes it back.")


def show_fix(result: "DatasetFix") -> None:
    """Print what a fix or its undo has moved, or would move."""
    rows = Rows()
    for step in result.steps:
        rows.add(f"undo {step.action}" if result.is_undo else step.action, step.path, step.new_path)
    for step in result.steps:
        if step.identical_to:
            say(f"note: {step.new_path} is identical to {step.identical_to}")
    for problem in result.skipped:
        say(f"skipped: {problem}")
    if result.resumed:
        say(f"Fix {result.resumed} was interrupted and is finished first.")
    if result.already_applied:
        say(f"{plural(result.already_applied, 'finding')} applied before.")
    if result.without_action:
        say(f"{plural(result.without_action, 'accepted finding')} without an action.")
    photos = plural(len(result.steps), "photo")
    if result.is_dry_run:
        say(f"{photos} would be moved; nothing was changed.")
    elif result.is_undo:
        fixes = plural(result.fixes_left, "earlier fix", "earlier fixes")
        say(f"Fix {result.number} is undone: {photos} moved back. {fixes} can still be undone.")
    elif result.number:
        say(f"Fix {result.number}: {photos} moved. To undo it: shutterless dataset fix {result.root} --undo")
    else:
        say("Nothing to do.")
