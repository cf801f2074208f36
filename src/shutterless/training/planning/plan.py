"""Decide how many stored copies a training has, where those of the recipe do not fit."""

from collections.abc import Callable
from pathlib import Path

from shutterless.dataset import Dataset
from shutterless.training.activations.split import find_boundary
from shutterless.training.activations.store import count_copies
from shutterless.training.config import Plan, TrainingConfig
from shutterless.training.model import TransferModel, find_backbone_layer
from shutterless.training.recipe import ModelPhase


def plan_copies(
    config: TrainingConfig,
    model: TransferModel,
    dataset: Dataset,
    run: Path,
    on_warning: Callable[[str], None],
) -> Plan:
    """Return how many copies are stored in the phases that want more of them than fit.

    Args:
        config: The recipe.
        model: The model to train.
        dataset: The photos.
        run: The run folder, where the copies are stored.
        on_warning: Called with a line for each such phase.
    """
    photos = {split: len(dataset.of(split)) for split in ("train", "validation")}
    backbone = find_backbone_layer(model.features)
    plan: Plan = {}
    for name, phase in config.phases.items():
        if not isinstance(phase, ModelPhase) or not phase.stored_copies:
            continue
        boundary = find_boundary(backbone, frozen_share(name, phase))
        if boundary is None:
            copies, reason = 0, f"{backbone.name} has no layer behind which it can be cut in two"
        else:
            copies = count_copies(run, boundary.shape[1:], **photos, wanted=phase.stored_copies)
            reason = "more take too much space"
        if copies < phase.stored_copies:
            plan[name] = {"stored_copies": copies}
            on_warning(
                f"{name} stores {copies} copies of each photo instead of {phase.stored_copies}, as {reason}"
                + ("" if copies else "; photos are augmented in every epoch")
            )
    return plan


def frozen_share(name: str, phase: ModelPhase) -> float:
    """Return the share of the backbone's layers that a phase does not train."""
    return 1.0 if name == "frozen_training" else phase.frozen_share
