"""Programs as users start them: processes of their own, on ports of their own, ended by every test."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.aws_as_it_is.fixtures import account, connected_account  # noqa: F401

SHUTTERLESS = str(Path(sys.executable).with_name("shutterless"))
Serve = Callable[..., str]


@pytest.fixture(scope="session")
def shutterless() -> str:
    """Return the installed command."""
    return SHUTTERLESS


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start `shutterless serve` on a free port and return its URL once it answers."""
    started: list[subprocess.Popen[str]] = []

    def start(bundle: Path, *options: str) -> str:
        command = [SHUTTERLESS, "serve", str(bundle), "--port", "0", *options]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        started.append(server)
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url, "the server did not start"
        return url

    yield start
    for server in started:
        server.terminate()
        server.communicate(timeout=30)
