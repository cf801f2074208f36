"""The service: HTTP requests to responses, by routes and limits. It opens no socket but for a photo's URL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shutterless.runtime.fetch_limits import FetchLimits
from shutterless.runtime.host_resources import cores, memory
from shutterless.runtime.http_messages import Request, Response, decode_image_member, is_picture, parse_json
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.ordinary import decode_ordinary
from shutterless.runtime.model.bundle import Bundle, read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.problems import Problem
from shutterless.runtime.responses import (
    allowed_methods,
    error_response,
    json_response,
    model_response,
    page_response,
    preflight_response,
)
from shutterless.runtime.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from shutterless.runtime.image.decoder import InputSpec
    from shutterless.runtime.json_types import Json, PredictionDocument, PredictionsDocument, ProblemDocument
    from shutterless.runtime.model.recording import Recorder

    ReadBundle = Callable[[str | Path], Bundle]
    Routes = dict[str, dict[str, Callable[["Service", Request], Response]]]

# Several pictures must fit Lambda's 6 MB and API Gateway's 29 s.
MAX_IMAGES = 16
# What each decoding may take, with its share of the service's own memory, see docs/security.md.
DECODE_MEMORY = 512 << 20

METHODS = ("GET", "HEAD", "POST", "OPTIONS")


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
        self._recorder: Recorder | None = None
        self._routes: Routes = RECORD_ROUTES if settings.records else ROUTES
        if settings.records:
            from shutterless.runtime.model.recording import Recorder  # which others start without

            self._recorder = Recorder(settings.kept_photos)

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
        return f"{method} {path if path in self._routes else '?'}"

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
        budget.photo_bytes //= len(images)
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
            return self.classify(decode_image_member(image), 0.0, budget)
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
        recorder = self._recorder
        photos: list[Image.Image] = []
        use_photo = photos.append if recorder and recorder.keeps_photos else None
        with _slot(self._decode_slots, budget):
            start_time = time.perf_counter()
            pixels = decode_ordinary(data, spec, budget, use_photo)
            if pixels is not None:
                prediction = self._classify_pixels(pixels, fetch_ms, start_time)
                if recorder:
                    recorder.keep_photo(prediction, photos.pop, budget.photo_bytes)
                return prediction
        pixels, start_time = self._decode_isolated(data, spec, budget)
        with _slot(self._decode_slots, budget):
            prediction = self._classify_pixels(pixels, fetch_ms, start_time)
        if recorder:
            spec = recorder.unusual_photo
            recorder.keep_photo(
                prediction, lambda: self._decode_isolated(data, spec, budget)[0], budget.photo_bytes
            )
        return prediction

    def _decode_isolated(self, data: bytes, spec: InputSpec, budget: Budget) -> tuple[Image.Image, float]:
        """Decode an unusual picture in a child process; return when that began, too."""
        from shutterless.runtime.image.isolation import decode_isolated  # which ordinary photos don't need

        with self._child_slot(budget):
            start_time = time.perf_counter()
            return decode_isolated(data, spec, budget), start_time

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
        bundle, embedding = self._classifier.bundle, None
        if self._recorder and self._classifier.has_embedding:
            prediction, embedding = self._classifier.classify_and_embed(pixels)
        else:
            prediction = self._classifier.classify(pixels)
        infer_end = time.perf_counter()
        document: PredictionDocument = {
            **prediction.to_json(),
            "model": {"name": bundle.name, "version": bundle.version},
            "timing_ms": {
                "fetch": round(fetch_ms, 2),
                "decode": round((decode_end - start_time) * 1000, 2),
                "infer": round((infer_end - decode_end) * 1000, 2),
            },
        }
        return self._recorder.record(document, embedding) if self._recorder else document

    def _answer(self, request: Request) -> Response:
        path = _without_slash(request.path)
        if path not in self._routes:
            raise Problem(
                "not-found", f"{path} does not exist; the API's page is at /, send photos to /predict"
            )
        handlers = self._routes[path]
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
        records = {"photos": self._recorder.keeps_photos} if self._recorder else None
        return model_response(self._classifier.bundle, records)

    def _openapi(self, request: Request) -> Response:
        from shutterless.runtime.openapi import describe_api  # a function answers without it

        return json_response(
            200, describe_api(self._classifier.bundle, MAX_IMAGES, records=self._recorder is not None)
        )

    def _predict(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "application/json")
        media_type = content_type.partition(";")[0].strip().lower()
        body = request.body
        if is_picture(media_type, body):
            return json_response(200, self.classify(body))
        if media_type == "multipart/form-data":
            from shutterless.runtime.forms import extract_image  # its expressions take time to compile

            return json_response(200, self.classify(extract_image(content_type, body)))
        # curl -d claims a form where people mean JSON, and the tutorial's readers type just that.
        return json_response(200, self.predict(parse_json(body)))

    def _feedback(self, request: Request) -> Response:
        from shutterless.runtime.model.recording import read_correction

        return json_response(200, read_correction(request.body, self._classifier.labels))

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


ROUTES: Routes = {
    "/": {"GET": Service._page},
    "/health": {"GET": Service._health},
    "/model": {"GET": Service._model},
    "/openapi.json": {"GET": Service._openapi},
    "/predict": {"POST": Service._predict},
}
# Those of a service whose log has records.
RECORD_ROUTES: Routes = {**ROUTES, "/feedback": {"POST": Service._feedback}}


def load_classifier(bundle: Bundle, settings: Settings) -> Classifier:
    """Load a bundle's model, and run it once unless a request waits: its own first run is no slower.

    Raises:
        BundleError: If the model does not do what its bundle says.
    """
    classifier = Classifier(bundle, settings.threads)
    if settings.initialization != "on-demand":
        classifier.warm_up()
    return classifier


def _without_slash(path: str) -> str:
    return path.rstrip("/") or "/"
