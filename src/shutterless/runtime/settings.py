"""What the environment sets: the one place where it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from shutterless.errors import ShutterlessError

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
            raise ShutterlessError("SHUTTERLESS_BUNDLE is not set", "Set it to the bundle's folder.")
        hosts = environ.get("SHUTTERLESS_URL_HOSTS", "").lower().split(",")
        return cls(
            bundle=Path(bundle),
            urls=check_urls(environ.get("SHUTTERLESS_URLS", "public"), "SHUTTERLESS_URLS"),
            url_hosts=frozenset(host.strip() for host in hosts if host.strip()),
            threads=_number("SHUTTERLESS_THREADS", environ.get("SHUTTERLESS_THREADS", "1"), 1, 64),
            port=_number("PORT", environ.get("PORT", "8080"), 0, 65535),
            function=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        )


def check_urls(value: str, name: str) -> Urls:
    """Return `value` if it is one of `Urls`; raises `ShutterlessError` about the setting `name` if not."""
    if value not in get_args(Urls):
        raise ShutterlessError(f"{name} is {value!r}", f"Set it to one of: {', '.join(get_args(Urls))}.")
    return cast(Urls, value)


def _number(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise ShutterlessError(f"{name} is {value!r}", f"Set it to a whole number from {least} to {most}.")
    return int(value)
