"""Address policy: which URLs and IP addresses photos may be fetched from (SSRF protection)."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, urlsplit

from shutterless.runtime.problems import Problem
from shutterless.runtime.record import Record
from shutterless.runtime.settings import Urls

Resolver = Callable[[str, int], list[str]]

DEFAULT_PORTS = {"http": 80, "https": 443}
# API Gateway gives up after 29 s: the fetch must leave time for an answer.
TIMEOUT = 10.0
# Far beyond any signed URL. urlsplit also caches the last URLs that it has parsed, whatever their size.
MAX_URL_LENGTH = 8192

# Why a URL is refused.
URLS_OFF = "this service does not accept URLs; send the picture itself"
TOO_LONG = f"the URL is longer than {MAX_URL_LENGTH:,} characters"
NOT_PRINTABLE = "a URL may only contain printable ASCII characters; write others as %C3%A9"
NOT_VALID = "the URL is not valid"
OTHER_SCHEME = "only http and https URLs are supported"
CREDENTIALS = "URLs with a user name or password are not supported"
OTHER_HOST = "the host is not on this service's list of allowed hosts"
OTHER_PORT = "only ports 80 and 443 are allowed"
NOT_PUBLIC = "the host has an address that is not public"

# A host and a port in the one notation that every parser reads alike: a name or number, or an IPv6
# address in brackets; no user, no percent-encoding, no zone, no backslash.
_NETLOC = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-~]*")


def resolve_host(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host, as the system's resolver gives them."""
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Policy(Record):
    """Which addresses may be fetched, and how long a fetch may take.

    Attributes:
        urls: `public` for public addresses only, `any` for private ones too, `off` for none at all.
        hosts: If not empty, the only hosts allowed, in lower case.
        timeout: Seconds for a whole fetch, including DNS and redirects.
        resolve: Returns the IP addresses of a host and port.
    """

    urls: Urls = "public"
    hosts: frozenset[str] = frozenset()
    timeout: float = TIMEOUT
    resolve: Resolver = resolve_host

    def validate_url(self, url: str) -> SplitResult:
        """Check the form of a URL and its host's name. Nothing is looked up yet.

        Returns:
            The parts of the URL.

        Raises:
            Problem: `url-refused` if the URL is not allowed.
        """
        if self.urls == "off":
            raise Problem("url-refused", URLS_OFF)
        if len(url) > MAX_URL_LENGTH:
            raise Problem("url-refused", TOO_LONG)
        # urlsplit drops control characters and blanks: it would check another URL than the one that was sent.
        if not _PRINTABLE.fullmatch(url):
            raise Problem("url-refused", NOT_PRINTABLE)
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise Problem("url-refused", NOT_VALID) from error
        if parts.scheme not in DEFAULT_PORTS:
            raise Problem("url-refused", OTHER_SCHEME)
        if "@" in parts.netloc:
            raise Problem("url-refused", CREDENTIALS)
        if not parts.hostname or not _NETLOC.fullmatch(parts.netloc):
            raise Problem("url-refused", NOT_VALID)
        if self.hosts and parts.hostname not in self.hosts:
            raise Problem("url-refused", OTHER_HOST)
        if self.urls == "public" and port not in (None, *DEFAULT_PORTS.values()):
            raise Problem("url-refused", OTHER_PORT)
        return parts

    def validate_addresses(self, addresses: Iterable[str]) -> None:
        """Check the IP addresses that a host's name resolved to.

        Raises:
            Problem: `url-refused` if any of them is not public and only public ones are allowed.
        """
        if self.urls == "public" and not all(is_public(address) for address in addresses):
            raise Problem("url-refused", NOT_PUBLIC)


def effective_port(parts: SplitResult) -> int:
    """Return the port of an http or https URL, the default one if it names none."""
    return DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
# The middle half of an ISATAP address's interface identifier, RFC 5214.
_ISATAP = (0x5EFE, 0x0200_5EFE)
# What Python 3.11 takes for global, though it is not.
_NOT_GLOBAL = tuple(
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


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public internet.

    IPv4 addresses inside IPv6 ones (mapped, translated, NAT64, 6to4, Teredo, ISATAP) are checked by where
    they lead.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if any(ip in network for network in _NOT_GLOBAL):
        return False
    if isinstance(ip, ipaddress.IPv6Address) and (ipv4 := _embedded_ipv4(ip)) is not None:
        return is_public(str(ipv4))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def _embedded_ipv4(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to, if it is of a kind that does."""
    if any(ip in network for network in (_NAT64, _TRANSLATED, _COMPATIBLE)):
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    if int(ip) >> 32 & 0xFFFF_FFFF in _ISATAP and ip.is_global:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
