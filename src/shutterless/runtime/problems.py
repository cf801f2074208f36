"""Errors that an API's caller sees, as problem documents of RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shutterless.errors import ShutterlessError

if TYPE_CHECKING:
    from shutterless.runtime.json_types import ProblemDocument

# code: (HTTP status, title). The codes are stable; clients may rely on them.
KINDS = {
    "invalid-request": (400, "The request is not valid"),
    "not-found": (404, "This path does not exist"),
    "method-not-allowed": (405, "This path does not support this method"),
    "too-large": (413, "The picture is too large"),
    "unsupported-format": (415, "The picture's format is not supported"),
    "unreadable-image": (422, "The picture cannot be read"),
    "unusual-image": (422, "The picture cannot be decoded safely here"),
    "url-refused": (422, "This URL is not allowed"),
    "fetch-failed": (424, "The picture could not be fetched"),
    "internal": (500, "Something went wrong on the server"),
    "busy": (503, "The service is busy"),
}


class Problem(ShutterlessError):
    """A request that cannot be answered, for a reason that its sender can understand.

    Attributes:
        code: A key of `KINDS`.
        detail: What is wrong with this request; the sender sees it.
        status: HTTP status, that of the code unless HTTP has a more precise one for what is not HTTP.
        title: What is wrong in general, the same for every problem with this code.
        headers: Headers of the response, such as `Retry-After`.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        status: int = 0,
    ) -> None:
        super().__init__(code, detail, hint)
        self.detail = detail
        self.status, self.title = KINDS[code]
        self.status = status or self.status
        self.headers = headers or {}

    def to_json(self) -> ProblemDocument:
        """Return the members of an `application/problem+json` document."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }


class ImageError(Problem):
    """A picture that cannot be decoded: it is too large, damaged, or of an unsupported format."""
