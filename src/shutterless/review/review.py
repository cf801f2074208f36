"""Open a review, serve its page, and apply its answers to a data set."""

from collections.abc import Callable, Mapping
from pathlib import Path

from shutterless.curation.fixes.accepted import AcceptedFinding
from shutterless.curation.fixes.additions import Addition, add_photos
from shutterless.curation.fixes.fix import DatasetFix, apply_plan
from shutterless.curation.fixes.plan import plan_fix
from shutterless.dataset.types import OTHER
from shutterless.errors import InputError
from shutterless.features.embedding import DEFAULT_MODEL
from shutterless.review.app import ReviewApp
from shutterless.review.items import Kind, find_file, find_kind, labels_file
from shutterless.review.labels_file import Answer, Choice, read_labels
from shutterless.review.session import Review
from shutterless.runtime.adapters.http_server import open_server
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, automatic

COUNT = 50


def open_review(
    source: str | Path,
    *,
    count: int = COUNT,
    model: str | Path = DEFAULT_MODEL,
    progress: Progress = automatic,
) -> Review:
    """Choose the photos whose labels would teach a model most.

    Of records of an API and of a batch job, a tenth is chosen at random instead, so that the answers also
    tell how often the model is right. Of a data set, these are the photos that may be under the wrong label.

    Args:
        source: A folder that `collect` or `batch` wrote, or a data set.
        count: How many photos to choose. The same photos come first again the next time; give a larger
            number to go on.
        model: For a data set: the network whose features are compared, see `inspect_features`.
        progress: Called while the photos of a data set are read.

    Returns:
        The photos, with the answers that were given before.

    Raises:
        InputError: There are no photos to review (`no-photos`), or the records cannot be read
            (`unreadable-records`).
        DatasetError: The earlier answers cannot be read (`unreadable-labels`, `missing-column`), or the data
            set cannot be used.

    Example:
        >>> import shutterless
        >>> review = shutterless.open_review("live", count=20)  # doctest: +SKIP
        >>> [item.likely[0] for item in review.queue.items]  # doctest: +SKIP
        ['shirt', 'hat', 'dress']
    """
    from shutterless.review.sources import classified, doubtful

    folder = Path(source)
    match find_kind(folder):
        case Kind.LIVE:
            return Review(classified.read_live(folder, count))
        case Kind.BATCH:
            return Review(classified.read_batch(folder, count))
        case Kind.DATASET:
            return Review(doubtful.read_doubtful(folder, count, model, progress=progress))


def serve_review(
    review: Review,
    *,
    reviewer: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve the page of a review until SIGINT or SIGTERM.

    Args:
        review: The photos.
        reviewer: Who answers, for labels.csv.
        host: IP address to listen on.
        port: Port to listen on; 0 for any free one.
        ready: Called with the address of the page, which has the key that it needs.

    Raises:
        InputError: The port is taken (`cannot-listen`).
        KeyboardInterrupt: At the end, if SIGINT stopped it.

    Example:
        >>> import shutterless
        >>> review = shutterless.open_review("live")  # doctest: +SKIP
        >>> shutterless.serve_review(review, ready=print)  # doctest: +SKIP
        http://127.0.0.1:40211/?key=…
    """
    app = ReviewApp(review, reviewer)
    with open_server(app, host, port) as (server, url):
        ready(f"{url}/?key={app.key}")
        server.run()


def apply_review(
    source: str | Path,
    photos: str | Path,
    *,
    dry_run: bool = False,
    progress: Progress = automatic,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> DatasetFix:
    """Apply the answers of a review to a data set, as a fix that `undo_fixes` takes back.

    Photos that an API or a batch job has classified are copied to the folders of their labels, and to
    `_other` where none of the labels fits. Photos of a data set are moved there. Skipped photos stay as they
    are.

    Args:
        source: The folder that was reviewed.
        photos: The data set's folder; if a data set was reviewed, the same.
        dry_run: Only return what would happen.
        progress: Called while photos are copied and moved.
        on_warning: Called if answers are left out because their photos are not on this machine.

    Returns:
        What was added or moved. Answers that were applied before are left out.

    Raises:
        InputError: The review is of another data set (`conflicting-options`), or there are no answers
            (`no-answers`).
        FixRefusedError: Photos cannot be added or moved (`findings-refused`); nothing was changed.
        DatasetError: The answers cannot be read (`unreadable-labels`, `missing-column`), or the data set
            cannot be used, see `fix_dataset`.
        OutputError: As `fix_dataset` raises it.

    Example:
        >>> import shutterless
        >>> shutterless.apply_review("live", "photos").steps[0].new_path  # doctest: +SKIP
        'train/shirt/0b5e1f.jpg'
    """
    folder, root = Path(source), Path(photos)
    kind = find_kind(folder)
    answers = read_labels(labels_file(folder, kind))
    if not answers:
        raise InputError(
            "no-answers",
            f"No photo of {folder} has an answer yet",
            f"Label some: shutterless review {folder}",
        )
    if kind is Kind.DATASET:
        return _move(folder, root, answers, dry_run=dry_run, progress=progress)
    labelled = [(answer, label) for answer in answers.values() if (label := _target(answer))]
    files = [(find_file(folder, kind, answer.photo), label) for answer, label in labelled]
    additions = [Addition(file, label) for file, label in files if file is not None]
    if missing := len(files) - len(additions):
        on_warning(f"{plural(missing, 'answer')} left out: the photos are not on this machine")
    return add_photos(root, additions, dry_run=dry_run, progress=progress)


def _move(
    folder: Path, root: Path, answers: Mapping[str, Answer], *, dry_run: bool, progress: Progress
) -> DatasetFix:
    """Move photos of a data set to the labels that they were given."""
    if root.resolve() != folder.resolve():
        raise InputError(
            "conflicting-options",
            f"The answers are about the photos in {folder}, not those in {root}",
            f"Apply them to {folder}.",
        )
    findings = [
        AcceptedFinding(row, "move", answer.photo, label, name)
        for row, (name, answer) in enumerate(answers.items(), start=2)
        if (label := _target(answer)) not in ("", answer.before)
    ]
    new_labels = {finding.target for finding in findings} - {OTHER}
    return apply_plan(
        root,
        lambda journal: plan_fix(root, findings, journal, progress, new_labels),
        dry_run=dry_run,
        progress=progress,
    )


def _target(answer: Answer) -> str:
    """Return the folder that an answer wants a photo in; "" for none."""
    return {Choice.LABEL: answer.label, Choice.NONE: OTHER, Choice.SKIP: ""}[answer.choice]
