"""One HTTP/1.1 connection that never blocks, with limits on the time and the size of what its client sends.

h11 parses and writes the protocol; this module reads and writes the socket when the server says that it is
ready, and turns what arrives into requests.
"""

import contextlib
import math
import selectors
import socket
import time
from enum import Enum
from http import HTTPStatus

import h11

from shutterless.runtime.adapters.http_framing import (
    MAX_HEAD,
    check_head,
    find_chunk_end,
    find_head_end,
    join_chunks,
    to_request,
)
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.problems import Problem

# What Lambda takes in one synchronous call: what works here shall work there.
MAX_BODY = 6 * 1024 * 1024
# Chunks of less than this many bytes, on average, are refused after the first thousand.
MIN_CHUNK, MAX_SMALL_CHUNKS = 256, 1000
# Seconds that a client may take for the head of a request, since it opened the connection or got its last
# answer, and for its body (6 MB at 1 Mbit/s).
HEAD_TIMEOUT, BODY_TIMEOUT = 10, 60
# Seconds that it may take to read an answer, and to close the connection after the last one.
ANSWER_TIMEOUT = 10
# Bytes per second from which on a client that sends a body is not counted as slow.
MIN_RATE = 50_000
# Bytes that are read from the network at once, and that the system buffers for a client that reads slowly.
CHUNK = SEND_BUFFER = 64 * 1024


class State(Enum):
    """What a connection does."""

    HEAD = "waits for the head of a request"
    BODY = "waits for the body of a request"
    WORK = "waits for the answer to a request"
    SEND = "waits for the client to read an answer"
    CLOSE = "waits for the client to close the connection, after the last answer"
    END = "is closed"


class Connection:
    """Reads requests from a socket and writes their answers, one after the other.

    Its server calls `receive` or `send` when the socket is ready, then `next_request` for as long as there
    is one, and `answer` with what it answers.

    Attributes:
        state: What it does.
        waiting_since: Time on the monotonic clock since when it waits for its client; infinite while it does
            not wait. A client that sends a body at `MIN_RATE` stays at the present.
        deadline: Until when it waits.
        body_size: Bytes of a request's body that it holds.
        counted_size: Those that its server has counted.
        is_last: Whether the connection is closed after the next answer.
    """

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        with contextlib.suppress(OSError):  # macOS refuses it for a connection that is reset already
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.stream = stream
        self.counted_size = 0
        self.is_last = False
        self._is_at_end = False
        self._output = memoryview(b"")
        self.waiting_since = math.inf
        self._input = bytearray()
        self._start_cycle()

    @property
    def events(self) -> int:
        """What a selector should watch the socket for."""
        if self.state is State.SEND:
            return selectors.EVENT_WRITE
        return selectors.EVENT_READ if self.state in (State.HEAD, State.BODY, State.CLOSE) else 0

    @property
    def is_idle(self) -> bool:
        """Whether its client has begun no request, or has all answers."""
        return self.state is State.CLOSE or (self.state is State.HEAD and not self._input)

    @property
    def has_unread_input(self) -> bool:
        """Whether what it has received may contain another request."""
        return self.state is State.HEAD and (self._is_at_end or len(self._input) > self._checked)

    def receive(self) -> None:
        """Read what has arrived."""
        try:
            data = self.stream.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data, self.state = b"", State.CLOSE
        self._is_at_end |= not data
        if self.state in (State.HEAD, State.BODY):
            self._input += data
        if self.state is State.BODY:
            self.waiting_since = min(self.waiting_since + len(data) / MIN_RATE, time.monotonic())
        elif self.state is State.CLOSE and not data:
            self.close()

    def next_request(self) -> Request | None:
        """Return the next request if all of it has arrived.

        Raises:
            Problem: If there is no request to be made of what has arrived; `answer` tells the client.
        """
        try:
            if self.state is State.HEAD:
                self._read_head()
            if self.state is State.BODY:
                return self._read_body()
        except h11.RemoteProtocolError as error:
            self.is_last = True
            if self._is_at_end:
                raise _cut_off() from error
            raise Problem(
                "invalid-request", "this is not HTTP/1.1", status=error.error_status_hint
            ) from error
        except Problem:
            self.is_last = True
            raise
        return None

    def answer(self, response: Response) -> None:
        """Write the response, as much of it as the socket takes."""
        headers = {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), **response.headers}
        if response.status != HTTPStatus.NO_CONTENT:
            headers.setdefault("Content-Length", str(len(response.body)))
        if self.is_last:
            headers["Connection"] = "close"
        reason = HTTPStatus(response.status).phrase
        head = h11.Response(status_code=response.status, headers=list(headers.items()), reason=reason)
        is_head = self.request is not None and self.request.method == "HEAD"
        events = (head, h11.Data(data=b"" if is_head else response.body), h11.EndOfMessage())
        self._output = memoryview(b"".join(self._http.send(event) or b"" for event in events))
        self.body_size, self._body = 0, bytearray()
        self._wait(State.SEND, ANSWER_TIMEOUT)
        self.send()

    def send(self) -> None:
        """Write as much as the socket takes; after the last of it, wait for the next request."""
        try:
            while self._output:
                self._output = self._output[self.stream.send(self._output) :]
            if not self.is_last and self._http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                self._start_cycle()
            else:  # wait until the client has read the answer
                self.stream.shutdown(socket.SHUT_WR)
                self._wait(State.CLOSE, ANSWER_TIMEOUT)
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def close(self) -> None:
        """End it; its server closes the socket."""
        self.state, self.waiting_since, self.deadline, self.body_size = State.END, math.inf, math.inf, 0

    def _wait(self, state: State, seconds: float) -> None:
        now = time.monotonic()
        self.state, self.waiting_since, self.deadline = state, now, now + seconds

    def _start_cycle(self) -> None:
        """Wait for a request, of which some may have arrived with the one before."""
        self._http = h11.Connection(h11.SERVER)
        self.request: Request | None = None
        self._body, self._chunks, self.body_size, self._checked = bytearray(), 0, 0, 0
        self._wait(State.HEAD, HEAD_TIMEOUT)

    def _read_head(self) -> None:
        while self._input.startswith(b"\r\n"):  # which some clients send after a body, RFC 9112 section 2.2
            del self._input[:2]
            self._checked = 0
        end = find_head_end(self._input, self._checked)
        self._checked = len(self._input)
        if end:
            self._http.receive_data(bytes(self._input[:end]))
            del self._input[:end]
            head = self._http.next_event()
            assert isinstance(head, h11.Request)
            check_head(head)
            self.request = to_request(head)
            self._wait(State.BODY, BODY_TIMEOUT)
            self._check_length()
        elif self._is_at_end:
            if self._input:
                raise _cut_off()
            self.close()

    def _check_length(self) -> None:
        """Refuse a body that is too large before it is sent, or ask for one that is not."""
        assert self.request is not None
        if int(self.request.headers.get("content-length", 0)) > MAX_BODY:
            raise _too_large()
        if self._http.they_are_waiting_for_100_continue:
            with contextlib.suppress(OSError):
                self.stream.send(
                    self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""
                )

    def _read_body(self) -> Request | None:
        """Return the request if its body has arrived."""
        assert self.request is not None
        while not isinstance(event := self._http.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                self._body += event.data
                self._check_body()
            elif part := self._take_part():
                self._http.receive_data(part)
            elif self._is_at_end:
                raise _cut_off()
            else:
                return None
        self.state, self.waiting_since, self.deadline = State.WORK, math.inf, math.inf
        request, self._body = self.request.replace(body=bytes(self._body)), bytearray()
        return request

    def _take_part(self) -> bytes:
        """Take the next part of the body from the input: chunks, or what has arrived; it may be empty."""
        assert self.request is not None
        self.body_size = len(self._body) + len(self._input)
        if "transfer-encoding" in self.request.headers:
            if self.body_size > MAX_BODY + MAX_HEAD:
                raise _too_large()
            part, end, count = join_chunks(self._input, MAX_SMALL_CHUNKS)
            self._chunks += count
            end = end or find_chunk_end(self._input)
        else:
            length = int(self.request.headers.get("content-length", 0))
            part, end = b"", min(len(self._input), length - len(self._body))
        part = part or bytes(self._input[:end])
        del self._input[:end]
        return part

    def _check_body(self) -> None:
        if len(self._body) > MAX_BODY:
            raise _too_large()
        if self._chunks > MAX_SMALL_CHUNKS + len(self._body) // MIN_CHUNK:
            raise Problem("invalid-request", "the body comes in too many small chunks")


def _too_large() -> Problem:
    return Problem("too-large", f"the request is larger than {MAX_BODY:,} bytes, the most that Lambda takes")


def _cut_off() -> Problem:
    return Problem("invalid-request", "the connection ended in the middle of the request")
