"""Where a request ends, and what is none: RFC 9112 by cases that make servers and proxies disagree.

In each case a client sends some bytes and then another request. Where the bytes leave in doubt where that one
begins, it must not be answered, because a proxy on the way might have taken it for a part of the first.
"""

import re
import socket

import pytest

from shutterless.runtime.adapters.http_connection import MAX_BODY
from shutterless.runtime.adapters.http_framing import (
    MAX_CHUNK_LINE,
    MAX_FIELDS,
    MAX_HEAD,
    MAX_REQUEST_LINE,
    join_chunks,
)
from shutterless.runtime.http_messages import Request, Response

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BAD = ["400"]


class Echo:
    """An application that says what it was asked."""

    def respond(self, request: Request) -> Response:
        return Response(200, {}, f"{request.method} {request.path} {len(request.body)}".encode())

    def reject(self, problem, request: Request | None) -> Response:
        return Response(problem.status, problem.headers, b"")


@pytest.fixture(scope="module")
def port(running):
    with running(Echo()) as port:
        yield port


def ask(port: int, data: bytes) -> bytes:
    """Send bytes and nothing more; return all that comes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: stream.recv(65536), b""))


def outcomes(answers: bytes) -> list[str]:
    """Return what was understood of each request, or the status of its refusal."""
    pattern = rb"HTTP/1.1 (\d+)[^\r]*\r\n(?:[^\r\n]+\r\n)*\r\n(?:([A-Z]+ /\w* \d+))?"
    return [(text or status).decode() for status, text in re.findall(pattern, answers)]


def kept(outcome: str) -> list[str]:
    return [outcome, "GET /next 0"]


CASES: dict[str, tuple[str, bytes, list[str]]] = {
    # the body's length
    "no body": ("6.3", GET, kept("GET /a 0")),
    "a length": ("6.3", POST + b"Content-Length: 2\r\n\r\nab", kept("POST /a 2")),
    "a length with zeros": ("6.3", POST + b"Content-Length: 0002\r\n\r\nab", kept("POST /a 2")),
    "a GET with a body": ("6.3", GET[:-2] + b"Content-Length: 2\r\n\r\nab", kept("GET /a 2")),
    "a body that looks like a request": (
        "6.3",
        POST + b"Content-Length: %d\r\n\r\n%s" % (len(NEXT), NEXT),
        kept(f"POST /a {len(NEXT)}"),
    ),
    "the same length twice": (
        "6.3",
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
        kept("POST /a 2"),
    ),
    "the same length in a list": ("6.3", POST + b"Content-Length: 2, 2\r\n\r\nab", kept("POST /a 2")),
    "different lengths": ("6.3", POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", BAD),
    "different lengths in a list": ("6.3", POST + b"Content-Length: 2,3\r\n\r\nabc", BAD),
    "a length with a sign": ("6.3", POST + b"Content-Length: +2\r\n\r\nab", BAD),
    "a negative length": ("6.3", POST + b"Content-Length: -2\r\n\r\nab", BAD),
    "a hexadecimal length": ("6.3", POST + b"Content-Length: 0x2\r\n\r\nab", BAD),
    "a length with a space": ("6.3", POST + b"Content-Length: 2 0\r\n\r\nab", BAD),
    "an empty length": ("6.3", POST + b"Content-Length:\r\n\r\nab", BAD),
    "a length in other digits": ("6.3", POST + "Content-Length: ٢\r\n\r\nab".encode(), BAD),
    "a length with an underscore": ("6.3", POST + b"Content-Length: 1_0\r\n\r\nab", BAD),
    "a length beyond 64 bits": ("8.6", POST + b"Content-Length: 18446744073709551618\r\n\r\nab", ["413"]),
    "a length of 5,000 digits": ("8.6", POST + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\nab", BAD),
    "a length above the limit": ("8.6", POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), ["413"]),
    # chunks
    "chunks": ("7.1", CHUNKED + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", kept("POST /a 3")),
    "a size in capital letters": ("7.1", CHUNKED + b"A\r\n0123456789\r\n0\r\n\r\n", kept("POST /a 10")),
    "a size with zeros": ("7.1", CHUNKED + b"00002\r\nab\r\n000\r\n\r\n", kept("POST /a 2")),
    "a chunk extension": ("7.1.1", CHUNKED + b'2;a="b";c\r\nab\r\n0;d\r\n\r\n', kept("POST /a 2")),
    "a trailer": ("7.1.2", CHUNKED + b"2\r\nab\r\n0\r\nX-A: b\r\n\r\n", kept("POST /a 2")),
    "a length in a trailer": ("6.5.1", CHUNKED + b"0\r\nContent-Length: 99\r\n\r\n", kept("POST /a 0")),
    "a size with a prefix": ("7.1", CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n", BAD),
    "a size with a sign": ("7.1", CHUNKED + b"+2\r\nab\r\n0\r\n\r\n", BAD),
    "a negative size": ("7.1", CHUNKED + b"-2\r\nab\r\n0\r\n\r\n", BAD),
    "a size after a space": ("7.1", CHUNKED + b" 2\r\nab\r\n0\r\n\r\n", BAD),
    "a size with an underscore": ("7.1", CHUNKED + b"0_2\r\nab\r\n0\r\n\r\n", BAD),
    "no size": ("7.1", CHUNKED + b"\r\nab\r\n0\r\n\r\n", BAD),
    "a size of 2 ** 64 + 2": ("7.1", CHUNKED + b"10000000000000002\r\nab\r\n0\r\n\r\n", BAD),
    "a size of 5,000 digits": ("7.1", CHUNKED + b"0" * 5000 + b"2\r\nab\r\n0\r\n\r\n", BAD),
    "a chunk longer than its size": ("7.1", CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", BAD),
    "a chunk shorter than its size": ("7.1", CHUNKED + b"3\r\nab\r\n0\r\n\r\n", BAD),
    "a chunk that ends in another byte": ("7.1", CHUNKED + b"2\r\nabXX0\r\n\r\n", BAD),
    "a size that ends in LF": ("2.2", CHUNKED + b"2\nab\r\n0\r\n\r\n", BAD),
    "a chunk that ends in LF": ("2.2", CHUNKED + b"2\r\nab\n0\r\n\r\n", BAD),
    "an extension that ends in LF": ("2.2", CHUNKED + b"2;\nxx\r\nab\r\n0\r\n\r\n", BAD),
    "an extension with CR": ("2.2", CHUNKED + b"2;a\rb\r\nab\r\n0\r\n\r\n", BAD),
    "trailers that end in LF": ("2.2", CHUNKED + b"0\r\nX-A: b\n\n", BAD),
    "chunks that end in LF": ("2.2", CHUNKED + b"0\r\n\n", BAD),
    "a size before a space": ("7.1", CHUNKED + b"2 \r\nab\r\n0\r\n\r\n", BAD),
    "a trailer without a name": ("7.1.2", CHUNKED + b"0\r\n: b\r\n\r\n", BAD),
    # Transfer-Encoding
    "a length and chunks": (
        "6.1",
        POST + b"Content-Length: 5\r\n" + CHUNKED[len(POST) :] + b"0\r\n\r\n",
        BAD,
    ),
    "chunks and a length": (
        "6.1",
        CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
        BAD,
    ),
    "chunks in HTTP/1.0": ("6.1", CHUNKED.replace(b"/1.1", b"/1.0") + b"0\r\n\r\n", BAD),
    "chunked in capitals": ("7", CHUNKED.replace(b"chunked", b"CHUNKED") + b"0\r\n\r\n", kept("POST /a 0")),
    "an unknown coding": ("6.1", CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", ["501"]),
    "identity": ("6.1", CHUNKED.replace(b"chunked", b"identity") + b"0\r\n\r\n", ["501"]),
    "chunked twice": ("6.1", CHUNKED.replace(b"chunked", b"chunked, chunked") + b"0\r\n\r\n", ["501"]),
    "two codings": (
        "6.1",
        CHUNKED[:-2] + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        ["501"],
    ),
    "a misspelt coding": ("6.1", CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n", ["501"]),
    "a coding in quotes": ("6.1", CHUNKED.replace(b"chunked", b'"chunked"') + b"0\r\n\r\n", ["501"]),
    "a coding after VT": ("5.5", CHUNKED.replace(b"chunked", b"\x0bchunked") + b"0\r\n\r\n", BAD),
    "a coding on a folded line": ("5.2", CHUNKED.replace(b" chunked", b"\r\n chunked") + b"0\r\n\r\n", BAD),
    # lines and fields
    "lines that end in LF": ("2.2", b"GET /a HTTP/1.1\nHost: x\n\n", BAD),
    "one line that ends in LF": ("2.2", GET.replace(b"x\r\n", b"x\nX-A: b\r\n"), BAD),
    "a head that ends in LF": ("2.2", GET[:-2] + b"\n", BAD),
    "CR in a value": ("2.2", GET.replace(b"x\r\n", b"x\rX-A: b\r\n"), BAD),
    "CR at the end of a line": ("2.2", GET.replace(b"x\r\n", b"x\r\r\n"), BAD),
    "a folded line": ("5.2", GET.replace(b"x\r\n", b"x\r\nX-A: b\r\n c\r\n"), BAD),
    "a folded line with a tab": ("5.2", GET.replace(b"x\r\n", b"x\r\nX-A: b\r\n\tc\r\n"), BAD),
    "a space before the first field": ("2.2", GET.replace(b"Host", b" Host"), BAD),
    "a space before the colon": ("5.1", POST + b"Content-Length : 2\r\n\r\nab", BAD),
    "a tab before the colon": ("5.1", POST + b"Content-Length\t: 2\r\n\r\nab", BAD),
    "no colon": ("5", GET.replace(b"x\r\n", b"x\r\nX-A\r\n"), BAD),
    "no name": ("5", GET.replace(b"x\r\n", b"x\r\n: b\r\n"), BAD),
    "a name with a space": ("5.1", GET.replace(b"x\r\n", b"x\r\nX A: b\r\n"), BAD),
    "a name with NUL": ("5.1", GET.replace(b"x\r\n", b"x\r\nX-A\0: b\r\n"), BAD),
    "a name that is not ASCII": ("5.1", GET.replace(b"x\r\n", "x\r\nX-Ä: b\r\n".encode()), BAD),
    "a value with NUL": ("5.5", GET.replace(b"x\r\n", b"x\r\nX-A: b\0c\r\n"), BAD),
    "a value with DEL": ("5.5", GET.replace(b"x\r\n", b"x\r\nX-A: b\x7fc\r\n"), BAD),
    "a value that is not ASCII": ("5.5", GET.replace(b"x\r\n", "x\r\nX-A: ä\r\n".encode()), kept("GET /a 0")),
    "an empty value": ("5.5", GET.replace(b"x\r\n", b"x\r\nX-A:\r\n"), kept("GET /a 0")),
    "spaces around a value": ("5.5", GET.replace(b"x\r\n", b"x\r\nX-A: \t b \t\r\n"), kept("GET /a 0")),
    "as many fields as there may be": (
        "5.4",
        GET.replace(b"x\r\n", b"x\r\n" + b"A: b\r\n" * (MAX_FIELDS - 1)),
        kept("GET /a 0"),
    ),
    "too many fields": ("5.4", GET.replace(b"x\r\n", b"x\r\n" + b"A: b\r\n" * MAX_FIELDS), ["431"]),
    "a line that is too long": ("5.4", GET.replace(b"x\r\n", b"x\r\nX-A: " + b"b" * MAX_HEAD), ["431"]),
    "no end of the head": ("8", GET[:-2], BAD),
    # the first line
    "an empty line before": ("2.2", b"\r\n" + GET, kept("GET /a 0")),
    "LF before": ("2.2", b"\n" + GET, BAD),
    "a space before": ("3", b" " + GET, BAD),
    "two spaces": ("3", GET.replace(b" /a", b"  /a"), BAD),
    "tabs for spaces": ("3", GET.replace(b" ", b"\t"), BAD),
    "a space in the target": ("3.2", GET.replace(b"/a", b"/a b"), BAD),
    "a target that is not ASCII": ("3.2", GET.replace(b"/a", "/ä".encode()), BAD),
    "a target with NUL": ("3.2", GET.replace(b"/a", b"/a\0"), BAD),
    "a target with a fragment": ("3.2", GET.replace(b"/a", b"/a#b"), BAD),
    "a target as long as it may be": (
        "3",
        GET.replace(b"/a", b"/a?" + b"b" * (MAX_REQUEST_LINE - 16)),
        kept("GET /a 0"),
    ),
    "a target that is too long": ("3", GET.replace(b"/a", b"/" + b"b" * MAX_REQUEST_LINE), ["414"]),
    "a method that is no token": ("3.1", GET.replace(b"GET", b"G(T"), BAD),
    "HTTP/0.9": ("2.3", b"GET /a\r\n", BAD),
    "HTTP/1.0": ("9.3", b"GET /a HTTP/1.0\r\n\r\n", ["GET /a 0"]),
    "HTTP/1.0 that would be kept": (
        "9.3",
        b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ["GET /a 0"],
    ),
    "HTTP/1.2": ("2.3", GET.replace(b"/1.1", b"/1.2"), kept("GET /a 0")),
    "HTTP/1.2 without Host": ("3.2", b"GET /a HTTP/1.2\r\n\r\n", BAD),
    "HTTP/2.0": ("2.3", GET.replace(b"/1.1", b"/2.0"), ["505"]),
    "HTTP/2's preface": ("2.3", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ["505"]),
    "HTTP/11": ("2.3", GET.replace(b"/1.1", b"/11"), BAD),
    "http/1.1": ("2.3", GET.replace(b"HTTP", b"http"), BAD),
    "TLS": ("3", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", BAD),
    # targets and hosts
    "a whole URL": ("3.2.2", GET.replace(b"/a", b"http://y/a"), kept("GET /a 0")),
    "a whole URL without a path": ("3.2.2", GET.replace(b"/a", b"http://y?b"), kept("GET / 0")),
    "a whole URL without a host": ("3.2.2", GET.replace(b"/a", b"http:///a"), BAD),
    "a whole URL with a user": ("3.2.2", GET.replace(b"/a", b"http://u@y/a"), BAD),
    "a whole URL with a bad host": ("3.2.2", GET.replace(b"/a", b"http://[y/a"), BAD),
    "another scheme": ("3.2.2", GET.replace(b"/a", b"ftp://y/a"), BAD),
    "a host for a target": ("3.2.3", GET.replace(b"/a", b"y:80"), BAD),
    "CONNECT": ("3.2.3", GET.replace(b"GET /a", b"CONNECT y:80"), ["405"]),
    "OPTIONS *": ("3.2.4", GET.replace(b"GET /a", b"OPTIONS *"), kept("OPTIONS / 0")),
    "GET *": ("3.2.4", GET.replace(b"/a", b"*"), BAD),
    "a path without a slash": ("3.2.1", GET.replace(b"/a", b"a"), BAD),
    "no Host": ("3.2", b"GET /a HTTP/1.1\r\n\r\n", BAD),
    "two Hosts": ("3.2", GET.replace(b"x\r\n", b"x\r\nHost: y\r\n"), BAD),
    "the same Host twice": ("3.2", GET.replace(b"x\r\n", b"x\r\nHost: x\r\n"), BAD),
    "an empty Host": ("3.2", GET.replace(b" x\r\n", b"\r\n"), kept("GET /a 0")),
    "a Host with a port": ("3.2", GET.replace(b"x\r\n", b"x.y-z:80\r\n"), kept("GET /a 0")),
    "an IPv6 Host": ("3.2", GET.replace(b"x\r\n", b"[::1]:80\r\n"), kept("GET /a 0")),
    "a Host with a path": ("3.2", GET.replace(b"x\r\n", b"x/y\r\n"), BAD),
    "a Host with a space": ("3.2", GET.replace(b"x\r\n", b"x y\r\n"), BAD),
    "a Host with a user": ("3.2", GET.replace(b"x\r\n", b"u@x\r\n"), BAD),
    "a Host with a list": ("3.2", GET.replace(b"x\r\n", b"x, y/\r\n"), BAD),
    "a Host that is not ASCII": ("3.2", GET.replace(b"x\r\n", "ä\r\n".encode()), BAD),
    # the connection
    "close": ("9.6", GET.replace(b"x\r\n", b"x\r\nConnection: close\r\n"), ["GET /a 0"]),
    "close in a list": ("9.6", GET.replace(b"x\r\n", b"x\r\nConnection: x, Close\r\n"), ["GET /a 0"]),
    "three requests at once": ("9.3.2", GET + GET, ["GET /a 0", "GET /a 0", "GET /next 0"]),
    "an upgrade": (
        "7.8",
        GET.replace(b"x\r\n", b"x\r\nConnection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"),
        kept("GET /a 0"),
    ),
    "an upgrade with a body": (
        "7.8",
        POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nab",
        kept("POST /a 2"),
    ),
    "a body cut off": ("8", POST + b"Content-Length: 999\r\n\r\nab", BAD),
    "chunks cut off": ("8", CHUNKED + b"fff\r\nab", BAD),
}


@pytest.mark.parametrize("name", CASES)
def test_a_request_ends_where_every_server_sees_its_end_or_is_refused(port, name):
    _, data, expected = CASES[name]
    assert outcomes(ask(port, data + NEXT)) == expected


@pytest.mark.parametrize("name", [name for name, (*_, expected) in CASES.items() if len(expected) == 1])
def test_what_ends_the_connection_says_so(port, name):
    assert b"\r\nconnection: close\r\n" in ask(port, CASES[name][1]).lower()


def test_who_expects_100_is_told_to_go_on(port):
    head = POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.sendall(head)
        assert stream.recv(65536).startswith(b"HTTP/1.1 100 ")
        stream.sendall(b"ab" + NEXT)
        stream.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: stream.recv(65536), b""))
    assert outcomes(answers) == kept("POST /a 2")


def test_who_expects_100_for_too_much_is_refused_at_once(port):
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.sendall(head)
        assert outcomes(stream.recv(65536)) == ["413"]


def test_a_request_may_arrive_byte_by_byte(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\n" + CHUNKED + b"2;a\r\nab\r\n0\r\nX: y\r\n\r\n" + GET:
            stream.sendall(bytes([byte]))
        stream.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: stream.recv(65536), b""))
    assert outcomes(answers) == ["POST /a 2", "GET /a 0"]


@pytest.mark.parametrize(
    ("data", "joined"),
    [
        (b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n", (b"3\r\nabc\r\n", 17, 2)),
        (b"1\r\na\r\n" * 5, (b"3\r\naaa\r\n", 18, 3)),
        (b"1\r\na\r\n2\r\nb", (b"1\r\na\r\n", 6, 1)),
        (b"2\r\nb", (b"", 0, 0)),
        (b"0\r\n\r\n", (b"", 0, 0)),
        (b"x\r\na\r\n", (b"", 0, 0)),
        (b"1;" + b"x" * MAX_CHUNK_LINE + b"\r\na\r\n", (b"", 0, 0)),
    ],
)
def test_whole_chunks_are_read_as_one(data, joined):
    assert join_chunks(bytearray(data), 3) == joined
