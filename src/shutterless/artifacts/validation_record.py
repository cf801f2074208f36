"""What a bundle's model answered to its validation photos, by which `drift` tells later pictures apart.

A bundle has this record in its file `validation.npz`: the arrays of `ValidationRecord`, compressed. Serving
does not need it.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from shutterless.errors import BundleError
from shutterless.runtime.model.bundle import Bundle
from shutterless.text_files import read_bytes

VALIDATION_ANSWERS = "validation.npz"
MAX_PHOTOS = 2000
# 2,000 photos of 1,000 labels have 4 MB. So many bytes hold those of 100,000 labels.
MAX_BYTES = 500_000_000


@dataclass(frozen=True)
class ValidationRecord:
    """A model's answers to its validation photos, or to a random sample of them.

    Attributes:
        scores: float16[photos, labels], with the bundle's temperature.
        truth: Index of each photo's true label, int32[photos].
        embeddings: float16[photos, d], the model's output `embedding`.
        novelty: As it is served, float32[photos], 0 to 1.
        groups: Number of each photo's group, int32[photos]; photos of the same thing are in one group.
    """

    scores: npt.NDArray[np.float16]
    truth: npt.NDArray[np.int32]
    embeddings: npt.NDArray[np.float16]
    novelty: npt.NDArray[np.float32]
    groups: npt.NDArray[np.int32]

    def to_bytes(self) -> bytes:
        """Return the content of the file; equal records give equal bytes."""
        stream = io.BytesIO()
        np.savez_compressed(stream, **{each.name: getattr(self, each.name) for each in fields(self)})
        return stream.getvalue()


def choose_photos(photos: int, limit: int = MAX_PHOTOS, seed: int = 42) -> npt.NDArray[np.int64]:
    """Choose the photos of the record at random, so that each label keeps its share.

    Args:
        photos: Number of validation photos.
        limit: Number of photos to choose at most.
        seed: Seed of the choice.

    Returns:
        Indices in ascending order, int64[chosen].
    """
    return np.sort(np.random.default_rng(seed).permutation(photos)[:limit])


def read_validation(bundle: Bundle) -> ValidationRecord:
    """Return the record of a bundle.

    Raises:
        BundleError: `no-validation-record` if the bundle was written without one, or its model has no
            embedding; `changed-validation-record` if the file is not the one that it was written with.
    """
    expected_hash = bundle.files.get(VALIDATION_ANSWERS)
    if bundle.path is None or expected_hash is None:
        raise BundleError(
            "no-validation-record",
            f"The bundle {bundle.folder} has no {VALIDATION_ANSWERS} to compare later pictures with",
            "It is of an earlier version of shutterless: convert the run again.",
        )
    try:
        content = read_bytes(bundle.path / VALIDATION_ANSWERS, MAX_BYTES)
        if hashlib.sha256(content).hexdigest() != expected_hash:
            raise ValueError("another hash")
        return _parse(content, len(bundle.labels))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(
            "changed-validation-record",
            f"{bundle.path / VALIDATION_ANSWERS} is not the file that the bundle was written with",
            "Copy the bundle again, or convert the run again.",
        ) from error


def _parse(content: bytes, labels: int) -> ValidationRecord:
    """Parse the content of the file; `ValueError` or `KeyError` if a stranger wrote anything else."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
            raise ValueError("too large")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        record = ValidationRecord(**{each.name: arrays[each.name] for each in fields(ValidationRecord)})
    columns = (record.truth, record.novelty, record.groups)
    photos, size = len(record.truth), record.embeddings.shape[-1]
    is_valid = (
        photos > 0
        and record.scores.shape == (photos, labels)
        and record.embeddings.shape == (photos, size)
        and all(column.shape == (photos,) for column in columns)
        and [getattr(record, each.name).dtype.kind for each in fields(record)] == [*"fiffi"]
        and all(np.isfinite(getattr(record, name)).all() for name in ("scores", "embeddings", "novelty"))
        and 0 <= record.truth.min() <= record.truth.max() < labels
    )
    if not is_valid:
        raise ValueError("not such a record")
    return record
