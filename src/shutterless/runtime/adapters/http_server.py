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
from types import FrameType, SimpleNamespace

from shutterless.errors import InputError
from shutterless.runtime import access_log
from shutterless.runtime.adapters.http_connection import BODY_TIMEOUT, Connection
from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.host_resources import cores, memory
from shutterless.runtime.http_messages import Request, Response, parse_json
from shutterless.runtime.problems import Problem
from shutterless.runtime.responses import error_response
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

# Where AWS's images take events, so that clients written for them work here.
INVOCATIONS = "/2015-03-31/functions/function/invocations"
# Seconds that a stopped server gives running requests: as long as a body may take.
STOP_TIMEOUT = BODY_TIMEOUT
# Each connection costs a thread and an open file, of which a process often has 1,024.
MAX_CONNECTIONS = 512
# Requests in work, by core and in all: half of them may wait for the host of a URL, and the last of the
# others waits about half a second for its turn. Further connections remain for /health.
QUEUE_SLOTS_PER_CORE, MAX_QUEUE_SLOTS = 64, 384
# The share of the memory that the bodies of all requests may fill; parsing JSON takes up to four times that.
BODIES_SHARE, MIN_BODIES = 1 / 8, 16 << 20


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    ready: Callable[[str], None] = lambda url: None,
    write: access_log.Log = access_log.to_stderr,
) -> None:
    """Serve a bundle over HTTP until SIGINT or SIGTERM; running requests are finished.

    The model is loaded before the port is opened. A second signal ends the process at once.

    Args:
        settings: Names the bundle and the port; port 0 takes a free one.
        host: Address to listen on.
        ready: Called with the URL once the port is open.
        write: Takes the log record of every request.

    Raises:
        BundleError: If the bundle cannot be loaded.
        InputError: `cannot-listen` if the port is taken.
        KeyboardInterrupt: At the end, if it was SIGINT that stopped it.
    """
    app = App(Service.load(settings), write)
    with _listen(host, settings.port) as listener:
        server = Server(app, listener)
        with _stop_on_signals(server) as signals:
            name = f"[{host}]" if ":" in host else host
            ready(f"http://{name}:{listener.getsockname()[1]}")
            server.run()
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


class App:
    """The web application: the service over HTTP, and the Lambda handler on the invocations path.

    Attributes:
        service: Answers the requests from now on. It may be replaced at any time: a request is answered by
            the service that was there when it began.
    """

    def __init__(self, service: Service, write: access_log.Log = access_log.to_stderr) -> None:
        self.service = service
        self._write = write
        self._queue_slots = threading.BoundedSemaphore(min(QUEUE_SLOTS_PER_CORE * cores(), MAX_QUEUE_SLOTS))

    def respond(self, request: Request, read_body: Callable[[], bytes]) -> Response:
        """Answer one HTTP request; whatever goes wrong becomes a problem document.

        Args:
            request: The request without its body.
            read_body: Returns the body, or raises `Problem`.
        """
        start_time, service = time.perf_counter(), self.service
        try:
            if request.method != "POST":  # answered at once, however busy: it reads and computes nothing
                return self._answer(service, request, start_time)
            request = request.replace(body=read_body())
            with self._queue_slot():
                return self._answer(service, request, start_time)
        except Exception as error:
            return self._log(service, request, start_time, error_response(error, request.id))

    def _answer(self, service: Service, request: Request, start_time: float) -> Response:
        if request.path == INVOCATIONS:
            return self._invoke(service, request)
        return self._log(service, request, start_time, service.respond(request))

    def _log(self, service: Service, request: Request, start_time: float, response: Response) -> Response:
        route, version = service.find_route(request), service.model_version
        self._write(access_log.make_record(request.id, route, version, start_time, response))
        return access_log.add_request_id(response, request.id)

    @contextmanager
    def _queue_slot(self) -> Iterator[None]:
        """Hold a place among the requests in work. Only whole requests do, so slow clients take none."""
        if not self._queue_slots.acquire(blocking=False):
            raise Problem("busy", "too many requests are waiting", headers={"Retry-After": "1"})
        try:
            yield
        finally:
            self._queue_slots.release()

    def _invoke(self, service: Service, request: Request) -> Response:
        """Answer like Lambda's own invoke: a function error is status 200 with a header and the message."""
        if request.method != "POST":
            raise Problem("method-not-allowed", "send an event with POST", headers={"Allow": "POST"})
        if "origin" in request.headers:  # any page on the web could send an event to a server on this machine
            raise Problem("invalid-request", "a web page cannot send events; use /predict")
        event, context = parse_json(request.body), SimpleNamespace(aws_request_id=request.id)
        headers = {"Content-Type": "application/json"}
        try:
            document = handle(service, event, context, self._write)
        except Problem as problem:
            document = {"errorMessage": problem.detail, "errorType": type(problem).__name__}
            headers["X-Amz-Function-Error"] = "Unhandled"
        return access_log.add_request_id(Response(200, headers, json.dumps(document).encode()), request.id)


class Server:
    """Accepts connections until it is stopped, and serves each in a thread of its own.

    Threads, because asyncio and the servers based on it take longer to import than all else but NumPy.
    Clients that are slow or silent make way for new ones when connections or memory run out.
    """

    def __init__(self, app: App, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._app, self._listener = app, listener
        self._wakeup_receiver, self._wakeup_socket = socket.socketpair()
        self._connections: dict[Connection, threading.Thread] = {}
        self._room_lock = threading.Lock()
        self._max_bodies = max(MIN_BODIES, int(memory() * BODIES_SHARE))
        self._is_stopping = False

    def run(self) -> None:
        """Serve until it is stopped, then finish what was sent by then, for at most `STOP_TIMEOUT`."""
        with self._wakeup_receiver, self._wakeup_socket:
            while not self._is_stopping:
                select.select([self._listener, self._wakeup_receiver], [], [])
                self._accept()
        for _ in range(MAX_CONNECTIONS):  # those that the system has accepted would be reset
            if not self._accept():
                break
        self._listener.close()
        deadline = time.monotonic() + STOP_TIMEOUT
        connections = dict(self._connections)
        for connection in connections:
            connection.end()
        for thread in connections.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Make `run` finish; for other threads and signal handlers."""
        self._is_stopping = True
        with contextlib.suppress(OSError):  # it has finished
            self._wakeup_socket.send(b"!")

    def _accept(self) -> bool:
        """Accept the next connection; return False if there is none."""
        try:
            stream, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except ConnectionError:  # it was reset before it was accepted
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
        with self._room_lock:
            while sum(connection.body_size for connection in list(self._connections)) > self._max_bodies:
                if not self._drop_slowest(lambda connection: connection.body_size > 0):
                    return

    def _drop_slowest(self, condition: Callable[[Connection], bool] = lambda connection: True) -> bool:
        """Drop the connection that has waited longest for its client; return False if none waits."""
        candidates = filter(condition, list(self._connections))
        slowest = min(candidates, key=lambda connection: connection.waiting_since, default=None)
        if slowest is None or slowest.waiting_since == math.inf:
            return False
        self._connections.pop(slowest, None)
        slowest.drop()
        return True


@contextmanager
def _stop_on_signals(server: Server) -> Iterator[list[int]]:
    """Let the first SIGINT or SIGTERM stop the server, and the next end the process as in any program.

    Yields the signals that have arrived. Outside the main thread signals are not handled.
    """
    signals: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        for other in handlers:
            signal.signal(other, signal.SIG_DFL)
        server.stop()

    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
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
