"""A real Docker engine, an image of a small model on it, and a stand-in for Lambda's runtime API."""

import http.server
import json
import os
import queue
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from shutterless.packaging import Image, build_image

# Made by scripts/stand-in-base, because no image can be pulled here.
BASE = "shutterless-base:trixie"
TAG = f"shutterless-test-{os.getpid()}"  # workers of one run share the engine
RUNTIME = "/2018-06-01/runtime"

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


@dataclass
class Invocation:
    """One event, and what became of it: a response or an error."""

    event: Any
    deadline_ms: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    response: Any = None
    error: Any = None
    ended: threading.Event = field(default_factory=threading.Event)


class RuntimeApi:
    """A stand-in for the API that a function asks for events and answers to; for one container.

    It listens on the loopback alone, as Lambda's does: the container shares the host's network.
    Source: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, version 2018-06-01.
    """

    def __init__(self) -> None:
        self.init_ended = threading.Event()  # its first event was asked for, or its failure reported
        self.init_error: Any = None
        self.restores = 0
        self.waiting: queue.Queue[Invocation] = queue.Queue()
        self.sent: dict[str, Invocation] = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.api = self
        self.address = f"127.0.0.1:{self.server.server_port}"

    def invoke(self, event: Any, seconds: float = 30) -> Invocation:
        """Send an event and wait for its end; raise TimeoutError at its deadline, as Lambda does."""
        invocation = Invocation(event, int((time.time() + seconds) * 1000))
        self.waiting.put(invocation)
        if not invocation.ended.wait(seconds):
            raise TimeoutError(f"Task timed out after {seconds:.2f} seconds")
        return invocation


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a head and a body that are sent apart wait for each other: 40 ms an event
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == f"{RUNTIME}/restore/next":
            self.server.api.restores += 1
            self._answer(200, {})
            return
        assert self.path == f"{RUNTIME}/invocation/next"
        self.server.api.init_ended.set()
        invocation = self.server.api.waiting.get()
        self.server.api.sent[invocation.id] = invocation
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:colours",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
        }
        self._answer(200, invocation.event, headers)

    def do_POST(self):
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == f"{RUNTIME}/init/error":
            self.server.api.init_error = document
            self.server.api.init_ended.set()
        else:
            *_, number, kind = self.path.split("/")
            invocation = self.server.api.sent.pop(number)
            setattr(invocation, kind, document)
            invocation.ended.set()
        self._answer(202, {"status": "OK"})

    def _answer(self, status, document, headers=None):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def runtime_api() -> Iterator[RuntimeApi]:
    api = RuntimeApi()
    threading.Thread(target=api.server.serve_forever, daemon=True).start()
    yield api
    api.server.shutdown()
    api.server.server_close()
