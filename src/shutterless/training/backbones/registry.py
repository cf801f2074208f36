"""Find backbones by their names, those that users register among them."""

import re
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal

from shutterless.errors import InputError, RecipeError
from shutterless.training.backbones.catalogue import BACKBONES, Backbone, Shape, build_with_weights
from shutterless.training.backbones.scaling import Scaling
from shutterless.training.backbones.weights import WeightsAddress
from shutterless.utils.messages import did_you_mean

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
OURS = frozenset(BACKBONES)


def register_backbone(
    name: str,
    build: Callable[[Shape], object],
    *,
    image_size: int,
    scaling: Scaling = "tf",
    smallest: int = 32,
    pooling: Literal["average", "flatten"] = "average",
    weights: str | None = None,
    sha256: str | None = None,
    top1: float | None = None,
) -> Backbone:
    """Add a network of your own to the backbones that a model can be built on.

    A network of Keras's own layers is saved with the run, so that everything but training works without its
    code. For a layer of your own, see `keras.saving.register_keras_serializable`.

    Args:
        name: Its name in `train`: lowercase letters, digits, `.`, `_` and `-`. A second registration under
            the same name replaces the first.
        build: Takes `(height, width, 3)` and returns a Keras model without a top, with random weights:
            float32[n, height, width, 3] → float32[n, h, w, c].
        image_size: Side of its input, in pixels, where users choose no other.
        scaling: How its pixels are scaled before it: `unit` (0 to 1), `tf` (-1 to 1), `torch` (ImageNet's
            mean and standard deviation), `caffe` (BGR minus the mean), `lite` (minus 127, divided by 128) or
            `none` (0 to 255).
        smallest: Smallest side of its input, in pixels.
        pooling: How its feature map becomes a vector.
        weights: Address of a file of Keras weights, https:// or file://, which is downloaded into Keras's
            cache when the network is first trained. Without it, the network starts from random weights.
        sha256: Hash of that file.
        top1: Its accuracy on ImageNet's validation photos, in percent. With it, the network is one of those
            that `backbone="auto"` chooses from.

    Returns:
        The backbone, which `--backbone MODULE:VARIABLE` names on the command line.

    Raises:
        InputError: The name is not valid or one of ours (`invalid-backbone`), or the address or the hash is
            missing or not one (`invalid-weights-address`).

    Example:
        >>> import shutterless
        >>> def build(shape):
        ...     import keras
        ...     layers = [keras.Input(shape), keras.layers.Conv2D(8, 3, 4, activation="relu")]
        ...     return keras.Sequential(layers)
        >>> backbone = shutterless.register_backbone("mine", build, image_size=32)
        >>> photos = shutterless.draw_sample("photos", per_label=10, size=32)
        >>> shutterless.train(photos, "run", backbone="mine", epochs=1).settings.backbone
        'mine'
    """
    if not NAME.fullmatch(name) or name in OURS or name == "auto":
        raise InputError(
            "invalid-backbone",
            f"No backbone can be registered as {name!r}",
            "Choose lowercase letters and digits, and a name that `train --backbone list` does not have.",
        )
    published = WeightsAddress.parse(weights, sha256) if weights or sha256 else None
    backbone = Backbone(
        name,
        "registered",
        partial(build_with_weights, build, published),
        image_size,
        smallest,
        scaling,
        top1=top1,
        weights=published,
        pooling=pooling,
    )
    BACKBONES[name] = backbone
    return backbone


def find_backbone(name: str) -> Backbone:
    """Return the backbone of a name, in any case.

    Raises:
        RecipeError: There is no such backbone (`unknown-backbone`); the hint has the closest names.
    """
    try:
        return BACKBONES[name.lower()]
    except KeyError:
        by_size = sorted(BACKBONES, key=lambda each: BACKBONES[each].parameters or 0)
        raise RecipeError(
            "unknown-backbone",
            f"There is no backbone called {name!r}",
            f"{did_you_mean(name, by_size)}Run `shutterless train --backbone list` to see all of them. "
            "A backbone of your own is named as --backbone MODULE:VARIABLE, or registered in Python.",
        ) from None


def import_backbone(name: str) -> Backbone:
    """Return the backbone of a name, or the one that `MODULE:VARIABLE` names.

    That runs the module's code, so it is for what users type, not for what files say. Modules are looked for
    in the working folder, too.

    Raises:
        RecipeError: There is no such backbone (`unknown-backbone`), or no such module or variable, or it is
            no backbone (`no-backbone`).
    """
    module, colon, variable = name.partition(":")
    if not colon:
        return find_backbone(name)
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        backbone = getattr(import_module(module), variable)
    except Exception as error:  # importing runs the user's code
        raise RecipeError(
            "no-backbone",
            f"{name} cannot be imported: {type(error).__name__}: {error}",
            "Give the name of a module in the working folder or on PYTHONPATH, a colon, and a variable.",
        ) from error
    if not isinstance(backbone, Backbone):
        raise RecipeError(
            "no-backbone",
            f"{name} is no backbone",
            "Name what `shutterless.register_backbone` returned.",
        )
    return find_backbone(backbone.name)
