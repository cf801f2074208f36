"""Estimate what a batch job takes, from its manifest and a few of its photos: `shutterless batch --plan`."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shutterless.batch_jobs.job import Job, prepare_job
from shutterless.batch_jobs.options import BatchOptions
from shutterless.batch_jobs.worker.supervisor import Supervisor
from shutterless.batch_jobs.worker.task import Row
from shutterless.runtime.host_resources import cores
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.settings import Urls
from shutterless.sources import StrPath

# Photos that are classified to estimate the rest, after a few that warm up.
SAMPLE, WARM_UP = 32, 4
DEFAULT_CHILD_MEMORY = 150 << 20  # where the system doesn't tell


@dataclass(frozen=True)
class BatchPlan:
    """What a batch job would take.

    Attributes:
        photos: Number of photos.
        chunks: Number of parts.
        chunk_size: Photos per part.
        workers: Number of worker processes.
        bytes: Estimated bytes of all photos; None if no photo of the sample could be read.
        seconds: Estimated seconds with so many workers; None likewise.
        memory: Estimated bytes of memory of all processes.
        sample: Photos that were classified to estimate this.
        sample_errors: How many of them could not be.
    """

    photos: int
    chunks: int
    chunk_size: int
    workers: int
    bytes: int | None
    seconds: float | None
    memory: int
    sample: int
    sample_errors: int


def plan_batch(
    bundle: StrPath | Bundle,
    inputs: StrPath | Sequence[StrPath],
    *,
    embedding: bool = False,
    top_k: int = 0,
    thumbnail: int = 0,
    column: str = "",
    chunk_size: int = 0,
    workers: int = 0,
    urls: Urls = "public",
    per_host: int = 8,
    timeout: float = 10.0,
    on_note: Callable[[str], None] = lambda note: None,
) -> BatchPlan:
    """List the photos of a batch job and classify a few of them, to estimate what all of them take.

    Args:
        bundle: As for `batch`, and so are the other arguments.
        inputs: Folders, photos, lists, tables, URLs, and s3://bucket/prefix.
        embedding: Whether there would be a column `embedding`.
        top_k: Labels in the column `top`.
        thumbnail: Size of thumbnails.
        column: The column of a table with the photos.
        chunk_size: Photos per part.
        workers: Number of worker processes.
        urls: Which addresses photos may be fetched from.
        per_host: Photos that are fetched from a host at the same time.
        timeout: Seconds for the fetch of one photo.
        on_note: Called with what is left out.

    Returns:
        Numbers of photos and chunks, and estimates of bytes, time and memory on this machine.

    Raises:
        ShutterlessError: See `batch`.

    Example:
        >>> import shutterless
        >>> plan = shutterless.plan_batch("bundle", "photos")
        >>> minutes = (plan.seconds or 0) / 60
    """
    options = BatchOptions(embedding, top_k, thumbnail, column, chunk_size, workers, urls, per_host, timeout)
    job = prepare_job(bundle, inputs, options, on_note=on_note)
    workers = options.workers or cores()
    rows, seconds, child_memory = _measure(job, workers)
    readable = [row for row in rows if not row.error]
    photos = len(job.manifest)
    return BatchPlan(
        photos,
        job.manifest.chunk_count,
        job.manifest.chunk_size,
        workers,
        round(photos * sum(row.size for row in readable) / len(readable)) if readable else None,
        photos * seconds / len(rows) / workers if readable else None,
        _peak_memory(os.getpid()) + workers * child_memory,
        len(rows),
        len(rows) - len(readable),
    )


def _measure(job: Job, workers: int) -> tuple[list[Row], float, int]:
    """Classify some photos from all over the manifest in one worker.

    Returns:
        Their rows, the seconds that they took, and the worker's memory in bytes.
    """
    uris = job.manifest.sample(SAMPLE)
    supervisor = Supervisor(job.task.shared_by(workers))
    try:
        supervisor.classify(uris[:WARM_UP])
        start_time = time.monotonic()
        rows = supervisor.classify(uris)
        return rows, time.monotonic() - start_time, _peak_memory(supervisor.pid)
    finally:
        supervisor.stop()


def _peak_memory(pid: int | None) -> int:
    """Return the most bytes of memory that a process had."""
    with suppress(OSError, IndexError, ValueError):
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
        return int(status.split("VmHWM:")[1].split()[0]) << 10
    return DEFAULT_CHILD_MEMORY
