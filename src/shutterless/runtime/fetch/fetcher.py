"""Fetch the photo behind a URL, within limits of addresses, time and size.

The host is resolved once, each of its addresses is checked, and the connection goes to a checked address,
so a second look-up cannot return another one (DNS rebinding). Every redirect is checked again.
"""

import functools
import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urljoin

from shutterless.runtime.fetch.policy import Policy, effective_port
from shutterless.runtime.problems import Problem

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_REDIRECTS = 5
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
# A body is read in pieces. What comes around it (heads, chunk heads, trailers) may have so many bytes and
# a sixteenth of the body's: enough for chunks of 100 bytes, but not for a million of two.
PIECE = 64 * 1024
MAX_OVERHEAD = 256 * 1024
# DNS look-ups running at once. One that hangs keeps its thread until the system's resolver gives up.
MAX_LOOKUPS = 64

_lookup_slots = threading.BoundedSemaphore(MAX_LOOKUPS)


Count = Callable[[int], object]


def fetch(url: str, policy: Policy, *, max_bytes: int, count: Count = bool) -> bytes:
    """Return the bytes behind a URL.

    The errors contain nothing that the host has answered, nor where it redirected to: otherwise a stranger
    could read a private network through them.

    Args:
        url: An http or https URL.
        policy: Which addresses are allowed, and how many seconds the whole fetch may take.
        max_bytes: The most bytes that the body may have.
        count: Called with the number of bytes, of heads and chunk heads too, whenever a host has sent some;
            what it raises ends the fetch.

    Raises:
        Problem: `url-refused` before any packet is sent to an address that is not allowed, `fetch-failed`
            if the host does not answer with status 200 in time, `too-large` for a larger body.

    Example:
        >>> fetch("file:///etc/passwd", Policy(), max_bytes=20_000_000)
        Traceback (most recent call last):
            ...
        shutterless.runtime.problems.Problem: only http and https URLs are supported
    """
    deadline = time.monotonic() + policy.timeout
    for redirects in range(MAX_REDIRECTS + 1):
        try:
            location, body = request_once(url, policy, deadline, max_bytes, count)
        except Problem as problem:
            if not redirects:
                raise
            detail = f"after a redirect: {problem.detail}"
            raise Problem(problem.code, detail, headers=problem.headers) from problem
        if location is None:
            return body
        url = location
    raise Problem("fetch-failed", f"there are more than {MAX_REDIRECTS} redirects")


def request_once(
    url: str, policy: Policy, deadline: float, max_bytes: int, count: Count
) -> tuple[str | None, bytes]:
    """Check one URL and request it.

    Returns:
        The target of a redirect and no bytes, or None and the body.

    Raises:
        Problem: As `fetch` does.
    """
    parts = policy.validate_url(url)
    addresses = _resolve(parts, policy, deadline)
    policy.validate_addresses(addresses)
    try:
        return _get(parts, addresses, deadline, max_bytes, count)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = next(text for kind, text in REASONS.items() if isinstance(error, kind))
        raise Problem("fetch-failed", reason) from error


# Why a host gave no answer, in words that contain nothing of what it sent.
REASONS: dict[type[Exception], str] = {
    TimeoutError: "the host did not answer in time",
    ssl.SSLCertVerificationError: "the host's TLS certificate is not valid for its name, or not trusted",
    ssl.SSLError: "the TLS connection to the host failed",
    http.client.IncompleteRead: "the host closed the connection before the end of the picture",
    http.client.HTTPException: "the host did not send a valid HTTP response",
    OSError: "the host cannot be reached",
    ValueError: "the host did not send a valid HTTP response",
}


def _resolve(parts: SplitResult, policy: Policy, deadline: float) -> list[str]:
    """Return the addresses of a URL's host."""
    look_up = functools.partial(policy.resolve, str(parts.hostname), effective_port(parts))
    try:
        return _run_until(deadline, look_up)
    except TimeoutError as error:
        raise Problem("fetch-failed", "the host's name could not be resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise Problem("fetch-failed", "the host's name does not exist") from error


def _run_until(deadline: float, look_up: Callable[[], list[str]]) -> list[str]:
    """Return what a look-up returns or raises, or raise TimeoutError at the deadline.

    getaddrinfo takes no time-out and cannot be cancelled: the thread that is left behind ends when the
    system's resolver gives up. It is a daemon, so that it does not keep the process alive.
    """
    results: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            results.put(look_up())
        except Exception as error:
            results.put(error)
        finally:
            _lookup_slots.release()

    if not _lookup_slots.acquire(timeout=_seconds_until(deadline)):
        raise TimeoutError
    threading.Thread(target=run, name="dns-lookup", daemon=True).start()
    try:
        result = results.get(timeout=_seconds_until(deadline))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(result, Exception):
        raise result
    return result


def _get(
    parts: SplitResult, addresses: list[str], deadline: float, max_bytes: int, count: Count
) -> tuple[str | None, bytes]:
    """Send one GET request; return a redirect's target and no bytes, or None and the body."""
    with closing(_connect(parts, addresses, deadline)) as stream:
        connection = http.client.HTTPConnection(str(parts.hostname), effective_port(parts))
        connection.sock = stream
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # The host as it was written: a signed URL is signed for that, and not for an added ":443".
        headers = {"Host": parts.netloc, "User-Agent": "shutterless", "Accept": "image/*"}
        stream.settimeout(_seconds_until(deadline))
        connection.request("GET", path, headers=headers)
        reader = DeadlineReader(stream, deadline, count)
        with http.client.HTTPResponse(cast(socket.socket, reader), method="GET") as response:
            response.begin()
            if response.status in REDIRECT_STATUSES:
                location = response.headers.get("Location", "")
                try:
                    return urljoin(parts.geturl(), location), b""
                except ValueError:  # it is not a URL, which the check of the next request reports
                    return location, b""
            if response.status != 200:
                raise Problem("fetch-failed", f"the host answered with status {response.status}")
            return None, _read_body(response, reader, max_bytes)


def _read_body(response: http.client.HTTPResponse, reader: "DeadlineReader", max_bytes: int) -> bytes:
    """Read the body through one buffer, because a list of small chunks takes fifteen times its size."""
    piece, body = memoryview(bytearray(PIECE)), bytearray()
    while len(body) <= max_bytes and (size := response.readinto(piece)):
        body += piece[:size]
        reader.allow(size + size // 16)
    if len(body) > max_bytes:
        raise Problem("too-large", f"the picture is larger than {max_bytes:,} bytes")
    if response.length:  # the host hung up early, which readinto does not report
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(body)


def _connect(parts: SplitResult, addresses: list[str], deadline: float) -> socket.socket:
    """Connect to the first checked address that answers; TLS checks the certificate for the host's name.

    Each address gets an equal share of the time that remains, so a dead one does not use up all of it.
    """
    failure = OSError("the host has no address")
    for remaining, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return _connect_to(address, parts, time.monotonic() + _seconds_until(deadline) / remaining)
        except OSError as error:
            failure = error
    raise failure


def _connect_to(address: str, parts: SplitResult, deadline: float) -> socket.socket:
    stream = socket.create_connection((address, effective_port(parts)), timeout=_seconds_until(deadline))
    if parts.scheme == "http":
        return stream
    try:
        stream.settimeout(_seconds_until(deadline))
        return tls_context().wrap_socket(stream, server_hostname=str(parts.hostname).removesuffix("."))
    except BaseException:
        stream.close()
        raise


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return the TLS settings, made once: reading the machine's authorities takes longer than a fetch."""
    return ssl.create_default_context()


class DeadlineReader(io.RawIOBase):
    """A socket's input with one deadline and a limit on bytes for everything that is read.

    A socket's own time-out starts again with every byte that drips in, and a body's bytes are not all that
    a host can send: chunk heads, trailers and interim responses cost more time to read than pictures.
    `HTTPResponse` needs nothing else of a socket.
    """

    def __init__(self, stream: socket.socket, deadline: float, count: Count) -> None:
        self._stream = stream
        self._deadline = deadline
        self._count = count
        self._allowed_bytes = MAX_OVERHEAD + PIECE

    def allow(self, size: int) -> None:
        """Let the host send `size` more bytes."""
        self._allowed_bytes += size

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return this reader as the buffered file that `HTTPResponse` reads from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what has arrived, waiting no longer than the deadline."""
        self._stream.settimeout(_seconds_until(self._deadline))
        size = self._stream.recv_into(buffer)
        self._count(size)
        self._allowed_bytes -= size
        if self._allowed_bytes < 0:
            raise http.client.HTTPException("the host sends more around the picture than the picture")
        return size


def _seconds_until(deadline: float) -> float:
    """Return the seconds until the deadline; raises `TimeoutError` when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("the deadline has passed")
    return seconds
