"""What the pictures and URLs of one request may take together."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from shutterless.runtime.problems import Problem

# Seconds on the clock, within API Gateway's 29; CPU seconds of fetching and decoding; bytes that hosts
# send, pictures and what is around them.
MAX_REQUEST_SECONDS, MAX_CPU_SECONDS, MAX_RECEIVED_BYTES = 25.0, 2.5, 100_000_000
# CloudWatch took log lines of 256 KB until 2025, Google Cloud takes no longer ones.
MAX_LOGGED_PHOTO_BYTES = 200_000
# Memory of a child process that decodes an unusual picture, its interpreter included. With the service itself
# it fits a container of 512 MB.
MAX_CHILD_MEMORY = 340 << 20


class Budget:
    """What one request may still take.

    Attributes:
        deadline: Time on the monotonic clock until which it must be answered.
        cpu_seconds: CPU time to fetch and decode pictures.
        received_bytes: Bytes that hosts of URLs may send.
        photo_bytes: Bytes of the log that each of its pictures' photos may take.
    """

    __slots__ = ("cpu_seconds", "deadline", "photo_bytes", "received_bytes")

    def __init__(
        self,
        seconds: float = MAX_REQUEST_SECONDS,
        cpu_seconds: float = MAX_CPU_SECONDS,
        received_bytes: int = MAX_RECEIVED_BYTES,
    ) -> None:
        self.deadline = time.monotonic() + seconds
        self.cpu_seconds = cpu_seconds
        self.received_bytes = received_bytes
        self.photo_bytes = MAX_LOGGED_PHOTO_BYTES

    @property
    def seconds(self) -> float:
        """Seconds until the deadline, 0 when it has passed."""
        return max(0.0, self.deadline - time.monotonic())

    def require(self, cpu_seconds: float) -> None:
        """Check that there is some CPU time left.

        Raises:
            Problem: `too-large`.
        """
        if self.cpu_seconds < max(cpu_seconds, 0.001):
            detail = "the pictures of this request take too much time together; send fewer at once"
            raise Problem("too-large", detail)

    def count_bytes(self, size: int) -> None:
        """Subtract bytes that a host has sent.

        Raises:
            Problem: `too-large` if there are more than that.
        """
        self.received_bytes -= size
        if self.received_bytes < 0:
            raise Problem("too-large", "the pictures of this request are too large together")

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Subtract the CPU time that this thread takes meanwhile.

        Raises:
            Problem: `too-large` if none is left.
        """
        self.require(0)
        start_time = time.thread_time()
        try:
            yield
        finally:
            self.cpu_seconds -= time.thread_time() - start_time
