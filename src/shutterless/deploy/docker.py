"""The docker commands that a push needs, and their failures in words."""

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from shutterless.deploy.failures import explain_reason
from shutterless.errors import ShutterlessError
from shutterless.progress import Progress

# Without a terminal `docker push` says "layer: state", a line each.
LAYER = re.compile(r"(?P<layer>[0-9a-f]{12}): (?P<state>.+)")
LAYER_DONE = ("Pushed", "Layer already exists", "Mounted from")

# What docker says, and our words for it.
FAILURES = (
    (
        r"Cannot connect to the Docker daemon|error during connect|daemon is not running",
        ShutterlessError(
            "Docker is not running", "Start it (Docker Desktop, or: sudo systemctl start docker)."
        ),
    ),
    (
        r"permission denied.*docker",
        ShutterlessError(
            "Docker does not let this user in",
            "Run: sudo usermod -aG docker $USER, then log out and in again.",
        ),
    ),
    (
        r"No such image: (\S+?):?(?:\s|$)",
        ShutterlessError("There is no image {0} here", "Build it with: shutterless image build"),
    ),
    (
        r"unauthorized|no basic auth credentials|authorization token has expired",
        ShutterlessError("The registry refuses the login", "Run the same command again: it logs in anew."),
    ),
    (
        r"no space left on device",
        ShutterlessError("Docker's disk is full", "Make room with: docker system prune"),
    ),
    (
        r"connection refused|no such host|i/o timeout|TLS handshake|connection reset|EOF$",
        ShutterlessError(
            "Docker cannot reach the registry",
            "Check the network and Docker's proxy settings, then run the same command again: it goes on.",
        ),
    ),
)


def content_tag(image: str) -> str:
    """Return the tag that stands for what a local image holds: its model's version, then its own id."""
    template = '{{.Id}} {{index .Config.Labels "org.opencontainers.image.version"}}'
    number, _, version = docker("image", "inspect", "--format", template, image).strip().partition(" ")
    short = number.removeprefix("sha256:")[:12]
    return f"{version}-{short}" if re.fullmatch(r"\w[\w.-]{0,63}", version) else short


def push(image: str, target: str, authorization: str, progress: Progress) -> None:
    """Push a local image as `target`, on from where an interrupted push stopped.

    authorization: base64 of `user:password`. Raises `ShutterlessError`.
    """
    docker("tag", image, target)
    try:
        with _logged_in(target.partition("/")[0], authorization) as environment:
            _push(target, environment, progress)
    finally:
        docker("image", "rm", "--no-prune", target)


def docker(*arguments: str) -> str:
    """Run a docker command that is over in a moment; return what it prints. Raises `ShutterlessError`."""
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    except FileNotFoundError as error:
        hint = "Install it from https://docs.docker.com/get-started/get-docker/"
        raise ShutterlessError("Docker is not installed", hint) from error
    if done.returncode:
        raise _explain(done.stderr)
    return done.stdout


def _push(target: str, environment: dict[str, str], progress: Progress) -> None:
    command = ["docker", "push", target]
    said, layers = "", {}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as push:
        assert push.stdout is not None
        try:
            for said in push.stdout:
                if layer := LAYER.match(said):
                    layers[layer["layer"]] = layer["state"].startswith(LAYER_DONE)
                    progress("pushing layers", sum(layers.values()), len(layers))
        except BaseException:
            push.terminate()
            raise
    if push.returncode:
        raise _explain(said)


@contextlib.contextmanager
def _logged_in(host: str, authorization: str) -> Iterator[dict[str, str]]:
    """Give an environment in which docker is logged in to `host`, for this push and this user's eyes only.

    `docker login` would put the token into the user's keychain wherever there is one, so what it writes
    without one is written here, into a folder that goes away.
    """
    with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps({"auths": {host: {"auth": authorization}}}), "utf-8")
        yield {**os.environ, "DOCKER_HOST": _engine(), "DOCKER_CONFIG": folder}


def _engine() -> str:
    """Return the engine's address, which only the user's own configuration (a context) may know."""
    given = os.environ.get("DOCKER_HOST")
    return given or docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").strip()


def _explain(said: str) -> ShutterlessError:
    for pattern, error in FAILURES:
        if found := re.search(pattern, said.strip(), re.IGNORECASE):
            return ShutterlessError(error.message.format(*found.groups()), error.hint)
    return explain_reason(said, "Docker")
