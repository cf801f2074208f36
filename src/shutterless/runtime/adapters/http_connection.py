"""One HTTP/1.1 connection, with limits on the time and size of what its client sends and reads."""

import contextlib
import math
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

from shutterless.runtime import access_log
from shutterless.runtime.http_messages import Request, Response, join_headers
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import failure

# What Lambda takes in one synchronous call: 6 MB. What works here shall work there.
MAX_BODY = 6 * 1024 * 1024
# What a client may take for the head of a request, since it opened the connection or got its last answer,
# and for its body (6 MB at 1 Mbit/s).
HEAD_SECONDS, BODY_SECONDS = 10, 60
# What it may take to read an answer, and to send what is left of a request that is answered already.
READ_SECONDS = 10
# Bytes of a head, and what is taken from the network at once.
MAX_HEAD = CHUNK = 64 * 1024

# Answers a request; its body is read by the second argument, which raises `Problem` if it cannot be.
Answer = Callable[[Request, Callable[[], bytes]], Response]


class Connection:
    """Reads requests from a socket and writes their answers, one after the other.

    waits_since: the time on the monotonic clock since when it waits for its client, to send a head or a body
    or to read an answer; infinite while it does not. body_size: bytes of a body that it holds.
    """

    def __init__(
        self, stream: socket.socket, answer: Answer, make_room: Callable[[], None] = lambda: None
    ) -> None:
        """Take over `stream`; `make_room` is called whenever `body_size` has grown, and may `drop` any."""
        self.waits_since = math.inf
        self.body_size = 0
        self._stream = stream
        self._answer = answer
        self._make_room = make_room
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._is_idle, self._is_last, self._is_dropped = True, False, False
        self._direction = socket.SHUT_RD

    def serve(self) -> None:
        """Answer until either side ends the connection."""
        with self._stream:
            try:
                while (head := self._head()) and self._respond(head):
                    pass
            except h11.RemoteProtocolError:
                self._refuse()
            except OSError:  # it took too long or is gone, so nobody is there to be told
                pass

    def end(self) -> None:
        """Answer what has been sent, and then no more; may be called from another thread."""
        self._is_last = True
        if self._is_idle and not self._has_input():
            self._hang_up(socket.SHUT_RD)  # which wakes the thread that waits for the next request

    def drop(self) -> None:
        """Make way for another one: wait for the client no longer; may be called from another thread."""
        self._is_last = self._is_dropped = True
        self.waits_since, self.body_size = math.inf, 0
        self._hang_up(self._direction)

    def _has_input(self) -> bool:
        """Tell whether the system has taken something from the client that is not read yet."""
        with contextlib.suppress(OSError), self._stream.dup() as stream:
            stream.setblocking(False)
            return bool(stream.recv(1, socket.MSG_PEEK))
        return False

    @contextmanager
    def _waiting(self, direction: int) -> Iterator[None]:
        self._direction, self.waits_since = direction, time.monotonic()
        try:
            yield
        finally:
            self.waits_since = math.inf

    def _head(self) -> h11.Request | None:
        """Return the next request without its body, or None if there is none."""
        self._is_idle = not self._http.trailing_data[0]
        if self._is_last and self._is_idle and not self._has_input():
            return None
        with self._waiting(socket.SHUT_RD):
            event = self._next(time.monotonic() + HEAD_SECONDS)
        self._is_idle = False
        return event if isinstance(event, h11.Request) else None

    def _respond(self, head: h11.Request) -> bool:
        """Answer a request; return whether there may be another one."""
        _check_framing(head)
        request = _request(head)
        response = self._answer(request, partial(self._body, request))
        self.body_size = 0
        self._send(response, has_body=head.method != b"HEAD")
        if self._http.their_state is h11.SEND_BODY and not self._http.they_are_waiting_for_100_continue:
            for _ in self._data(time.monotonic() + READ_SECONDS):
                pass  # or else the client, who is still sending, would not come to see the answer
        if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            return False
        self._http.start_next_cycle()
        return True

    def _body(self, request: Request) -> bytes:
        """Read the body, but no more of it than Lambda would take, and not for ever."""
        if int(request.headers.get("content-length", 0)) > MAX_BODY:
            raise _too_large()
        body = bytearray()
        try:
            with self._waiting(socket.SHUT_RD):
                for data in self._data(time.monotonic() + BODY_SECONDS):
                    body += data
                    if len(body) > MAX_BODY:
                        raise _too_large()
                    self._hold(len(body))
        except TimeoutError as error:
            detail = f"the request took longer than the {BODY_SECONDS} s that it may"
            raise Problem("invalid-request", detail, headers={"Connection": "close"}) from error
        except (OSError, h11.RemoteProtocolError) as error:
            self._check_dropped()
            detail = "the request broke off"
            raise Problem("invalid-request", detail, headers={"Connection": "close"}) from error
        return bytes(body)

    def _hold(self, size: int) -> None:
        """Count the bytes of a body that are held, which may cost this or a slower connection its place."""
        self._check_dropped()
        self.body_size = size
        self._make_room()
        self._check_dropped()

    def _check_dropped(self) -> None:
        if self._is_dropped:
            headers = {"Retry-After": "1", "Connection": "close"}
            raise Problem("busy", "the request took long, and others needed its room", headers=headers)

    def _data(self, ends: float) -> Iterator[bytes]:
        """Yield what there is of the body; raises `TimeoutError` at the time `ends`."""
        if self._http.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))
        while isinstance(event := self._next(ends), h11.Data):
            yield bytes(event.data)

    def _next(self, ends: float) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(self._receive(ends))
        return event

    def _receive(self, ends: float) -> bytes:
        """Return what comes next, nothing at the end of all; raises `TimeoutError` at the time `ends`."""
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._stream.settimeout(left)
        data = self._stream.recv(CHUNK)
        self._is_idle = False
        return data

    def _send(self, response: Response, has_body: bool = True) -> None:
        headers = {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), **response.headers}
        if response.status != HTTPStatus.NO_CONTENT:
            headers.setdefault("Content-Length", str(len(response.body)))
        if self._is_last or self._http.they_are_waiting_for_100_continue:  # who then may not send the body
            headers["Connection"] = "close"
        reason = HTTPStatus(response.status).phrase
        head = h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason)
        self._write(head, h11.Data(data=response.body if has_body else b""), h11.EndOfMessage())

    def _write(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        self._stream.settimeout(READ_SECONDS)
        with self._waiting(socket.SHUT_WR):
            self._stream.sendall(data)

    def _refuse(self) -> None:
        """Say that it was no HTTP, and wait until the client has seen it."""
        number = access_log.request_id({})
        problem = Problem("invalid-request", "this is not HTTP/1.1", headers={"Connection": "close"})
        with contextlib.suppress(OSError, h11.LocalProtocolError):  # it is answered already, or gone
            self._send(access_log.numbered(failure(problem, number), number))
            self._hang_up(socket.SHUT_WR)
            ends = time.monotonic() + READ_SECONDS
            while self._receive(ends):
                pass

    def _hang_up(self, how: int) -> None:
        with contextlib.suppress(OSError):
            self._stream.shutdown(how)


def _too_large() -> Problem:
    return Problem("too-large", f"the request has more than the {MAX_BODY:,} bytes that Lambda takes")


def _check_framing(head: h11.Request) -> None:
    """Refuse what another server on the way may have cut into other requests than h11 does, RFC 9112 6.1."""
    names = {name for name, _ in head.headers}
    if b"transfer-encoding" in names and (b"content-length" in names or head.http_version < b"1.1"):
        raise h11.RemoteProtocolError("Transfer-Encoding with Content-Length, or in HTTP/1.0")


def _request(head: h11.Request) -> Request:
    """Return the request without its body, and with its number."""
    path, _, query = _origin_form(head.target.decode("ascii")).partition("?")
    headers = join_headers((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)
    number = access_log.request_id(headers)
    return Request(
        head.method.decode("ascii"),
        unquote(path),
        {**headers, "x-request-id": number},
        dict(parse_qsl(query, keep_blank_values=True)),
        id=number,
    )


def _origin_form(target: str) -> str:
    """Return path and query of a target, which may also be a whole URL, RFC 9112 3.2.2."""
    if not target.lower().startswith(("http://", "https://")):
        return target
    try:
        return urlsplit(target)._replace(scheme="", netloc="").geturl() or "/"
    except ValueError:  # its host is none
        return target
