"""Decode an unusual picture in a child process, within limits of time and memory that the system enforces.

So a picture that takes too long, needs too much memory or crashes a library written in C costs its sender an
error and nobody else anything. The child gets the picture on its standard input and returns the pixels of the
model's input on its standard output.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from PIL import Image

import shutterless
from shutterless.runtime.host_resources import available_memory
from shutterless.runtime.image.budget import MAX_CHILD_MEMORY, Budget
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.image.opener import too_much_memory
from shutterless.runtime.problems import KINDS, ImageError

CHILD = "shutterless.runtime.image.child"
MIN_MEMORY = 64 << 20  # with which a child can decode something
# What of the environment Python itself needs to start as this process did; nothing else is passed on.
VARIABLES = (
    "LD_LIBRARY_PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONOPTIMIZE",
    "PYTHONPYCACHEPREFIX",
)
# How an answer begins: the child is ready, and then it has pixels or an error of a code and a line of text.
READY, PIXELS, ERROR = b"R", b"P", b"E"
MAX_ERROR_BYTES = 4096
EXIT_SECONDS = 1.0  # a child ends at once after its answer
OVER_TIME = {-getattr(signal, name, 0) for name in ("SIGPROF", "SIGXCPU", "SIGALRM")} - {0}


class Result(NamedTuple):
    """How a child ended: its exit code, negative for a signal, and the CPU seconds that it took."""

    code: int
    cpu_seconds: float


def decode_isolated(data: bytes, spec: InputSpec, budget: Budget) -> Image.Image:
    """Decode a picture file as `decoder.decode` does, in a child process with limits.

    Args:
        data: The whole file.
        spec: The size of the result, and how it is reached.
        budget: What the picture may take; what it takes is subtracted.

    Returns:
        An RGB picture of `spec.width` × `spec.height` pixels.

    Raises:
        ImageError: As `decoder.decode` does; `too-large` also for what exceeds the limits, `unreadable-image`
            for what crashes, `unusual-image` where no child process can be started.
        Problem: `too-large` if the budget does not suffice.
    """
    budget.require(0)
    memory = min(MAX_CHILD_MEMORY, available_memory())
    if memory < MIN_MEMORY:
        raise too_much_memory()
    stream, child_stream = socket.socketpair()
    with stream, child_stream:
        process = start(child_stream, arguments(spec, memory, budget))
        child_stream.close()
        max_bytes = 2 + max(3 * spec.width * spec.height, MAX_ERROR_BYTES)
        try:
            answer = exchange(stream, data, budget.deadline, max_bytes)
        except TimeoutError:
            raise ImageError("too-large", "decoding the picture took too long") from None
        finally:
            result = reap(process)
            budget.cpu_seconds -= result.cpu_seconds
    return read_answer(answer, result, spec)


def arguments(spec: InputSpec, memory: int, budget: Budget) -> list[str]:
    """Return the command line of a child."""
    values = (spec.height, spec.width, spec.resize, spec.interpolation, memory)
    return [*map(str, values), f"{budget.cpu_seconds:.3f}", f"{budget.seconds:.3f}"]


def start(stream: socket.socket, words: list[str]) -> subprocess.Popen[bytes]:
    """Start a child that reads from a socket and writes to it.

    Raises:
        ImageError: `unusual-image` if that is not possible.
    """
    folder = str(Path(str(shutterless.__file__)).resolve().parents[1])
    environment = {name: os.environ[name] for name in VARIABLES if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([folder, *filter(None, sys.path)])
    if find_spec("resource") is None:  # on Windows a child would have no limits
        raise _unusual()
    try:
        return subprocess.Popen(
            [sys.executable, "-S", "-P", "-m", CHILD, *words],
            stdin=stream.fileno(),
            stdout=stream.fileno(),
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=environment,
            start_new_session=True,  # so that Ctrl-C ends it by ending this process
        )
    except OSError as error:  # there may be no more processes
        raise _unusual() from error


def _unusual() -> ImageError:
    detail = "the picture is unusual and cannot be decoded safely here; save it as a baseline JPEG"
    return ImageError("unusual-image", detail)


def exchange(stream: socket.socket, data: bytes, deadline: float, max_bytes: int) -> bytes:
    """Send a picture and return what comes back.

    Raises:
        TimeoutError: If the deadline passes.
        ImageError: `unreadable-image` if more comes back than an answer has.
    """
    answer = bytearray()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended; its exit code says why
        stream.settimeout(_seconds_until(deadline))
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
    with contextlib.suppress(ConnectionResetError):  # likewise
        stream.settimeout(_seconds_until(deadline))
        while piece := stream.recv(1 << 16):
            answer += piece
            if len(answer) > max_bytes:
                raise _crash()
            stream.settimeout(_seconds_until(deadline))
    return bytes(answer)


def _seconds_until(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def reap(process: subprocess.Popen[bytes]) -> Result:
    """Wait for a child that has answered, or kill it; it leaves no zombie."""
    deadline = time.monotonic() + EXIT_SECONDS
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return Result(process.returncode, usage.ru_utime + usage.ru_stime)
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(0.0005)


def read_answer(answer: bytes, result: Result, spec: InputSpec) -> Image.Image:
    """Return the picture in a child's answer.

    Raises:
        ImageError: What the child says, or what its end tells.
        RuntimeError: If there is a bug in the child's code.
    """
    size = spec.width, spec.height
    kind, content = answer[1:2], answer[2:]
    if kind == PIXELS and len(content) == 3 * spec.width * spec.height:
        return Image.frombytes("RGB", size, content)
    if kind == ERROR and len(content) <= MAX_ERROR_BYTES:
        code, _, detail = content.decode("utf-8", "replace").partition("\n")
        if code in KINDS and code != "internal":
            raise ImageError(code, detail)
        raise RuntimeError(f"in the process that decodes unusual pictures: {detail}")
    if result.code in OVER_TIME:
        raise ImageError("too-large", "decoding the picture takes too much time")
    if result.code == -getattr(signal, "SIGKILL", 0):  # the system had no memory
        raise too_much_memory()
    if not answer.startswith(READY):
        raise _unusual()
    raise _crash()


def _crash() -> ImageError:
    return ImageError("unreadable-image", "the picture is damaged: its decoder crashed")
