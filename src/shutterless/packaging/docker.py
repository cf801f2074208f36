"""Docker's own command line, and what its complaints mean."""

import json
import re
import subprocess
from typing import Any

from shutterless.errors import ShutterlessError


class DockerError(ShutterlessError):
    """Docker refused."""


class WrongProcessorError(DockerError):
    """An image or a program in it is for a processor that this machine has not and does not emulate."""


# Docker's words, whatever its version: what is wrong, and the way out. The first that fits counts.
COMPLAINTS = (
    (
        r"permission denied while trying to connect",
        "You may not talk to the Docker engine",
        "Run it as a user of the group docker, or with sudo.",
    ),
    (
        r"cannot connect to the docker daemon|is the docker daemon running|error during connect"
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
        r"manifest unknown|manifest for .* not found|access denied|repository does not exist"
        r"|no such image|unable to find image|not found: does not exist|failed to resolve",
        "There is no such image",
        "See docker images for what is here; docker pull fetches others.",
    ),
    (
        r"no such host|dial tcp|i/o timeout|tls handshake timeout|request canceled|connection refused",
        "The registry cannot be reached",
        "Check the network, or docker load the image and run it again.",
    ),
)
WRONG_PROCESSOR = (
    r"exec format error|does not match the (specified|detected host) platform|no match for platform"
)


def docker(*arguments: str, data: bytes | None = None) -> bytes:
    """Run one docker command, with `data` as its input, and return its output.

    Raises `ShutterlessError` if there is no such command, `DockerError` if it fails.
    """
    try:
        done = subprocess.run(["docker", *arguments], input=data, capture_output=True)
    except FileNotFoundError as error:
        raise ShutterlessError(
            "The command docker is not installed",
            "Install Docker (docs.docker.com/get-docker); shutterless serve needs none.",
        ) from error
    if done.returncode:
        raise complaint(done.stderr.decode(errors="replace"), f"docker {arguments[0]}")
    return done.stdout


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
    return ShutterlessError(f"The container ended: {reason.strip()}", "docker run shows all that it says.")


def complaint(said: str, command: str) -> DockerError:
    """Return the error for what docker wrote to standard error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it said nothing"]
    reason = next(
        (line for line in lines if re.search("error|denied|unable", line, re.IGNORECASE)), lines[-1]
    )
    if re.search(WRONG_PROCESSOR, said, re.IGNORECASE):
        return WrongProcessorError(
            f"The image is for another processor ({reason})",
            "Build with this machine's --platform to run it here, or install emulation (binfmt).",
        )
    for words, message, hint in COMPLAINTS:
        if re.search(words, said, re.IGNORECASE):
            return DockerError(f"{message} ({reason})", hint)
    return DockerError(f"{command} failed: {reason}", "Type the command by hand to see more.")
