"""Run the chunks of a batch job in processes of this machine."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from queue import Empty, Queue
from threading import Lock, Thread

from shutterless.batch_jobs.columns import Columns, Part, make_part
from shutterless.batch_jobs.manifest import Chunk
from shutterless.batch_jobs.worker.supervisor import StoppedError, Supervisor
from shutterless.batch_jobs.worker.task import Task
from shutterless.runtime.host_resources import cores

SECONDS_BETWEEN_CHECKS = 0.1


def run_locally(task: Task, columns: Columns, chunks: Iterable[Chunk], workers: int) -> Generator[Part]:
    """Yield the part of each chunk, as they are ready.

    Closing the generator stops the workers at once.

    Args:
        task: What to do with each photo.
        columns: The columns of the parts.
        chunks: The chunks.
        workers: Number of worker processes; 0 for one per core.

    Raises:
        InputError: No worker process can be started.
    """
    workers = workers or cores()
    task = task.shared_by(workers)
    supervisors = [Supervisor(task) for _ in range(workers)]
    # So few that parts wait on a slow disk, not in memory. None says that a worker has no more chunks.
    results: Queue[Part | Exception | None] = Queue(workers)
    pending = _Shared(chunks)

    def work(supervisor: Supervisor) -> None:
        try:
            for chunk in pending:
                results.put(make_part(chunk.number, supervisor.classify(chunk.uris), columns))
        except StoppedError:
            pass
        except Exception as error:
            results.put(error)
        finally:
            supervisor.stop()
            results.put(None)

    threads = [Thread(target=work, args=(each,), daemon=True) for each in supervisors]
    for thread in threads:
        thread.start()
    try:
        yield from _collect(results, workers)
    finally:
        for supervisor in supervisors:
            supervisor.stop()
        while any(thread.is_alive() for thread in threads):  # which may wait for room in the queue
            with suppress(Empty):
                results.get(timeout=SECONDS_BETWEEN_CHECKS)


def _collect(results: "Queue[Part | Exception | None]", workers: int) -> Iterator[Part]:
    while workers:
        result = results.get()
        if isinstance(result, Exception):
            raise result
        if result is None:
            workers -= 1
        else:
            yield result


class _Shared:
    """An iterator that several threads share."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._lock = Lock()

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        with self._lock:
            return next(self._chunks)
