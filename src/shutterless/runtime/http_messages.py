"""HTTP requests and responses as the service takes and gives them, and how their bodies are read."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shutterless.runtime.problems import Problem


@dataclass(frozen=True)
class Request:
    """An HTTP request; the names of headers are in lower case, the path is without stage or base path.

    id: by which the answer and the log name it.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    id: str = ""


@dataclass(frozen=True)
class Response:
    """An HTTP response.

    document: what the body says, and cause: the error behind it; both for the log alone.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: Any = field(default=None, compare=False, repr=False)
    cause: BaseException | None = field(default=None, compare=False, repr=False)


def join_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by their names in lower case; the values of a repeated one are joined, RFC 9110 5.3."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def parse_json(body: bytes) -> Any:
    """Return the JSON value of a body; raises `Problem` invalid-request."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem("invalid-request", f"the body is not JSON: {error}") from error


_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: str) -> bytes:
    """Decode base64 in either alphabet, with or without line breaks and padding; raises `ValueError`."""
    data = text.encode("ascii").translate(_URL_SAFE_TO_STANDARD, delete=b" \t\r\n").rstrip(b"=")
    return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
