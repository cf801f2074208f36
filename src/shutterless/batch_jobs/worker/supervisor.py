"""A worker process that is replaced when it dies, and finds the photo that it dies of."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection

from shutterless.batch_jobs.worker.task import WORKER_DIED, Row, Task
from shutterless.errors import InputError

CHILD = "shutterless.batch_jobs.worker.child"
# Times that photos are tried in a worker that dies, before they are divided or given up.
ATTEMPTS = 2


class _DiedError(Exception):
    """The worker process ended."""


class StoppedError(Exception):
    """The supervisor was stopped while its worker was busy."""


class Supervisor:
    """Classifies photos in a process of its own, which is started with the first chunk.

    Args:
        task: What to do with each photo.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._is_stopped = False

    @property
    def pid(self) -> int | None:
        """Number of the worker process; None if none is running."""
        return self._process.pid if self._process else None

    def classify(self, uris: Sequence[str]) -> list[Row]:
        """Return a row for each photo, whatever they do to the worker.

        If it dies twice, the photos are divided until the one that it dies of is alone; its row has the
        error `WORKER_DIED`.

        Raises:
            InputError: No worker process can be started (`no-worker`).
            StoppedError: `stop` was called.
        """
        for _ in range(ATTEMPTS):
            try:
                return self._ask(uris)
            except _DiedError:
                self._remove()
        if len(uris) == 1:
            return [Row(uris[0], WORKER_DIED)]
        middle = len(uris) // 2
        return self.classify(uris[:middle]) + self.classify(uris[middle:])

    def stop(self) -> None:
        """End the worker process at once; may be called from another thread."""
        self._is_stopped = True
        if process := self._process:
            process.kill()
            process.wait()

    def _ask(self, uris: Sequence[str]) -> list[Row]:
        connection = self._connection or self._start()
        try:
            connection.send(list(uris))
            rows: list[Row] = connection.recv()
        except (EOFError, OSError) as error:
            raise _DiedError from error
        return rows

    def _start(self) -> Connection:
        """Start a worker process and wait until its model is loaded."""
        for _ in range(ATTEMPTS):
            self._process, connection = _start_process()
            if self._is_stopped:  # meanwhile, or before
                self._process.kill()
            try:
                connection.send(self._task)
                connection.recv()
            except (EOFError, OSError):
                code = self._process.wait()
                connection.close()
                if self._is_stopped:
                    raise StoppedError from None
                continue
            self._connection = connection
            return connection
        raise InputError(
            "no-worker",
            f"A worker process ended before it was ready (exit code {code})",
            "Its message is above. Without one it probably had too little memory: use fewer workers.",
        )

    def _remove(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        if self._connection:
            self._connection.close()
        self._process = self._connection = None
        if self._is_stopped:
            raise StoppedError


def _start_process() -> tuple[subprocess.Popen[bytes], Connection]:
    """Start a worker process; return it and the connection to it."""
    connection, child_connection = multiprocessing.Pipe()
    with child_connection:
        # It imports from the same folders as this process, but not from the working folder.
        path = os.pathsep.join(folder for folder in sys.path if folder)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, str(child_connection.fileno())],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[child_connection.fileno()],
            start_new_session=True,  # so that Ctrl-C reaches only the process that decides what to keep
        )
    return process, connection
