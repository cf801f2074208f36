"""Push an image from this machine to a registry."""

import json
import os
import re
import tempfile
from pathlib import Path

from shutterless.packaging.docker import docker, follow
from shutterless.utils.progress import Progress

# Without a terminal `docker push` writes a line "layer: state" for each change.
LAYER_STATE = re.compile(r"(?P<layer>[0-9a-f]{12}): (?P<state>.+)")
FINAL_STATES = ("Pushed", "Layer already exists", "Mounted from")
CURRENT_ENGINE = ("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
VERSION_AND_ID = '{{index .Config.Labels "org.opencontainers.image.version"}} {{.Id}}'


def content_tag(image: str) -> str:
    """Return a tag for the content of a local image: its model's version, then its own id."""
    output = docker("image", "inspect", "--format", VERSION_AND_ID, image).decode()
    version, _, image_id = output.rpartition(" ")
    short_id = image_id.strip().removeprefix("sha256:")[:12]
    return f"{version}-{short_id}" if re.fullmatch(r"\w[\w.-]{0,63}", version) else short_id


def push_image(image: str, target: str, authorization: str, progress: Progress) -> None:
    """Push a local image; an interrupted push continues where it stopped.

    Args:
        image: The local image.
        target: Its name in the registry, with the registry's host.
        authorization: Base64 of `user:password`.
        progress: Called with the layers that are in the registry, and all of them.

    Raises:
        DockerError: If Docker or the registry refuses.
    """
    host = target.partition("/")[0]
    # The address may be known to the user's own configuration (a context) alone, which push does not see.
    engine = os.environ.get("DOCKER_HOST") or docker(*CURRENT_ENGINE).decode().strip()
    docker("tag", image, target)
    try:
        # `docker login` would put the token into the user's keychain wherever there is one, so what it writes
        # without one is written here, into a folder that is deleted afterwards.
        with tempfile.TemporaryDirectory(prefix="shutterless-") as folder:
            config = {"auths": {host: {"auth": authorization}}}
            Path(folder, "config.json").write_text(json.dumps(config), "utf-8")
            environment = {**os.environ, "DOCKER_HOST": engine, "DOCKER_CONFIG": folder}
            follow("push", target, environment=environment, on_line=_LayerCounter(progress))
    finally:
        docker("image", "rm", "--no-prune", target)


class _LayerCounter:
    """Counts the layers that are in the registry, by the output of `docker push`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._is_pushed: dict[str, bool] = {}

    def __call__(self, line: str) -> None:
        if match := LAYER_STATE.match(line):
            self._is_pushed[match["layer"]] = match["state"].startswith(FINAL_STATES)
            self._progress("pushing layers", sum(self._is_pushed.values()), len(self._is_pushed))
