"""Docker's own command line, and what its complaints mean."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shutterless.errors import PackagingError, ShutterlessError


class DockerError(PackagingError):
    """Docker refused; `said` is what it said of it."""

    def __init__(self, code: str, message: str, hint: str, said: str) -> None:
        super().__init__(code, message, hint)
        self.said = said


class WrongProcessorError(DockerError):
    """An image or a program in it is for a processor that this machine has not and does not emulate."""


# Docker's words, whatever its version: what is wrong, and the way out. The first that fits counts.
COMPLAINTS = (
    (
        r"permission denied while trying to connect",
        "You may not talk to the Docker engine",
        "Run: sudo usermod -aG docker $USER, then log out and in again; or run this with sudo.",
    ),
    (
        r"cannot connect to the docker daemon|is the (docker )?daemon running|error during connect"
        r"|failed to connect to the docker api",
        "The Docker engine is not running",
        "Start it: sudo systemctl start docker, or open Docker Desktop.",
    ),
    (
        r"no space left on device",
        "The disk of the Docker engine is full",
        "Make room: docker system df shows what takes it, docker system prune removes what is not used.",
    ),
    (
        r"port is already allocated|address already in use|ports are not available",
        "The port is taken",
        "Choose another one with -p, or stop what is using this one.",
    ),
    (
        r"unauthorized|no basic auth credentials|authorization token has expired",
        "The registry refuses the login",
        "Log in anew with docker login; shutterless deploy does that itself, so run it again.",
    ),
    (
        r"toomanyrequests|rate limit",
        "The registry asks for fewer requests",
        "Wait, then run the same command again; with docker login most registries allow more.",
    ),
    (
        r"manifest unknown|manifest for .* not found|access denied|repository does not exist"
        r"|no such image|unable to find image|not found: does not exist|failed to resolve",
        "There is no such image",
        "See docker images for what is here; shutterless image build makes one, docker pull fetches others.",
    ),
    (
        r"no such host|dial tcp|i/o timeout|tls handshake timeout|request canceled|connection refused"
        r"|connection reset|: EOF$",
        "The registry cannot be reached",
        "Check the network and Docker's proxy settings, then run the same command again.",
    ),
)
WRONG_PROCESSOR = (
    r"exec format error|does not match the (specified|detected host) platform|no match for platform"
)


def docker(*arguments: str, data: bytes | None = None) -> bytes:
    """Run one docker command, with `data` as its input, and return its output.

    Raises `ShutterlessError` if there is no such command, `DockerError` if it fails.
    """
    with _installed():
        done = subprocess.run(["docker", *arguments], input=data, capture_output=True)
    if done.returncode:
        raise complaint(done.stderr.decode(errors="replace"), f"docker {arguments[0]}")
    return done.stdout


def follow(*arguments: str, environment: Mapping[str, str], told: Callable[[str], None]) -> None:
    """Run one docker command and hand on each line that it says, as it says it; raises as `docker` does."""
    said = []
    with (
        _installed(),
        subprocess.Popen(
            ["docker", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as command,
    ):
        assert command.stdout is not None
        try:
            for line in command.stdout:
                said.append(line)
                told(line)
        except BaseException:
            command.terminate()
            raise
    if command.returncode:
        raise complaint("".join(said), f"docker {arguments[0]}")


def query(*arguments: str) -> Any:
    """Run a docker command that prints JSON and return the document."""
    return json.loads(docker(*arguments))


def last_words(container: str) -> ShutterlessError:
    """Return the error of a container that ended: what it said of an error, or else what it said last."""
    command = ["docker", "logs", container]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if re.search(WRONG_PROCESSOR, done.stdout, re.IGNORECASE):
        return complaint(done.stdout, "docker run")
    lines = done.stdout.strip().splitlines() or ["it said nothing"]
    reason = next((line for line in lines if line.startswith("error: ")), lines[-1])
    return PackagingError(
        "container-ended", f"The container ended: {reason.strip()}", "docker run shows all that it says."
    )


def complaint(said: str, command: str) -> DockerError:
    """Return the error for what docker wrote to standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it said nothing"]
    reason = next(
        (line for line in lines if re.search("error|denied|unable", line, re.IGNORECASE)), lines[-1]
    )
    if re.search(WRONG_PROCESSOR, said, re.IGNORECASE):
        return WrongProcessorError(
            "wrong-processor",
            f"The image is for another processor ({reason})",
            "Build with this machine's --platform to run it here, or install emulation (binfmt).",
            said,
        )
    for words, message, hint in COMPLAINTS:
        if re.search(words, said, re.IGNORECASE | re.MULTILINE):
            return DockerError("docker-failed", f"{message} ({reason})", hint, said)
    return DockerError(
        "docker-failed", f"{command} failed: {reason}", "Type the command by hand to see more.", said
    )


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PackagingError(
            "docker-not-installed",
            "The command docker is not installed",
            "Install Docker (docs.docker.com/get-docker); shutterless serve needs none.",
        ) from error
