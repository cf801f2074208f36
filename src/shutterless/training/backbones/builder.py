"""Build a backbone, load its weights and cut it."""

from pathlib import Path

import keras

from shutterless.errors import RecipeError, ShutterlessError
from shutterless.training.backbones.catalogue import END, Backbone
from shutterless.utils.messages import did_you_mean


def is_cached(backbone: Backbone) -> bool:
    """Tell whether the published weights for the backbone's own size are on this machine."""
    return backbone.weights is not None and backbone.weights.find() is not None


def build_backbone(
    backbone: Backbone, *, image_size: int, weights: str = "imagenet", cut: str | None = None
) -> keras.Model:
    """Build a backbone for square images, load its weights and cut it.

    Args:
        backbone: Entry of the catalogue.
        image_size: Side of the input, in pixels.
        weights: `imagenet` (from Keras's cache or its website, or from a package), `none`, or a file of
            weights.
        cut: Name of the layer to cut behind; None or `end` for the whole backbone.

    Returns:
        A model that maps scaled pixels float32[n, image_size, image_size, 3] to a feature map
        float32[n, h, w, c].

    Raises:
        RecipeError: The size is too small, the weights do not load, or there is no such layer.
    """
    if image_size < backbone.smallest:
        raise RecipeError(
            "invalid-image-size",
            f"{backbone.name} does not support images of {image_size} px",
            f"Choose an image size of {backbone.smallest} or more; {backbone.image_size} is the default.",
        )
    shape, source = (image_size, image_size, 3), _weights_argument(backbone, weights)
    try:
        model = backbone.build(shape, source)
    except ShutterlessError:
        raise
    except Exception as error:  # Keras raises whatever its download and its file formats raise
        raise _weights_error(backbone, weights, error) from error
    return model if cut in (None, END) else _cut_at(model, str(cut), backbone.cuts)


def _weights_argument(backbone: Backbone, weights: str) -> str | None:
    if weights == "none":
        return None
    if weights == "imagenet":
        if not backbone.pretrained:
            raise RecipeError(
                "no-imagenet-weights",
                f"There are no ImageNet weights for {backbone.name}",
                "Train it with --weights none.",
            )
        return weights
    if not Path(weights).is_file():
        raise RecipeError(
            "weights-not-found",
            f"There is no weights file {weights}",
            "Give imagenet, none, or the path of a Keras .h5 file, or of timm's .safetensors file.",
        )
    return weights


def _weights_error(backbone: Backbone, weights: str, error: Exception) -> ShutterlessError:
    reason = str(error).strip().partition("\n")[0]
    if weights == "imagenet":
        return RecipeError(
            "weights-not-loaded",
            f"The ImageNet weights of {backbone.name} could not be loaded: {reason}",
            "Check the internet connection, or copy the file into models in KERAS_HOME (~/.keras). "
            "Training also takes a file of weights: --weights FILE.",
        )
    return RecipeError(
        "unfitting-weights",
        f"The weights in {weights} do not fit {backbone.name}: {reason}",
        "Give a file of weights of this backbone, saved without its top.",
    )


def _cut_at(model: keras.Model, cut: str, usual: tuple[str, ...]) -> keras.Model:
    layers = {layer.name: layer for layer in model.layers}
    if cut not in layers:
        listing = "\n".join(
            f"  {name}  {'×'.join(map(str, layer.output.shape[1:]))}"
            for name, layer in layers.items()
            if _is_map(layer)
        )
        raise RecipeError(
            "unknown-layer",
            f"{model.name} has no layer called {cut!r}",
            did_you_mean(cut, layers)
            + f"Cut at {' or '.join(usual)}, the usual places, or at any of these:\n{listing}",
        )
    if not _is_map(layers[cut]):
        raise RecipeError(
            "no-feature-map",
            f"The output of the layer {cut!r} is not a feature map",
            "Cut at a layer whose output has height, width and channels.",
        )
    return keras.Model(model.input, layers[cut].output, name=model.name)


def _is_map(layer: keras.layers.Layer) -> bool:
    return isinstance(layer.output, keras.KerasTensor) and len(layer.output.shape) == 4
