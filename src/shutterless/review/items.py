"""The photos to review, and what is known about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shutterless.artifacts.split import leads_outside
from shutterless.batch_jobs.worker.reading import is_remote, local_path
from shutterless.curation.fixes.journal import FOLDER

RECORDS = "records.parquet"  # what `collect` writes
PARTS = "part-*.parquet"  # what `batch` writes
LABELS = "labels.csv"


class Kind(StrEnum):
    """Where photos to review come from."""

    LIVE = "live"  # what an API has seen
    BATCH = "batch"  # what a batch job has classified
    DATASET = "dataset"  # photos of a data set that may be under the wrong label


@dataclass(frozen=True)
class Item:
    """A photo to review.

    Attributes:
        id: Its name in labels.csv; of letters, digits, `.`, `_`, `:` and `-` only.
        name: Where it is: a path below the folder that is reviewed, or for a batch job its URI.
        label: What the model answered, or what a data set's photo is filed under.
        likely: Likely labels, the best first.
        confidence: Of the model's answer, from 0 to 1; None if unknown.
        is_accepted: Whether the answer was accepted; None if unknown.
        file: The photo's file; None if there is none on this machine.
        content: The photo itself if it is in no file: a JPEG.
    """

    id: str
    name: str
    label: str
    likely: tuple[str, ...] = ()
    confidence: float | None = None
    is_accepted: bool | None = None
    file: Path | None = None
    content: bytes | None = None


@dataclass(frozen=True)
class Queue:
    """Photos in the order in which they are reviewed.

    Attributes:
        kind: Where they come from.
        source: The folder that they come from.
        labels: The labels that the model or the data set has.
        items: The photos, those that teach most first.
        sample: Ids of the photos that were chosen at random, in random order: the answers to them tell how
            good the model is.
        total: Number of photos that `items` were chosen from.
        labels_file: The file with the answers.
    """

    kind: Kind
    source: Path
    labels: tuple[str, ...]
    items: tuple[Item, ...]
    sample: Sequence[str]
    total: int
    labels_file: Path


def find_kind(folder: Path) -> Kind:
    """Return what is in a folder: records, the parts of a batch job, or else a data set."""
    if (folder / RECORDS).is_file():
        return Kind.LIVE
    return Kind.BATCH if any(folder.glob(PARTS)) else Kind.DATASET


def labels_file(folder: Path, kind: Kind) -> Path:
    """Return the file with the answers about a folder; a data set has it where it keeps its journal."""
    return folder / (f"{FOLDER}/{LABELS}" if kind is Kind.DATASET else LABELS)


def find_file(folder: Path, kind: Kind, name: str) -> Path | None:
    """Return the file of a photo by its name, see `Item`; None if it is not on this machine.

    Names may come from strangers with the folder, so those of records never lead out of it.
    """
    if kind is Kind.BATCH:
        return None if is_remote(name) else local_path(name)
    return None if not name or leads_outside(name) else folder / name
