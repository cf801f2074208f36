"""HTTP requests and responses as the service sees them, and how their bodies are read."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from shutterless.runtime.problems import Problem
from shutterless.runtime.record import Record

if TYPE_CHECKING:
    from shutterless.runtime.json_types import Json

EMPTY: Mapping[str, str] = MappingProxyType({})


class Request(Record):
    """An HTTP request, from a socket or from a Lambda event.

    Attributes:
        method: In upper case.
        path: Percent-decoded, without an API's stage or base path.
        headers: By name in lower case.
        query: Query parameters by name.
        body: The whole body, decoded.
        id: Request id, which the response and the log repeat.
    """

    method: str
    path: str
    headers: Mapping[str, str] = EMPTY
    query: Mapping[str, str] = EMPTY
    body: bytes = b""
    id: str = ""


class Response(Record):
    """An HTTP response.

    Attributes:
        status: HTTP status.
        headers: By name.
        body: The whole body.
        document: The JSON document in the body, for the log.
        cause: The exception behind status 500, for the log.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: object = None
    cause: BaseException | None = None


def join_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name; repeated ones are joined by commas (RFC 9110, 5.3)."""
    values: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        values[key] = f"{values[key]}, {value}" if key in values else value
    return values


# A URL of 8,192 characters may have some; but 6 MB of empty lists would take 200 MB of memory.
MAX_JSON_COMMAS = 200_000


def parse_json(body: bytes) -> Json:
    """Parse the JSON in a request's body.

    Raises:
        Problem: `invalid-request` if it is not JSON, or has too many values.
    """
    if body.count(b",") > MAX_JSON_COMMAS:
        raise Problem("invalid-request", "the body has too many values")
    try:
        document: Json = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem("invalid-request", f"the body is not valid JSON: {error}") from error
    return document


_URL_SAFE_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: str) -> bytes:
    """Decode base64 in the standard or the URL-safe alphabet, with or without line breaks and padding.

    Raises:
        ValueError: If it is neither.
    """
    data = text.encode("ascii").translate(_URL_SAFE_TO_STANDARD, delete=b" \t\r\n").rstrip(b"=")
    return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)


# How pictures begin, unsupported formats included: neither JSON nor a form begins like that.
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"II+\0", b"MM\0*", b"MM\0+", b"RIFF")
BOX_SIGNATURE = b"ftyp"  # AVIF and HEIC, after four bytes


def is_picture(media_type: str, body: bytes) -> bool:
    """Tell whether a request's body is a picture itself.

    curl sends a photo as a form unless it is told otherwise, so the first bytes count for more than the type.
    """
    return (
        media_type.startswith("image/")
        or media_type.endswith("/octet-stream")
        or body.startswith(SIGNATURES)
        or body[4:8] == BOX_SIGNATURE
    )


def decode_image_member(text: str) -> bytes:
    """Decode the member `image` of a JSON request: base64, or a data: URI with it.

    Raises:
        Problem: `invalid-request` if it is neither.
    """
    try:
        return decode_base64(text.partition(",")[2] if text.startswith("data:") else text)
    except ValueError as error:
        raise Problem("invalid-request", "image is not valid base64") from error


def parse_finite_json(data: bytes, max_depth: int) -> Json:
    """Parse JSON that `json.dumps` can write again.

    Args:
        data: The document.
        max_depth: How many levels of lists and objects it may have.

    Raises:
        ValueError: It is not valid, nested deeper, has a number that is not finite, or a member twice.
    """

    def reject(constant: str) -> None:
        raise ValueError(f"{constant} is not a JSON value")

    def parse_finite(text: str) -> float:
        if not math.isfinite(number := float(text)):
            raise ValueError(f"{text[:20]} is too large")
        return number

    def unique(members: list[tuple[str, Json]]) -> dict[str, Json]:
        if len(mapping := dict(members)) < len(members):
            raise ValueError("it has a member twice")
        return mapping

    document: Json = json.loads(
        data, parse_constant=reject, parse_float=parse_finite, object_pairs_hook=unique
    )
    if _is_deeper(document, max_depth):
        raise ValueError(f"it is nested deeper than {max_depth} levels")
    return document


def _is_deeper(value: Json, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    children = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deeper(child, levels - 1) for child in children)
