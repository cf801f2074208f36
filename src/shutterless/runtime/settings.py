"""What the environment sets: the one place where it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from shutterless.errors import InputError

Urls = Literal["public", "any", "off"]


@dataclass(frozen=True)
class Settings:
    """How the runtime runs.

    bundle: the folder of the model. urls: which addresses pictures are fetched from: `public` ones,
    `any` (inside addresses too, for development) or none (`off`). url_hosts: if not empty, the only
    hosts. threads: of one inference. port: of the HTTP server. function: the name of the Lambda function
    that this runs in, empty elsewhere.
    """

    bundle: Path
    urls: Urls = "public"
    url_hosts: frozenset[str] = frozenset()
    threads: int = 1
    port: int = 8080
    function: str = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read `SHUTTERLESS_BUNDLE`, `_URLS`, `_URL_HOSTS`, `_THREADS`, and `PORT`; on Lambda its name.

        Raises `ShutterlessError` that names the variable and what it may be.
        """
        bundle = environ.get("SHUTTERLESS_BUNDLE", "")
        if not bundle:
            raise InputError(
                "missing-setting", "SHUTTERLESS_BUNDLE is not set", "Set it to the bundle's folder."
            )
        return cls(
            bundle=Path(bundle),
            urls=check_urls(environ.get("SHUTTERLESS_URLS", "public"), "SHUTTERLESS_URLS"),
            url_hosts=parse_hosts(environ.get("SHUTTERLESS_URL_HOSTS", ""), "SHUTTERLESS_URL_HOSTS"),
            threads=_number("SHUTTERLESS_THREADS", environ.get("SHUTTERLESS_THREADS", "1"), 1, 64),
            port=_number("PORT", environ.get("PORT", "8080"), 0, 65535),
            function=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        )


def check_urls(value: str, name: str) -> Urls:
    """Return `value` if it is one of `Urls`; raises `ShutterlessError` about the setting `name` if not."""
    if value not in get_args(Urls):
        raise InputError(
            "invalid-setting", f"{name} is {value!r}", f"Set it to one of: {', '.join(get_args(Urls))}."
        )
    return cast(Urls, value)


_HOST = r"[a-z0-9._-]+|\[[0-9a-f:.]+\]"  # compiled only where hosts are set


def parse_hosts(text: str, name: str) -> frozenset[str]:
    """Return the hosts of a list with commas; IPv6 addresses lose their brackets, as in a parsed URL.

    Raises `ShutterlessError` about the setting `name` for an entry that no URL's host could ever equal.
    """
    entries = [entry.strip().lower() for entry in text.split(",")] if text else []
    hosts = [entry for entry in entries if entry]
    if wrong := [host for host in hosts if not re.fullmatch(_HOST, host)] or entries[: not hosts]:
        raise InputError(
            "invalid-setting",
            f"{name} has {wrong[0]!r}, which is not a host name",
            "Separate names by commas, without scheme, port or path: photos.example.com,cdn.example.com.",
        )
    return frozenset(host.strip("[]") for host in hosts)


def _number(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise InputError(
            "invalid-setting", f"{name} is {value!r}", f"Set it to a whole number from {least} to {most}."
        )
    return int(value)
