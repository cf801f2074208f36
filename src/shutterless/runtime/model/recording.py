"""What the log has about each picture where records are on: an id, the scores, the embedding, and its photo.

Only a service with records imports this. docs/loop.md describes the records.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from PIL import Image

from shutterless.runtime.http_messages import parse_json
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.problems import Problem

if TYPE_CHECKING:
    from shutterless.runtime.json_types import CorrectionDocument, Json, PredictionDocument
    from shutterless.runtime.settings import KeptPhotos

# Pixels of a kept photo's longer side, and JPEG's quality: the first that is small enough.
PHOTO_SIZES = ((512, 80), (512, 60), (384, 60), (256, 50), (128, 50))
# How an unusual picture is decoded again: its proportions stay.
UNUSUAL_PHOTO = InputSpec(PHOTO_SIZES[0][0], PHOTO_SIZES[0][0], "pad")
MAX_FLOAT16 = 65_504.0
# The folder of photos that fit no label; here it stands for them.
OTHER = "_other"
ID_BYTES = 8


class RecordedPrediction(dict[str, object]):
    """A prediction's document, with what only the log gets beside it.

    Attributes:
        members: Members of the log record, all in ASCII: `scores` and `embedding` are base64 of
            little-endian float16, `photo` is base64 of a JPEG.
    """

    members: dict[str, str | None]


class Recorder:
    """Adds to predictions what their records need.

    Attributes:
        keeps_photos: Whether any record has its photo.
        unusual_photo: How a picture whose photo is kept is decoded again in a child process.
    """

    def __init__(self, kept: KeptPhotos) -> None:
        self._kept = kept
        self.unusual_photo = UNUSUAL_PHOTO
        self.keeps_photos = bool(kept.refused or kept.share)

    def record(self, document: PredictionDocument, embedding: Sequence[float] | None) -> PredictionDocument:
        """Return a prediction's document with the id of its record, and what only the log gets.

        Args:
            document: What the sender gets.
            embedding: The picture's embedding; None if the model has none.
        """
        record_id = os.urandom(ID_BYTES).hex()
        prediction = RecordedPrediction(document, record_id=record_id)
        prediction.members = {
            "scores": encode_floats([*document["scores"].values()]),
            "embedding": encode_floats(embedding) if embedding is not None else None,
            "photo": None,
        }
        return cast("PredictionDocument", prediction)

    def keep_photo(
        self, prediction: PredictionDocument, read_photo: Callable[[], Image.Image], max_bytes: int
    ) -> None:
        """Add the photo to the record, if photos of such predictions are kept.

        The id is random, and nothing else decides about a sample, so anyone can check that it is fair.

        Args:
            prediction: What `record` returned.
            read_photo: Returns the RGB picture; may raise a `Problem` if there is no time left to decode it.
            max_bytes: Characters of the log that it may take.
        """
        recorded = cast(RecordedPrediction, prediction)
        is_refused = self._kept.refused and not prediction["accepted"]
        if is_refused or is_sampled(str(recorded["record_id"]), self._kept.share):
            with contextlib.suppress(Problem):
                recorded.members["photo"] = encode_photo(read_photo(), max_bytes)


def is_sampled(record_id: str, share: float) -> bool:
    """Tell whether a sample of this share of all records has this one."""
    return int(record_id, 16) < share * 256**ID_BYTES


def encode_floats(values: Sequence[float]) -> str:
    """Return numbers as base64 of little-endian float16; those beyond its range become its limits."""
    try:
        data = struct.pack(f"<{len(values)}e", *values)
    except OverflowError:
        limited = [max(-MAX_FLOAT16, min(MAX_FLOAT16, value)) for value in values]
        data = struct.pack(f"<{len(limited)}e", *limited)
    return base64.b64encode(data).decode()


def encode_photo(picture: Image.Image, max_bytes: int) -> str | None:
    """Return a picture as base64 of a small JPEG without metadata; None if none is small enough.

    Args:
        picture: An RGB picture, which is made smaller in place.
        max_bytes: Characters that the result may have.
    """
    picture.info = {}  # Pillow writes a comment in it to the file
    for side, quality in PHOTO_SIZES:
        picture.thumbnail((side, side), Image.Resampling.BILINEAR)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        text = base64.b64encode(file.getvalue()).decode()
        if len(text) <= max_bytes:
            return text
    return None


def read_correction(body: bytes, labels: Sequence[str]) -> CorrectionDocument:
    """Read a request that corrects a prediction: its record's id, and the label that is right.

    Args:
        body: JSON with `record_id` and `label`.
        labels: The labels to choose from; `_other` stands for none of them.

    Raises:
        Problem: `invalid-request` if it is anything else.
    """
    document: Json = parse_json(body)
    if not isinstance(document, dict) or document.keys() != {"record_id", "label"}:
        raise Problem("invalid-request", "send a JSON object with record_id and label")
    record_id, label = document["record_id"], document["label"]
    if not isinstance(record_id, str) or not is_record_id(record_id):
        raise Problem("invalid-request", "record_id is not that of an answer")
    if not isinstance(label, str) or label not in (*labels, OTHER):
        raise Problem("invalid-request", f"label is none of the model's, nor {OTHER}")
    return {"record_id": record_id, "correct_label": label}


def is_record_id(text: str) -> bool:
    """Tell whether a text can be the id of a record: 16 hex digits."""
    return len(text) == 2 * ID_BYTES and set(text) <= set("0123456789abcdef")
