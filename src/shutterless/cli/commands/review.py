"""`shutterless review`: label photos on a page, those that teach a model most first."""

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shutterless.cli.commands.dataset.fix import show_fix
from shutterless.cli.console import INTERRUPTED, print_json, print_result, progress_bar, say, warn
from shutterless.cli.options import AsJson
from shutterless.utils.messages import plural

if TYPE_CHECKING:
    from shutterless.review.session import Review


def review(
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", help="A folder that collect or batch wrote, or a data set."),
    ],
    count: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="How many photos to label.")
    ] = 50,
    apply: Annotated[
        Path | None,
        typer.Option("--apply", metavar="PHOTOS", help="Add the labelled photos to this data set, and end."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --apply: only show what would happen.")
    ] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export", metavar="FILE.json", help="Write the photos as tasks for Label Studio, and end."
        ),
    ] = None,
    import_file: Annotated[
        Path | None,
        typer.Option(
            "--import", metavar="FILE.json", help="Read answers from a Label Studio export, and end."
        ),
    ] = None,
    reviewer: Annotated[str, typer.Option(metavar="NAME", help="Who answers; noted in labels.csv.")] = "",
    model: Annotated[
        str, typer.Option(metavar="NAME|RUN", help="For a data set: the network that finds doubtful photos.")
    ] = "mobilenetv2",
    host: Annotated[
        str, typer.Option(metavar="IP", help="Address to listen on; 0.0.0.0 for a phone in the same network.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0 for any free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Label the photos that teach a model most, on a page of this machine.

    Shows first what the model is unsure of or has never seen, each unlike the others, and a tenth at random,
    by which you see how often the model is right. Every answer is saved at once in labels.csv. Of a data
    set, it shows the photos that may be under the wrong label.

    \\b
    Examples:
      shutterless review live
      shutterless review live --apply photos
      shutterless review photos --count 30
    """
    if sum(each is not None for each in (apply, export, import_file)) > 1:
        raise typer.BadParameter("Choose one of --apply, --export and --import.")
    if dry_run and apply is None:
        raise typer.BadParameter("--dry-run belongs to --apply.")
    if apply is not None:
        _apply(source, apply, dry_run=dry_run, as_json=as_json)
        return
    from shutterless.review.label_studio import export_tasks, import_answers
    from shutterless.review.review import open_review

    with progress_bar() as progress:
        opened = open_review(source, count=count, model=model, progress=progress)
    if export is not None:
        say(f"{plural(export_tasks(opened, export), 'task')} in {export}")
    elif import_file is not None:
        say(f"{plural(import_answers(opened, import_file), 'answer')} in {opened.queue.labels_file}")
    else:
        _serve(opened, reviewer, host, port, browser=browser, as_json=as_json)
        return
    _show(opened, as_json=as_json)


def _apply(source: Path, photos: Path, *, dry_run: bool, as_json: bool) -> None:
    from shutterless.curation.fixes.problems import FixRefusedError
    from shutterless.review.review import apply_review

    try:
        with progress_bar() as progress:
            result = apply_review(source, photos, dry_run=dry_run, progress=progress, on_warning=warn)
    except FixRefusedError as refusal:
        for problem in refusal.problems:
            print_result(str(problem))
        raise
    if as_json:
        print_json(result.to_json())
    else:
        show_fix(result)


def _serve(opened: "Review", reviewer: str, host: str, port: int, *, browser: bool, as_json: bool) -> None:
    from shutterless.review.review import serve_review

    def say_ready(url: str) -> None:
        print_result(url)
        say(f"{plural(opened.remaining, 'photo')} to label. Stop: Ctrl-C")
        if browser:
            webbrowser.open(url)

    try:
        serve_review(opened, reviewer=reviewer, host=host, port=port, ready=say_ready)
    except KeyboardInterrupt:
        _show(opened, as_json=as_json)
        raise typer.Exit(INTERRUPTED) from None
    _show(opened, as_json=as_json)


def _show(opened: "Review", *, as_json: bool) -> None:
    """Print how far the review is, how often the model was right, and what comes next."""
    if as_json:
        print_json(opened.to_json())
        return
    from shutterless.evaluation.intervals import percentage_with_interval
    from shutterless.review.items import Kind

    queue, accuracy = opened.queue, opened.accuracy
    print_result(f"{len(opened.items) - opened.remaining:,} of {plural(len(opened.items), 'photo')} labelled")
    if accuracy:
        shares = percentage_with_interval(accuracy.right, accuracy.photos, accuracy.photos)
        print_result(f"accuracy {shares}, by randomly chosen photos")
    if opened.answers:
        photos = queue.source if queue.kind is Kind.DATASET else "PHOTOS"
        say(f"Add them to your data set: shutterless review {queue.source} --apply {photos}")
