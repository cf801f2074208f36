"""The HTTP server: an event loop, worker threads and signals around the service that Lambda calls, too."""

import contextlib
import math
import selectors
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from shutterless.runtime import access_log
from shutterless.runtime.adapters.http_app import App
from shutterless.runtime.adapters.http_connection import BODY_TIMEOUT, Connection, State
from shutterless.runtime.adapters.listener import MAX_CONNECTIONS, hide, listen
from shutterless.runtime.adapters.reloader import Reloader, read_checked, reload_on_hangup, stamp
from shutterless.runtime.host_resources import cores, max_open_files, memory
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

if TYPE_CHECKING:
    from shutterless.runtime.adapters.http_app import Application
    from shutterless.runtime.service import ReadBundle

# Seconds that a stopped server gives running requests: as long as a body may take.
STOP_TIMEOUT = BODY_TIMEOUT
# Seconds that it leaves idle connections open, because their clients may just be sending a request.
STOP_IDLE = 0.5
# Seconds between two looks at what has taken too long.
TICK = 0.1
# Connections that are accepted at once.
ACCEPTS = 64
# Requests that are answered in one turn although their clients have not read the answer before.
MAX_READY = 16
# Requests in work, by core and in all: half of them may wait for the host of a URL, and the last of the
# others waits about half a second for its turn.
QUEUE_SLOTS_PER_CORE, MAX_QUEUE_SLOTS = 64, 384
# The share of the memory that the bodies of all requests may fill; parsing JSON takes up to four times that.
BODIES_SHARE, MIN_BODIES = 1 / 8, 16 << 20


def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    ready: Callable[[str], None] = lambda url: None,
    write: access_log.Log = access_log.to_stderr,
    *,
    read: "ReadBundle" = read_bundle,
    reread: "ReadBundle" = read_checked,
    reload: bool = False,
) -> None:
    """Serve a bundle over HTTP until SIGINT or SIGTERM; running requests are finished.

    The model is loaded before the port is opened. A second signal ends the process at once. On SIGHUP the
    bundle is loaded again, see `Reloader`.

    Args:
        settings: Names the bundle and the port; port 0 takes a free one.
        host: Address to listen on.
        ready: Called with the URL once the port is open.
        write: Takes the log record of every request.
        read: Reads and verifies the bundle.
        reread: Does the same for each reload. By default, it also checks the model in a child process; at
            the start there are no clients yet whom a crash would concern.
        reload: Whether the bundle is loaded again, too, when its folder has changed.

    Raises:
        BundleError: If the bundle cannot be loaded.
        InputError: `cannot-listen` if the port is taken.
        KeyboardInterrupt: At the end, if it was SIGINT that stopped it.
    """
    loaded = stamp(settings.bundle)
    app = App(Service.load(settings, read), write)
    reloader = Reloader(app, reread, write, loaded, watch=reload)
    with (
        open_server(app, host, settings.port) as (server, url),
        reload_on_hangup(reloader.request, server.stop),
    ):
        reloader.start()
        ready(url)
        server.run()


@contextmanager
def open_server(app: "Application", host: str, port: int) -> Iterator[tuple["Server", str]]:
    """Open a port for an application. SIGINT and SIGTERM will stop the server.

    Args:
        app: Answers the requests.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.

    Yields:
        The server, whose `run` is to be called, and its URL.

    Raises:
        InputError: `cannot-listen` if the port is taken.
        KeyboardInterrupt: At the end, if it was SIGINT that stopped it.
    """
    with listen(host, port) as listener:
        server = Server(app, listener)
        with _stop_on_signals(server) as signals:
            name = f"[{host}]" if ":" in host else host
            yield server, f"http://{name}:{listener.getsockname()[1]}"
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


class Server:
    """Accepts connections until it is stopped, and answers their requests.

    One thread reads and writes all connections, and answers what needs no work; a POST request that has
    arrived as a whole gets a thread of its own. So a client that is slow or silent costs no more than an open
    file, and it makes way for new ones when connections or memory run out.
    """

    def __init__(self, app: "Application", listener: socket.socket) -> None:
        listener.setblocking(False)
        self._app, self._listener = app, listener
        self._wakeup_receiver, self._wakeup_socket = socket.socketpair()
        self._wakeup_receiver.setblocking(False)
        self._wakeup_socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._connections: dict[Connection, int] = {}  # and what the selector watches each for
        self._ready: deque[Connection] = deque()  # those that have received more than one request
        self._answers: deque[tuple[Connection, Response]] = deque()
        self._running, self._max_running = 0, min(QUEUE_SLOTS_PER_CORE * cores(), MAX_QUEUE_SLOTS)
        self._max_connections = min(MAX_CONNECTIONS, max_open_files() // 2)
        self._drops = 1 + self._max_connections // 64  # at once, because finding them takes time
        self._bodies_size, self._max_bodies = 0, max(MIN_BODIES, int(memory() * BODIES_SHARE))
        self._next_expiry = 0.0
        self._is_stopping = False

    def run(self) -> None:
        """Serve until it is stopped, then finish what was sent by then, for at most `STOP_TIMEOUT`."""
        with self._wakeup_receiver, self._wakeup_socket, self._selector:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept_some)
            self._selector.register(self._wakeup_receiver, selectors.EVENT_READ, self._collect_answers)
            while not self._is_stopping:
                self._turn()
            self._finish()

    def stop(self) -> None:
        """Make `run` finish; for other threads and signal handlers."""
        self._is_stopping = True
        self._wake_up()

    def _wake_up(self) -> None:
        with contextlib.suppress(OSError):  # it is awake, or has finished
            self._wakeup_socket.send(b"!")

    def _turn(self) -> None:
        """Wait until something can go on, and let it: each connection for one step, so that all get on."""
        is_waiting = self._connections or self._is_stopping
        keys = [key for key, _ in self._selector.select(0 if self._ready else TICK if is_waiting else None)]
        for key in keys:
            if isinstance(key.data, Connection):
                self._go_on(key.data)
        for _ in range(min(len(self._ready), MAX_READY)):
            self._go_on(self._ready.popleft())
        for key in keys:  # last: a new connection may take the place of one that was not read
            if not isinstance(key.data, Connection):
                key.data()
        if time.monotonic() > self._next_expiry:
            self._expire()

    def _finish(self) -> None:
        """Answer what has been sent, and close the connections."""
        hide(self._listener)
        for _ in range(MAX_CONNECTIONS):  # those that the system has accepted would be reset
            if not self._accept():
                break
        self._selector.unregister(self._listener)
        self._listener.close()
        for connection in self._connections:
            connection.is_last = True
        start_time = time.monotonic()
        while self._connections and (duration := time.monotonic() - start_time) < STOP_TIMEOUT:
            for connection in [each for each in self._connections if each.is_idle and duration > STOP_IDLE]:
                self._close(connection)
            self._turn()
        for connection in list(self._connections):
            self._close(connection)

    def _accept_some(self) -> None:
        for _ in range(ACCEPTS):
            if not self._accept():
                return

    def _accept(self) -> bool:
        """Accept the next connection; return False if there is none."""
        try:
            stream, _ = self._listener.accept()
        except BlockingIOError:
            return False
        except ConnectionError:  # it was reset before it was accepted
            return True
        except OSError:  # too many open files
            return self._drop_slowest()
        if len(self._connections) >= self._max_connections and not self._drop_slowest(count=self._drops):
            stream.close()
            return True
        connection = Connection(stream)
        self._connections[connection] = 0
        self._update(connection)
        return True

    def _go_on(self, connection: Connection) -> None:
        """Read or write what a connection is ready for, and answer a request that has arrived."""
        if connection not in self._connections:  # it was dropped a moment ago
            return
        if connection.state is State.SEND:
            connection.send()
        elif connection.has_unread_input:
            self._read_request(connection)
        else:
            connection.receive()
            self._read_request(connection)
        self._update(connection)
        if connection.body_size:
            self._make_room()

    def _read_request(self, connection: Connection) -> None:
        """Answer the next request of a connection, if it has arrived; POST requests in a thread."""
        try:
            request = connection.next_request()
        except Problem as problem:
            return self._reject(connection, problem)
        if not request:
            return None
        if request.method != "POST":  # answered at once, however busy: it computes nothing
            return connection.answer(self._app.respond(request))
        if self._running < self._max_running:
            thread = threading.Thread(target=self._work, args=[connection, request], daemon=True)
            with contextlib.suppress(RuntimeError):  # there may be no more threads
                thread.start()
                self._running += 1
                return None
        return self._reject(connection, _busy("too many requests are waiting"))

    def _work(self, connection: Connection, request: Request) -> None:
        self._answers.append((connection, self._app.respond(request)))
        self._wake_up()

    def _collect_answers(self) -> None:
        """Write what the threads have answered."""
        self._wakeup_receiver.recv(4096)
        while self._answers:
            connection, response = self._answers.popleft()
            self._running -= 1
            connection.answer(response)
            self._update(connection)

    def _reject(self, connection: Connection, problem: Problem) -> None:
        connection.answer(self._app.reject(problem, connection.request))

    def _update(self, connection: Connection) -> None:
        """Note what a connection holds and waits for now, and remove it at its end."""
        self._bodies_size += connection.body_size - connection.counted_size
        connection.counted_size = connection.body_size
        events, watched_events = connection.events, self._connections[connection]
        if not watched_events and events:
            self._selector.register(connection.stream, events, connection)
        elif watched_events and not events:
            self._selector.unregister(connection.stream)
        elif watched_events != events:
            self._selector.modify(connection.stream, events, connection)
        self._connections[connection] = events
        if connection.state is State.END:
            del self._connections[connection]
            connection.stream.close()
        elif connection.has_unread_input:
            self._ready.append(connection)

    def _close(self, connection: Connection) -> None:
        connection.close()
        self._update(connection)

    def _expire(self) -> None:
        """End what clients have taken too long for."""
        now = time.monotonic()
        self._next_expiry = now + TICK
        for connection in [each for each in self._connections if each.deadline < now]:
            if connection.state is State.BODY:
                connection.is_last = True
                detail = f"the request took longer than {BODY_TIMEOUT} s"
                self._reject(connection, Problem("invalid-request", detail))
                self._update(connection)
            else:
                self._close(connection)

    def _make_room(self) -> None:
        """Drop the slowest of those who send a body while all bodies together are too large."""
        while self._bodies_size > self._max_bodies:
            if not self._drop_slowest([State.BODY]):
                return

    def _drop_slowest(self, states: Container[State] = frozenset(State), count: int = 1) -> bool:
        """Drop the connections that have waited longest for their clients; return False if none waits."""
        waiting = [
            each for each in self._connections if each.waiting_since < math.inf and each.state in states
        ]
        for connection in sorted(waiting, key=lambda connection: connection.waiting_since)[:count]:
            if connection.state is State.BODY:
                connection.is_last = True
                self._reject(connection, _busy("the request was too slow while the service was busy"))
            self._close(connection)
        return bool(waiting)


def _busy(detail: str) -> Problem:
    return Problem("busy", detail, headers={"Retry-After": "1"})


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
