"""Classify any number of photos into Parquet files, in chunks that a later run can continue."""

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from shutterless.batch_jobs.columns import Columns, Part, count_errors
from shutterless.batch_jobs.engines.local import run_locally
from shutterless.batch_jobs.inputs import list_uris
from shutterless.batch_jobs.manifest import Chunk, Manifest, make_manifest, read_identity
from shutterless.batch_jobs.options import BatchOptions, Engine, check_engine
from shutterless.batch_jobs.storage import Storage, open_storage
from shutterless.batch_jobs.worker.task import Task
from shutterless.errors import BundleError, OutputError
from shutterless.files import ensure_outside
from shutterless.model_check import open_bundle
from shutterless.runtime.json_types import Json
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.settings import Urls
from shutterless.sources import S3, StrPath
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, automatic
from shutterless.utils.quiet import quiet_start

# Their first letter hides them from whatever reads all Parquet files of a folder.
MANIFEST, SUCCESS = "_manifest.parquet", "_SUCCESS"
# Parts of an earlier run that are read at the same time.
READERS = 8

Note = Callable[[str], None]


@dataclass(frozen=True)
class BatchResult:
    """What a batch job has written.

    Attributes:
        output: The folder, or s3://bucket/prefix.
        photos: Rows of all parts.
        errors: Code → number of rows with this error.
        chunks: Number of parts.
        resumed: Number of parts that an earlier run had written.
        seconds: Time that the other parts took.
        photos_per_second: Speed of the other parts; 0 if there were none.
        model: Version of the bundle.
    """

    output: str
    photos: int
    errors: Mapping[str, int]
    chunks: int
    resumed: int
    seconds: float
    photos_per_second: float
    model: str


@dataclass(frozen=True)
class Job:
    """A bundle, what it is applied to, and how.

    Attributes:
        task: What each worker does.
        columns: The columns of the parts.
        manifest: The photos.
    """

    task: Task
    columns: Columns
    manifest: Manifest


def batch(
    bundle: StrPath | Bundle,
    inputs: StrPath | Sequence[StrPath],
    output: StrPath,
    *,
    engine: Engine = "local",
    address: str = "",
    embedding: bool = False,
    top_k: int = 0,
    thumbnail: int = 0,
    column: str = "",
    chunk_size: int = 0,
    workers: int = 0,
    urls: Urls = "public",
    per_host: int = 8,
    timeout: float = 10.0,
    progress: Progress = automatic,
    on_note: Note = lambda note: None,
) -> BatchResult:
    """Classify any number of photos into Parquet files, in chunks that a later call can continue.

    A photo that cannot be read, decoded or classified is a row with an error code. If the output has a part
    of the same job, with the same bundle, input and options, only the missing parts are made.

    Args:
        bundle: Folder of a bundle, or a bundle that was read before.
        inputs: Folders, which are searched at any depth, photos, lists (a text file with one path or URL per
            line), tables (.csv, .jsonl, .parquet), URLs, and s3://bucket/prefix; one or several.
        output: A folder, or s3://bucket/prefix.
        engine: `local` for the cores of this machine, `ray` for Ray Data.
        address: Address of a Ray cluster; by default RAY_ADDRESS, or else Ray runs in this process.
        embedding: Add the column `embedding`.
        top_k: Add the column `top` with so many labels; 0 for no such column.
        thumbnail: Add the column `thumbnail`, JPEGs whose longer side has at most so many pixels; 0 for none.
        column: The column of a table with the photos; "" for the first of path, file_name, uri and url.
        chunk_size: Photos per part; 0 for a hundredth of all photos, 10 to 1,000.
        workers: Number of worker processes; 0 for one per core, on Ray one per CPU of the cluster.
        urls: Which addresses photos may be fetched from: `public`, `any` (also private ones) or `off`.
        per_host: Photos that are fetched from a host at the same time, by all workers together. Each worker
            may fetch at least one.
        timeout: Seconds for the fetch of one photo.
        progress: Called with what is being done, the photos done so far, and how many there are.
        on_note: Called with what is left out or skipped.

    Returns:
        How many photos and errors the parts have.

    Raises:
        InputError: An option is not possible, or an input is missing, empty or unreadable.
        DatasetError: A table cannot be read.
        BundleError: The bundle does not verify, or has no embedding.
        OutputError: The output has another job (`another-job`) or anything else (`not-empty`), another job is
            writing to it (`batch-in-progress`), or it cannot be written (`cannot-write`).

    Example:
        >>> import shutterless
        >>> result = shutterless.batch("bundle", "photos", "answers")
        >>> photos, errors = result.photos, result.errors
    """
    options = BatchOptions(embedding, top_k, thumbnail, column, chunk_size, workers, urls, per_host, timeout)
    check_engine(engine, address)
    storage = open_storage(os.fspath(output))
    job = prepare_job(bundle, inputs, options, output=os.fspath(output), on_note=on_note)
    with storage.locked(on_note):
        counts = _begin(storage, job.manifest, os.fspath(output), on_note)
        numbers = [n for n in range(job.manifest.chunk_count) if n not in counts]
        start_time = time.monotonic()
        parts = _run(job, numbers, engine, address)
        new_photos = _write_parts(storage, job.manifest, parts, counts, progress)
        seconds = time.monotonic() - start_time
        total = sum(counts.values(), Counter[str | None]())
        errors = {code: count for code, count in sorted(total.items(), key=str) if code}
        storage.write(SUCCESS, b"")
    return BatchResult(
        os.fspath(output),
        total.total(),
        errors,
        len(counts),
        len(counts) - len(numbers),
        seconds,
        new_photos / seconds if new_photos else 0.0,
        job.columns.model,
    )


def prepare_job(
    bundle: StrPath | Bundle,
    inputs: StrPath | Sequence[StrPath],
    options: BatchOptions,
    *,
    output: str = "",
    on_note: Note = lambda note: None,
) -> Job:
    """Read the bundle and list the photos; see `batch` for arguments and errors."""
    sources = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    names = [os.fspath(source) for source in sources]
    for name in names:
        if output and not output.startswith(S3) and Path(name).is_dir():
            ensure_outside(Path(output), Path(name))
    model = open_bundle(bundle if isinstance(bundle, Bundle) else Path(bundle))
    with quiet_start():
        classifier = Classifier(model)
    if options.embedding and not classifier.has_embedding:
        hint = "Convert the run again, or leave the embedding out."
        raise BundleError("no-embedding", f"The model of {model.folder} has no embedding", hint)
    columns = Columns(model.labels, model.version, options.embedding, options.top_k, bool(options.thumbnail))
    uris = list_uris(names, options.column, on_note)
    return Job(Task.of(model, options), columns, make_manifest(uris, options, model.version))


def _begin(
    storage: Storage, manifest: Manifest, output: str, on_note: Note
) -> dict[int, Counter[str | None]]:
    """Write the manifest of a new job, or check that of an earlier run.

    Returns:
        Number of each chunk whose part is there → its errors; None for rows without.
    """
    names = storage.names()
    if not names:
        storage.write(MANIFEST, manifest.to_parquet())
        return {}
    if MANIFEST not in names:
        hint = "Choose a new folder or prefix, or empty this one first."
        raise OutputError("not-empty", f"{output} is not empty, and has no batch job", hint)
    _check_identity(storage, manifest.identity, output)
    present = [(n, name) for n, name in enumerate(manifest.part_names) if name in names]
    with ThreadPoolExecutor(READERS) as pool:
        counts = dict(pool.map(lambda item: (item[0], _count_errors(storage, item[1])), present))
    whole = {n: count for n, count in counts.items() if count.total() == manifest.chunk_length(n)}
    if damage_count := len(counts) - len(whole):
        on_note(f"{plural(damage_count, 'damaged part')} in {output} will be made again")
    if whole:
        on_note(f"{len(whole):,} of {plural(manifest.chunk_count, 'part')} are already in {output}")
    return whole


def _check_identity(storage: Storage, identity: Mapping[str, Json], output: str) -> None:
    try:
        with storage.open(MANIFEST) as stream:
            earlier = read_identity(stream)
    except ValueError as error:
        raise OutputError(
            "not-ours",
            f"The manifest in {output} cannot be read: {error}",
            "Choose another folder or prefix.",
        ) from error
    if different := [name for name, value in identity.items() if earlier.get(name) != value]:
        raise OutputError(
            "another-job",
            f"{output} has a job with another {' and another '.join(different)}",
            "Choose another output, or give the bundle, input and options that it was begun with.",
        )


def _count_errors(storage: Storage, name: str) -> Counter[str | None]:
    """Return the errors of a part, none if it is damaged."""
    try:
        with storage.open(name) as stream:
            return count_errors(stream)
    except (OSError, ValueError):
        return Counter()


def _run(job: Job, numbers: Sequence[int], engine: Engine, address: str) -> Generator[Part]:
    workers = job.task.options.workers
    chunks: Iterable[Chunk] = map(job.manifest.chunk, numbers)
    if engine == "ray":
        from shutterless.batch_jobs.engines.ray import run_on_ray

        return run_on_ray(job.task, job.columns, chunks, workers, address)
    return run_locally(job.task, job.columns, chunks, workers)


def _write_parts(
    storage: Storage,
    manifest: Manifest,
    parts: Generator[Part],
    counts: dict[int, Counter[str | None]],
    progress: Progress,
) -> int:
    """Write each part when it is ready, and count its errors; return the number of new photos."""
    earlier = sum(count.total() for count in counts.values())
    photos = 0
    progress("classifying", earlier, len(manifest))
    names = manifest.part_names
    with closing(parts):
        for part in parts:
            storage.write(names[part.number], part.content)
            photos += part.photos
            counts[part.number] = Counter(part.errors)
            counts[part.number][None] = part.photos - sum(part.errors.values())
            progress("classifying", earlier + photos, len(manifest))
    return photos
