"""Compute the features of photos by a network: each photo once, and never again while they are cached."""

import hashlib
import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shutterless.dataset import Photo, PhotoReader, index_chunks
from shutterless.dataset.types import NOTHING_DECODED, Decoded
from shutterless.errors import InputError
from shutterless.features.cache import FeatureCache, default_file
from shutterless.runtime.image.decoder import InputSpec
from shutterless.utils.pipeline import map_ahead
from shutterless.utils.progress import Progress, silent

DEFAULT_MODEL = "mobilenetv2"
# Photos that are decoded, run and cached together: what Ctrl-C loses.
CHUNK = 64
SAMPLE = 50


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
    mirrored: bool = False,
    decoded: Decoded = NOTHING_DECODED,
    cache_file: Path | None = None,
    progress: Progress = silent,
) -> npt.NDArray[np.float32]:
    """Return the features of photos; those in the cache are not computed again.

    Args:
        root: The folder that the photos' paths are relative to.
        photos: The photos. Only those with the SHA-256 of their content are cached.
        embedder: The network.
        mirrored: Also return the features of the mirror images.
        decoded: Photos that need not be read again.
        cache_file: File of the cache; by default `features.sqlite` in the user's cache folder.
        progress: Called for each photo whose features are computed.

    Returns:
        float32[photos, d] or, with `mirrored`, float32[2 × photos, d]: first the photos, then their mirror
        images.

    Raises:
        DatasetError: A photo is missing or damaged since the data set was loaded (`unreadable-photo`).
        InputError: The network gives features that are not finite numbers (`not-finite-features`).
    """
    flips = (False, True) if mirrored else (False,)
    file = (cache_file or default_file()) if all(photo.sha256 for photo in photos) else None
    with closing(FeatureCache(f"{embedder.identity} {_decoder_version()}", file)) as cache:
        features = cache.load(_key(photo, flip) for flip in flips for photo in photos)
        missing = {
            _key(photo, False): photo
            for photo in photos
            if any(_key(photo, flip) not in features for flip in flips)
        }
        for chunk, pixels in _read(root, list(missing.values()), embedder.input, decoded, progress):
            for flip in flips:
                rows = [row for row, photo in enumerate(chunk) if _key(photo, flip) not in features]
                new_photos = [chunk[row] for row in rows]
                vectors = _finite_features(embedder, pixels[rows], new_photos, flip)
                new = {_key(photo, flip): vector for photo, vector in zip(new_photos, vectors, strict=True)}
                cache.store(new)
                features |= new
    return np.stack([features[_key(photo, flip)] for flip in flips for photo in photos])


def cached_share(
    photos: Sequence[Photo], embedder: Embedder, *, mirrored: bool = False, cache_file: Path | None = None
) -> float:
    """Return the share of photos whose features need not be computed, judged by `SAMPLE` of them.

    Args:
        photos: The photos.
        embedder: The network.
        mirrored: The features of the mirror images are needed, too.
        cache_file: As for `embed`.
    """
    file = (cache_file or default_file()) if all(photo.sha256 for photo in photos) else None
    sample = photos[:: max(1, len(photos) // SAMPLE)]
    keys = [_key(photo, flip) for photo in sample for flip in ((False, True) if mirrored else (False,))]
    with closing(FeatureCache(f"{embedder.identity} {_decoder_version()}", file)) as cache:
        return len(cache.load(keys)) / len({*keys}) if keys else 0.0


def embed_pixels(
    pixels: npt.NDArray[np.uint8], embedder: Embedder, *, cache_file: Path | None = None
) -> npt.NDArray[np.float32]:
    """Return the features float32[n, d] of pixels that are no file, such as those of an altered photo.

    Args:
        pixels: uint8[n, height, width, 3], of the network's input size.
        embedder: The network.
        cache_file: As for `embed`.
    """
    keys = [f"pixels {hashlib.sha256(each.tobytes()).hexdigest()}" for each in pixels]
    with closing(FeatureCache(embedder.identity, cache_file or default_file())) as cache:
        features = cache.load(keys)
        missing = [row for row, key in enumerate(keys) if key not in features]
        for start in range(0, len(missing), CHUNK):
            rows = missing[start : start + CHUNK]
            vectors = np.asarray(embedder.features(pixels[rows]), np.float32)
            new = {keys[row]: vector for row, vector in zip(rows, vectors, strict=True)}
            cache.store(new)
            features |= new
    return np.stack([features[key] for key in keys])


def _key(photo: Photo, is_mirrored: bool) -> str:
    """Return what the features of a photo, or of its mirror image, are cached by."""
    return ("mirrored " if is_mirrored else "") + (photo.sha256 or photo.path)


def _decoder_version() -> str:
    """Return the versions of what turns a file into pixels; others may round differently."""
    return " ".join(importlib.metadata.version(package) for package in ("shutterless", "pillow"))


def _read(
    root: Path, photos: Sequence[Photo], spec: InputSpec, decoded: Decoded, progress: Progress
) -> Iterator[tuple[Sequence[Photo], npt.NDArray[np.uint8]]]:
    """Yield the photos in chunks, with their pixels uint8[n, height, width, 3]."""
    reader = PhotoReader(root, photos, spec, memory_limit=0, decoded=decoded)
    batches = map_ahead(reader.__getitem__, index_chunks(len(photos), CHUNK), workers=1)
    for start, pixels in zip(range(0, len(photos), CHUNK), batches, strict=True):
        progress("computing features", start, len(photos))
        yield photos[start : start + CHUNK], pixels
    progress("computing features", len(photos), len(photos))


def _finite_features(
    embedder: Embedder, pixels: npt.NDArray[np.uint8], photos: Sequence[Photo], is_mirrored: bool
) -> npt.NDArray[np.float32]:
    if not photos:
        return np.empty((0, 0), np.float32)
    features = np.asarray(embedder.features(pixels[:, :, ::-1] if is_mirrored else pixels), np.float32)
    is_finite = np.isfinite(features).all(axis=1)
    if not is_finite.all():
        raise InputError(
            "not-finite-features",
            f"{embedder.name} gives features of {photos[int(np.argmin(is_finite))].path} that are not finite",
            f"Choose another backbone, such as {DEFAULT_MODEL}.",
        )
    return features
