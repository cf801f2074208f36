"""Compute the features of photos by a network: each photo once, and never again while they are cached."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shutterless.curation.feature_cache import FeatureCache, default_file
from shutterless.dataset import Photo, read_pixels
from shutterless.errors import InputError
from shutterless.runtime.image.decoder import InputSpec
from shutterless.utils.pipeline import map_ahead
from shutterless.utils.progress import Progress, silent

DEFAULT_MODEL = "mobilenetv2"
# Photos that are decoded, run and cached together: what Ctrl-C loses.
CHUNK = 64


class Embedder(Protocol):
    """A network without its head."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def identity(self) -> str:
        """A hash that changes with everything that changes the features."""

    @property
    def input(self) -> InputSpec:
        """Size and resizing of the network's input."""

    def features(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the features float32[n, d] of uint8[n, height, width, 3]."""


def embed(
    root: Path,
    photos: Sequence[Photo],
    embedder: Embedder,
    *,
    cache_file: Path | None = None,
    progress: Progress = silent,
) -> npt.NDArray[np.float32]:
    """Return the features of photos, float32[photos, d]; those in the cache are not computed again.

    Args:
        root: The folder that the photos' paths are relative to.
        photos: The photos, with the SHA-256 of their content.
        embedder: The network.
        cache_file: File of the cache; by default `features.sqlite` in the user's cache folder.
        progress: Called for each photo whose features are computed.

    Raises:
        DatasetError: A photo is missing or damaged since the data set was loaded (`unreadable-photo`).
        InputError: The network gives features that are not finite numbers (`not-finite-features`).
    """
    cache = FeatureCache(embedder.identity, cache_file or default_file())
    try:
        features = cache.load(photo.sha256 for photo in photos)
        missing = list({photo.sha256: photo for photo in photos if photo.sha256 not in features}.values())
        chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
        pixels = map_ahead(lambda chunk: read_pixels(root, chunk, embedder.input), chunks, workers=1)
        for number, (chunk, array) in enumerate(zip(chunks, pixels, strict=True)):
            progress("computing features", number * CHUNK, len(missing))
            vectors = _finite_features(embedder, array, chunk)
            new = {photo.sha256: vector for photo, vector in zip(chunk, vectors, strict=True)}
            cache.store(new)
            features |= new
        progress("computing features", len(missing), len(missing))
    finally:
        cache.close()
    return np.stack([features[photo.sha256] for photo in photos])


def _finite_features(
    embedder: Embedder, pixels: npt.NDArray[np.uint8], photos: Sequence[Photo]
) -> npt.NDArray[np.float32]:
    features = np.asarray(embedder.features(pixels), np.float32)
    is_finite = np.isfinite(features).all(axis=1)
    if not is_finite.all():
        raise InputError(
            "not-finite-features",
            f"{embedder.name} gives features of {photos[int(np.argmin(is_finite))].path} that are not finite",
            f"Choose another model, such as --model {DEFAULT_MODEL}.",
        )
    return features


def weights_hash(weights: Sequence[npt.NDArray[np.floating]], *settings: object) -> str:
    """Return a SHA-256 in hex of a network's weights, and of whatever else changes its features."""
    digest = hashlib.sha256(repr(settings).encode())
    for array in weights:
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
