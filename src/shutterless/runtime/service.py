"""Requests to answers: routes, limits and problems. Pure: it opens no socket but a picture's URL."""

import base64
import binascii
import functools
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from shutterless.runtime.bundle import read_bundle
from shutterless.runtime.classifier import Classifier
from shutterless.runtime.events import Request, Response, parse_json
from shutterless.runtime.pixels import MAX_BYTES, decode
from shutterless.runtime.problem import Problem
from shutterless.runtime.settings import Settings

# A batch must fit Lambda's 6 MB and its patience.
MAX_IMAGES = 16

PAGE = Path(__file__).with_name("page") / "index.html"
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After, X-Request-Id"}
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
ALLOWED_HEADERS = "Content-Type, X-Api-Key, X-Request-Id"


class Service:
    """Answers requests with one model."""

    def __init__(self, classifier: Classifier, settings: Settings) -> None:
        self._classifier = classifier
        self._settings = settings
        # A decoded photo is large, and more of them at once than there are cores gains nothing.
        self._turns = threading.BoundedSemaphore(max(1, cores() // settings.threads))
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
        return {"predictions": [self._predict_or_problem(image) for image in images]}

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
        return Response(200, {"Content-Type": "text/html; charset=utf-8", **CORS}, _page_bytes())

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
        if kind.startswith("image/") or kind == "application/octet-stream":
            return _json(200, self.classify(request.body))
        if kind == "multipart/form-data":
            return _json(200, self.classify(_form_image(request)))
        # curl -d says it is a form where people mean JSON, and the tutorial's readers type just that.
        return _json(200, self.predict(parse_json(request.body)))

    def _predict_or_problem(self, payload: Any) -> dict[str, Any]:
        try:
            if not isinstance(payload, Mapping):
                raise Problem("invalid-request", "each of images must be an object with url or image")
            return self.predict_one(payload)
        except Problem as problem:
            return problem.to_json()

    def predict_one(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `{"url": …}` or `{"image": base64}`; raises `Problem`."""
        given = [member for member in ("url", "image") if isinstance(payload.get(member), str)]
        if len(given) != 1:
            raise Problem("invalid-request", "send either url or image (base64), as text")
        if given == ["image"]:
            return self.classify(_base64(payload["image"]))
        from shutterless.runtime import fetch  # TLS and HTTP cost a cold start that many never need

        policy = fetch.Policy(self._settings.urls, self._settings.url_hosts)
        started = time.perf_counter()
        data = fetch.fetch(payload["url"], policy, max_bytes=MAX_BYTES)
        return self.classify(data, fetch_ms=(time.perf_counter() - started) * 1000)


def _base64(text: str) -> bytes:
    content = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem("invalid-request", "image is not valid base64") from error


def _form_image(request: Request) -> bytes:
    """Return the field `image` of a multipart form, which the standard library reads as it reads mail."""
    from email.parser import BytesParser
    from email.policy import HTTP

    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode(errors="replace")
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "image":
            content = part.get_payload(decode=True)
            return content if isinstance(content, bytes) else b""
    raise Problem("invalid-request", "the form has no field called image")


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


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
