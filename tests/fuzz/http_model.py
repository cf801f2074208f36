"""A reference model of what a strict server must make of any bytes: requests, and how they end (RFC 9112).

It reads a whole conversation at once, by the grammar and nothing else, so that it is easier to believe than a
server that reads piece by piece.
"""

import re
from collections.abc import Iterator

from shutterless.runtime.adapters.http_connection import MAX_BODY, MAX_SMALL_CHUNKS, MIN_CHUNK
from shutterless.runtime.adapters.http_framing import MAX_CHUNK_LINE, MAX_FIELDS, MAX_HEAD, MAX_REQUEST_LINE

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
LINE = re.compile(rb"(%s) ([\x21-\x7e]+) HTTP/([0-9])\.([0-9])" % TOKEN)
FIELD = re.compile(rb"(%s):[\t ]*(%s?)[\t ]*" % (TOKEN, VALUE), re.DOTALL)
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(;%s)?" % VALUE)
PERCENT = rb"%[0-9A-Fa-f]{2}"
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|([A-Za-z0-9._~!$&'()*+,;=-]|%s)*)(:[0-9]*)?" % PERCENT)
URL = re.compile(rb"https?://([^/?]+)([/?].*)?", re.IGNORECASE)

# Method, target as the application sees it, and body; or a refusal, after which nothing is answered.
Outcome = tuple[str, str, bytes] | str
REFUSED = "refused"


class RefusedError(Exception):
    """The bytes are no request."""


def understand(data: bytes) -> list[Outcome]:
    """Return what becomes of all bytes that a client sends before it closes its side of the connection."""
    return list(_understand(data))


def _understand(data: bytes) -> Iterator[Outcome]:
    while True:
        while data.startswith(b"\r\n"):
            data = data[2:]
        if not data:
            return
        try:
            request, is_last, data = _read_request(data)
        except RefusedError:
            yield REFUSED
            return
        yield request
        if is_last:
            return


def _read_request(data: bytes) -> tuple[Outcome, bool, bytes]:
    head, separator, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    _require(separator and len(head) + 4 <= MAX_HEAD and len(lines) <= MAX_FIELDS)
    line = LINE.fullmatch(first)
    _require(line and len(first) <= MAX_REQUEST_LINE)
    matches = [FIELD.fullmatch(each) for each in lines]
    _require(all(matches))
    fields = [(match[1].lower(), match[2].strip(b"\t ")) for match in matches]
    method, target, major, minor = line.groups()
    _require(major == b"1")
    is_1_0 = minor == b"0"
    hosts = [value for name, value in fields if name == b"host"]
    _require(len(hosts) == 1 or (is_1_0 and not hosts))
    _require(all(HOST.fullmatch(host) for host in hosts))
    path = _read_target(method, target)
    body, rest = _read_body(fields, is_1_0, rest)
    options = b",".join(value for name, value in fields if name == b"connection").lower().split(b",")
    is_last = is_1_0 or b"close" in [option.strip() for option in options]
    return (method.decode(), path, body), is_last, rest


def _read_target(method: bytes, target: bytes) -> str:
    _require(method != b"CONNECT" and b"#" not in target)
    if target == b"*":
        _require(method == b"OPTIONS")
        return "/"
    if target.startswith(b"/"):
        return target.decode()
    url = URL.fullmatch(target)
    _require(url and HOST.fullmatch(url[1]))
    path = (url[2] or b"/").decode()
    return path if path.startswith("/") else f"/{path}"


def _read_body(fields: list[tuple[bytes, bytes]], is_1_0: bool, data: bytes) -> tuple[bytes, bytes]:
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    lengths = [value for name, value in fields if name == b"content-length"]
    if codings:
        _require(codings == [b"chunked"] and not lengths and not is_1_0)
        return _read_chunks(data)
    numbers = {number.strip(b"\t ") for value in lengths for number in value.split(b",")}
    _require(len(numbers) <= 1 and all(re.fullmatch(rb"[0-9]{1,20}", number) for number in numbers))
    size = int(numbers.pop()) if numbers else 0
    _require(size <= MAX_BODY and size <= len(data))
    return data[:size], data[size:]


def _read_chunks(data: bytes) -> tuple[bytes, bytes]:
    body, chunks = b"", 0
    while True:
        line, separator, data = data.partition(b"\r\n")
        match = CHUNK.fullmatch(line)
        _require(separator and match and len(line) <= MAX_CHUNK_LINE)
        size = int(match[1], 16)
        if not size:
            break
        _require(data[size : size + 2] == b"\r\n")
        body, data, chunks = body + data[:size], data[size + 2 :], chunks + 1
        _require(len(body) <= MAX_BODY and chunks <= MAX_SMALL_CHUNKS + len(body) // MIN_CHUNK)
    while True:
        line, separator, data = data.partition(b"\r\n")
        _require(separator)
        if not line:
            return body, data
        _require(FIELD.fullmatch(line))


def _require(condition: object) -> None:
    if not condition:
        raise RefusedError
