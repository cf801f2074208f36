"""Docker's command line, and its failures as errors with a hint."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NotRequired, TypedDict

from shutterless.errors import PackagingError


class DockerError(PackagingError):
    """Docker failed.

    Attributes:
        output: What it wrote to standard error.
    """

    def __init__(self, code: str, message: str, hint: str, output: str = "") -> None:
        super().__init__(code, message, hint)
        self.output = output


class WrongProcessorError(DockerError):
    """An image, or a program in it, is for a processor that this machine neither has nor emulates."""


# By what Docker writes, whatever its version; the first that matches counts.
KNOWN_FAILURES = {
    r"permission denied while trying to connect": DockerError(
        "docker-not-permitted",
        "Access to the Docker engine is denied",
        "Run: sudo usermod -aG docker $USER, then log out and in again; or run this with sudo.",
    ),
    r"cannot connect to the docker daemon|is the (docker )?daemon running|error during connect"
    r"|failed to connect to the docker api": DockerError(
        "docker-not-running",
        "The Docker engine is not running",
        "Start it: sudo systemctl start docker, or open Docker Desktop.",
    ),
    r"no space left on device": DockerError(
        "docker-disk-full",
        "The Docker engine's disk is full",
        "Free some space: docker system df shows what takes it, docker system prune removes unused data.",
    ),
    r"port is already allocated|address already in use|ports are not available": DockerError(
        "port-in-use",
        "The port is in use",
        "Choose another one with -p, or stop what is using this one.",
    ),
    r"unauthorized|no basic auth credentials|authorization token has expired": DockerError(
        "registry-login-refused",
        "The registry refuses the login",
        "Log in again with docker login; shutterless deploy logs in itself, so run it again.",
    ),
    r"toomanyrequests|rate limit": DockerError(
        "registry-rate-limited",
        "The registry limits the number of requests",
        "Wait, then run the same command again; with docker login most registries allow more.",
    ),
    r"manifest unknown|manifest for .* not found|access denied|repository does not exist"
    r"|no such image|unable to find image|not found: does not exist|failed to resolve": DockerError(
        "image-not-found",
        "The image does not exist",
        "docker images lists those on this machine; make one with shutterless image build, or docker pull.",
    ),
    r"no such host|dial tcp|i/o timeout|tls handshake timeout|request canceled|connection refused"
    r"|connection reset|: EOF$": DockerError(
        "registry-unreachable",
        "The registry cannot be reached",
        "Check the network and Docker's proxy settings, then run the same command again.",
    ),
}
WRONG_PROCESSOR = (
    r"exec format error|does not match the (specified|detected host) platform|no match for platform"
)


class _RootFs(TypedDict):
    Layers: list[str]


class _Descriptor(TypedDict):
    mediaType: str


class ImageDocument(TypedDict):
    """What `docker image inspect` tells of an image, as far as it is used here."""

    Id: str
    Os: str
    Architecture: str
    RootFS: _RootFs
    RepoDigests: NotRequired[list[str] | None]
    Descriptor: NotRequired[_Descriptor | None]


def docker(*arguments: str, data: bytes | None = None) -> bytes:
    """Run a docker command.

    Args:
        *arguments: The command's words.
        data: Its standard input.

    Returns:
        Its standard output.

    Raises:
        DockerError: If it fails.
        PackagingError: `docker-not-installed`.
    """
    with _check_installed():
        process = subprocess.run(["docker", *arguments], input=data, capture_output=True)
    if process.returncode:
        raise docker_error(process.stderr.decode(errors="replace"), f"docker {arguments[0]}")
    return process.stdout


def inspect_image(name: str) -> ImageDocument:
    """Return what Docker tells of an image on this machine.

    Raises:
        DockerError: If there is no such image.
        PackagingError: `docker-not-installed`.
    """
    documents: list[ImageDocument] = json.loads(docker("image", "inspect", name))
    return documents[0]


def image_platform(document: ImageDocument) -> str:
    """Return the platform of an image, such as `linux/amd64`."""
    return f"{document['Os']}/{document['Architecture']}"


def follow(*arguments: str, environment: Mapping[str, str], on_line: Callable[[str], None]) -> None:
    """Run a docker command, and pass on each line of its output as it comes.

    Args:
        *arguments: The command's words.
        environment: Its environment variables.
        on_line: Called with each line.

    Raises:
        DockerError: If it fails.
        PackagingError: `docker-not-installed`.
    """
    lines = []
    with (
        _check_installed(),
        subprocess.Popen(
            ["docker", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line)
                on_line(line)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise docker_error("".join(lines), f"docker {arguments[0]}")


def container_error(container: str) -> PackagingError:
    """Return the error of a container that ended, with its own error message or else its last line."""
    command = ["docker", "logs", container]
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if re.search(WRONG_PROCESSOR, process.stdout, re.IGNORECASE):
        return docker_error(process.stdout, "docker run")
    lines = process.stdout.strip().splitlines() or ["it wrote nothing"]
    reason = next((line for line in lines if line.startswith("error: ")), lines[-1])
    return PackagingError(
        "container-ended",
        f"The container ended: {reason.strip()}",
        "Run it with docker run to see its whole output.",
    )


def docker_error(output: str, command: str) -> DockerError:
    """Return the error for what a docker command wrote to standard error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it wrote nothing"]
    reason = next(
        (line for line in lines if re.search("error|denied|unable", line, re.IGNORECASE)), lines[-1]
    )
    if re.search(WRONG_PROCESSOR, output, re.IGNORECASE):
        return WrongProcessorError(
            "wrong-processor",
            f"The image is for another processor ({reason})",
            "Build it for this machine with --platform to run it here, or install emulation (binfmt).",
            output,
        )
    for pattern, template in KNOWN_FAILURES.items():
        if re.search(pattern, output, re.IGNORECASE | re.MULTILINE):
            return DockerError(template.code, f"{template.message} ({reason})", template.hint, output)
    return DockerError(
        "docker-failed", f"{command} failed: {reason}", "Run the command yourself to see more.", output
    )


@contextmanager
def _check_installed() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PackagingError(
            "docker-not-installed",
            "The command docker is not installed",
            "Install Docker (docs.docker.com/get-docker); shutterless serve does not need it.",
        ) from error
