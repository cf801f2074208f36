"""Ask an API for a prediction, be it deployed, in a container or on this machine. Standard library only."""

import http.client
import json
import os
import threading
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from shutterless.answers import Answer
from shutterless.api_connection import ApiConnection
from shutterless.errors import CallError, InputError
from shutterless.runtime.adapters.lambda_events import to_event, to_response
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.model.prediction import Prediction
from shutterless.utils.pipeline import map_ahead

# Lambda takes 6 MB in one call, and a picture reaches it in base64: 4.4 MB become 5.9.
MAX_PICTURE = 4_400_000
# A gateway that throttles, or a full queue, passes; three more tries ride out a cold start.
RETRIES = 3
LONGEST_PAUSE = 30.0
# Of a stranger's words as much as a person reads.
LONGEST_WORDS = 500

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

# What to do about each code of a problem, and about each status of what stands before the function.
HINTS: dict[str | int, str] = {
    "invalid-request": "Give a picture file, or an http or https URL of one.",
    "not-found": "Give the API's root, its stage, or …/predict.",
    "method-not-allowed": "Give the API's root, its stage, or …/predict.",
    "too-large": "Make it smaller: 2,000 pixels on its longer side are more than a network looks at.",
    "unsupported-format": "Save it as JPEG, PNG or WebP.",
    "unreadable-image": "Save it anew, or try another picture.",
    "url-refused": "Download the picture and give the file.",
    "fetch-failed": "Check the picture's URL, or download the picture and give the file.",
    "internal": "The API's log has the reason.",
    "busy": "Try again in a moment.",
    "quota-exceeded": "Ask whoever runs the API for a larger quota, or wait for the next month.",
    "unsigned": "The API wants requests signed with AWS Signature 4 by an identity that may call it.",
    401: "Give the API key with --api-key or SHUTTERLESS_API_KEY.",
    403: "The API key is missing or wrong: give it with --api-key or SHUTTERLESS_API_KEY.",
    404: "Give the API's root, its stage, or …/predict.",
    413: "Make it smaller: 2,000 pixels on its longer side are more than a network looks at.",
    429: "The API permits only so many requests at a time, or in a month: try again later.",
    504: "The first answer after a pause takes longest: try again.",
}


def call(
    url: str, image: str | os.PathLike[str], api_key: str | None = None, timeout: float = 60.0
) -> dict[str, Any]:
    """Return what the API at `url` answers for one image: label, confidence, accepted, scores, …

    Answers of 429 and 503 are asked again up to three times, after as long as `Retry-After` says.

    Args:
        url: The API's root, a stage, `…/predict`, or Lambda's local `…/invocations`.
        image: A file, whose bytes are sent as they are, or an http or https URL that the API fetches.
        api_key: Sent as `x-api-key`, only to this host, and never shown.
        timeout: Seconds that one attempt may take.

    Raises:
        CallError: The API cannot be reached or has no prediction.
        ShutterlessError: `url`, `image` or `api_key` cannot be used, or the file has more than 4.4 MB,
            which is what Lambda takes.
    """
    with closing(_Api(url, api_key, timeout)) as api:
        return api.ask(image)


def call_many(
    url: str,
    images: Iterable[str | os.PathLike[str]],
    api_key: str | None = None,
    timeout: float = 60.0,
    connections: int = 4,
) -> Generator[Answer]:
    """Yield what the API at `url` answers for each image, in their order, a few images being under way.

    A problem of one image stands in its place. See `call` for the arguments.

    Args:
        connections: How many images are sent at the same time, each over a connection that is kept.

    Raises:
        CallError: For what every further image would meet, after the answers before it.
    """
    api = _Api(url, api_key, timeout)
    with closing(api):
        yield from map_ahead(api.answer, images, connections)


class _Api:
    """An API and the connections to it, one for each thread that asks."""

    def __init__(self, url: str, api_key: str | None, timeout: float) -> None:
        self._target = _endpoint(url)
        self._timeout = timeout
        self._headers = {"User-Agent": "shutterless", "Accept": "application/json", **_key(api_key)}
        self._connections: list[ApiConnection] = []
        self._own = threading.local()

    def ask(self, image: str | os.PathLike[str]) -> dict[str, Any]:
        """Return the answer for one image; raises `ShutterlessError`."""
        kind, body = _content(image)
        if not self._target.path.endswith("/invocations"):
            return _prediction(self._target, self._post(body, kind))
        # A whole HTTP event, not the plain one, so that the answer is the same as through a gateway.
        request = Request("POST", "/predict", {"content-type": kind}, body=body)
        answer = self._post(json.dumps(to_event(request)).encode(), "application/json")
        return _prediction(self._target, _unwrap(self._target, answer))

    def answer(self, image: str | os.PathLike[str]) -> Answer:
        """Return the answer for one image, or its problem; raises `CallError` for that of all images."""
        source = os.fspath(image)
        try:
            found = self.ask(image)
        except CallError as error:
            if not error.concerns_picture:
                raise
            return Answer(source, code=error.code, detail=error.message, hint=error.hint)
        prediction = Prediction(found["label"], found["confidence"], found["accepted"], found["scores"])
        model = found.get("model")
        return Answer(source, prediction, str(model.get("version", "")) if isinstance(model, dict) else "")

    def close(self) -> None:
        """End all connections."""
        for connection in self._connections:
            connection.close()

    def _post(self, body: bytes, kind: str) -> Response:
        """Post until the API is no longer busy; return its last answer, whatever its status."""
        if not hasattr(self._own, "connection"):
            self._own.connection = ApiConnection(self._target, self._timeout)
            self._connections.append(self._own.connection)
        headers = {**self._headers, "Content-Type": kind}
        for attempt in range(RETRIES):
            response = _post_once(self._target, self._own.connection, body, headers)
            pause = _pause(response, attempt)
            if pause is None:
                return response
            time.sleep(pause)
        return _post_once(self._target, self._own.connection, body, headers)


def is_url(image: str) -> bool:
    """Tell whether an image is given by its URL."""
    return image.lower().startswith(("http://", "https://"))


def _endpoint(url: str) -> SplitResult:
    """Return where predictions are asked for; neither a file nor a password can hide in it."""
    try:
        parts = urlsplit(url.strip())
        valid = (
            parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        valid = False
    if not valid or not parts.geturl().isascii() or any(character.isspace() for character in parts.geturl()):
        raise InputError(
            "invalid-url", f"{url} is not the URL of an API", "Give one like https://host/stage."
        )
    if "@" in parts.netloc:
        raise InputError(
            "credentials-in-url", "The API's URL has a user name or password in it", "Leave it out."
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
            "invalid-api-key", "The API key has spaces or other characters that no key has", "Copy it anew."
        )
    return {"X-Api-Key": api_key}


def _content(image: str | os.PathLike[str]) -> tuple[str, bytes]:
    """Return content type and body of a request for one image."""
    name = os.fspath(image)
    if is_url(name):
        return "application/json", json.dumps({"url": name}).encode()
    file = Path(name)
    if not file.is_file():
        raise CallError(
            "unreadable-image",
            f"There is no picture {name}",
            "Give a file or an http or https URL.",
        )
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_PICTURE + 1)
    except OSError as error:
        raise CallError(
            "unreadable-image",
            f"Cannot read {name}: {error.strerror}",
            "Check its permissions.",
        ) from error
    if len(content) > MAX_PICTURE:
        size = file.stat().st_size / 1e6
        raise CallError(
            "too-large",
            f"{name} has {size:,.1f} MB, and Lambda takes {MAX_PICTURE / 1e6} MB of picture",
            HINTS["too-large"],
        )
    return TYPES.get(file.suffix.lower(), "application/octet-stream"), content


def _post_once(
    target: SplitResult, connection: ApiConnection, body: bytes, headers: Mapping[str, str]
) -> Response:
    try:
        return connection.post(body, headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CallError(
            "no-answer",
            f"{target.netloc} does not answer: {_reason(error)}",
            "Check the API's URL and the connection.",
        ) from error


def _reason(error: Exception) -> str:
    """Return in a few words why there is no answer; what the other side sent may be long."""
    if isinstance(error, OSError) and not isinstance(error, http.client.HTTPException):
        return str(error)[:LONGEST_WORDS]
    return f"it does not speak HTTP as it should ({type(error).__name__})"


def _pause(response: Response, attempt: int) -> float | None:
    """Return the seconds until the next attempt: as the API says, else 1, 2, 4; None if there is none."""
    if response.status not in (429, 503) or _document(response).get("code") == "quota-exceeded":
        return None
    said = response.headers.get("retry-after", "")
    pause = float(said) if said.isascii() and said.isdigit() else 2.0**attempt
    return pause if pause <= LONGEST_PAUSE else None


def _unwrap(target: SplitResult, response: Response) -> Response:
    """Return the HTTP answer that lies in the answer of an invocation."""
    answer = _document(response)
    if response.status == 200 and "errorMessage" in answer:
        raise CallError(
            "function-failed",
            f"The function failed: {str(answer['errorMessage'])[:LONGEST_WORDS]}",
            HINTS["internal"],
            status=200,
        )
    try:
        return to_response(answer) if response.status == 200 else response
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _not_ours(target, response) from error


def _prediction(target: SplitResult, response: Response) -> dict[str, Any]:
    answer = _document(response)
    if response.status == 200 and _is_prediction(answer):
        return answer
    code, detail = answer.get("code"), answer.get("detail")
    if isinstance(code, str) and isinstance(detail, str):
        hint = HINTS.get(code) or _advice(response)  # a gateway has codes of its own
        raise CallError(
            code[:LONGEST_WORDS],
            detail[:LONGEST_WORDS],
            hint,
            status=response.status,
        )
    raise _not_ours(target, response)


def _advice(response: Response) -> str:
    """Return the hint for the status of an answer; API Gateway names its reason for 403 in a header."""
    reason = response.headers.get("x-amzn-errortype", "").partition(":")[0]
    is_signature = response.status == 403 and reason not in ("", "ForbiddenException")
    return HINTS["unsigned"] if is_signature else HINTS.get(response.status, "")


def _is_prediction(answer: dict[str, Any]) -> bool:
    """Tell whether an answer is what contract 3 says; whatever answered may be anything."""
    scores = answer.get("scores")
    return (
        isinstance(answer.get("label"), str)
        and isinstance(answer.get("accepted"), bool)
        and isinstance(scores, dict)
        and all(isinstance(figure, float | int) for figure in (answer.get("confidence"), *scores.values()))
    )


def _document(response: Response) -> dict[str, Any]:
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _not_ours(target: SplitResult, response: Response) -> CallError:
    """Return the error for an answer that no function of ours gave: a gateway's, or another site's."""
    status = response.status
    name = http.client.responses.get(status, "")
    words = str(_document(response).get("message") or "")[:LONGEST_WORDS]
    if words == "Missing Authentication Token":  # what API Gateway says where it has no such path
        hint = HINTS["not-found"]
    elif 300 <= status < 400:
        hint = (
            f"It redirects to {response.headers.get('location', 'nowhere')}: if that is the API, give that."
        )
    else:
        hint = _advice(response) or ("Try again in a moment." if status >= 500 else HINTS["not-found"])
    said = f": {words}" if words else ", and not as shutterless answers" if status == 200 else ""
    return CallError(
        "unexpected-answer", f"{target.netloc} answered {status} {name}{said}", hint, status=status
    )
