"""What can be wrong with a request, in the words of RFC 9457."""

from collections.abc import Mapping
from typing import Any

from shutterless.errors import ShutterlessError

# code: (HTTP status, title). The codes are stable; clients may rely on them.
KINDS = {
    "invalid-request": (400, "The request is not valid"),
    "not-found": (404, "There is nothing at this path"),
    "method-not-allowed": (405, "This path does not take this method"),
    "too-large": (413, "The picture is too large"),
    "unsupported-format": (415, "The picture's format is not supported"),
    "unreadable-image": (422, "The picture cannot be read"),
    "url-refused": (422, "This address is not fetched"),
    "fetch-failed": (424, "The picture could not be fetched"),
    "internal": (500, "Something went wrong inside"),
    "busy": (503, "Too many requests at once"),
}


class Problem(ShutterlessError):
    """A request that cannot be answered, for a reason its sender can understand.

    code: a key of `KINDS`. detail: what is wrong with this very request; shown to the sender. headers:
    that the answer carries, such as `Retry-After`.
    """

    def __init__(
        self, code: str, detail: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, detail, hint)
        self.detail = detail
        self.status, self.title = KINDS[code]
        self.headers = headers or {}

    def to_json(self) -> dict[str, Any]:
        """Return the members of an `application/problem+json` document."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }


class ImageError(Problem):
    """A picture that cannot be decoded: too large, of another format, or damaged."""
