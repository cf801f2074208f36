"""The options that `train` shares with the functions that train several runs."""

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from shutterless.training.callbacks.run_callbacks import OnEpoch
from shutterless.training.config import Paths
from shutterless.utils.progress import Progress


class OneRun(TypedDict):
    """Keyword arguments of `train` and `cross_validate` that `train_series` does not have."""

    recipe: str | Path | None
    seed: int | None
    budget: str | None
    teacher: Paths


class ConfigOptions(TypedDict, total=False):
    """Keyword arguments that `make_config` takes, too; `train` describes them."""

    backbone: str | None
    weights: str | Path | None
    cut: str | None
    image_size: int | None
    epochs: int | None
    batch_size: int | None
    group_by: str | Path | None


class TrainingOptions(ConfigOptions, total=False):
    """Keyword arguments of `train`, `cross_validate` and `train_series`; `train` describes them."""

    resume: bool
    tensorboard: bool
    report: bool
    progress: Progress
    on_epoch: OnEpoch
    on_warning: Callable[[str], None]
