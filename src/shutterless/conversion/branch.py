"""Add the outputs `embedding` and `novelty` to a model, beside its probabilities."""

import keras
import numpy as np

from shutterless.conversion.features import tap
from shutterless.novelty.types import NoveltyModel, Projection
from shutterless.runtime.model.classifier import EMBEDDING, NOVELTY, PROBABILITIES
from shutterless.training.model import HEAD, pool

# Added to squared lengths, so that features of nothing but zeros are not divided by zero.
TINY = 1e-24


def with_novelty(model: keras.Model, novelty: NoveltyModel) -> keras.Model:
    """Return a model with named outputs that computes the distances of `novelty`, too.

    All of it is made of operators that LiteRT has, and that XNNPACK runs in the same pass as the rest.

    Args:
        model: A model that `build_model` built: uint8[n, height, width, 3] → float32[n, labels].
        novelty: What its features are compared with.

    Returns:
        A model with the outputs `probabilities` float32[n, labels], `embedding` float32[n, d] and `novelty`
        float32[n, k]. It shares the weights of `model`.
    """
    maps, features = tap(model, [projection.layer for projection in novelty.projections])
    pairs = [_project(*pair) for pair in zip(features, novelty.projections, strict=True)]
    embeddings, distances = zip(*pairs, strict=True)
    probabilities = model.get_layer(HEAD)(pool(model, maps))
    outputs = {
        PROBABILITIES: probabilities,
        EMBEDDING: embeddings[0],
        NOVELTY: keras.ops.concatenate([*distances], axis=-1),
    }
    return keras.Model(model.input, outputs, name="classifier")


def _project(
    features: keras.KerasTensor, projection: Projection
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Compute what `Projection.embed` and `Projection.distances` do: [n, c] → [n, d] and [n, 1]."""
    deviations = features * keras.ops.rsqrt(_squared_length(features) + TINY) - projection.mean
    embeddings = keras.ops.matmul(deviations, projection.matrix)
    centres, weights = projection.centres, projection.weights
    products = keras.ops.matmul(embeddings, -2 * (centres.T * weights))
    squares = _squared_length(deviations) * weights + weights * np.sum(centres**2, axis=1)
    return embeddings, keras.ops.relu(keras.ops.min(products + squares, axis=-1, keepdims=True))


def _squared_length(vectors: keras.KerasTensor) -> keras.KerasTensor:
    return keras.ops.sum(keras.ops.square(vectors), axis=-1, keepdims=True)
