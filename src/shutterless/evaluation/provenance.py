"""Where a model comes from, read from its own folder: a training run's or a bundle's."""

import json
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shutterless.artifacts.history import Epoch, read_history
from shutterless.artifacts.run_files import HISTORY, METRICS, RECIPE, SPLIT
from shutterless.artifacts.split import read_split
from shutterless.dataset import Photo
from shutterless.errors import RunError
from shutterless.files import MAX_TABLE_BYTES, read_text
from shutterless.runtime.model.bundle import DESCRIPTION, read_bundle


@dataclass(frozen=True)
class SplitAccuracy:
    """How many of a split's photos a run answered right when its training ended."""

    split: str
    right: int
    photos: int


@dataclass(frozen=True)
class Source:
    """What is known of a model's making.

    facts: name → value, to be shown. command: what was typed to make it, as far as the folder tells;
    empty for a bundle. recipe: the text of a run's recipe.toml. photos: those of the run's split.
    measured: the accuracies in a run's metrics.json.
    temperature, wanted_precision: what a bundle was calibrated to; None for a run, which is not yet.
    """

    name: str
    facts: dict[str, str]
    made_with: dict[str, str]
    command: str = ""
    recipe: str = ""
    photos: tuple[Photo, ...] = ()
    history: tuple[Epoch, ...] = ()
    measured: tuple[SplitAccuracy, ...] = ()
    temperature: float | None = None
    wanted_precision: float | None = None


def read_source(model: Path) -> Source:
    """Read what the folder of a run or a bundle says of itself; raises `ShutterlessError` if it cannot be."""
    return _of_bundle(model) if (model / DESCRIPTION).is_file() else _of_run(model)


def _of_bundle(folder: Path) -> Source:
    bundle = read_bundle(folder)
    facts = {
        "bundle": f"{bundle.name}, version {bundle.version}",
        "precision": bundle.precision,
        "backbone": bundle.backbone,
        "input": f"{bundle.input.width}×{bundle.input.height} px",
        "recipe": bundle.recipe,
        "data set": bundle.dataset_fingerprint,
        "made": bundle.created,
    }
    return Source(
        bundle.name,
        facts,
        _texts(bundle.made_with),
        temperature=bundle.temperature,
        wanted_precision=_share(bundle.accuracy.get("wanted_precision")),
    )


def _of_run(folder: Path) -> Source:
    file = folder / RECIPE
    try:
        recipe = read_text(file)
        document = tomllib.loads(recipe)
        file = folder / METRICS
        metrics = json.loads(read_text(file, MAX_TABLE_BYTES)) if file.is_file() else {"made_with": {}}
        made_with, measured = metrics["made_with"], _measured(metrics)
        history = read_history(folder / HISTORY)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            "unreadable-run",
            f"The run {folder} cannot be read: {error}",
            "Give the folder that `shutterless train -o` wrote.",
        ) from error
    settings = document.get("run", {})
    facts = {
        "recipe": document.get("name", ""),
        **{name.replace("_", " "): value for name, value in settings.items()},
    }
    return Source(
        folder.resolve().name,
        _texts(facts),
        _texts(made_with),
        _train_command(folder, str(document.get("name", "")), settings),
        recipe,
        read_split(folder / SPLIT),
        history,
        measured,
    )


def _measured(metrics: dict[str, Any]) -> tuple[SplitAccuracy, ...]:
    splits = ((split, metrics.get(split)) for split in ("validation", "test"))
    return tuple(
        SplitAccuracy(split, int(figures["right"]), int(figures["photos"]))
        for split, figures in splits
        if figures and "right" in figures  # older runs recorded shares alone
    )


def _train_command(folder: Path, recipe: str, settings: dict[str, Any]) -> str:
    options = ["--recipe", recipe]
    for option in ("backbone", "weights", "cut", "image_size", "seed"):
        if option in settings:
            options += [f"--{option.replace('_', '-')}", str(settings[option])]
    words = ["shutterless", "train", str(settings.get("photos", "photos")), "-o", str(folder), *options]
    return shlex.join(words)


def _share(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None


def _texts(values: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}
