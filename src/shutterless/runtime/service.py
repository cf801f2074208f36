"""The service: HTTP requests to responses, by routes and limits. It opens no socket but for a photo's URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shutterless.runtime.fetch_limits import FetchLimits
from shutterless.runtime.host_resources import cores, memory
from shutterless.runtime.http_messages import Request, Response, decode_base64, parse_json
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.ordinary import decode_ordinary
from shutterless.runtime.model.bundle import Bundle, read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.problems import Problem
from shutterless.runtime.responses import (
    allowed_methods,
    error_response,
    json_response,
    page_response,
    preflight_response,
)
from shutterless.runtime.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from shutterless.runtime.json_types import Json, PredictionDocument, PredictionsDocument, ProblemDocument

    ReadBundle = Callable[[str | Path], Bundle]

# Several pictures must fit Lambda's 6 MB and API Gateway's 29 s.
MAX_IMAGES = 16
# What each decoding may take, with its share of the service's own memory, see docs/security.md.
DECODE_MEMORY = 512 << 20

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
PUBLIC_MEMBERS = (
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
PUBLIC_FAMILIAR = ("photos", "false_alarm_rate", "measured")
# How pictures begin, unsupported formats included: neither JSON nor a form begins like that.
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"II+\0", b"MM\0*", b"MM\0+", b"RIFF")
BOX_SIGNATURE = b"ftyp"  # AVIF and HEIC, after four bytes


class Service:
    """Answers requests with one model, from any thread."""

    def __init__(self, classifier: Classifier, settings: Settings) -> None:
        self._classifier = classifier
        self._settings = settings
        # A decoded photo is large, and decoding more of them at once than there are cores gains nothing.
        decodes = max(1, min(cores() // settings.threads, memory() // DECODE_MEMORY))
        self._decode_slots = threading.BoundedSemaphore(decodes)
        # Unusual pictures may take long: they wait for each other, and photos for few of them.
        self._child_slots = threading.BoundedSemaphore(max(1, decodes // 2))
        self._has_room = memory() >= 2 * DECODE_MEMORY
        self._fetch_limits = FetchLimits(settings)

    @classmethod
    def load(cls, settings: Settings, read: ReadBundle = read_bundle) -> Service:
        """Load the bundle that the settings name, see `load_classifier`.

        Args:
            settings: How the service runs.
            read: Reads and verifies the bundle.

        Raises:
            BundleError: If the bundle cannot be read or its model does not do what it says.
        """
        return cls(load_classifier(read(settings.bundle), settings), settings)

    def with_bundle(self, bundle: Bundle) -> Service:
        """Return a service that answers with another bundle, within the same limits as this one.

        This one does not change, so each request is answered by one model, whatever is loaded meanwhile.

        Raises:
            BundleError: If the model does not do what its bundle says.
        """
        import copy  # only a server that reloads needs it

        service = copy.copy(self)
        service._classifier = load_classifier(bundle, self._settings)
        return service

    @property
    def settings(self) -> Settings:
        """How the service runs."""
        return self._settings

    @property
    def bundle(self) -> Bundle:
        """The bundle that answers."""
        return self._classifier.bundle

    @property
    def model_version(self) -> str:
        """Version of the model."""
        return self._classifier.bundle.version

    def find_route(self, request: Request) -> str:
        """Return the name of a request's route for the log; it contains nothing that the sender chose."""
        path = _without_slash(request.path)
        method = request.method if request.method in METHODS else "?"
        return f"{method} {path if path in ROUTES else '?'}"

    def respond(self, request: Request) -> Response:
        """Answer any request; whatever goes wrong becomes a problem document."""
        try:
            return self._answer(request)
        except Exception as error:
            return error_response(error, request.id)

    def predict(self, payload: Json) -> PredictionDocument | PredictionsDocument:
        """Classify what a JSON request names: one picture, or a list of them.

        Args:
            payload: `{"url": …}`, `{"image": base64}`, or `{"images": [those]}`.

        Returns:
            The prediction, or for a list `predictions` in the same order, where a picture that cannot be
            classified has its problem.

        Raises:
            Problem: If the request is not valid, or its only picture cannot be classified.
        """
        if not isinstance(payload, Mapping):
            raise Problem("invalid-request", "send a JSON object with url, image or images")
        budget = Budget()
        if "images" not in payload:
            return self.predict_one(payload, budget)
        if "url" in payload or "image" in payload:
            raise Problem("invalid-request", "send only one of url, image and images")
        images = payload["images"]
        if not isinstance(images, list) or not 1 <= len(images) <= MAX_IMAGES:
            raise Problem("invalid-request", f"images must be a list of 1 to {MAX_IMAGES} objects")
        return {"predictions": [self._predict_or_problem(image, budget) for image in images]}

    def predict_one(self, payload: Mapping[str, Json], budget: Budget | None = None) -> PredictionDocument:
        """Classify one picture.

        Args:
            payload: `{"url": …}` or `{"image": base64}`.
            budget: What the request may still take; by default what one of a single picture may.

        Raises:
            Problem: If the request is not valid or the picture cannot be fetched or decoded.
        """
        url, image, budget = payload.get("url"), payload.get("image"), budget or Budget()
        start_time = time.perf_counter()
        if isinstance(url, str) and not isinstance(image, str):
            with self._fetch_limits.fetch(url, budget) as data:
                return self.classify(data, (time.perf_counter() - start_time) * 1000, budget)
        if isinstance(image, str) and not isinstance(url, str):
            return self.classify(_decode_image_member(image), 0.0, budget)
        raise Problem("invalid-request", "send either url or image (base64), as a string")

    def classify(
        self, data: bytes, fetch_ms: float = 0.0, budget: Budget | None = None
    ) -> PredictionDocument:
        """Classify one picture file.

        Args:
            data: The whole file.
            fetch_ms: Milliseconds that it took to fetch, for the answer.
            budget: What the request may still take; by default what one of a single picture may.

        Raises:
            Problem: If the picture cannot be decoded, or the budget does not suffice.
        """
        budget, spec = budget or Budget(), self._classifier.input
        with _slot(self._decode_slots, budget):
            start_time = time.perf_counter()
            pixels = decode_ordinary(data, spec, budget)
            if pixels is not None:
                return self._classify_pixels(pixels, fetch_ms, start_time)
        from shutterless.runtime.image.isolation import decode_isolated  # which ordinary photos don't need

        with self._child_slot(budget):
            start_time = time.perf_counter()
            pixels = decode_isolated(data, spec, budget)
        with _slot(self._decode_slots, budget):
            return self._classify_pixels(pixels, fetch_ms, start_time)

    @contextmanager
    def _child_slot(self, budget: Budget) -> Iterator[None]:
        """Hold a slot for an unusual picture, and where there is memory for one picture only, that one's."""
        with _slot(self._child_slots, budget):
            if self._has_room:
                yield
            else:
                with _slot(self._decode_slots, budget):
                    yield

    def _classify_pixels(self, pixels: Image.Image, fetch_ms: float, start_time: float) -> PredictionDocument:
        decode_end = time.perf_counter()
        prediction = self._classifier.classify(pixels)
        infer_end = time.perf_counter()
        bundle = self._classifier.bundle
        return {
            **prediction.to_json(),
            "model": {"name": bundle.name, "version": bundle.version},
            "timing_ms": {
                "fetch": round(fetch_ms, 2),
                "decode": round((decode_end - start_time) * 1000, 2),
                "infer": round((infer_end - decode_end) * 1000, 2),
            },
        }

    def _answer(self, request: Request) -> Response:
        path = _without_slash(request.path)
        if path not in ROUTES:
            raise Problem(
                "not-found", f"{path} does not exist; the API's page is at /, send photos to /predict"
            )
        handlers = ROUTES[path]
        if request.method == "OPTIONS":
            return preflight_response(handlers)
        if request.method == "HEAD" and "GET" in handlers:
            response = handlers["GET"](self, request)
            length = {"Content-Length": str(len(response.body))}
            return Response(response.status, {**response.headers, **length}, b"")
        if request.method not in handlers:
            methods = allowed_methods(handlers)
            raise Problem("method-not-allowed", f"{path} supports {methods}", headers={"Allow": methods})
        return handlers[request.method](self, request)

    def _page(self, request: Request) -> Response:
        return page_response(self._settings.urls)

    def _health(self, request: Request) -> Response:
        self._classifier.check_health()
        return json_response(200, {"status": "ok", "version": self.model_version})

    def _model(self, request: Request) -> Response:
        bundle = self._classifier.bundle
        description = bundle.to_json()
        document = {member: description[member] for member in PUBLIC_MEMBERS}
        if bundle.familiar:
            document["familiar"] = {name: bundle.familiar[name] for name in PUBLIC_FAMILIAR}
        return json_response(200, document)

    def _openapi(self, request: Request) -> Response:
        from shutterless.runtime.openapi import describe_api  # a function answers without it

        return json_response(200, describe_api(self._classifier.bundle, MAX_IMAGES))

    def _predict(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "application/json")
        media_type = content_type.partition(";")[0].strip().lower()
        body = request.body
        # curl sends a photo as a form unless it is told otherwise, so the first bytes count for more.
        if (
            media_type.startswith("image/")
            or media_type.endswith("/octet-stream")
            or body.startswith(SIGNATURES)
            or body[4:8] == BOX_SIGNATURE
        ):
            return json_response(200, self.classify(body))
        if media_type == "multipart/form-data":
            from shutterless.runtime.forms import extract_image  # its expressions take time to compile

            return json_response(200, self.classify(extract_image(content_type, body)))
        # curl -d claims a form where people mean JSON, and the tutorial's readers type just that.
        return json_response(200, self.predict(parse_json(body)))

    def _predict_or_problem(self, payload: Json, budget: Budget) -> PredictionDocument | ProblemDocument:
        try:
            if not isinstance(payload, Mapping):
                example = '{"image": "<base64>"} or {"url": "https://…"}'
                raise Problem("invalid-request", f"each item of images must be an object: {example}")
            return self.predict_one(payload, budget)
        except Problem as problem:
            return problem.to_json()


@contextmanager
def _slot(slots: threading.Semaphore, budget: Budget) -> Iterator[None]:
    """Hold a slot, for which a request waits no longer than until its deadline."""
    if not slots.acquire(timeout=budget.seconds):
        raise Problem("busy", "too many pictures are being decoded", headers={"Retry-After": "1"})
    try:
        yield
    finally:
        slots.release()


ROUTES: dict[str, dict[str, Callable[[Service, Request], Response]]] = {
    "/": {"GET": Service._page},
    "/health": {"GET": Service._health},
    "/model": {"GET": Service._model},
    "/openapi.json": {"GET": Service._openapi},
    "/predict": {"POST": Service._predict},
}


def load_classifier(bundle: Bundle, settings: Settings) -> Classifier:
    """Load a bundle's model, and run it once unless a request waits: its own first run is no slower.

    Raises:
        BundleError: If the model does not do what its bundle says.
    """
    classifier = Classifier(bundle, settings.threads)
    if settings.initialization != "on-demand":
        classifier.warm_up()
    return classifier


def _decode_image_member(text: str) -> bytes:
    """Decode the member `image` of a JSON request: base64, or a data: URI with it."""
    try:
        return decode_base64(text.partition(",")[2] if text.startswith("data:") else text)
    except ValueError as error:
        raise Problem("invalid-request", "image is not valid base64") from error


def _without_slash(path: str) -> str:
    return path.rstrip("/") or "/"
