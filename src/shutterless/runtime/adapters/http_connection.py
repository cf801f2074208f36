"""One HTTP/1.1 connection, with limits on the time and the size of what its client sends and reads.

h11 parses and writes the protocol; this module reads and writes the socket.
"""

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
from shutterless.runtime.responses import error_response

# What Lambda takes in one synchronous call: what works here shall work there.
MAX_BODY = 6 * 1024 * 1024
# Seconds that a client may take for the head of a request, since it opened the connection or got its last
# answer, and for its body (6 MB at 1 Mbit/s).
HEAD_TIMEOUT, BODY_TIMEOUT = 10, 60
# Seconds that it may take to read an answer, and to send the rest of a request that is answered already.
ANSWER_TIMEOUT = 10
# Bytes of a head, and what is read from the network at once.
MAX_HEAD = CHUNK = 64 * 1024

# Answers a request, whose body the second argument reads; that raises `Problem` if it cannot be read.
Responder = Callable[[Request, Callable[[], bytes]], Response]


class Connection:
    """Reads requests from a socket and writes their answers, one after the other.

    Attributes:
        waiting_since: Time on the monotonic clock since when it waits for its client, to send a head or a
            body or to read an answer; infinite while it does not wait.
        body_size: Bytes of a request's body that it holds.
    """

    def __init__(
        self, stream: socket.socket, respond: Responder, make_room: Callable[[], None] = lambda: None
    ) -> None:
        """Take over a socket.

        Args:
            stream: The socket.
            respond: Answers a request.
            make_room: Called whenever `body_size` has grown; it may `drop` any connection.
        """
        self.waiting_since = math.inf
        self.body_size = 0
        self._stream = stream
        self._respond = respond
        self._make_room = make_room
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._is_idle, self._is_last, self._is_dropped = True, False, False
        self._direction = socket.SHUT_RD

    def serve(self) -> None:
        """Answer requests until either side closes the connection."""
        with self._stream:
            try:
                while (head := self._read_head()) and self._serve_request(head):
                    pass
            except h11.RemoteProtocolError:
                self._reject()
            except OSError:  # it took too long or is gone, so nobody is there to be told
                pass

    def end(self) -> None:
        """Answer what has been sent, then close; may be called from another thread."""
        self._is_last = True
        if self._is_idle and not self._has_input():
            self._shut_down(socket.SHUT_RD)  # which wakes the thread that waits for the next request

    def drop(self) -> None:
        """Stop waiting for the client, to make way for another; may be called from another thread."""
        self._is_last = self._is_dropped = True
        self.waiting_since, self.body_size = math.inf, 0
        self._shut_down(self._direction)

    def _has_input(self) -> bool:
        """Tell whether the system has received something from the client that is not read yet."""
        with contextlib.suppress(OSError), self._stream.dup() as stream:
            stream.setblocking(False)
            return bool(stream.recv(1, socket.MSG_PEEK))
        return False

    @contextmanager
    def _waiting(self, direction: int) -> Iterator[None]:
        self._direction, self.waiting_since = direction, time.monotonic()
        try:
            yield
        finally:
            self.waiting_since = math.inf

    def _read_head(self) -> h11.Request | None:
        """Return the next request without its body, or None if there is none."""
        self._is_idle = not self._http.trailing_data[0]
        if self._is_last and self._is_idle and not self._has_input():
            return None
        with self._waiting(socket.SHUT_RD):
            event = self._next_event(time.monotonic() + HEAD_TIMEOUT)
        self._is_idle = False
        return event if isinstance(event, h11.Request) else None

    def _serve_request(self, head: h11.Request) -> bool:
        """Answer one request; return whether there may be another."""
        names = {name for name, _ in head.headers}
        # What another server on the way may have cut into other requests than h11 does, RFC 9112 6.1.
        if b"transfer-encoding" in names and (b"content-length" in names or head.http_version < b"1.1"):
            raise h11.RemoteProtocolError("Transfer-Encoding with Content-Length, or in HTTP/1.0")
        request = _to_request(head)
        response = self._respond(request, partial(self._read_body, request))
        self.body_size = 0
        self._send(response, has_body=head.method != b"HEAD")
        if self._http.their_state is h11.SEND_BODY and not self._http.they_are_waiting_for_100_continue:
            for _ in self._body_chunks(time.monotonic() + ANSWER_TIMEOUT):
                pass  # a client that is still sending would not read the answer
        if self._http.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            return False
        self._http.start_next_cycle()
        return True

    def _read_body(self, request: Request) -> bytes:
        """Return a request's body.

        Raises:
            Problem: `too-large` for more than Lambda takes, `invalid-request` if it takes too long or ends
                early, `busy` if this connection was dropped.
        """
        if int(request.headers.get("content-length", 0)) > MAX_BODY:
            raise _too_large()
        body = bytearray()
        try:
            with self._waiting(socket.SHUT_RD):
                for chunk in self._body_chunks(time.monotonic() + BODY_TIMEOUT):
                    body += chunk
                    if len(body) > MAX_BODY:
                        raise _too_large()
                    self._check_dropped()
                    self.body_size = len(body)
                    self._make_room()
                    self._check_dropped()
        except TimeoutError as error:
            detail = f"the request took longer than {BODY_TIMEOUT} s"
            raise Problem("invalid-request", detail, headers={"Connection": "close"}) from error
        except (OSError, h11.RemoteProtocolError) as error:
            self._check_dropped()
            detail = "the connection ended in the middle of the request"
            raise Problem("invalid-request", detail, headers={"Connection": "close"}) from error
        return bytes(body)

    def _check_dropped(self) -> None:
        if self._is_dropped:
            headers = {"Retry-After": "1", "Connection": "close"}
            detail = "the request was too slow while the service was busy"
            raise Problem("busy", detail, headers=headers)

    def _body_chunks(self, deadline: float) -> Iterator[bytes]:
        """Yield the body as it arrives; raises `TimeoutError` at the deadline."""
        if self._http.they_are_waiting_for_100_continue:
            self._write(h11.InformationalResponse(status_code=100, headers=[]))
        while isinstance(event := self._next_event(deadline), h11.Data):
            yield event.data

    def _next_event(self, deadline: float) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(self._receive(deadline))
        return event

    def _receive(self, deadline: float) -> bytes:
        """Return what arrives next, nothing at the end; raises `TimeoutError` at the deadline."""
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        self._stream.settimeout(seconds)
        data = self._stream.recv(CHUNK)
        self._is_idle = False
        return data

    def _send(self, response: Response, has_body: bool = True) -> None:
        headers = {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), **response.headers}
        if response.status != HTTPStatus.NO_CONTENT:
            headers.setdefault("Content-Length", str(len(response.body)))
        # A client that waits for "100 Continue" may not send its body any more.
        if self._is_last or self._http.they_are_waiting_for_100_continue:
            headers["Connection"] = "close"
        reason = HTTPStatus(response.status).phrase
        head = h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason)
        self._write(head, h11.Data(data=response.body if has_body else b""), h11.EndOfMessage())

    def _write(self, *events: h11.Event) -> None:
        data = b"".join(self._http.send(event) or b"" for event in events)
        self._stream.settimeout(ANSWER_TIMEOUT)
        with self._waiting(socket.SHUT_WR):
            self._stream.sendall(data)

    def _reject(self) -> None:
        """Answer what is not HTTP/1.1, and wait until the client has read it."""
        request_id = access_log.choose_request_id({})
        problem = Problem("invalid-request", "this is not HTTP/1.1", headers={"Connection": "close"})
        response = access_log.add_request_id(error_response(problem, request_id), request_id)
        with contextlib.suppress(OSError, h11.LocalProtocolError):  # it is answered already, or gone
            self._send(response)
            self._shut_down(socket.SHUT_WR)
            deadline = time.monotonic() + ANSWER_TIMEOUT
            while self._receive(deadline):
                pass

    def _shut_down(self, direction: int) -> None:
        with contextlib.suppress(OSError):
            self._stream.shutdown(direction)


def _too_large() -> Problem:
    return Problem("too-large", f"the request is larger than {MAX_BODY:,} bytes, the most that Lambda takes")


def _to_request(head: h11.Request) -> Request:
    """Return the request without its body, and with its id."""
    path, _, query = _origin_form(head.target.decode("ascii")).partition("?")
    headers = join_headers((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)
    request_id = access_log.choose_request_id(headers)
    return Request(
        head.method.decode("ascii"),
        unquote(path),
        {**headers, "x-request-id": request_id},
        dict(parse_qsl(query, keep_blank_values=True)),
        id=request_id,
    )


def _origin_form(target: str) -> str:
    """Return path and query of a request's target, which may also be a whole URL, RFC 9112 3.2.2."""
    if not target.lower().startswith(("http://", "https://")):
        return target
    try:
        return urlsplit(target)._replace(scheme="", netloc="").geturl() or "/"
    except ValueError:  # it has no valid host
        return target
