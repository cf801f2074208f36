"""The records in a line of the log, checked value by value: anybody may have written the line."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import numpy as np
import numpy.typing as npt

from shutterless.errors import ShutterlessError
from shutterless.runtime.image.decoder import check, read_header
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.model.recording import OTHER, is_record_id

MAX_PICTURES = 16
MAX_LABELS, MAX_LABEL_LENGTH = 100_000, 500
MAX_EMBEDDING = 4096
MAX_PHOTO_SIDE = 512
MODEL = re.compile(r"[0-9a-f]{12}")
REQUEST = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
ROUNDING = 1e-5  # float32 scores may add up to a little more than 1
FIRST_YEAR, LAST_YEAR = 2020, 2200

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PictureRecord:
    """What the log has about a picture.

    Attributes:
        id: Its own, 16 hex digits.
        request: Id of the request that it came with.
        time: When it was answered.
        model: Version of the model.
        labels: The labels, in the order of the scores.
        label: The answer.
        confidence: Its score, 0 to 1.
        accepted: Whether the answer was accepted.
        familiar: Whether the picture is like the training photos; None if the model can't tell.
        novelty: How unlike them it is, 0 to 1; None likewise.
        scores: float32[labels].
        embedding: float32[d], or None.
        photo: The photo as a JPEG, or None.
    """

    id: str
    request: str
    time: datetime
    model: str
    labels: tuple[str, ...]
    label: str
    confidence: float
    accepted: bool
    familiar: bool | None
    novelty: float | None
    scores: Floats
    embedding: Floats | None
    photo: bytes | None


@dataclass(frozen=True)
class Correction:
    """The label that a picture should have had, as somebody has said.

    Attributes:
        id: The record's id.
        label: The label; `_other` for none of the model's.
        time: When it was said.
    """

    id: str
    label: str
    time: datetime


def parse_line(members: JsonObject) -> list[PictureRecord] | Correction:
    """Return the records in a line, none for a request without pictures; or the correction that it is.

    Args:
        members: The members of the line.

    Raises:
        ValueError: A value is missing or impossible; the message says which.
    """
    if "record_id" not in members:
        return []
    if "correct_label" in members:
        return Correction(
            _id(members["record_id"]), _label(members["correct_label"]), _time(members.get("time"))
        )
    is_list = isinstance(members["record_id"], list)
    names = ("record_id", "label", "confidence", "accepted", "familiar", "novelty")
    columns = {
        name: _column(members.get(name), name, is_list) for name in (*names, "scores", "embedding", "photo")
    }
    count = len(columns["record_id"])
    _require(1 <= count <= MAX_PICTURES, "record_id")
    for name, values in columns.items():
        _require(not values or len(values) == count, name)
    common = _common(members)
    rows = [
        {name: values[place] if values else None for name, values in columns.items()}
        for place in range(count)
    ]
    return [_record(common, row) for row in rows]


def check_photo(data: bytes) -> None:
    """Check that a photo is one that the log may have kept.

    Raises:
        ValueError: It is not a JPEG, too large, or damaged.
    """
    try:
        header = read_header(data)
        _require(header.format == "JPEG" and max(header.width, header.height) <= MAX_PHOTO_SIDE, "photo")
        check(data)
    except ShutterlessError as error:
        raise ValueError("its photo is damaged") from error


@dataclass(frozen=True)
class _Common:
    """What all pictures of a request share."""

    request: str
    time: datetime
    model: str
    labels: tuple[str, ...]


def _common(members: JsonObject) -> _Common:
    request, model, labels = members.get("request_id"), members.get("model"), members.get("labels")
    _require(isinstance(request, str) and REQUEST.fullmatch(request), "request_id")
    _require(isinstance(model, str) and MODEL.fullmatch(model), "model")
    _require(isinstance(labels, list) and 2 <= len(labels) <= MAX_LABELS, "labels")
    names = tuple(_label(each) for each in cast(list[object], labels))
    _require(len(set(names)) == len(names), "labels")
    return _Common(cast(str, request), _time(members.get("time")), cast(str, model), names)


def _record(common: _Common, row: Mapping[str, object]) -> PictureRecord:
    label, scores = row["label"], _floats(row["scores"], "scores", MAX_LABELS)
    _require(label in common.labels, "label")
    _require(scores is not None and len(scores) == len(common.labels), "scores")
    values = cast(Floats, scores)
    _require(values.min() >= 0 and abs(float(values.sum()) - 1) < 0.1, "scores")
    _require(isinstance(row["accepted"], bool), "accepted")
    _require(isinstance(row["familiar"], bool | None), "familiar")
    return PictureRecord(
        id=_id(row["record_id"]),
        request=common.request,
        time=common.time,
        model=common.model,
        labels=common.labels,
        label=cast(str, label),
        confidence=_fraction(row["confidence"], "confidence"),
        accepted=cast(bool, row["accepted"]),
        familiar=cast("bool | None", row["familiar"]),
        novelty=None if row["novelty"] is None else _fraction(row["novelty"], "novelty"),
        scores=values,
        embedding=_floats(row["embedding"], "embedding", MAX_EMBEDDING),
        photo=None if row["photo"] is None else _bytes(row["photo"], "photo"),
    )


def _column(value: object, name: str, is_list: bool) -> Sequence[object]:
    """Return the values of all pictures; empty if there are none."""
    if value is None:
        return []
    _require(isinstance(value, list) == is_list, name)
    return cast(list[object], value) if is_list else [value]


def _require(is_valid: object, name: str) -> None:
    if not is_valid:
        raise ValueError(f"its {name} is missing or impossible")


def _id(value: object) -> str:
    _require(isinstance(value, str) and is_record_id(value), "record_id")
    return cast(str, value)


def _label(value: object) -> str:
    _require(isinstance(value, str) and 1 <= len(value) <= MAX_LABEL_LENGTH, "label")
    label = cast(str, value)
    _require(label.isprintable() or label == OTHER, "label")
    return label


def _time(value: object) -> datetime:
    try:
        time = datetime.fromisoformat(str(value))
        _require(time.tzinfo is not None and FIRST_YEAR <= time.year <= LAST_YEAR, "time")
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("its time is missing or impossible") from error


def _fraction(value: object, name: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    _require(is_number and 0 <= cast(float, value) <= 1 + ROUNDING, name)  # false for NaN
    return min(1.0, float(cast(float, value)))


def _bytes(value: object, name: str) -> bytes:
    try:
        return base64.b64decode(cast(str, value), validate=True)
    except (ValueError, TypeError) as error:
        raise ValueError(f"its {name} is not base64") from error


def _floats(value: object, name: str, maximum: int) -> Floats | None:
    """Return numbers that are base64 of little-endian float16."""
    if value is None:
        return None
    data = _bytes(value, name)
    _require(len(data) % 2 == 0 and 1 <= len(data) // 2 <= maximum, name)
    values = np.frombuffer(data, "<f2").astype(np.float32)
    _require(np.isfinite(values).all(), name)
    return values
