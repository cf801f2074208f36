"""A stand-in for Lambda where it cannot be reached: its managed Python 3.13, and the API that runtimes ask.

The image has Debian's Python 3.13 and AWS's runtime interface client in /var/runtime. A function's zip is
mounted unpacked and read-only, with the variables, the user, the memory and the share of a processor that
Lambda gives. Both images need `shutterless-base:trixie`, which scripts/stand-in-base makes.
"""

import http.server
import json
import queue
import subprocess
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shutterless.packaging.wheels import fetch_wheels

BASE_IMAGE = "shutterless-base:trixie"
# Memory with which a function has one whole processor, and the period in which its share is counted.
MEMORY_PER_CPU, CPU_PERIOD = 1769, 20_000
CLIENT = ("awslambdaric", "simplejson", "snapshot_restore_py")
RUNTIME_API = "/2018-06-01/runtime"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:clothes"

DOCKERFILE = f"""\
FROM {BASE_IMAGE}
COPY runtime /var/runtime
WORKDIR /var/task
"""
# AWS's runtime has the bytecode of its standard library, Debian's packages do not.
COMPILE = "RUN python3 -m compileall -q /usr/lib/python3.13 /var/runtime\n"
# The first line of the log is the time of the start, by bash's own clock.
RUN_ZIP = ("-c", 'echo "$EPOCHREALTIME" >&2; exec python3 -m awslambdaric "$_HANDLER"')

# What Lambda sets for any function, and for one of a managed Python.
# Source: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_LAMBDA_FUNCTION_NAME": "clothes",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/clothes",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/26/[1]0123456789abcdef0123456789abcdef",
    "AWS_REGION": "eu-west-1",
    "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
    "TZ": ":UTC",
}
MANAGED_ENVIRONMENT = {
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LANG": "en_US.UTF-8",
    "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "PYTHONPATH": "/var/runtime",
}


def build_runtime_image(*, compiled: bool) -> str:
    """Build the image of the managed runtime, and return its name; the second time takes no time.

    Args:
        compiled: Whether its standard library has bytecode, for measuring.

    Raises:
        CalledProcessError: If docker fails.
    """
    tag = f"shutterless-lambda:{'compiled' if compiled else 'sources'}"
    with tempfile.TemporaryDirectory() as folder:
        for wheel in fetch_wheels("linux/amd64"):
            if wheel.name.startswith(CLIENT):
                zipfile.ZipFile(wheel).extractall(Path(folder, "runtime"))
        Path(folder, "Dockerfile").write_text(DOCKERFILE + COMPILE * compiled, "utf-8")
        command = ["docker", "build", "--quiet", "--tag", tag, folder]
        subprocess.run(command, check=True, capture_output=True, text=True)
    return tag


def function_options(memory: int, address: str) -> list[str]:
    """Return the options of `docker run` for the container of a function, of a zip or an image.

    Args:
        memory: Megabytes; the share of a processor follows from it.
        address: Host and port of the runtime API, on this machine.
    """
    quota = int(CPU_PERIOD * min(memory / MEMORY_PER_CPU, 1))
    limits = ["--memory", f"{memory}m", "--memory-swap", f"{memory}m"]
    limits += ["--cpu-period", str(CPU_PERIOD), "--cpu-quota", str(quota)]
    rights = ["--read-only", "--tmpfs", "/tmp:size=512m,mode=1777", "--user", "993:990", "--cap-drop", "ALL"]
    variables = {
        **ENVIRONMENT,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_RUNTIME_API": address,
    }
    return ["--network", "host", *limits, *rights, *environment_options(variables)]


def zip_options(task: Path, handler: str) -> list[str]:
    """Return further options for a function of the managed runtime; the image and `RUN_ZIP` follow.

    Args:
        task: Folder with the function's zip, unpacked.
        handler: The function's handler.
    """
    variables = environment_options({**MANAGED_ENVIRONMENT, "_HANDLER": handler})
    return [*variables, "--volume", f"{task}:/var/task:ro", "--entrypoint", "/bin/bash"]


def environment_options(variables: Mapping[str, str]) -> list[str]:
    """Return the options of `docker run` that set environment variables."""
    return [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]


@dataclass
class Invocation:
    """One event, and what became of it: a response or an error.

    Attributes:
        event: The event, as JSON.
        deadline_ms: Its deadline, in milliseconds since 1970.
        id: Its request id.
        response: What the function answered.
        error: What the function reported instead.
        ended: Set when either is there.
    """

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

    Attributes:
        address: Its host and port.
        init_ended: Set when the first event was asked for, or a failure of the initialization reported.
        init_end: When that was, by `time.time()`.
        init_error: The failure.
        restores: How many restores from a snapshot were asked for.
    """

    def __init__(self) -> None:
        self.init_ended = threading.Event()
        self.init_end = 0.0
        self.init_error: Any = None
        self.restores = 0
        self.waiting: queue.Queue[Invocation] = queue.Queue()
        self.sent: dict[str, Invocation] = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.api = self
        self.address = f"127.0.0.1:{self.server.server_port}"

    def end_init(self, error: Any = None) -> None:
        """Record that the initialization has ended; further calls change nothing."""
        if not self.init_ended.is_set():
            self.init_end, self.init_error = time.time(), error
            self.init_ended.set()

    def invoke(self, event: Any, seconds: float = 30) -> Invocation:
        """Send an event and wait for its end; raise TimeoutError at its deadline, as Lambda does."""
        invocation = Invocation(event, int((time.time() + seconds) * 1000))
        self.waiting.put(invocation)
        if not invocation.ended.wait(seconds):
            raise TimeoutError(f"Task timed out after {seconds:.2f} seconds")
        return invocation


@contextmanager
def running_api() -> Iterator[RuntimeApi]:
    """Serve a runtime API until the block ends."""
    api = RuntimeApi()
    threading.Thread(target=api.server.serve_forever, daemon=True).start()
    try:
        yield api
    finally:
        api.server.shutdown()
        api.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a head and a body that are sent apart wait for each other: 40 ms an event
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == f"{RUNTIME_API}/restore/next":
            self.server.api.restores += 1
            self._answer(200, {})
            return
        assert self.path == f"{RUNTIME_API}/invocation/next"
        self.server.api.end_init()
        invocation = self.server.api.waiting.get()
        self.server.api.sent[invocation.id] = invocation
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": FUNCTION_ARN,
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
        }
        self._answer(200, invocation.event, headers)

    def do_POST(self):
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == f"{RUNTIME_API}/init/error":
            self.server.api.end_init(document)
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
