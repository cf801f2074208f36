"""The HTTP server: threads, admission and signals around the service that Lambda calls, too."""

import contextlib
import json
import math
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType, SimpleNamespace

from shutterless.errors import InputError
from shutterless.runtime import access_log
from shutterless.runtime.adapters.http_connection import BODY_SECONDS, Connection
from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.host_resources import cores, memory
from shutterless.runtime.http_messages import Request, Response, parse_json
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import Service, failure
from shutterless.runtime.settings import Settings

# Where AWS's images take events, so that clients written for them work here.
INVOCATIONS = "/2015-03-31/functions/function/invocations"
# What a stopped server gives running requests: as long as a body may take.
STOP_SECONDS = BODY_SECONDS
# Each connection costs a thread and an open file, of which a process often has 1,024.
MAX_CONNECTIONS = 512
# Requests in work, by core and in all: half of them may wait for the host of a URL, and of the others the
# last waits about half a second for its turn. What is over leaves connections for /health.
ROOM, MAX_ROOM = 64, 384
# The share of the memory that the bodies of all requests may fill; parsing JSON takes up to four times that.
BODIES_SHARE, MIN_BODIES = 1 / 8, 16 << 20


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    ready: Callable[[str], None] = lambda url: None,
    write: access_log.Log = access_log.to_stderr,
) -> None:
    """Serve the bundle over HTTP until SIGINT or SIGTERM; running requests are finished.

    A second signal ends the process at once. The model is loaded before the port is opened; port 0 takes
    a free one. ready: called with the URL. write: gets a line of the log for every request. Raises
    `ShutterlessError` if the bundle does not verify or the port is taken, and KeyboardInterrupt at the end
    if it was SIGINT that stopped it.
    """
    app = App(Service.load(settings), write)
    with _listen(host, settings.port) as listening:
        server = Server(app, listening)
        with _stopped_by_signals(server) as signals:
            name = f"[{host}]" if ":" in host else host
            ready(f"http://{name}:{listening.getsockname()[1]}")
            server.run()
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


class App:
    """The web application: the service over HTTP, and the Lambda handler on the invocations path."""

    def __init__(self, service: Service, write: access_log.Log = access_log.to_stderr) -> None:
        self._service = service
        self._write = write
        self._room = threading.BoundedSemaphore(min(ROOM * cores(), MAX_ROOM))

    def respond(self, request: Request, read_body: Callable[[], bytes]) -> Response:
        """Answer one HTTP request; whatever goes wrong becomes a problem answer."""
        started = time.perf_counter()
        try:
            if request.method != "POST":  # answered at once, however busy: it reads and computes nothing
                return self._answer(request, started)
            request = replace(request, body=read_body())
            with self._admitted():
                return self._answer(request, started)
        except Exception as error:
            return self._logged(request, started, failure(error, request.id))

    def _answer(self, request: Request, started: float) -> Response:
        if request.path == INVOCATIONS:
            return self._invoke(request)
        return self._logged(request, started, self._service.respond(request))

    def _logged(self, request: Request, started: float, response: Response) -> Response:
        route = self._service.route(request)
        self._write(access_log.record(request.id, route, self._service.version, started, response))
        return access_log.numbered(response, request.id)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Take a place among the requests in work. Only whole ones do, so that slow clients fill none."""
        if not self._room.acquire(blocking=False):
            raise Problem("busy", "too many requests are waiting", headers={"Retry-After": "1"})
        try:
            yield
        finally:
            self._room.release()

    def _invoke(self, request: Request) -> Response:
        """Answer like Lambda's own invoke: a function error is 200 with a header and the error's words."""
        if request.method != "POST":
            detail = "an event is sent by POST"
            raise Problem("method-not-allowed", detail, headers={"Allow": "POST"})
        if "origin" in request.headers:  # any page on the web could send an event to a server on this machine
            raise Problem("invalid-request", "a web page cannot send events: use /predict")
        event, context = parse_json(request.body), SimpleNamespace(aws_request_id=request.id)
        headers = {"Content-Type": "application/json"}
        try:
            document = handle(self._service, event, context, self._write)
        except Problem as problem:
            document = {"errorMessage": problem.detail, "errorType": "Problem"}
            headers["X-Amz-Function-Error"] = "Unhandled"
        return access_log.numbered(Response(200, headers, json.dumps(document).encode()), request.id)


class Server:
    """Takes connections until it is stopped, and serves each in a thread of its own.

    Threads, because asyncio and the servers on it take longer to import than all else but NumPy. Clients
    that are slow or silent make way for new ones when connections or memory become few.
    """

    def __init__(self, app: App, listening: socket.socket) -> None:
        listening.setblocking(False)
        self._app, self._listening = app, listening
        self._alarm, self._bell = socket.socketpair()
        self._connections: dict[Connection, threading.Thread] = {}
        self._dropping = threading.Lock()
        self._max_bodies = max(MIN_BODIES, int(memory() * BODIES_SHARE))
        self._is_stopping = False

    def run(self) -> None:
        """Serve until it is stopped, then finish what was sent by then, for at most `STOP_SECONDS`."""
        with self._alarm, self._bell:
            while not self._is_stopping:
                select.select([self._listening, self._alarm], [], [])
                self._accept()
        for _ in range(MAX_CONNECTIONS):  # those that the system has taken would be reset
            if not self._accept():
                break
        self._listening.close()
        ends = time.monotonic() + STOP_SECONDS
        running = dict(self._connections)
        for connection in running:
            connection.end()
        for thread in running.values():
            thread.join(max(0.0, ends - time.monotonic()))

    def stop(self) -> None:
        """Have `run` come to its end; for other threads and signal handlers."""
        self._is_stopping = True
        with contextlib.suppress(OSError):  # it has ended
            self._bell.send(b"!")

    def _accept(self) -> bool:
        """Take the next connection; return False if there is none."""
        try:
            stream, _ = self._listening.accept()
        except BlockingIOError:
            return False
        except ConnectionError:  # it was reset before it was taken
            return True
        except OSError:  # too many open files: others must end first
            self._drop_slowest()
            time.sleep(0.05)
            return True
        if len(self._connections) < MAX_CONNECTIONS or self._drop_slowest():
            self._start(stream)
        else:
            stream.close()
        return True

    def _start(self, stream: socket.socket) -> None:
        with contextlib.suppress(OSError):  # macOS refuses it for a connection that is reset already
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(stream, self._app.respond, self._make_room)
        thread = threading.Thread(target=self._serve, args=[connection], name="connection", daemon=True)
        self._connections[connection] = thread
        try:
            thread.start()
        except RuntimeError:  # there may be no more threads
            self._connections.pop(connection, None)
            stream.close()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        finally:
            self._connections.pop(connection, None)

    def _make_room(self) -> None:
        """Drop the slowest of those who send a body while all bodies together are too large."""
        with self._dropping:
            while sum(connection.body_size for connection in list(self._connections)) > self._max_bodies:
                if not self._drop_slowest(lambda connection: connection.body_size > 0):
                    return

    def _drop_slowest(self, is_meant: Callable[[Connection], bool] = lambda connection: True) -> bool:
        """Drop the connection that has waited longest for its client; return False if none waits."""
        connections = [one for one in list(self._connections) if is_meant(one)]
        slowest = min(connections, key=lambda one: one.waits_since, default=None)
        if slowest is None or slowest.waits_since == math.inf:
            return False
        self._connections.pop(slowest, None)
        slowest.drop()
        return True


@contextmanager
def _stopped_by_signals(server: Server) -> Iterator[list[int]]:
    """Have the first signal stop the server, and the next do what it does to any program.

    Yields the signals that came. Elsewhere than in the main thread signals go their way.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        for again in handlers:
            signal.signal(again, signal.SIG_DFL)
        server.stop()

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise InputError(
            "cannot-listen",
            f"Cannot listen on {host}, port {port}: {error.strerror or error}",
            "Choose another port with --port (0 takes a free one), or stop what is using this one.",
        ) from error
