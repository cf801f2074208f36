"""The recipe of a training that continues an earlier run: the run's network, and shorter phases."""

import math
from pathlib import Path

from shutterless.errors import InputError
from shutterless.training.recipe import PHASES, ModelPhase, Recipe
from shutterless.training.run import Run

# Of the epochs of training from the start. With it, what took 40 epochs takes 10.
EPOCHS_SHARE = 0.25


def with_fewer_epochs(recipe: Recipe) -> Recipe:
    """Return the recipe with a quarter of the epochs, and of the warm-up, in the phases that run the network.

    Head training keeps all its epochs: they take seconds, and the features of old photos are cached.
    """
    phases = {
        name: phase.model_copy(
            update={
                "epochs": math.ceil(EPOCHS_SHARE * phase.epochs),
                "warmup_epochs": EPOCHS_SHARE * phase.warmup_epochs,
            }
        )
        for name in (*PHASES, "from_scratch")
        if isinstance(phase := getattr(recipe, name), ModelPhase)
    }
    return recipe.model_copy(update=phases)


def with_network_of(recipe: Recipe, earlier: Recipe) -> Recipe:
    """Return the recipe with the backbone, the image and the head of another one."""
    return recipe.model_copy(update={name: getattr(earlier, name) for name in ("backbone", "image", "head")})


def require_same_network(
    earlier: Run,
    *,
    backbone: str | None,
    weights: str | Path | None,
    cut: str | None,
    image_size: int | None,
) -> None:
    """Refuse options that ask for another network than that of the run to continue from.

    Raises:
        InputError: An option does (`conflicting-options`).
    """
    settings = earlier.settings
    options = {
        "backbone": (backbone and backbone.lower(), settings.backbone),
        "cut": (cut, settings.cut),
        "image_size": (image_size, settings.image_size),
        "weights": (weights, f"those of {earlier.path}"),
    }
    for name, (value, expected) in options.items():
        if value is not None and value != expected:
            raise InputError(
                "conflicting-options",
                f"The network is that of {earlier.path}, with {name} {expected or 'at its last layer'}, "
                f"not {value}",
                "Leave that option out, or train from the start, without an earlier run.",
            )
