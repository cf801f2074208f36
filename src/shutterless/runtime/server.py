"""HTTP to events and back, so that the laptop and the cloud share one door."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType, SimpleNamespace

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from shutterless.errors import ShutterlessError
from shutterless.runtime import log
from shutterless.runtime.events import Request, Response, parse_json, to_event, to_response
from shutterless.runtime.lambda_function import handle
from shutterless.runtime.problem import Problem
from shutterless.runtime.service import Service, cores, failure
from shutterless.runtime.settings import Settings

# Where AWS's images take events, so that clients written for them work here.
INVOCATIONS = "/2015-03-31/functions/function/invocations"
# What Lambda takes in one synchronous call: 6 MB. What works here shall work there.
MAX_BODY = 6 * 1024 * 1024
# For each core: requests in work, most of which wait for the host of a URL, and with them those that come
# in or wait for their turn. Each holds its body in memory; at 20 ms a photo the last waits half a second.
WORKERS, ROOM = 8, 32
# What a client may take for the head of a request, for its body (6 MB at 1 Mbit/s), and until the next one.
HEAD_SECONDS, BODY_SECONDS, IDLE_SECONDS = 10, 60, 5
# What it may then take to read what it has not read of its answers.
READ_SECONDS = 10
# What a stopped server gives running requests: as long as a body may take.
STOP_SECONDS = BODY_SECONDS
# Beyond these a new connection is closed: each costs an open file, of which a process often has 1,024.
MAX_CONNECTIONS = 512


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    ready: Callable[[str], None] = lambda url: None,
    write: log.Log = log.to_stderr,
) -> None:
    """Serve the bundle over HTTP until SIGINT or SIGTERM; running requests are finished.

    A second signal ends the process at once. The model is loaded before the port is opened; port 0 takes
    a free one. ready: called with the URL. write: gets a line of the log for every request. Raises
    `ShutterlessError` if the bundle does not verify or the port is taken, and KeyboardInterrupt at the end
    if it was SIGINT that stopped it.
    """
    app = App(Service.load(settings), write)
    with _listen(host, settings.port) as listening:
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{listening.getsockname()[1]}"
        server = Server(app, lambda: ready(url))
        server.run(sockets=[listening])
    if server.interrupted:
        raise KeyboardInterrupt


class App:
    """The web application (ASGI): every request becomes an event for the Lambda handler."""

    def __init__(self, service: Service, write: log.Log = log.to_stderr) -> None:
        self._service = service
        self._write = write
        self._threads = ThreadPoolExecutor(WORKERS * cores(), thread_name_prefix="request")
        self._room = ROOM * cores()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        response = await self._respond(HttpRequest(scope, receive))
        await HttpResponse(response.body, response.status, dict(response.headers))(scope, receive, send)

    async def _respond(self, http: HttpRequest) -> Response:
        started, number = time.perf_counter(), log.request_id(http.headers)
        headers = {**http.headers, "x-request-id": number}
        request = Request(http.method, http.scope["path"], headers, dict(http.query_params), id=number)
        try:
            if http.method != "POST":
                return self._answer(request)  # at once, also when all are busy: it reads and computes nothing
            with self._admitted():
                request = replace(request, body=await _body(http))
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, request)
        except Exception as error:
            response = failure(error, number)
            route = self._service.route(request)
            self._write(log.record(number, route, self._service.version, started, response))
            return log.numbered(response, number)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._room == 0:
            raise Problem("busy", "too many requests are waiting", headers={"Retry-After": "1"})
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1

    def _answer(self, request: Request) -> Response:
        if request.path == INVOCATIONS:
            return self._invoke(request)
        return to_response(handle(self._service, to_event(request), write=self._write))

    def _invoke(self, request: Request) -> Response:
        """Answer like Lambda's own invoke: a function error is 200 with a header and the error's words."""
        if request.method != "POST":
            detail = "an event is sent by POST"
            raise Problem("method-not-allowed", detail, headers={"Allow": "POST"})
        event, context = parse_json(request.body), SimpleNamespace(aws_request_id=request.id)
        headers = {"Content-Type": "application/json"}
        try:
            document = handle(self._service, event, context, self._write)
        except Problem as problem:
            document = {"errorMessage": problem.detail, "errorType": "Problem"}
            headers["X-Amz-Function-Error"] = "Unhandled"
        return log.numbered(Response(200, headers, json.dumps(document).encode()), request.id)


class Server(uvicorn.Server):
    """uvicorn's server, which stops in order at the first signal and at once at the second."""

    def __init__(self, app: App, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # the app's own lines say what there is to say
                access_log=False,
                server_header=False,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._ready = ready
        self.interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that it is ready once signals are taken and connections accepted."""
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; the next signal does what it does to any program."""
        self.should_exit = True
        self.interrupted = sig == signal.SIGINT
        for again in (signal.SIGINT, signal.SIGTERM):
            signal.signal(again, signal.SIG_DFL)


class Connection(H11Protocol):
    """uvicorn's connection, which hangs up on who does not come to the point, or does not listen.

    uvicorn itself waits for the head of a request for ever, and for an answer to be read.
    """

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
        self._mind_the_time()

    def data_received(self, data: bytes) -> None:
        """Take some bytes of a request, or of what is left of one that is answered already."""
        super().data_received(data)
        self._mind_the_time()

    def timeout_keep_alive_handler(self) -> None:
        """Hang up, and let go of what was not read by then."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(READ_SECONDS, self.transport.abort)

    def _mind_the_time(self) -> None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering and self._patience:
            self._patience.cancel()
            self._patience = None
        elif not is_answering and not self._patience:
            self._patience = self.loop.call_later(HEAD_SECONDS, self.timeout_keep_alive_handler)


async def _body(request: HttpRequest) -> bytes:
    """Read the body, but no more of it than Lambda would take, and not for ever."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise _too_large()
    except TimeoutError as error:
        detail = f"the request took longer than the {BODY_SECONDS} s that it may"
        raise Problem("invalid-request", detail, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem("invalid-request", "the request broke off") from error
    return bytes(body)


def _too_large() -> Problem:
    return Problem("too-large", f"the request has more than the {MAX_BODY:,} bytes that Lambda takes")


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ShutterlessError(
            f"Cannot listen on {host}, port {port}: {error.strerror or error}",
            "Choose another port with --port (0 takes a free one), or stop what is using this one.",
        ) from error
