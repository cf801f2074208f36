"""The page on which photos are reviewed, as a web application for this machine's own server."""

import hmac
import json
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from importlib import resources

from shutterless.errors import InputError, ShutterlessError
from shutterless.review.items import Item, Kind
from shutterless.review.labels_file import Answer, Choice
from shutterless.review.photos import show_photo
from shutterless.review.session import Review
from shutterless.runtime.http_messages import Request, Response, parse_json
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.problems import Problem

SIDE = 1024  # pixels of the longer side of a photo on the page
ANSWER_BYTES = 10_000
PHOTO = "/photo/"
# Everything comes from this server, and nothing may go anywhere else.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
FILES = {
    "/": ("review.html", "text/html; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
}


class ReviewApp:
    """Answers the requests of the page.

    Photos may be private, and the server may listen on a network. So every request needs the key that is in
    the address of the page, first as `?key=`, then as a cookie that no other site can use.

    Attributes:
        key: The key.

    Args:
        review: The photos and the answers.
        reviewer: Who answers, for labels.csv.
    """

    def __init__(self, review: Review, reviewer: str = "") -> None:
        self._review, self._reviewer = review, reviewer
        self.key = secrets.token_urlsafe(18)
        self._cookie = f"review-{secrets.token_hex(4)}"  # cookies are shared by all ports of a host

    def respond(self, request: Request) -> Response:
        """Answer a request; whatever goes wrong becomes a problem document."""
        try:
            return self._respond(request)
        except ShutterlessError as error:
            problem = error if isinstance(error, Problem) else Problem("invalid-request", error.message)
            return self.reject(problem, request)
        except Exception as error:
            return self.reject(Problem("internal", f"{type(error).__name__}: {error}"), request)

    def reject(self, problem: Problem, request: Request | None) -> Response:
        """Answer a request that has not fully arrived or has no place, or what is no request at all."""
        return _json(problem.to_json(), problem.status)

    def _respond(self, request: Request) -> Response:
        if request.path == "/" and "key" in request.query:
            self._require_key(request.query["key"])
            cookie = f"{self._cookie}={self.key}; Path=/; HttpOnly; SameSite=Strict"
            return Response(303, {**HEADERS, "Location": "/", "Set-Cookie": cookie}, b"")
        self._require_key(_cookie(request.headers, self._cookie))
        method, path = request.method, request.path
        if path == "/answers":
            return self._answer(request)
        if method != "GET":
            raise Problem("method-not-allowed", "use GET", headers={"Allow": "GET"})
        if path == "/photos":
            return _json(self._describe())
        if path.startswith(PHOTO):
            return self._show_photo(path.removeprefix(PHOTO))
        if path not in FILES:
            raise Problem("not-found", "there is no such page")
        name, media_type = FILES[path]
        body = (resources.files("shutterless.review") / "templates" / name).read_bytes()
        return Response(200, {**HEADERS, "Content-Type": media_type}, body)

    def _require_key(self, key: str) -> None:
        if not hmac.compare_digest(key.encode(errors="replace"), self.key.encode()):
            raise Problem("not-found", "open the address that the command has printed")

    def _answer(self, request: Request) -> Response:
        """Take an answer, and return how far the review is."""
        if request.method != "POST":
            raise Problem("method-not-allowed", "use POST", headers={"Allow": "POST"})
        if len(request.body) > ANSWER_BYTES:
            raise Problem("invalid-request", "the answer is too long")
        document = parse_json(request.body)
        if not isinstance(document, dict):
            raise Problem("invalid-request", "the answer is not a JSON object")
        choice, label = _parse_answer(document)
        earlier = document.get("earlier")
        try:
            self._review.answer(
                str(document.get("id")),
                choice,
                label,
                self._reviewer,
                earlier=_parse_answer(earlier) if isinstance(earlier, dict) else None,
            )
        except InputError as error:
            status = 409 if error.code == "answer-exists" else 0
            raise Problem("invalid-request", error.message, status=status) from error
        return _json(self._progress())

    def _describe(self) -> JsonObject:
        queue = self._review.queue
        return {
            "kind": queue.kind.value,
            "source": queue.source.resolve().name,
            "total": queue.total,
            "items": [_describe_item(item, queue.kind) for item in queue.items],
            **self._progress(),
        }

    def _progress(self) -> JsonObject:
        """Return what answers change. With all of them, browsers that are open at the same time agree."""
        answers = self._review.answers
        accuracy = self._review.accuracy
        return {
            "labels": list(self._review.labels),
            "answers": {
                name: _describe_answer(answers[name]) for name in self._review.items if name in answers
            },
            "accuracy": accuracy.to_json() if accuracy else None,
        }

    def _show_photo(self, name: str) -> Response:
        item = self._review.items.get(name)
        if item is None:
            raise Problem("not-found", "there is no such photo")
        headers = {**HEADERS, "Content-Type": "image/jpeg", "Cache-Control": "private, max-age=3600"}
        return Response(200, headers, show_photo(item, SIDE))


def _parse_answer(document: Mapping[str, object]) -> tuple[Choice | None, str]:
    """Return what was chosen, None for no answer, and the label."""
    choice = document.get("choice")
    try:
        return None if choice is None else Choice(str(choice)), str(document.get("label", ""))
    except ValueError as error:
        raise Problem("invalid-request", "choice is label, none, skip or null") from error


def _describe_item(item: Item, kind: Kind) -> JsonObject:
    return {
        "id": item.id,
        "name": item.name,
        "label": item.label,
        "likely": list(item.likely),
        "confidence": item.confidence,
        "accepted": item.is_accepted,
        "filed": kind is Kind.DATASET,
    }


def _describe_answer(answer: Answer) -> JsonObject:
    return {"choice": answer.choice.value, "label": answer.label}


def _cookie(headers: Mapping[str, str], name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _json(document: object, status: int = 200) -> Response:
    body = json.dumps(document, ensure_ascii=True).encode()
    return Response(status, {**HEADERS, "Content-Type": "application/json"}, body)
