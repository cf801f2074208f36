"""Containers on this machine, with the limits under which Lambda would run them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shutterless.errors import InputError
from shutterless.packaging.docker import DockerError, container_error, docker

DEFAULT_MEMORY = 1024
# What Lambda offers, and the memory with which a function gets one whole processor.
MIN_MEMORY, MAX_MEMORY, MEMORY_PER_CPU = 128, 10_240, 1769
# Seconds for a start: Lambda stops one after 10 and tries again; an emulated processor takes longer.
START_TIMEOUT = 60
STOP_TIMEOUT = 10

# Sends a request from inside the container, so that it needs no port and no network: to a path and, if
# there is one on standard input, with a photo. Until the server listens it tries again.
CLIENT = f"""
import sys, time, urllib.error, urllib.request
photo = sys.stdin.buffer.read() or None
url = "http://127.0.0.1:8080" + sys.argv[1]
request = urllib.request.Request(url, photo, {{"Content-Type": "image/png"}})
deadline = time.monotonic() + {START_TIMEOUT}
while True:
    try:
        response = urllib.request.urlopen(request, timeout={START_TIMEOUT})
        break
    except urllib.error.HTTPError as error:
        sys.exit(f"error: {{error.read().decode()}}")
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.05)
sys.stdout.buffer.write(response.read())
"""


def lambda_limits(memory: int = DEFAULT_MEMORY) -> list[str]:
    """Return the options of `docker run` that give a container the limits of a Lambda function.

    The root file system is read-only, and /tmp has 512 MB.

    Args:
        memory: Megabytes, from which the share of processors follows, as far as this machine has them.

    Raises:
        InputError: `invalid-memory` if Lambda does not offer it.
    """
    if not MIN_MEMORY <= memory <= MAX_MEMORY:
        raise InputError(
            "invalid-memory",
            f"Lambda does not offer {memory} MB of memory",
            f"Choose {MIN_MEMORY} to {MAX_MEMORY} MB.",
        )
    processors = int(docker("info", "--format", "{{.NCPU}}"))
    resources = ["--memory", f"{memory}m", "--memory-swap", f"{memory}m"]
    resources += ["--cpus", f"{min(memory / MEMORY_PER_CPU, processors):.2f}"]
    rights = ["--read-only", "--tmpfs", "/tmp:size=512m,mode=1777", "--cap-drop", "ALL"]
    return [*resources, *rights, "--security-opt", "no-new-privileges"]


@contextmanager
def running(tag: str, options: Sequence[str]) -> Iterator[str]:
    """Run a container of an image; stop and remove it afterwards.

    Args:
        tag: The image.
        options: Options of `docker run`.

    Yields:
        The container's id.

    Raises:
        DockerError: If docker does not start it.
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
        docker("stop", "--time", str(STOP_TIMEOUT), container)
    except DockerError:
        pass  # `rm --force` kills what did not stop, and its own failure is the one to report
    finally:
        docker("rm", "--force", container)


def ask(container: str, path: str, photo: bytes = b"") -> bytes:
    """Send a request to the server in a container, once it listens.

    Args:
        container: The container's id.
        path: Path of the request.
        photo: Sent with POST; without one the request is a GET.

    Returns:
        The body of the response.

    Raises:
        PackagingError: `container-ended` with its last message, if it ended instead.
        DockerError: If the request fails.
    """
    try:
        return docker("exec", "--interactive", container, "python3", "-c", CLIENT, path, data=photo)
    except DockerError as error:
        for _ in range(10):  # the engine notices an end a moment later
            if docker("inspect", "--format", "{{.State.Running}}", container).strip() != b"true":
                raise container_error(container) from error
            time.sleep(0.1)
        raise
