"""An image of this machine into a registry."""

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shutterless.packaging.docker import docker, follow
from shutterless.utils.progress import Progress

# Without a terminal `docker push` says "layer: state", a line each.
LAYER = re.compile(r"(?P<layer>[0-9a-f]{12}): (?P<state>.+)")
LAYER_DONE = ("Pushed", "Layer already exists", "Mounted from")
TAG_AND_ID = '{{index .Config.Labels "org.opencontainers.image.version"}} {{.Id}}'


def content_tag(image: str) -> str:
    """Return the tag that stands for what a local image holds: its model's version, then its own id."""
    version, _, number = docker("image", "inspect", "--format", TAG_AND_ID, image).decode().rpartition(" ")
    short = number.strip().removeprefix("sha256:")[:12]
    return f"{version}-{short}" if re.fullmatch(r"\w[\w.-]{0,63}", version) else short


def push_image(image: str, target: str, authorization: str, progress: Progress) -> None:
    """Push a local image as `target`, on from where an interrupted push stopped.

    authorization: base64 of `user:password`. Raises `DockerError` if Docker or the registry refuses.
    """
    docker("tag", image, target)
    try:
        with _logged_in(target.partition("/")[0], authorization) as environment:
            follow("push", target, environment=environment, told=_Layers(progress))
    finally:
        docker("image", "rm", "--no-prune", target)


class _Layers:
    """Counts the layers that are in the registry, by what `docker push` says."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.done: dict[str, bool] = {}

    def __call__(self, line: str) -> None:
        if layer := LAYER.match(line):
            self.done[layer["layer"]] = layer["state"].startswith(LAYER_DONE)
            self.progress("pushing layers", sum(self.done.values()), len(self.done))


@contextmanager
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
    return given or docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").decode().strip()
