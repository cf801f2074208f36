"""Run the chunks of a batch job on Ray Data: in this process, or on a cluster."""

import json
import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shutterless.batch_jobs.columns import Columns, Part, make_part
from shutterless.batch_jobs.manifest import Chunk
from shutterless.batch_jobs.worker.supervisor import Supervisor
from shutterless.batch_jobs.worker.task import Task
from shutterless.errors import InputError
from shutterless.utils.ray_cluster import connected

# What each worker is stated to take: a CPU, and memory for a model, large photos, and Ray itself.
WORKER_CPUS, WORKER_MEMORY = 1, 400 << 20


def run_on_ray(
    task: Task, columns: Columns, chunks: Iterable[Chunk], workers: int, address: str
) -> Generator[Part]:
    """Yield the part of each chunk, as they are ready.

    Each of Ray's actors has a worker process, as on this machine, so a photo that kills it costs neither the
    actor nor the job. Ray starts actors again whose node or process is gone.

    Args:
        task: What to do with each photo.
        columns: The columns of the parts.
        chunks: The chunks.
        workers: Number of actors; 0 for one per CPU.
        address: Address of a cluster; if empty, that of RAY_ADDRESS, or else Ray runs in this process.

    Raises:
        InputError: There is no cluster at the address (`no-cluster`), or it has too little (`no-worker`).
    """
    import ray.data

    items = [{"number": chunk.number, "uris": chunk.uris} for chunk in chunks]
    if not items:
        return
    with connected(address, workers), _quiet_data():
        workers = min(workers or _count_workers(ray.cluster_resources()), len(items))
        parts = ray.data.from_items(items, override_num_blocks=len(items)).map(
            _ChunkClassifier,
            fn_constructor_args=(task.shared_by(workers), columns),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=WORKER_CPUS,
            memory=WORKER_MEMORY,
        )
        del items
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        for row in parts.iter_rows():
            yield Part(row["number"], row["content"], row["photos"], json.loads(row["errors"]))


class _ChunkClassifier:
    """What each actor does: it holds a worker process and gives it chunks."""

    def __init__(self, task: Task, columns: Columns) -> None:
        self._supervisor = Supervisor(task)
        self._columns = columns

    def __call__(self, row: Mapping[str, Any]) -> dict[str, object]:
        rows = self._supervisor.classify([str(uri) for uri in row["uris"]])
        part = make_part(int(row["number"]), rows, self._columns)
        return {**vars(part), "errors": json.dumps(part.errors)}


def _count_workers(resources: Mapping[str, float]) -> int:
    """Return how many workers a cluster has room for."""
    count = int(min(resources.get("CPU", 0) / WORKER_CPUS, resources.get("memory", 0) / WORKER_MEMORY))
    if not count:
        raise InputError(
            "no-worker",
            "The Ray cluster has no room for a worker",
            f"A worker takes {WORKER_CPUS} CPU and {WORKER_MEMORY / 1e6:.0f} MB of memory.",
        )
    return count


@contextmanager
def _quiet_data() -> Iterator[None]:
    """Hide the progress bars of Ray Data."""
    import ray.data

    context = ray.data.DataContext.get_current()
    value, context.enable_progress_bars = context.enable_progress_bars, False
    try:
        yield
    finally:
        context.enable_progress_bars = value
