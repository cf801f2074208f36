"""A URL to bytes, from public addresses only: what stands behind the URL is a stranger's choice.

The host is resolved once, every address it has is judged, and the connection goes to a judged address,
so that a second look-up cannot give another one (DNS rebinding). Every redirect is judged anew.
"""

import functools
import http.client
import io
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from shutterless.runtime.problems import Problem
from shutterless.runtime.settings import Urls

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Resolver = Callable[[str, int], list[str]]

PORTS = {"http": 80, "https": 443}
REDIRECTS = 5
# API Gateway gives up after 29 s: the fetch must leave time for an answer.
SECONDS = 10.0
# A body is read in pieces. What comes around it (heads, chunk heads, trailers) may have so many bytes and
# a sixteenth of the body's: enough for chunks of 100 bytes, but not for a million of two.
PIECE = 64 * 1024
MAX_OVERHEAD = 256 * 1024
# Far beyond any signed URL. urlsplit also keeps the last URLs that it has parsed, whatever their size.
MAX_URL = 8192
# Look-ups under way at once. One that hangs keeps its thread until the system's resolver gives up.
MAX_LOOKUPS = 64

# A host and a port in the one notation that every parser reads alike: a name or number, or an IPv6
# address in brackets; no user, no percent-encoding, no zone, no backslash.
_NETLOC = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-~]*")

_lookups = threading.BoundedSemaphore(MAX_LOOKUPS)


@dataclass(frozen=True)
class Policy:
    """Which addresses may be fetched, see `Settings`; `resolve` gives a host's addresses."""

    urls: Urls = "public"
    hosts: frozenset[str] = frozenset()
    seconds: float = SECONDS
    resolve: Resolver = lambda host, port: _resolve(host, port)


def fetch(url: str, policy: Policy, *, max_bytes: int) -> bytes:
    """Return what `url` answers, at most `max_bytes` bytes, within `policy.seconds` in all.

    Raises `Problem`: url-refused before any packet is sent to an address that is not permitted,
    fetch-failed if the host does not answer with 200 in time, too-large. Its words are ours alone:
    they repeat nothing that a host has answered, nor where it redirected to.
    """
    deadline = time.monotonic() + policy.seconds
    for redirects in range(REDIRECTS + 1):
        try:
            target, body = _step(url, policy, deadline, max_bytes)
        except Problem as problem:
            if not redirects:
                raise
            raise Problem(problem.code, f"after a redirect: {problem.detail}") from problem
        if target is None:
            return body
        url = target
    raise Problem("fetch-failed", f"more than {REDIRECTS} redirects")


def _step(url: str, policy: Policy, deadline: float, max_bytes: int) -> tuple[str | None, bytes]:
    """Judge one URL and ask for it; return the redirect's target and nothing, or None and the body."""
    parts = _judge_url(url, policy)
    addresses = _judge_host(parts, policy, deadline)
    try:
        return _get(parts, addresses, deadline, max_bytes)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Problem("fetch-failed", _reason(error)) from error


_REASONS: dict[type[Exception], str] = {
    TimeoutError: "the host did not answer in time",
    ssl.SSLCertVerificationError: "the host's certificate is not trusted, or is for another name",
    ssl.SSLError: "the host does not speak TLS as it should",
    http.client.IncompleteRead: "the host broke off in the middle",
    http.client.HTTPException: "the host does not speak HTTP as it should",
    OSError: "there is no connection to the host",
    ValueError: "the host does not speak HTTP as it should",
}


def _reason(error: Exception) -> str:
    """Say why a host gave no answer, in words that hold nothing of what it sent."""
    return next(words for kind, words in _REASONS.items() if isinstance(error, kind))


def _judge_url(url: str, policy: Policy) -> SplitResult:
    """Return the URL's parts if its form is permitted; nothing is looked up yet."""
    if policy.urls == "off":
        raise Problem("url-refused", "this service takes no URLs: send the picture itself")
    if len(url) > MAX_URL:
        raise Problem("url-refused", f"a URL may have {MAX_URL:,} characters")
    # urlsplit would drop control characters and blanks, and then we would judge another URL than was sent.
    if not _PRINTABLE.fullmatch(url):
        raise Problem("url-refused", "a URL has only printable ASCII characters: write others as %C3%A9")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Problem("url-refused", "this is no valid URL") from error
    if parts.scheme not in PORTS:
        raise Problem("url-refused", "only http and https URLs are fetched")
    if "@" in parts.netloc:
        raise Problem("url-refused", "a URL with a user name or password is not fetched")
    if not parts.hostname or not _NETLOC.fullmatch(parts.netloc):
        raise Problem("url-refused", "this is no valid URL")
    if policy.hosts and parts.hostname not in policy.hosts:
        raise Problem("url-refused", "the host is not among the permitted ones")
    if policy.urls == "public" and port not in (None, *PORTS.values()):
        raise Problem("url-refused", "only the ports 80 and 443 are fetched from")
    return parts


def _judge_host(parts: SplitResult, policy: Policy, deadline: float) -> list[str]:
    """Return the addresses of the host, every one of which has been judged."""
    try:
        addresses = _within(deadline, functools.partial(policy.resolve, str(parts.hostname), _port(parts)))
    except TimeoutError as error:
        raise Problem("fetch-failed", "the host's name was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        raise Problem("fetch-failed", "there is no host of this name") from error
    if policy.urls == "public" and not all(is_public(address) for address in addresses):
        raise Problem("url-refused", "the host has an address that is not public")
    return addresses


def _within(deadline: float, look_up: Callable[[], list[str]]) -> list[str]:
    """Return what a look-up returns or raises, or raise TimeoutError at the deadline.

    getaddrinfo takes no time-out and cannot be cancelled: the thread that is left behind ends when the
    system's resolver gives up. It is a daemon, so that it does not hold the process.
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put(look_up())
        except Exception as error:
            answers.put(error)
        finally:
            _lookups.release()

    if not _lookups.acquire(timeout=_left(deadline)):
        raise TimeoutError
    threading.Thread(target=run, name="look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=_left(deadline))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet, whatever notation it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if any(ip in network for network in _LOCAL):
        return False
    if isinstance(ip, ipaddress.IPv6Address) and (inner := _inner(ip)) is not None:
        return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
# The middle half of an ISATAP address's interface identifier, RFC 5214.
_ISATAP = (0x5EFE, 0x0200_5EFE)
# What Python 3.11 takes for global, though it is not.
_LOCAL = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # what one's own gateway answers, RFC 6890
            "168.63.129.16/32",  # Azure's own services, from inside its machines only
            "192.88.99.0/24",  # the 6to4 relays of old, RFC 7526
            "64:ff9b:1::/48",  # a network's own NAT64, RFC 8215
            "3fff::/20",  # documentation, RFC 9637
            "5f00::/16",  # segment routing, RFC 9602
            "fec0::/10",  # site-local, RFC 3879
        ),
    )
)


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to, if it is of a kind that does."""
    if any(ip in network for network in (_NAT64, _TRANSLATED, _COMPATIBLE)):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    if int(ip) >> 32 & 0xFFFF_FFFF in _ISATAP and ip.is_global:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])


def _resolve(host: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in answers]


def _get(
    parts: SplitResult, addresses: list[str], deadline: float, max_bytes: int
) -> tuple[str | None, bytes]:
    """Ask once; return the redirect's target and nothing, or None and the body."""
    with closing(_connect(parts, addresses, deadline)) as stream:
        request = http.client.HTTPConnection(str(parts.hostname), _port(parts))
        request.sock = stream
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # The host as it was written: a signed URL is signed for that, and not for an added ":443".
        headers = {"Host": parts.netloc, "User-Agent": "shutterless", "Accept": "image/*"}
        stream.settimeout(_left(deadline))
        request.request("GET", path, headers=headers)
        wire = _Wire(stream, deadline)
        with http.client.HTTPResponse(cast(socket.socket, wire), method="GET") as response:
            response.begin()
            if response.status in (301, 302, 303, 307, 308):
                return _join(parts.geturl(), response.headers.get("Location", "")), b""
            if response.status != 200:
                raise Problem("fetch-failed", f"the host answered {response.status}")
            return None, _read_body(response, wire, max_bytes)


def _read_body(response: http.client.HTTPResponse, wire: "_Wire", max_bytes: int) -> bytes:
    """Read the body through one buffer, as a list of small chunks takes fifteen times its size."""
    piece, body = memoryview(bytearray(PIECE)), bytearray()
    while len(body) <= max_bytes and (size := response.readinto(piece)):
        body += piece[:size]
        wire.permit(size + size // 16)
    if len(body) > max_bytes:
        raise Problem("too-large", f"the picture has more than the {max_bytes:,} bytes that are permitted")
    if response.length:  # the host hung up in the middle, which readinto does not tell
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(body)


def _join(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:  # it cannot be read, which judging it will say
        return location


def _connect(parts: SplitResult, addresses: list[str], deadline: float) -> socket.socket:
    """Connect to the first judged address that answers; TLS checks the certificate for the host's name.

    Each gets an equal share of the time that is left, so that one that is dead does not use up all of it.
    """
    failure = OSError("it has no address")
    for remaining, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return _connect_to(address, parts, time.monotonic() + _left(deadline) / remaining)
        except OSError as error:
            failure = error
    raise failure


def _connect_to(address: str, parts: SplitResult, deadline: float) -> socket.socket:
    stream = socket.create_connection((address, _port(parts)), timeout=_left(deadline))
    if parts.scheme == "http":
        return stream
    try:
        stream.settimeout(_left(deadline))
        return _tls().wrap_socket(stream, server_hostname=str(parts.hostname).removesuffix("."))
    except BaseException:
        stream.close()
        raise


@functools.cache
def _tls() -> ssl.SSLContext:
    """Return the TLS settings; to read the machine's authorities takes longer than many a fetch."""
    return ssl.create_default_context()


def _port(parts: SplitResult) -> int:
    return PORTS[parts.scheme] if parts.port is None else parts.port


class _Wire(io.RawIOBase):
    """What `HTTPResponse` needs of a socket, with one deadline and a limit on bytes for all that it reads.

    A socket's own time-out starts anew with every byte that drips in, and the bytes of a body are not all
    that a host can send: chunk heads, trailers and interim answers cost more time to read than pictures.
    """

    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline
        self._permitted = MAX_OVERHEAD + PIECE

    def permit(self, size: int) -> None:
        """Let the host send so many bytes more."""
        self._permitted += size

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return this as the buffered file that is read from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what has come in, waiting no longer than the deadline."""
        self._stream.settimeout(_left(self._deadline))
        size = self._stream.recv_into(buffer)
        self._permitted -= size
        if self._permitted < 0:
            raise http.client.HTTPException("it sends more around the picture than the picture")
        return size


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left
