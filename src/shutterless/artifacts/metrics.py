"""metrics.json: what was measured at the end of a training."""

import json
from pathlib import Path
from typing import TypedDict, cast

from shutterless.artifacts.run_files import METRICS
from shutterless.errors import RunError
from shutterless.files import atomic_file
from shutterless.runtime.json_types import JsonObject
from shutterless.text_files import MAX_TABLE_BYTES, parse_json, read_text


class SplitMetrics(TypedDict, total=False):
    """The metrics of a run on the photos of one split.

    They are those of `evaluation.Metrics.to_json` without the confusion matrix, which takes megabytes with
    a thousand labels: `confusions` lists what is off its diagonal, and `per_label` has its diagonal as
    `right`.
    """

    photos: int
    right: int
    accuracy: float
    accuracy_interval: list[float]
    effective_photos: float
    loss: float
    loss_error: float
    calibration_error: float
    labels: list[str]
    per_label: dict[str, dict[str, float]]
    confusions: list[JsonObject]
    robustness: dict[str, JsonObject]


class LabelsMetrics(TypedDict, total=False):
    """The accuracy of a run on the photos of some labels.

    `right_before` is how many of them the earlier run classified correctly; only for labels that it knew.
    """

    photos: int
    right: int
    right_before: int
    accuracy: float
    accuracy_interval: list[float]


class FromRunMetrics(TypedDict):
    """What became of the labels of the run that a run continues, and what was added.

    Attributes:
        run: Folder of the earlier run.
        old_labels: Labels that the earlier run knew, with their names in this run.
        new_labels: All other labels.
        renamed_labels: Name in the earlier run → name in this run.
        removed_labels: Labels of the earlier run that this run does not know.
        old: Split → accuracy on the photos of old labels.
        new: Split → accuracy on the photos of new labels; empty without any.
    """

    run: str
    old_labels: list[str]
    new_labels: list[str]
    renamed_labels: dict[str, str]
    removed_labels: list[str]
    old: dict[str, LabelsMetrics]
    new: dict[str, LabelsMetrics]


class RunMetrics(TypedDict, total=False):
    """The contents of metrics.json.

    `test` is only there if there were test photos, and `from_run` if the run continues another one.
    `seconds` is how long the training took, with reading the photos, the metrics and the report. In a run
    that was interrupted, the finished epochs and what came after the interruption count.
    `estimated_seconds` is the estimate of it, if there was one.
    """

    validation: SplitMetrics
    test: SplitMetrics
    calibration: JsonObject
    from_run: FromRunMetrics
    best_epoch: JsonObject | None
    labels: list[str]
    photos: dict[str, int]
    unreadable: list[JsonObject]
    skipped: list[JsonObject]
    dataset_fingerprint: str
    made_with: dict[str, str]
    parameters: int
    seconds: float
    estimated_seconds: float


def read_metrics(run: Path) -> RunMetrics:
    """Read metrics.json of a run folder.

    Raises:
        RunError: The training is not finished (`unfinished-run`), or the file is broken
            (`unreadable-metrics`).
    """
    file = run / METRICS
    if not file.is_file():
        raise RunError(
            "unfinished-run", f"{run} has no {METRICS}", "Its training was interrupted; evaluate it."
        )
    try:
        document = parse_json(read_text(file, MAX_TABLE_BYTES))
        if not isinstance(document, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError) as error:
        raise RunError(
            "unreadable-metrics", f"{file} cannot be read: {error}", "Evaluate the run."
        ) from error
    return cast(RunMetrics, document)


def write_metrics(file: Path, metrics: RunMetrics) -> None:
    """Write metrics.json, atomically.

    Raises:
        OutputError: The file cannot be written, as on a full disk.
    """
    with atomic_file(file) as draft:
        draft.write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", "utf-8")
