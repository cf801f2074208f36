"""One HTTP/1.1 connection, which hangs up on who does not come to the point, or does not listen."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

import h11

from shutterless.runtime import log
from shutterless.runtime.events import Request, Response
from shutterless.runtime.problem import Problem
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
    """Reads requests from a socket and writes their answers, one after the other."""

    def __init__(self, stream: socket.socket, answer: Answer) -> None:
        self._stream = stream
        self._answer = answer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._is_idle = self._is_last = False

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
        """Answer what has begun, and then no more; may be called from another thread."""
        self._is_last = True
        if self._is_idle:
            self._hang_up(socket.SHUT_RD)  # which wakes who waits for the next request

    def _head(self) -> h11.Request | None:
        """Return the next request without its body, or None if there is none."""
        self._is_idle = True
        event = None if self._is_last else self._next(time.monotonic() + HEAD_SECONDS)
        self._is_idle = False
        return event if isinstance(event, h11.Request) else None

    def _respond(self, head: h11.Request) -> bool:
        """Answer a request; return whether there may be another one."""
        request = _request(head)
        response = self._answer(request, partial(self._body, request))
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
            for data in self._data(time.monotonic() + BODY_SECONDS):
                body += data
                if len(body) > MAX_BODY:
                    raise _too_large()
        except TimeoutError as error:
            detail = f"the request took longer than the {BODY_SECONDS} s that it may"
            raise Problem("invalid-request", detail, headers={"Connection": "close"}) from error
        except (OSError, h11.RemoteProtocolError) as error:
            detail = "the request broke off"
            raise Problem("invalid-request", detail, headers={"Connection": "close"}) from error
        return bytes(body)

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
        return self._stream.recv(CHUNK)

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
        self._stream.settimeout(READ_SECONDS)
        self._stream.sendall(b"".join(self._http.send(event) or b"" for event in events))

    def _refuse(self) -> None:
        """Say that it was no HTTP, and wait until the client has seen it."""
        number = log.request_id({})
        problem = Problem("invalid-request", "this is not HTTP/1.1", headers={"Connection": "close"})
        with contextlib.suppress(OSError, h11.LocalProtocolError):  # it is answered already, or gone
            self._send(log.numbered(failure(problem, number), number))
            self._hang_up(socket.SHUT_WR)
            ends = time.monotonic() + READ_SECONDS
            while self._receive(ends):
                pass

    def _hang_up(self, how: int) -> None:
        with contextlib.suppress(OSError):
            self._stream.shutdown(how)


def _too_large() -> Problem:
    return Problem("too-large", f"the request has more than the {MAX_BODY:,} bytes that Lambda takes")


def _request(head: h11.Request) -> Request:
    """Return the request, of each header and of each name in the query one value, and its number."""
    path, _, query = head.target.decode("ascii").partition("?")
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in reversed(head.headers)}
    number = log.request_id(headers)
    return Request(
        head.method.decode("ascii"),
        unquote(path),
        {**headers, "x-request-id": number},
        dict(parse_qsl(query, keep_blank_values=True)),
        id=number,
    )
