"""What a well-formed HTTP/1.1 request looks like, and where its head ends (RFC 9112).

h11 parses requests, but takes some forms that the RFC lets a recipient either take or reject, or that its
grammar does not have: lines that end in a bare LF, folded lines, control characters, spaces after the size
of a chunk. A proxy on the way may read such a form differently, and see other requests in the same bytes
(request smuggling). So they are rejected before h11 sees them.
"""

import re
from urllib.parse import parse_qsl, unquote

import h11

from shutterless.runtime import access_log
from shutterless.runtime.http_messages import Request, join_headers
from shutterless.runtime.problems import Problem

# Bytes of a head, and of its first line; RFC 9112 section 3 wants at least 8,000 of the latter.
MAX_HEAD, MAX_REQUEST_LINE = 64 * 1024, 16 * 1024
MAX_FIELDS = 128
# Bytes of the line before a chunk, with its extensions.
MAX_CHUNK_LINE = 4096

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP/[0-9]\.[0-9]")
# A CR or LF alone, a line that continues the one before, a control character.
_FORBIDDEN = re.compile(rb"\r(?!\n|\Z)|(?<!\r)\n|\n[ \t]|[\0-\x08\v\f\x0e-\x1f\x7f]")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_CHUNK_LINE_END = re.compile(_CHUNK_LINE.pattern + rb"\r\n")
# A host and a port as RFC 3986 section 3.2 has them, without a user.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?", re.ASCII)


def find_head_end(data: bytearray, start: int = 0) -> int:
    """Return where the head of the request that `data` begins with ends; 0 if it has not all arrived.

    Args:
        data: What has been received.
        start: How much of it an earlier call has looked at.

    Raises:
        Problem: If it cannot become the head of a request: the line, the fields or all of it is too long, or
            a line is malformed.
    """
    end = data.find(b"\r\n\r\n", max(0, start - 3)) + 4
    is_whole = end > 3
    limit = end if is_whole else len(data)
    line_end = data.find(b"\r\n", 0, MAX_REQUEST_LINE + 2)
    if line_end < 0 and limit > MAX_REQUEST_LINE:
        raise _malformed(f"the request's first line is longer than {MAX_REQUEST_LINE:,} bytes", 414)
    if limit > MAX_HEAD or data.count(b"\n", 0, limit) > MAX_FIELDS + 2:
        raise _malformed(f"the head has more than {MAX_FIELDS} fields or {MAX_HEAD:,} bytes", 431)
    if _FORBIDDEN.search(data, max(0, start - 1), limit):
        raise _malformed("the head contains a control character, or a line that does not end in CRLF")
    if line_end >= 0 and not _REQUEST_LINE.fullmatch(data, 0, line_end):
        raise _malformed("this is not HTTP/1.1")
    return end if is_whole else 0


def join_chunks(data: bytearray, max_count: int) -> tuple[bytes, int, int]:
    """Join the whole chunks that `data` begins with, because each would cost h11 thirty microseconds.

    The last chunk, which is empty, is left to `find_chunk_end`, and so is one with a malformed line.

    Args:
        data: What has been received.
        max_count: Join no more than so many.

    Returns:
        The chunks as one, where they end in `data`, and how many they are; empty and zeros if there is none.

    Raises:
        Problem: If a chunk does not end where its size says.
    """
    pieces: list[bytearray] = []
    at = 0
    while len(pieces) < max_count and (line := _CHUNK_LINE_END.match(data, at)):
        end = line.end() + int(line[1], 16)
        if end == line.end() or end + 2 > len(data) or line.end() - at > MAX_CHUNK_LINE:
            break
        if data[end : end + 2] != b"\r\n":
            raise _malformed("a chunk of the body is malformed")
        pieces.append(data[line.end() : end])
        at = end + 2
    content = b"".join(pieces)
    return b"%x\r\n%b\r\n" % (len(content), content) if pieces else b"", at, len(pieces)


def find_chunk_end(data: bytearray) -> int:
    """Return where the chunk that `data` begins with ends, or the trailers after the last; 0 if it is cut.

    Raises:
        Problem: If the line before it is too long or malformed, or the trailers are.
    """
    line_end = data.find(b"\r\n", 0, MAX_CHUNK_LINE + 2)
    if line_end < 0 and len(data) <= MAX_CHUNK_LINE:
        return 0
    line = _CHUNK_LINE.fullmatch(data, 0, max(0, line_end))
    if not line:
        raise _malformed("a chunk of the body is malformed")
    if size := int(line[1], 16):
        end = line_end + 2 + size + 2
        return end if end <= len(data) else 0
    end = data.find(b"\r\n\r\n", line_end) + 4
    if end > MAX_HEAD or (end < 4 and len(data) > MAX_HEAD) or _FORBIDDEN.search(data, line_end, max(0, end)):
        raise _malformed("the trailers of the body are malformed")
    return end if end > 3 else 0


def check_head(head: h11.Request) -> None:
    """Check what h11 leaves to its caller.

    Raises:
        Problem: If the version, the host, the target or the framing of the body is not as RFC 9112 wants it.
    """
    names = [name for name, _ in head.headers]
    if head.http_version[:1] != b"1":
        raise _malformed("this server supports HTTP/1.0 and HTTP/1.1", 505)
    if names.count(b"host") != 1 and (head.http_version > b"1.0" or b"host" in names):
        raise _malformed("a request must have one Host")
    if not all(_HOST.fullmatch(value.decode("latin-1")) for name, value in head.headers if name == b"host"):
        raise _malformed("the Host is malformed")
    # What another server on the way may have cut into other requests, section 6.1.
    if b"transfer-encoding" in names and (b"content-length" in names or head.http_version < b"1.1"):
        raise _malformed("Transfer-Encoding with Content-Length, or in HTTP/1.0")
    _check_target(head.method, head.target)


def _check_target(method: bytes, target: bytes) -> None:
    """Check that a request's target is a path, a whole URL, or the * of OPTIONS (RFC 9112 section 3.2)."""
    if method == b"CONNECT":
        raise Problem("method-not-allowed", "this is not a proxy", headers={"Allow": "GET, POST"})
    if b"#" in target:
        raise _malformed("the target of the request is malformed")
    if target.startswith(b"/") or (method, target) == (b"OPTIONS", b"*"):
        return
    host, _ = _split_url(target.decode("ascii"))
    if not (target.lower().startswith((b"http://", b"https://")) and host and _HOST.fullmatch(host)):
        raise _malformed("the target of the request is malformed")


def _split_url(url: str) -> tuple[str, str]:
    """Return a URL's host with its port, and its path with its query."""
    host_and_path = url.partition("//")[2]
    host = re.split(r"[/?]", host_and_path, maxsplit=1)[0]
    path = host_and_path[len(host) :]
    return host, path if path.startswith("/") else f"/{path}"


def to_request(head: h11.Request) -> Request:
    """Return the request without its body, and with its id."""
    target = head.target.decode("ascii")
    headers = join_headers((name.decode("ascii"), value.decode("latin-1")) for name, value in head.headers)
    if target == "*":
        target = "/"
    elif not target.startswith("/"):  # a whole URL, whose host counts instead of the header (section 3.2.2)
        headers["host"], target = _split_url(target)
    path, _, query = target.partition("?")
    request_id = access_log.choose_request_id(headers)
    return Request(
        head.method.decode("ascii"),
        unquote(path),
        {**headers, "x-request-id": request_id},
        dict(parse_qsl(query, keep_blank_values=True)),
        id=request_id,
    )


def _malformed(detail: str, status: int = 0) -> Problem:
    return Problem("invalid-request", detail, status=status)
