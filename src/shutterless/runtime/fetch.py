"""A URL to bytes, from public addresses only: what stands behind the URL is a stranger's choice.

The host is resolved once, every address it has is judged, and the connection goes to a judged address,
so that a second look-up cannot give another one (DNS rebinding). Every redirect is judged anew.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from shutterless.runtime.problem import Problem
from shutterless.runtime.settings import Urls

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
        address = _judge_host(parts, policy)
        try:
            target, body = _get(parts, address, deadline, max_bytes)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Problem("fetch-failed", f"{parts.hostname} did not answer: {error}") from error
        if target is None:
            return body
        url = urljoin(url, target)
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


def _judge_host(parts: SplitResult, policy: Policy) -> str:
    """Return the address to connect to, after every address of the host has been judged."""
    host = str(parts.hostname)
    try:
        addresses = policy.resolve(host, parts.port or PORTS[parts.scheme])
    except (OSError, UnicodeError) as error:
        raise Problem("fetch-failed", f"there is no host {host}") from error
    if policy.urls == "public" and not all(is_public(address) for address in addresses):
        raise Problem("url-refused", f"{host} is not a public address")
    return addresses[0]


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet, whatever notation it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and (inner := _inner(ip)) is not None:
        return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to, if it is of a kind that does."""
    if any(ip in network for network in (_NAT64, _TRANSLATED, _COMPATIBLE)):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])


def _resolve(host: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in answers]


def _get(parts: SplitResult, address: str, deadline: float, max_bytes: int) -> tuple[str | None, bytes]:
    """Ask once; return the redirect's target and nothing, or None and the body."""
    host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with (
        socket.create_connection((address, port), timeout=_left(deadline)) as stream,
        _limit(stream, deadline),
    ):
        connection = http.client.HTTPConnection(host, port)
        connection.sock = _secure(stream, host) if parts.scheme == "https" else stream
        connection.request("GET", path, headers={"User-Agent": "shutterless", "Accept": "image/*"})
        with connection.getresponse() as response:
            if response.status in (301, 302, 303, 307, 308):
                return response.headers.get("Location", ""), b""
            if response.status != 200:
                raise Problem("fetch-failed", f"{host} answered {response.status}")
            body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise Problem("too-large", f"the picture has more than the {max_bytes:,} bytes that are permitted")
    return None, body


def _secure(stream: socket.socket, host: str) -> ssl.SSLSocket:
    """Begin TLS on a connection to a judged address, with the certificate checked for the host's name."""
    return ssl.create_default_context().wrap_socket(stream, server_hostname=host)


@contextmanager
def _limit(stream: socket.socket, deadline: float) -> Iterator[None]:
    """Hang up at the deadline: a time-out of the socket would start anew with every byte that drips in."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(_left(deadline), hang_up)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        if late.is_set():
            raise TimeoutError("it took too long")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left
