"""How a model was made, read from the folder of its run or bundle."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shutterless.artifacts.history import Epoch, read_history
from shutterless.artifacts.run_files import HISTORY, METRICS, RECIPE, SPLIT
from shutterless.artifacts.split import read_split
from shutterless.dataset import Photo
from shutterless.errors import RunError
from shutterless.novelty import Noticed, parse_left_out
from shutterless.runtime.model.bundle import DESCRIPTION, read_bundle
from shutterless.text_files import MAX_TABLE_BYTES, parse_json, parse_toml, read_text


@dataclass(frozen=True)
class SplitAccuracy:
    """How many photos of a split a run classified correctly at the end of its training."""

    split: str
    right: int
    photos: int


@dataclass(frozen=True)
class LabelsAccuracy:
    """How many photos of old or of new labels a run that continues another one classified correctly.

    Attributes:
        labels: Number of labels.
        kind: "old label" or "new label".
        split: The split of the photos.
        right: Number of correct answers.
        photos: Number of photos.
        right_before: Number of correct answers of the run that it continues; None for new labels.
    """

    labels: int
    kind: str
    split: str
    right: int
    photos: int
    right_before: int | None


@dataclass(frozen=True)
class Provenance:
    """How a model was made.

    Attributes:
        name: The bundle's name, or that of the run's folder.
        facts: Name → value, such as recipe, backbone and seed.
        made_with: Package → version.
        command: The command that trained the run, as far as its folder records it; "" for a bundle.
        recipe: Text of the run's recipe.toml; "" for a bundle.
        photos: Photos of the run's split.
        history: Epochs of the run.
        measured: Accuracies in the run's metrics.json.
        by_age: Accuracies on old and on new labels; empty unless the run continues another one.
        temperature: The bundle's temperature; None for a run, which has none yet.
        target_precision: Accuracy that the bundle's threshold was chosen for, 0 to 1; None for a run.
        left_out: Label → how well its photos are noticed by a model that was fitted without it; empty for a
            run, and for a bundle that records none.
        false_alarm_rate: Share of familiar photos that the bundle may refuse, 0 to 1; None for a run.
    """

    name: str
    facts: dict[str, str]
    made_with: dict[str, str]
    command: str = ""
    recipe: str = ""
    photos: tuple[Photo, ...] = ()
    history: tuple[Epoch, ...] = ()
    measured: tuple[SplitAccuracy, ...] = ()
    by_age: tuple[LabelsAccuracy, ...] = ()
    temperature: float | None = None
    target_precision: float | None = None
    left_out: Mapping[str, Noticed] = field(default_factory=dict)
    false_alarm_rate: float | None = None


def read_provenance(model: Path) -> Provenance:
    """Read how a model was made from the folder of its run or bundle.

    Raises:
        RunError: The run cannot be read.
        BundleError: The bundle does not verify.
    """
    return _of_bundle(model) if (model / DESCRIPTION).is_file() else _of_run(model)


def _of_bundle(folder: Path) -> Provenance:
    bundle = read_bundle(folder)
    facts = {
        "bundle": f"{bundle.name}, version {bundle.version}",
        "precision": bundle.precision,
        "backbone": bundle.backbone,
        "input": f"{bundle.input.width}×{bundle.input.height} px",
        "recipe": bundle.recipe,
        "data set": bundle.dataset_fingerprint,
        "created": bundle.created,
    }
    target = bundle.accuracy.get("target_precision")
    return Provenance(
        bundle.name,
        facts,
        _texts(bundle.made_with),
        temperature=bundle.temperature,
        target_precision=float(target) if isinstance(target, int | float) and 0 <= target <= 1 else None,
        left_out=parse_left_out(bundle.familiar.get("measured")),
        false_alarm_rate=bundle.familiarity.false_alarm_rate if bundle.familiarity else None,
    )


def _of_run(folder: Path) -> Provenance:
    file = folder / METRICS
    try:
        recipe = read_text(folder / RECIPE)
        document = parse_toml(recipe)
        settings = _table(document.get("run", {}))
        teachers = [str(source) for source in _table(document.get("teacher", {})).get("sources", ())]
        metrics = _table(
            parse_json(read_text(file, MAX_TABLE_BYTES)) if file.is_file() else {"made_with": {}}
        )
        made_with, accuracies = _texts(_table(metrics["made_with"])), _accuracies(metrics)
        by_age = _accuracies_by_age(_table(metrics.get("from_run") or {}))
        history = read_history(folder / HISTORY)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise RunError(
            "unreadable-run",
            f"The run {folder} cannot be read: {error}",
            "Give the folder that `shutterless train -o` wrote.",
        ) from error
    recipe_name = str(document.get("name", ""))
    facts = {"recipe": recipe_name, **{name.replace("_", " "): value for name, value in settings.items()}}
    return Provenance(
        folder.resolve().name,
        _texts(facts),
        made_with,
        _train_command(folder, recipe_name, settings, teachers),
        recipe,
        tuple(photo for photo in read_split(folder / SPLIT) if photo.label),
        history,
        accuracies,
        by_age,
    )


def _accuracies(metrics: Mapping[str, Any]) -> tuple[SplitAccuracy, ...]:
    tables = {split: _table(metrics.get(split) or {}) for split in ("validation", "test")}
    accuracies = [
        SplitAccuracy(split, int(table["right"]), int(table["photos"]))
        for split, table in tables.items()
        if "right" in table  # older runs recorded shares alone
    ]
    if not all(0 <= accuracy.right <= accuracy.photos > 0 for accuracy in accuracies):
        raise ValueError("it has impossible counts")
    return tuple(accuracies)


def _accuracies_by_age(comparison: Mapping[str, Any]) -> tuple[LabelsAccuracy, ...]:
    """Return the accuracies in the table `from_run` of metrics.json, which may be empty."""
    accuracies = tuple(
        LabelsAccuracy(
            len(comparison[f"{age}_labels"]),
            f"{age} label",
            str(split),
            int(table["right"]),
            int(table["photos"]),
            int(table["right_before"]) if "right_before" in table else None,
        )
        for age in ("old", "new")
        for split, table in _table(comparison.get(age) or {}).items()
    )
    for accuracy in accuracies:
        if not 0 <= max(accuracy.right, accuracy.right_before or 0) <= accuracy.photos:
            raise ValueError("it has impossible counts")
    return accuracies


def _train_command(folder: Path, recipe: str, settings: Mapping[str, Any], teachers: Sequence[str]) -> str:
    options = ["--recipe", recipe]
    if "from_run" in settings:  # its network is that of the run
        options += ["--from", str(settings["from_run"])]
    network = () if "from_run" in settings else ("backbone", "weights", "cut", "image_size")
    for option in (*network, "seed", "minutes", "group_by"):
        if option in settings:
            options += [f"--{option.replace('_', '-')}", str(settings[option])]
    options += [word for teacher in teachers for word in ("--teacher", teacher)]
    words = ["shutterless", "train", str(settings.get("photos", "photos")), "-o", str(folder), *options]
    return shlex.join(words)


def _table(value: object) -> Mapping[str, Any]:
    """Return a table of a document, which anybody may have changed."""
    if not isinstance(value, dict):
        raise ValueError("it has a value where a table belongs")
    return value


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}
