"""Requests to answers: routes, limits and problems. Pure: it opens no socket but a picture's URL."""

import functools
import json
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shutterless.runtime.host_resources import cores, memory
from shutterless.runtime.http_messages import Request, Response, decode_base64, parse_json
from shutterless.runtime.image.decoder import MAX_BYTES, cost, decode
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.problems import Problem
from shutterless.runtime.settings import Settings

# Several pictures must fit Lambda's 6 MB and API Gateway's 29 s, in which they are also decoded.
MAX_IMAGES = 16
FETCHING_SECONDS = 20.0
# URLs fetched at once, by core and in all (each has an open file). Further ones are turned away, so that
# hosts that do not answer keep nobody waiting but those who named them.
FETCHES, MAX_FETCHES = 32, 192
# What the worst picture may take while it is decoded, see docs/security.md.
DECODE_MEMORY = 1 << 30
# Four of the worst pictures that there are, some 6 s of a core; see `pixels.cost` for the unit.
MAX_REQUEST_COST = 200_000_000

PAGE = Path(__file__).with_name("page") / "index.html"
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After, X-Request-Id"}
# What a page cannot say of itself; the rest of its policy stands in it.
UNFRAMED = {"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff"}
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
ALLOWED_HEADERS = "Content-Type, X-Api-Key, X-Request-Id"


@dataclass
class Budget:
    """What the pictures of one request may take together.

    deadline: the time on the monotonic clock until which pictures may be fetched. cost: what decoding may
    still take, as `pixels.cost` counts it.
    """

    deadline: float
    cost: int = MAX_REQUEST_COST

    def spend(self, data: bytes) -> None:
        """Take off what a picture file costs; raises `Problem` if that is more than is left."""
        needed = cost(data)
        if needed > self.cost:
            raise Problem("too-large", "the pictures before it left no work for this one; send fewer at once")
        self.cost -= needed


class Service:
    """Answers requests with one model."""

    def __init__(self, classifier: Classifier, settings: Settings) -> None:
        self._classifier = classifier
        self._settings = settings
        # A decoded photo is large, and more of them at once than there are cores gains nothing.
        turns = max(1, min(cores() // settings.threads, memory() // DECODE_MEMORY))
        self._turns = threading.BoundedSemaphore(turns)
        self._fetches = threading.BoundedSemaphore(min(FETCHES * cores(), MAX_FETCHES))
        self._routes: dict[str, dict[str, Callable[[Request], Response]]] = {
            "/": {"GET": self._page},
            "/health": {"GET": self._health},
            "/model": {"GET": self._model},
            "/openapi.json": {"GET": self._openapi},
            "/predict": {"POST": self._predict},
        }

    @classmethod
    def load(cls, settings: Settings) -> "Service":
        """Load the bundle that the settings name and run it once, so that the first request need not.

        Raises `ShutterlessError` if it does not verify.
        """
        classifier = Classifier(read_bundle(settings.bundle), settings.threads)
        classifier.warm_up()
        return cls(classifier, settings)

    @property
    def settings(self) -> Settings:
        """How it runs."""
        return self._settings

    @property
    def version(self) -> str:
        """The model's version."""
        return self._classifier.bundle.version

    def route(self, request: Request) -> str:
        """Return the name of the route that a request takes, which holds nothing that its sender chose."""
        path = _trimmed(request.path)
        method = request.method if request.method in METHODS else "?"
        return f"{method} {path if path in self._routes else '?'}"

    def respond(self, request: Request) -> Response:
        """Answer any request; whatever goes wrong becomes a problem answer."""
        try:
            return self._answer(request)
        except Exception as error:
            return failure(error, request.id)

    def predict(self, payload: Any) -> dict[str, Any]:
        """Answer `{"url": …}`, `{"image": base64}` or `{"images": [those]}` as contract 3 says.

        Raises `Problem`; in `images` each picture's problem stands in its place.
        """
        if not isinstance(payload, Mapping):
            raise Problem("invalid-request", "send a JSON object with url, image or images")
        if "images" not in payload:
            return self.predict_one(payload)
        if "url" in payload or "image" in payload:
            raise Problem("invalid-request", "send url, image or images, but not several of them")
        images = payload["images"]
        if not isinstance(images, list) or not 1 <= len(images) <= MAX_IMAGES:
            raise Problem("invalid-request", f"images must be a list of 1 to {MAX_IMAGES} objects")
        budget = Budget(time.monotonic() + FETCHING_SECONDS)
        return {"predictions": [self._predict_or_problem(image, budget) for image in images]}

    def classify(self, data: bytes, fetch_ms: float = 0.0) -> dict[str, Any]:
        """Answer for one picture file's bytes; raises `Problem` if it cannot be read."""
        with self._turns:
            started = time.perf_counter()
            pixels = decode(data, self._classifier.input)
            decoded = time.perf_counter()
            prediction = self._classifier.classify(pixels)
            inferred = time.perf_counter()
        bundle = self._classifier.bundle
        return {
            **vars(prediction),
            "model": {"name": bundle.name, "version": bundle.version},
            "timing_ms": {
                "fetch": round(fetch_ms, 2),
                "decode": round((decoded - started) * 1000, 2),
                "infer": round((inferred - decoded) * 1000, 2),
            },
        }

    def _answer(self, request: Request) -> Response:
        path = _trimmed(request.path)
        if path not in self._routes:
            raise Problem("not-found", f"there is nothing at {path}; see / for a page and POST /predict")
        methods = self._routes[path]
        if request.method == "OPTIONS":
            return _preflight(methods)
        if request.method == "HEAD" and "GET" in methods:
            response = methods["GET"](request)
            length = {"Content-Length": str(len(response.body))}
            return Response(response.status, {**response.headers, **length}, b"")
        if request.method not in methods:
            allowed = _allowed(methods)
            raise Problem("method-not-allowed", f"{path} takes {allowed}", headers={"Allow": allowed})
        return methods[request.method](request)

    def _page(self, request: Request) -> Response:
        headers = {"Content-Type": "text/html; charset=utf-8", **CORS, **UNFRAMED}
        return Response(200, headers, _page_bytes())

    def _health(self, request: Request) -> Response:
        return _json(200, {"status": "ok", "version": self._classifier.bundle.version})

    def _model(self, request: Request) -> Response:
        document = self._classifier.bundle.to_json()
        public = (
            "name",
            "version",
            "labels",
            "input",
            "precision",
            "threshold",
            "accuracy",
            "backbone",
            "created",
        )
        return _json(200, {member: document[member] for member in public})

    def _openapi(self, request: Request) -> Response:
        from shutterless.runtime.openapi import describe  # a function answers without it

        return _json(200, describe(self._classifier.bundle, MAX_IMAGES))

    def _predict(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        # curl sends a photo as a form if it is not told otherwise, so the first bytes count for more.
        if kind.startswith("image/") or kind.endswith("/octet-stream") or _is_picture(request.body):
            return _json(200, self.classify(request.body))
        if kind == "multipart/form-data":
            return _json(200, self.classify(_form_image(request)))
        # curl -d says it is a form where people mean JSON, and the tutorial's readers type just that.
        return _json(200, self.predict(parse_json(request.body)))

    def _predict_or_problem(self, payload: Any, budget: Budget) -> dict[str, Any]:
        try:
            if not isinstance(payload, Mapping):
                raise Problem("invalid-request", "each of images must be an object with url or image")
            return self.predict_one(payload, budget)
        except Problem as problem:
            return problem.to_json()

    def predict_one(self, payload: Mapping[str, Any], budget: Budget | None = None) -> dict[str, Any]:
        """Answer `{"url": …}` or `{"image": base64}`; raises `Problem`.

        budget: what it shares with the other pictures of its request, if there are any.
        """
        given = [member for member in ("url", "image") if isinstance(payload.get(member), str)]
        if len(given) != 1:
            raise Problem("invalid-request", "send either url or image (base64), as text")
        started = time.perf_counter()
        if given == ["image"]:
            data, fetch_ms = _base64(payload["image"]), 0.0
        else:
            data = self._fetch(payload["url"], budget.deadline if budget else math.inf)
            fetch_ms = (time.perf_counter() - started) * 1000
        if budget:
            budget.spend(data)
        return self.classify(data, fetch_ms)

    def _fetch(self, url: str, deadline: float) -> bytes:
        from shutterless.runtime.fetch import fetcher  # TLS and HTTP cost a cold start that many never need

        left = deadline - time.monotonic()
        if left <= 0:
            raise Problem("fetch-failed", "the pictures before it left no time for this one")
        policy = fetcher.Policy(
            self._settings.urls, self._settings.url_hosts, seconds=min(fetcher.SECONDS, left)
        )
        if not self._fetches.acquire(blocking=False):
            raise Problem("busy", "too many URLs are being fetched", headers={"Retry-After": "1"})
        try:
            return fetcher.fetch(url, policy, max_bytes=MAX_BYTES)
        finally:
            self._fetches.release()


def _base64(text: str) -> bytes:
    content = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return decode_base64(content)
    except ValueError as error:
        raise Problem("invalid-request", "image is not valid base64") from error


# How pictures begin, also of kinds that are refused by their own name: none of it begins JSON or a form.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"II+\0", b"MM\0*", b"MM\0+", b"RIFF")


def _is_picture(body: bytes) -> bool:
    return body.startswith(_SIGNATURES) or body[4:8] == b"ftyp"  # AVIF and HEIC


# RFC 7578, as much of it as a picture's field needs. Not the standard library's reading of mail: over what
# strangers can write there it takes half a minute, or ends in a RecursionError.
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^";,\s]{1,70}))', re.IGNORECASE)
_DISPOSITION = rb"^content-disposition:[^\r\n]*[;\s]"
_IMAGE = re.compile(_DISPOSITION + rb'name="?image"?\s*(?:;|$)', re.IGNORECASE | re.MULTILINE)
_FILE = re.compile(_DISPOSITION + rb"filename\*?=", re.IGNORECASE | re.MULTILINE)
_PART_HEADERS = 8192


def _form_image(request: Request) -> bytes:
    """Return the field `image` of a multipart form, else its only file, whatever its field is called."""
    files = []
    for headers, content in _form_parts(request):
        if _IMAGE.search(headers):
            return content
        if _FILE.search(headers):
            files.append(content)
    if len(files) == 1:
        return files[0]
    raise Problem("invalid-request", f"the form has {len(files)} files, and no field called image")


def _form_parts(request: Request) -> Iterator[tuple[bytes, bytes]]:
    """Yield the headers and the content of each part of a multipart form."""
    found = _BOUNDARY.search(request.headers["content-type"][:_PART_HEADERS])
    line = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace") if found else None
    for part in (b"\r\n" + request.body).split(line)[1:] if line else ():
        headers, blank, content = part.partition(b"\r\n\r\n")
        if blank and len(headers) <= _PART_HEADERS:
            yield headers.replace(b"\r\n", b"\n"), content


def _json(status: int, document: Any, kind: str = "application/json") -> Response:
    # Half a surrogate pair, as an event's path may hold, has no UTF-8; with a backslash it is right JSON.
    body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace")
    return Response(status, {"Content-Type": kind, **CORS}, body, document)


def problem_response(problem: Problem) -> Response:
    """Return the answer of RFC 9457 for a problem."""
    response = _json(problem.status, problem.to_json(), "application/problem+json")
    return replace(response, headers={**response.headers, **problem.headers})


def failure(error: Exception, number: str) -> Response:
    """Return the answer for an error: the sender learns what a `Problem` says, and nothing of any other."""
    if isinstance(error, Problem):
        return problem_response(error)
    return replace(problem_response(internal(number)), cause=error)


def internal(number: str) -> Problem:
    """Return the problem that tells nothing but where the log has the reason."""
    return Problem("internal", f"the log has the reason under the request id {number}")


def _trimmed(path: str) -> str:
    return path.rstrip("/") or "/"


def _allowed(methods: Mapping[str, Any]) -> str:
    return ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])


def _preflight(methods: Mapping[str, Any]) -> Response:
    allowed = _allowed(methods)
    headers = {
        "Access-Control-Allow-Methods": allowed,
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": "86400",
        "Allow": allowed,
    }
    return Response(204, {**CORS, **headers}, b"")


@functools.cache
def _page_bytes() -> bytes:
    return PAGE.read_bytes()
