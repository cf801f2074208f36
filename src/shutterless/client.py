"""Call a shutterless API: deployed, in a container, or on this machine. Standard library only."""

import http.client
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from shutterless.answers import Answer, answer_sources
from shutterless.api_answers import MAX_TEXT, SMALLER, ApiPrediction, read_prediction, retry_after, unwrap
from shutterless.api_connection import ApiConnection
from shutterless.errors import CallError, InputError
from shutterless.runtime.adapters.lambda_events import to_event
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.model.prediction import Prediction
from shutterless.sources import StrPath, expand_sources, is_url
from shutterless.utils.pipeline import map_ahead
from shutterless.utils.progress import Progress, automatic

# Lambda takes 6 MB per request, and a picture reaches it in base64: 4.4 MB become 5.9 MB.
MAX_PICTURE_BYTES = 4_400_000
MAX_RETRIES = 3  # enough for a cold start

TYPES = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
}


def call(url: str, image: StrPath, api_key: str | None = None, timeout: float = 60.0) -> ApiPrediction:
    """Ask an API to classify one picture.

    Answers with the status 429, 503, or 502 with `Retry-After` are retried up to three times, after the time
    that it gives.

    Args:
        url: The API's root, a stage, `…/predict`, or Lambda's local `…/invocations`.
        image: A file, which is sent unchanged, or an http or https URL, which the API fetches.
        api_key: Sent as `x-api-key`, only to this host, and never shown.
        timeout: Seconds per attempt.

    Returns:
        Label, confidence, scores and so on, as docs/http-api.md describes them.

    Raises:
        CallError: The API cannot be reached, or answers with a problem; `code` says which. Also if the
            file is missing or larger than the 4.4 MB that Lambda takes.
        InputError: `url` or `api_key` is invalid.

    Example:
        >>> import shutterless
        >>> answer = shutterless.call("http://127.0.0.1:8080", "photo.jpg")
        >>> label, confidence = answer["label"], answer["confidence"]
    """
    with closing(_Api(url, api_key, timeout)) as api:
        return api.ask(image)


def call_many(
    url: str,
    sources: StrPath | Iterable[StrPath],
    api_key: str | None = None,
    timeout: float = 60.0,
    *,
    connections: int = 4,
    output: StrPath | None = None,
    progress: Progress = automatic,
    on_note: Callable[[str], None] = lambda note: None,
) -> Generator[Answer]:
    """Ask an API to classify any number of files, folders and URLs, several at a time.

    Args:
        url: See `call`.
        sources: Files, folders, which are searched at any depth, and URLs. An iterator is read step by
            step.
        api_key: See `call`.
        timeout: Seconds per attempt.
        connections: Number of connections that are kept open, each sending one picture at a time.
        output: A .csv or .jsonl file to write the answers to. If it exists, pictures that it has an
            answer for are skipped, so that an interrupted run can be continued.
        progress: Called with what is being done, the steps done so far, and how many there are.
        on_note: Called with what is left out or skipped.

    Returns:
        A generator of answers, in the order of the pictures: each a prediction or a problem.

    Raises:
        CallError: An error that would affect every picture, such as a wrong key, after the answers
            before it.
        InputError: `url` or `api_key` is invalid, a source is missing, or a folder has no pictures.
        OutputError: `output` cannot be written, is in a folder of `sources`, or has answers of another
            model.

    Example:
        >>> import shutterless
        >>> answers = shutterless.call_many("http://127.0.0.1:8080", ["photo.jpg", "photos"])
        >>> labels = [answer.prediction.label for answer in answers if answer.prediction]
    """
    api = _Api(url, api_key, timeout)
    file = Path(output) if output else None
    names = expand_sources(sources, file, on_note)

    def answer(images: Iterable[str]) -> Generator[Answer]:
        with closing(api):
            yield from map_ahead(api.answer, images, connections)

    return answer_sources(answer, names, file, progress=progress, on_note=on_note)


class _Api:
    """An API and the connections to it, one for each thread that asks."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        self._target = _endpoint(url)
        self._timeout = timeout
        self._headers = {"User-Agent": "shutterless", "Accept": "application/json", **_key(api_key)}
        self._connections: list[ApiConnection] = []
        self._own = threading.local()

    def ask(self, image: StrPath) -> ApiPrediction:
        """Return the prediction for one picture; raises `CallError`."""
        kind, body = _content(image)
        if not self._target.path.endswith("/invocations"):
            return read_prediction(self._target, self._post(body, kind))
        # A whole HTTP event, so that the answer is the same as through a gateway.
        request = Request("POST", "/predict", {"content-type": kind}, body=body)
        answer = self._post(json.dumps(to_event(request)).encode(), "application/json")
        return read_prediction(self._target, unwrap(self._target, answer))

    def answer(self, image: StrPath) -> Answer:
        """Return the answer for one picture; raises `CallError` if every picture would meet the error."""
        source = os.fspath(image)
        try:
            document = self.ask(image)
        except CallError as error:
            if not error.concerns_picture:
                raise
            return Answer(source, code=error.code, detail=error.message, hint=error.hint)
        prediction = Prediction(
            label=document["label"],
            confidence=document["confidence"],
            accepted=document["accepted"],
            scores=document["scores"],
            familiar=document.get("familiar"),
            novelty=document.get("novelty"),
        )
        model = document.get("model")  # whose type nobody has checked
        version = str(model.get("version", "")) if isinstance(model, dict) else ""
        return Answer(source, prediction, version)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()

    def _post(self, body: bytes, kind: str) -> Response:
        """Post until the API is no longer busy, and return its last answer, whatever the status."""
        if not hasattr(self._own, "connection"):
            self._own.connection = ApiConnection(self._target, self._timeout)
            self._connections.append(self._own.connection)
        headers = {**self._headers, "Content-Type": kind}
        for attempt in itertools.count():
            response = _post_once(self._target, self._own.connection, body, headers)
            pause = retry_after(response, attempt)
            if pause is None or attempt == MAX_RETRIES:
                break
            time.sleep(pause)
        return response


def _endpoint(url: str) -> SplitResult:
    """Return the URL to post pictures to; it can be neither a file nor hold a password."""
    try:
        parts = urlsplit(url.strip())
        is_valid = (
            parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        is_valid = False
    if not is_valid or not parts.geturl().isascii() or any(map(str.isspace, parts.geturl())):
        raise InputError(
            "invalid-url", f"{url} is not the URL of an API", "Give one like https://host/stage."
        )
    if "@" in parts.netloc:
        raise InputError(
            "credentials-in-url", "The API's URL contains a user name or password", "Leave it out."
        )
    path = parts.path.rstrip("/")
    if not path.endswith(("/predict", "/invocations")):
        path += "/predict"
    return parts._replace(path=path, fragment="")


def _key(api_key: str | None) -> dict[str, str]:
    if not api_key:
        return {}
    if not all("!" <= character <= "~" for character in api_key):
        raise InputError(
            "invalid-api-key", "The API key contains spaces or other invalid characters", "Copy it again."
        )
    return {"X-Api-Key": api_key}


def _content(image: StrPath) -> tuple[str, bytes]:
    """Return the content type and body of the request for one picture."""
    name = os.fspath(image)
    if is_url(name):
        return "application/json", json.dumps({"url": name}).encode()
    file = Path(name)
    return TYPES.get(file.suffix.lower(), "application/octet-stream"), read_picture(file)


def read_picture(file: Path) -> bytes:
    """Return a picture file as it is sent to an API.

    Raises:
        CallError: It is missing or unreadable, or larger than the 4.4 MB that Lambda takes.
    """
    if not file.is_file():
        raise CallError(
            "unreadable-image", f"There is no picture {file}", "Give a file or an http or https URL."
        )
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise CallError(
            "unreadable-image", f"Cannot read {file}: {error.strerror}", "Check its permissions."
        ) from error
    if len(content) > MAX_PICTURE_BYTES:
        raise CallError(
            "too-large",
            f"{file} has {file.stat().st_size / 1e6:,.1f} MB; Lambda takes {MAX_PICTURE_BYTES / 1e6} MB",
            SMALLER,
        )
    return content


def _post_once(
    target: SplitResult, connection: ApiConnection, body: bytes, headers: Mapping[str, str]
) -> Response:
    try:
        return connection.post(body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        is_http = isinstance(error, http.client.HTTPException) or not isinstance(error, OSError)
        reason = f"it does not speak HTTP ({type(error).__name__})" if is_http else str(error)[:MAX_TEXT]
        raise CallError(
            "no-answer",
            f"{target.netloc} does not answer: {reason}",
            "Check the API's URL and the connection.",
        ) from error
