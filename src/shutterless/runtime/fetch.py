"""A URL to bytes, from public addresses only: what stands behind the URL is a stranger's choice.

The host is resolved once, every address it has is judged, and the connection goes to a judged address,
so that a second look-up cannot give another one (DNS rebinding). Every redirect is judged anew.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from shutterless.runtime.problem import Problem
from shutterless.runtime.settings import Urls

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Resolver = Callable[[str, int], list[str]]

PORTS = {"http": 80, "https": 443}
REDIRECTS = 5
# API Gateway gives up after 29 s: the fetch must leave time for an answer.
SECONDS = 10.0


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
    fetch-failed if the host does not answer with 200 in time, too-large.
    """
    deadline = time.monotonic() + policy.seconds
    for _ in range(REDIRECTS + 1):
        parts = _judge_url(url, policy)
        addresses = _judge_host(parts, policy)
        try:
            target, body = _get(parts, addresses, deadline, max_bytes)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Problem("fetch-failed", f"{parts.hostname} did not answer: {error}") from error
        if target is None:
            return body
        url = target
    raise Problem("fetch-failed", f"more than {REDIRECTS} redirects")


def _judge_url(url: str, policy: Policy) -> SplitResult:
    """Return the URL's parts if its form is permitted; nothing is looked up yet."""
    if policy.urls == "off":
        raise Problem("url-refused", "this service takes no URLs: send the picture itself")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Problem("url-refused", f"this is no valid URL: {error}") from error
    if parts.scheme not in PORTS:
        raise Problem("url-refused", "only http and https URLs are fetched")
    if not parts.hostname or not url.isascii() or any(character <= " " for character in url):
        raise Problem("url-refused", "this is no valid URL")
    if "@" in parts.netloc:
        raise Problem("url-refused", "a URL with a user name or password is not fetched")
    if policy.hosts and parts.hostname not in policy.hosts:
        raise Problem("url-refused", f"{parts.hostname} is not among the permitted hosts")
    if policy.urls == "public" and port not in (None, *PORTS.values()):
        raise Problem("url-refused", "only the ports 80 and 443 are fetched from")
    return parts


def _judge_host(parts: SplitResult, policy: Policy) -> list[str]:
    """Return the addresses of the host, every one of which has been judged."""
    host = str(parts.hostname)
    try:
        addresses = policy.resolve(host, _port(parts))
    except (OSError, UnicodeError) as error:
        raise Problem("fetch-failed", f"there is no host {host}") from error
    if policy.urls == "public" and not all(is_public(address) for address in addresses):
        raise Problem("url-refused", f"{host} is not a public address")
    return addresses


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet, whatever notation it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and (inner := _inner(ip)) is not None:
        return is_public(str(inner))
    if any(ip in network for network in _LOCAL):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
# A network's own NAT64 (RFC 8215) and site-local addresses (RFC 3879), which Python 3.11 takes for global.
_LOCAL = (ipaddress.ip_network("64:ff9b:1::/48"), ipaddress.ip_network("fec0::/10"))


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to, if it is of a kind that does."""
    if any(ip in network for network in (_NAT64, _TRANSLATED, _COMPATIBLE)):
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
        request.request("GET", path, headers=headers)
        timed = cast(socket.socket, _Timed(stream, deadline))
        with http.client.HTTPResponse(timed, method="GET") as response:
            response.begin()
            if response.status in (301, 302, 303, 307, 308):
                return urljoin(parts.geturl(), response.headers.get("Location", "")), b""
            if response.status != 200:
                raise Problem("fetch-failed", f"{parts.hostname} answered {response.status}")
            body = response.read(max_bytes + 1)
            missing = response.length or 0
    if len(body) > max_bytes:
        raise Problem("too-large", f"the picture has more than the {max_bytes:,} bytes that are permitted")
    if missing:  # the host hung up in the middle, which read(n) does not tell
        raise http.client.IncompleteRead(body, missing)
    return None, body


def _connect(parts: SplitResult, addresses: list[str], deadline: float) -> socket.socket:
    """Connect to the first judged address that answers; TLS checks the certificate for the host's name."""
    failure = OSError("it has no address")
    for address in addresses:
        try:
            stream = socket.create_connection((address, _port(parts)), timeout=_left(deadline))
            break
        except OSError as error:
            failure = error
    else:
        raise failure
    stream.settimeout(_left(deadline))
    if parts.scheme == "http":
        return stream
    return ssl.create_default_context().wrap_socket(stream, server_hostname=parts.hostname)


def _port(parts: SplitResult) -> int:
    return parts.port or PORTS[parts.scheme]


class _Timed(io.RawIOBase):
    """What `HTTPResponse` needs of a socket, with one deadline for all that it reads.

    A socket's own time-out starts anew with every byte that drips in.
    """

    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return this as the buffered file that is read from."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read what has come in, waiting no longer than the deadline."""
        self._stream.settimeout(_left(self._deadline))
        return self._stream.recv_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left
