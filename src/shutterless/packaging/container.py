"""Containers of an image on this machine, held to the terms on which Lambda would run it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shutterless.errors import InputError
from shutterless.packaging.docker import DockerError, docker, last_words

MEMORY = 1024
# What Lambda sells, and the memory with which it gives one whole processor.
LEAST_MEMORY, MOST_MEMORY, MEMORY_OF_ONE_CPU = 128, 10_240, 1769
# Seconds for a start: Lambda stops one after 10 and tries again; an emulated processor takes longer.
PATIENCE = 60

# Asks from inside the container, so that it needs no port and no network: for a path and, on standard
# input, with a photo to post. Until the server listens it tries again.
ASK = f"""
import sys, time, urllib.error, urllib.request
photo = sys.stdin.buffer.read() or None
url = "http://127.0.0.1:8080" + sys.argv[1]
request = urllib.request.Request(url, photo, {{"Content-Type": "image/png"}})
ends = time.monotonic() + {PATIENCE}
while True:
    try:
        answer = urllib.request.urlopen(request, timeout={PATIENCE})
        break
    except urllib.error.HTTPError as error:
        sys.exit(f"error: {{error.read().decode()}}")
    except OSError:
        if time.monotonic() > ends:
            raise
        time.sleep(0.05)
sys.stdout.buffer.write(answer.read())
"""


def terms(memory: int = MEMORY) -> list[str]:
    """Return the options of `docker run` that hold a container to Lambda's terms.

    memory: megabytes, from which the share of processors follows, as far as this machine has them;
    the root file system is read-only, /tmp has 512 MB. Raises `ShutterlessError` if Lambda has no such
    memory.
    """
    if not LEAST_MEMORY <= memory <= MOST_MEMORY:
        raise InputError(
            "invalid-memory",
            f"Lambda has no {memory} MB",
            f"Give from {LEAST_MEMORY} to {MOST_MEMORY} megabytes.",
        )
    processors = int(docker("info", "--format", "{{.NCPU}}"))
    limits = ["--memory", f"{memory}m", "--memory-swap", f"{memory}m"]
    limits += ["--cpus", f"{min(memory / MEMORY_OF_ONE_CPU, processors):.2f}"]
    rights = ["--read-only", "--tmpfs", "/tmp:size=512m,mode=1777", "--cap-drop", "ALL"]
    return [*limits, *rights, "--security-opt", "no-new-privileges"]


@contextmanager
def running(tag: str, options: Sequence[str]) -> Iterator[str]:
    """Give the id of a container that runs with these options of `docker run`; end and remove it afterwards.

    Raises `ShutterlessError` if docker does not start it.
    """
    container = docker("create", *options, tag).decode().strip()
    try:
        docker("start", container)
        yield container
    finally:
        _remove(container)


def _remove(container: str) -> None:
    """Stop a container, which then finishes its requests, and remove it even if it does not stop."""
    try:
        docker("stop", "--time", "10", container)
    except DockerError:
        pass  # `rm --force` kills what did not stop, and its own failure is the one to report
    finally:
        docker("rm", "--force", container)


def ask(container: str, path: str, photo: bytes = b"") -> bytes:
    """Return the answer to a GET of `path`, or to a POST of a photo, once the server listens.

    Raises `ShutterlessError` with its last words if the container ended instead.
    """
    try:
        return docker("exec", "--interactive", container, "python3", "-c", ASK, path, data=photo)
    except DockerError as error:
        if _is_running(container):
            raise
        raise last_words(container) from error


def _is_running(container: str) -> bool:
    """Tell whether a container still runs; the engine learns of an end a moment later."""
    for _ in range(10):
        if docker("inspect", "--format", "{{.State.Running}}", container).strip() != b"true":
            return False
        time.sleep(0.1)
    return True
