"""A real Docker engine, an image of a small model on it, and a stand-in for Lambda's runtime API."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator

import pytest

from managed_runtime import RuntimeApi, running_api
from shutterless.packaging import Image, build_image

# Made by scripts/stand-in-base, because no image can be pulled here.
BASE = "shutterless-base:trixie"
TAG = f"shutterless-test-{os.getpid()}"  # workers of one run share the engine

Docker = Callable[..., str]


@pytest.fixture(scope="session")
def docker() -> Docker:
    """Run a docker command and return its output; skip where there is no engine or no base image."""
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True).returncode:
        pytest.skip("needs a Docker engine")
    if subprocess.run(["docker", "image", "inspect", BASE], capture_output=True).returncode:
        pytest.skip(f"needs the image {BASE}: scripts/stand-in-base trixie {BASE}")

    def run(*arguments: str, data: str | None = None) -> str:
        done = subprocess.run(["docker", *arguments], input=data, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture(scope="session")
def image(docker: Docker, colour_bundle) -> Iterator[Image]:
    """Return the image of the colours, as a user builds it."""
    yield build_image(colour_bundle, TAG, base_image=BASE)
    docker("rmi", "--force", TAG)


@pytest.fixture
def start(docker: Docker) -> Iterator[Callable[..., str]]:
    """Start a container with these options, image and arguments; return its name. The test's end ends it."""
    started = []

    def run(*arguments: str) -> str:
        name = f"shutterless-test-{uuid.uuid4().hex[:8]}"
        started.append(name)
        docker("run", "--detach", "--name", name, *arguments)
        return name

    yield run
    for name in started:
        docker("rm", "--force", name)


@pytest.fixture
def runtime_api() -> Iterator[RuntimeApi]:
    with running_api() as api:
        yield api
