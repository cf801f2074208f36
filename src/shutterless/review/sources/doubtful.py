"""Photos of a data set that may be under the wrong label."""

from pathlib import Path

from shutterless.curation.inspection import inspect_features
from shutterless.dataset.inspect.suggestions import Suggestion
from shutterless.features.embedding import DEFAULT_MODEL
from shutterless.review.items import Item, Kind, Queue, labels_file
from shutterless.utils.progress import Progress


def read_doubtful(root: Path, count: int, model: str | Path = DEFAULT_MODEL, *, progress: Progress) -> Queue:
    """Return the photos of a data set that may be under the wrong label, the most probable errors first.

    Args:
        root: The data set's folder.
        count: How many photos to choose at most.
        model: The network whose features are used, see `inspect_features`.
        progress: Called while photos are read and run through the network.

    Raises:
        ShutterlessError: As `inspect_features` raises it.
    """
    inspection = inspect_features(root, model=model, progress=progress)
    suggestions = [
        each
        for finding in inspection.findings
        if finding.kind == "label-errors"
        for each in finding.suggestions
    ]
    label_of = {photo.path: photo.label for photo in inspection.dataset.photos}
    items = tuple(_item(root, each, label_of[each.path]) for each in suggestions[:count])
    labels = tuple(inspection.dataset.labels)
    return Queue(Kind.DATASET, root, labels, items, (), len(suggestions), labels_file(root, Kind.DATASET))


def _item(root: Path, suggestion: Suggestion, label: str) -> Item:
    likely = tuple(dict.fromkeys([*suggestion.examples, label]))
    return Item(
        suggestion.sha256,
        suggestion.path,
        label,
        tuple(sorted(likely, key=lambda each: each == label)),
        suggestion.confidence,
        file=root / suggestion.path,
    )
