"""Types of the JSON documents that the API takes and returns.

The runtime imports them for type checkers only: these classes would take half a millisecond of a cold start.
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypeAlias, TypedDict

# A document whose members are not known beforehand.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]


class ModelDocument(TypedDict):
    """Which model gave a prediction.

    Attributes:
        name: The bundle's name.
        version: 12 hex digits of a hash of everything that changes an answer, see `Bundle.version`.
    """

    name: str
    version: str


class TimingDocument(TypedDict):
    """Milliseconds that a prediction took, step by step."""

    fetch: float
    decode: float
    infer: float


class PredictionMembers(TypedDict):
    """The prediction for one picture; see `Prediction`."""

    label: str
    confidence: float
    accepted: bool
    scores: dict[str, float]
    familiar: NotRequired[bool]
    novelty: NotRequired[float]


class PredictionDocument(PredictionMembers):
    """The prediction for one picture, with the model and its timing."""

    model: ModelDocument
    timing_ms: TimingDocument


class ProblemDocument(TypedDict):
    """A problem as RFC 9457 has it, with our stable code."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class PredictionsDocument(TypedDict):
    """The predictions for several pictures, in their order; a problem where there is none."""

    predictions: list[PredictionDocument | ProblemDocument]


class CorrectionDocument(TypedDict):
    """The label that a prediction should have had."""

    record_id: str
    correct_label: str


class HttpAnswer(TypedDict):
    """What Lambda returns for an HTTP event."""

    statusCode: int
    body: str
    isBase64Encoded: bool
    headers: NotRequired[dict[str, str]]
    # A load balancer's alone.
    multiValueHeaders: NotRequired[dict[str, list[str]]]
    statusDescription: NotRequired[str]
