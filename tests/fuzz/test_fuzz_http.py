"""Whatever bytes come in, however they are cut, the server understands what a model of RFC 9112 does.

The suite sends the same few thousand conversations in every run. By hand:

    PYTHONPATH=src:. python tests/fuzz/test_fuzz_http.py --minutes 10 [--seed N]

stops at the first one that is understood differently, and prints it.
"""

import argparse
import os
import random
import sys
import time
from collections import Counter
from urllib.parse import unquote

import pytest

from shutterless.runtime.adapters.http_connection import Connection, State
from shutterless.runtime.http_messages import Response
from shutterless.runtime.problems import Problem
from tests.fuzz.http_model import REFUSED, Outcome, understand

LINES = (
    b"GET / HTTP/1.1",
    b"POST /predict HTTP/1.1",
    b"POST /predict HTTP/1.1",
    b"POST /predict HTTP/1.0",
    b"GET /a?b=c%20d HTTP/1.0",
    b"OPTIONS * HTTP/1.1",
    b"HEAD / HTTP/1.1",
    b"GET http://x/a?b HTTP/1.1",
    b"GET HTTPS://[::1]:80 HTTP/1.1",
    b"CONNECT x:80 HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"GET /",
)
FIELDS = (
    b"Host: x",
    b"Host: x:80",
    b"Host: [::1]",
    b"Host:",
    b"Host: x/y",
    b"Content-Length: 5",
    b"Content-Length: 5",
    b"Content-Length: 05",
    b"Content-Length: 5, 5",
    b"Content-Length: 0",
    b"Content-Length: 44",
    b"Content-Length: +5",
    b"Content-Length: 99999999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding:\tChunked ",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked",
    b"Connection: close",
    b"Connection: keep-alive, CLOSE",
    b"Connection: upgrade",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"X-A: \xc3\xa4",
    b"X-A:",
    b"X-A: b\r\n folded",
    b"X-A: b\nX-B: c",
    b"X-A: b\rX-B: c",
    b"X-A: \x01",
    b"X\0A: b",
)
BODIES = (
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"2;a=b\r\nhe\r\n3\r\nllo\r\n000\r\nX-B: c\r\n\r\n",
    b"0\r\n\r\n",
    b"A\r\n0123456789\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"0\r\nContent-Length: 7\r\n\r\n",
)
WELL_FORMED: tuple[tuple[list[bytes], bytes], ...] = (
    ([], b""),
    ([b"Content-Length: 5"], b"hello"),
    ([b"Content-Length: 44"], b"GET /smuggled HTTP/1.1\r\nHost: x\r\nX-A: bc\r\n\r\n"),
    *(([b"Transfer-Encoding: chunked"], body) for body in BODIES[2:6]),
)
# What is put where it may not be, or in the place of something else.
BITS = [b"\r\n", b"\r\n\r\n", *(bytes([byte]) for byte in b"\r\n \t\0:;,\x0b\xff05-x#")]


def conversation(rng: random.Random) -> bytes:
    """Return what a client sends: requests, well-formed or nearly so."""
    data = bytearray(b"".join(_request(rng) for _ in range(rng.choice((1, 1, 2, 3)))))
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.choice((0, 0, 1, 2))] = rng.choice((*BITS, b""))
    return bytes(data if rng.random() < 0.9 else data[: rng.randrange(len(data) + 1)])


def _request(rng: random.Random) -> bytes:
    if rng.random() < 0.6:
        line, (framing, body) = rng.choice(LINES[:3]), rng.choice(WELL_FORMED)
        fields = [b"Host: x", *framing, *([rng.choice(FIELDS)] if rng.random() < 0.2 else [])]
    else:
        line, body = rng.choice(LINES), rng.choice(BODIES)
        fields = [b"Host: x", *rng.choices(FIELDS, k=rng.randrange(4))][rng.random() < 0.1 :]
    rng.shuffle(fields)
    end = b"\n" if rng.random() < 0.03 else b"\r\n"
    return end.join([line, *fields, b"", b""]) + body


class Stream:
    """A socket whose client sends some pieces and then closes its side."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.output = bytearray()

    def recv(self, size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def send(self, data: bytes) -> int:
        self.output += data
        return len(data)

    def ignore(self, *_: object) -> None:
        pass

    setblocking = setsockopt = shutdown = ignore


def converse(pieces: list[bytes]) -> list[Outcome]:
    """Let a connection read pieces, answer its requests, and return what it understood."""
    stream = Stream(pieces)
    connection = Connection(stream)
    outcomes: list[Outcome] = []
    while connection.state is not State.END:
        if not connection.has_unread_input:
            connection.receive()
        try:
            request = connection.next_request()
        except Problem as problem:
            outcomes.append(REFUSED)
            connection.answer(Response(problem.status, problem.headers, b""))
            assert connection.is_last
            assert b"Connection: close\r\n" in stream.output
            continue
        if request:
            outcomes.append((request.method, request.path, request.body))
            connection.answer(Response(200, {}, b"ok"))
    assert stream.output.count(b"HTTP/1.1 ") - stream.output.count(b"HTTP/1.1 100 ") == len(outcomes)
    return outcomes


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    """Cut bytes into pieces as a network might."""
    size = rng.choice((1, 2, 7, 30, 100_000))
    pieces, at = [], 0
    while at < len(data):
        end = at + rng.randint(1, size)
        pieces.append(data[at:end])
        at = end
    return pieces


def check(data: bytes, rng: random.Random) -> str:
    """Compare server and model; return what kind of conversation it was."""
    expected, pieces = understand(data), cut(data, rng)
    outcomes = converse(list(pieces))
    assert outcomes == [_without_query(each) for each in expected], (data, pieces, outcomes, expected)
    return "refused" if REFUSED in outcomes else f"{len(outcomes)} requests"


def _without_query(outcome: Outcome) -> Outcome:
    """Return an outcome with its path as the server decodes it, and without the query."""
    if isinstance(outcome, str):
        return outcome
    method, target, body = outcome
    return method, unquote(target.partition("?")[0]), body


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_are_understood_as_the_rfc_says(seed):
    rng = random.Random(seed)
    kinds = Counter(check(conversation(rng), rng) for _ in range(500))
    assert kinds["refused"] > 50
    assert kinds["1 requests"] > 50
    assert kinds["2 requests"] > 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Send conversations to the server's connections.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    options = parser.parse_args()
    rng, kinds, end = random.Random(options.seed), Counter[str](), time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        kinds[check(conversation(rng), rng)] += 1
    print(f"seed {options.seed}: {kinds.total():,} conversations, {dict(kinds)}")


if __name__ == "__main__":
    sys.exit(main())
