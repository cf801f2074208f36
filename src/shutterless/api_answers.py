"""Read what an API answers: a prediction, or an error with advice on what to do. Standard library only."""

import http.client
import json
from typing import NotRequired, TypedDict, cast
from urllib.parse import SplitResult

from shutterless.errors import CallError
from shutterless.runtime.adapters.lambda_events import to_response
from shutterless.runtime.http_messages import Response
from shutterless.runtime.json_types import JsonObject, ModelDocument

MAX_PAUSE = 30.0  # seconds
MAX_TEXT = 500  # characters of an untrusted text that are shown
MAX_SCORE = 1.01  # a quantized model rounds its probabilities

SMALLER = "Shrink it: 2,000 pixels on the longer side are more than a model uses."
ADDRESS = "Give the API's root URL, its stage, or …/predict."
# What to do about each code of a problem, and about each HTTP status of a gateway before the function.
HINTS: dict[str | int, str] = {
    "invalid-request": "Give a picture file, or an http or https URL of one.",
    "not-found": ADDRESS,
    "method-not-allowed": ADDRESS,
    "too-large": SMALLER,
    "unsupported-format": "Save it as JPEG, PNG or WebP.",
    "unreadable-image": "Re-save it, or try another picture.",
    "unusual-image": "Save it as a baseline JPEG.",
    "url-refused": "Download the picture and give the file.",
    "fetch-failed": "Check the picture's URL, or download the picture and give the file.",
    "internal": "The API's log has the reason.",
    "busy": "Try again in a moment.",
    "unavailable": "Try again in a moment; the owner of the API finds the reason in its log.",
    "quota-exceeded": "Ask the owner of the API for a larger quota, or wait for the next month.",
    "unsigned": "The API requires requests signed with AWS Signature 4 by an identity that may call it.",
    401: "Give the API key with --api-key or SHUTTERLESS_API_KEY.",
    403: "The API key is missing or wrong: give it with --api-key or SHUTTERLESS_API_KEY.",
    404: ADDRESS,
    413: SMALLER,
    429: "The API limits requests per second or per month: try again later.",
    504: "The first answer after a pause takes longest: try again.",
}


class ApiPrediction(TypedDict):
    """An API's prediction for one picture.

    Attributes:
        label: The most probable label.
        confidence: Its score, 0 to 1.
        accepted: Whether the picture is familiar and the confidence reaches the model's threshold.
        scores: Label → score, in the model's order; they add up to 1.
        familiar: Whether the picture is like the photos that the model was trained on, if the model can tell.
        novelty: How unlike them it is, 0 to 1, if the model can tell.
        model: The model that answered.
        timing_ms: Step (fetch, decode, infer) → milliseconds.
    """

    label: str
    confidence: float
    accepted: bool
    scores: dict[str, float]
    familiar: NotRequired[bool]
    novelty: NotRequired[float]
    model: NotRequired[ModelDocument]
    timing_ms: NotRequired[dict[str, float]]


def read_prediction(target: SplitResult, response: Response) -> ApiPrediction:
    """Return the prediction in an API's answer.

    Args:
        target: The URL that answered.
        response: The answer, from anybody.

    Raises:
        CallError: The answer is a problem, or not one of shutterless.
    """
    document = _document(response)
    if response.status == 200 and _is_prediction(document):
        return cast(ApiPrediction, document)
    code, detail = document.get("code"), document.get("detail")
    if isinstance(code, str) and isinstance(detail, str):
        hint = HINTS.get(code) or _advice(response)  # a gateway has codes of its own
        raise CallError(code[:MAX_TEXT], detail[:MAX_TEXT], hint, status=response.status)
    raise _unexpected(target, response)


def unwrap(target: SplitResult, response: Response) -> Response:
    """Return the HTTP answer inside the answer to a Lambda invocation.

    Raises:
        CallError: The function failed, or gave no HTTP answer.
    """
    document = _document(response)
    if response.status == 200 and "errorMessage" in document:
        raise CallError(
            "function-failed",
            f"The function failed: {str(document['errorMessage'])[:MAX_TEXT]}",
            HINTS["internal"],
            status=200,
        )
    try:
        return to_response(dict(document)) if response.status == 200 else response
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _unexpected(target, response) from error


def retry_after(response: Response, attempt: int) -> float | None:
    """Return the seconds to wait before the next attempt.

    Args:
        response: The answer to the last attempt.
        attempt: Number of attempts before it.

    Returns:
        What the header `Retry-After` says, else 1, 2, 4 …; None if another attempt is pointless.
    """
    header = response.headers.get("retry-after", "")
    is_temporary = response.status in (429, 503) or (response.status == 502 and header)
    if not is_temporary or _document(response).get("code") == "quota-exceeded":
        return None
    pause = float(header) if header.isascii() and header.isdigit() else 2.0**attempt
    return pause if pause <= MAX_PAUSE else None


def _document(response: Response) -> JsonObject:
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _is_prediction(document: JsonObject) -> bool:
    scores = document.get("scores")
    return (
        isinstance(document.get("accepted"), bool)
        and isinstance(scores, dict)
        and document.get("label") in list(scores)  # an unhashable label would be an error in a dict
        and all(len(label) <= MAX_TEXT for label in scores)
        and all(map(_is_score, (document.get("confidence"), *scores.values())))
        and isinstance(document.get("familiar", True), bool)
        and _is_score(document.get("novelty", 0))
        and ("familiar" in document) == ("novelty" in document)
    )


def _is_score(value: object) -> bool:
    """Tell whether a value is a probability; JSON in Python may have NaN, Infinity and huge integers."""
    return type(value) in (float, int) and 0 <= value <= MAX_SCORE  # type: ignore[operator]


def _advice(response: Response) -> str:
    """Return the hint for an answer's status; API Gateway names its reason for 403 in a header."""
    reason = response.headers.get("x-amzn-errortype", "").partition(":")[0]
    is_signature = response.status == 403 and reason not in ("", "ForbiddenException")
    return HINTS["unsigned"] if is_signature else HINTS.get(response.status, "")


def _unexpected(target: SplitResult, response: Response) -> CallError:
    """Return the error for an answer that is not from shutterless: from a gateway, or another site."""
    status = response.status
    text = str(_document(response).get("message") or "")[:MAX_TEXT]
    if text == "Missing Authentication Token":  # API Gateway's answer for an unknown path
        hint = ADDRESS
    elif 300 <= status < 400:
        location = response.headers.get("location", "nowhere")[:MAX_TEXT]
        hint = f"It redirects to {location}: if that is the API, give that URL."
    else:
        hint = _advice(response) or (HINTS["busy"] if status >= 500 else ADDRESS)
    reason = f": {text}" if text else ", but not as shutterless answers" if status == 200 else ""
    name = http.client.responses.get(status, "")
    return CallError(
        "unexpected-answer", f"{target.netloc} answered {status} {name}{reason}", hint, status=status
    )
