"""Clients that try to keep others out of a server: idle, slow, half-closed, and many.

    python -m benchmarks.attacks NAME PORT

attacks a server on this machine until the process is ended, and prints a line once it has begun.
`benchmarks.load --attack NAME` runs it beside clients that send photos.
"""

import functools
import itertools
import json
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

# More than the server accepts at once (512), and few enough for the 1,024 files that a process may open.
CONNECTIONS = 600
# Closing with this option resets the connection: the server learns of it while it is still reading.
RESET = struct.pack("ii", 1, 0)
PREDICT = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
PAGE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Attack(NamedTuple):
    """Connections that are held open; those that the server closes are opened again.

    Attributes:
        opening: Sent at once.
        drip: Sent again and again.
        half_close: Whether nothing more is sent after the opening, and the server is told so.
        reads: Whether answers are read.
        connections: How many.
        pause: Seconds between two rounds over all connections.
    """

    opening: bytes
    drip: bytes = b""
    half_close: bool = False
    reads: bool = True
    connections: int = CONNECTIONS
    pause: float = 0.05

    def run(self, port: int) -> None:
        """Attack until the process is ended."""
        streams: list[socket.socket] = []
        while True:
            streams = [stream for stream in streams if self._go_on(stream)]
            for _ in range(self.connections - len(streams)):
                streams.extend(self._open(port))
            say_begun()
            time.sleep(self.pause)

    def _open(self, port: int) -> Iterator[socket.socket]:
        with suppress(OSError):
            stream = socket.create_connection(("127.0.0.1", port), timeout=1)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if not self.reads:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            stream.setblocking(False)
            with suppress(BlockingIOError):
                stream.send(self.opening)
            if self.half_close:
                stream.shutdown(socket.SHUT_WR)
            yield stream

    def _go_on(self, stream: socket.socket) -> bool:
        """Send the next bytes; return False, and close it, if the server has closed the connection."""
        try:
            if self.drip:
                stream.send(self.drip)
            if self.reads:
                is_open = bool(stream.recv(65536))
            else:
                poll = select.poll()
                poll.register(stream, select.POLLRDHUP)
                is_open = not poll.poll(0)
        except BlockingIOError:
            return True
        except OSError:
            is_open = False
        if not is_open:
            stream.close()
        return is_open


@functools.cache
def say_begun() -> None:
    print("attacking", flush=True)


def flood(port: int) -> None:
    """Open connections as quickly as possible; leave every second one to the server, reset the others."""
    streams: deque[socket.socket] = deque(maxlen=CONNECTIONS)  # those that it forgets are closed
    for number in itertools.count():
        with suppress(OSError):
            stream = socket.create_connection(("127.0.0.1", port), timeout=1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if number % 2:
                streams.append(stream)
            else:
                stream.close()
        if number == CONNECTIONS:
            say_begun()


def fetch_from_silent_hosts(port: int) -> None:
    """Send 16 requests, each with 16 URLs of a host that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as host:
        url = f"http://127.0.0.1:{host.getsockname()[1]}/photo.jpg"
        body = json.dumps({"images": [{"url": url}] * 16}).encode()
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        Attack(head + body, connections=16).run(port)


ATTACKS: dict[str, Callable[[int], None]] = {
    "idle": Attack(b"").run,
    "idle after a byte": Attack(b"G").run,
    "64 unsent bodies": Attack(PREDICT + b"Content-Length: 100\r\n\r\nx", connections=64).run,
    "unsent bodies": Attack(PREDICT + b"Content-Length: 100\r\n\r\nx").run,
    "silent URL hosts": fetch_from_silent_hosts,
    "connection flood": flood,
    "slow readers": Attack(PAGE * 500, reads=False).run,
    "half-closed": Attack(HEALTH, half_close=True, reads=False, pause=0.2).run,
    "half-closed bodies": Attack(PREDICT + b"Content-Length: 100\r\n\r\nx", half_close=True, reads=False).run,
    "header dribble": Attack(b"GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", b"a").run,
    "body dribble": Attack(PREDICT + b"Content-Length: 6000000\r\n\r\n", b"x").run,
    "not HTTP": Attack(b"\x16\x03\x01\r\n\r\n", reads=False).run,
    "bodies after the answer": Attack(PREDICT + b"Content-Length: 9000000\r\n\r\nx", reads=False).run,
    "tiny chunks": Attack(
        PREDICT + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10_000, connections=8, pause=0
    ).run,
    "tiny packets": Attack(PREDICT + b"Content-Length: 6000000\r\n\r\n", b"x", connections=8, pause=0).run,
}


def main() -> None:
    name, port = sys.argv[1:]
    ATTACKS[name](int(port))


if __name__ == "__main__":
    main()
