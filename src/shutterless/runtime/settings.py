"""The runtime's settings, read from environment variables in this one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, cast, get_args

from shutterless.errors import InputError
from shutterless.runtime.record import Record

if TYPE_CHECKING:
    from pathlib import Path

Urls = Literal["public", "any", "off"]
Records = Literal["on", "off"]


class KeptPhotos(Record):
    """Which photos the log keeps, where it has records.

    Attributes:
        refused: Whether it keeps those whose answer is not accepted.
        share: The share of all others, drawn at random, 0 to 1.
    """

    refused: bool = False
    share: float = 0.0


class Settings(Record):
    """How the runtime runs.

    Attributes:
        bundle: The model's folder.
        urls: Which addresses photos are fetched from: `public` ones, `any` (private ones too, for
            development), or none (`off`).
        url_hosts: If not empty, the only hosts that photos are fetched from.
        records: Whether the log has a record of each picture, with its scores and its embedding.
        kept_photos: Which photos are part of their records.
        threads: Threads of one inference.
        port: Port of the HTTP server; 0 takes a free one.
        function: Name of the Lambda function that this runs in, empty elsewhere.
        version: Number of the function's version, empty outside of Lambda.
        initialization: Why Lambda starts the function, `on-demand` if a request waits; empty elsewhere.
    """

    bundle: str | Path
    urls: Urls = "public"
    url_hosts: frozenset[str] = frozenset()
    records: bool = False
    kept_photos: KeptPhotos = KeptPhotos()
    threads: int = 1
    port: int = 8080
    function: str = ""
    version: str = ""
    initialization: str = ""

    def __post_init__(self) -> None:
        if self.kept_photos != KeptPhotos() and not self.records:
            raise InputError(
                "conflicting-options", "Photos are kept in records only", "Set records to on, too."
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read `SHUTTERLESS_BUNDLE` and the like, `PORT`, and Lambda's own variables.

        Raises:
            InputError: Names the variable and the values that it may have.
        """
        bundle = environ.get("SHUTTERLESS_BUNDLE", "")
        if not bundle:
            raise InputError(
                "missing-setting", "SHUTTERLESS_BUNDLE is not set", "Set it to the bundle's folder."
            )
        records = check_records(environ.get("SHUTTERLESS_RECORDS", "off"), "SHUTTERLESS_RECORDS")
        photos = environ.get("SHUTTERLESS_KEEP_PHOTOS", "off")
        return cls(
            bundle=bundle,
            urls=check_urls(environ.get("SHUTTERLESS_URLS", "public"), "SHUTTERLESS_URLS"),
            records=records == "on",
            kept_photos=parse_kept_photos(photos, "SHUTTERLESS_KEEP_PHOTOS"),
            url_hosts=parse_hosts(environ.get("SHUTTERLESS_URL_HOSTS", ""), "SHUTTERLESS_URL_HOSTS"),
            threads=_parse_int("SHUTTERLESS_THREADS", environ.get("SHUTTERLESS_THREADS", "1"), 1, 64),
            port=_parse_int("PORT", environ.get("PORT", "8080"), 0, 65535),
            function=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            version=environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
            initialization=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", ""),
        )


def check_urls(value: str, name: str) -> Urls:
    """Return `value` if it is `public`, `any` or `off`.

    Args:
        value: What was set.
        name: The setting, for the error.

    Raises:
        InputError: `invalid-setting` if it is anything else.
    """
    return cast(Urls, _check_choice(value, name, get_args(Urls)))


def check_records(value: str, name: str) -> Records:
    """Return `value` if it is `on` or `off`; see `check_urls`."""
    return cast(Records, _check_choice(value, name, get_args(Records)))


def parse_kept_photos(text: str, name: str) -> KeptPhotos:
    """Parse which photos the log keeps.

    Args:
        text: `off`, `refused`, `sample:SHARE`, or the last two separated by a comma.
        name: The setting, for the error.

    Raises:
        InputError: `invalid-setting` if it is anything else.

    Example:
        >>> parse_kept_photos("refused,sample:0.01", "--keep-photos")
        KeptPhotos(refused=True, share=0.01)
    """
    if text in ("", "off"):
        return KeptPhotos()
    refused, share = False, 0.0
    for entry in text.split(","):
        if entry.strip() == "refused" and not refused:
            refused = True
        elif (number := re.fullmatch(_SAMPLE, entry.strip())) and not share and 0 < float(number[1]) <= 1:
            share = float(number[1])
        else:
            raise InputError(
                "invalid-setting",
                f"{name} is {text!r}",
                "Set it to off, refused, sample:SHARE with a share such as 0.01, or refused,sample:0.01.",
            )
    return KeptPhotos(refused, share)


def _check_choice(value: str, name: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        hint = f"Set it to one of: {', '.join(choices)}."
        raise InputError("invalid-setting", f"{name} is {value!r}", hint)
    return value


_SAMPLE = r"sample:(\d(?:\.\d{1,6})?|\.\d{1,6})"  # compiled only where it is set
_HOST = r"[a-z0-9._-]+|\[[0-9a-f:.]+\]"  # like the one above, compiled only where it is set


def parse_hosts(text: str, name: str) -> frozenset[str]:
    """Parse a comma-separated list of host names.

    Args:
        text: The list; IPv6 addresses may have brackets, as in a URL.
        name: The setting, for the error.

    Returns:
        The hosts in lower case, IPv6 addresses without brackets.

    Raises:
        InputError: `invalid-setting` for an entry that no URL's host could ever equal.
    """
    entries = [entry.strip().lower() for entry in text.split(",")] if text else []
    hosts = [entry for entry in entries if entry]
    if invalid := [host for host in hosts if not re.fullmatch(_HOST, host)] or entries[: not hosts]:
        raise InputError(
            "invalid-setting",
            f"{name} contains {invalid[0]!r}, which is not a host name",
            "Separate names by commas, without scheme, port or path: photos.example.com,cdn.example.com.",
        )
    return frozenset(host.strip("[]") for host in hosts)


def _parse_int(name: str, value: str, minimum: int, maximum: int) -> int:
    if not (value.isascii() and value.isdigit() and minimum <= int(value) <= maximum):
        raise InputError(
            "invalid-setting",
            f"{name} is {value!r}",
            f"Set it to a whole number from {minimum} to {maximum}.",
        )
    return int(value)
