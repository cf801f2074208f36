"""How a period's pictures differ from the validation photos."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from shutterless.monitoring.estimates import ShareEstimate
from shutterless.monitoring.signs import DriftSign
from shutterless.runtime.json_types import JsonObject


@dataclass(frozen=True)
class LabelDrift:
    """A label's share, then and now.

    Attributes:
        then: Share of the validation photos that have it, 0 to 1.
        now: Estimated share of the pictures of the period that have it, with interval.
        answers: Share of the pictures of the period that got it as their answer.
    """

    then: float
    now: ShareEstimate
    answers: float


@dataclass(frozen=True)
class DriftFigures:
    """DriftFigures of the validation photos or of a period's pictures.

    Attributes:
        pictures: Number of photos or pictures.
        accepted: Share of answers that were accepted, 0 to 1.
        unfamiliar: Share of pictures that fit no label, 0 to 1.
        confidence: Mean confidence, 0 to 1.
    """

    pictures: int
    accepted: float
    unfamiliar: float
    confidence: float


@dataclass(frozen=True)
class UnusualPicture:
    """A picture that a classifier between then and now is surest of.

    Attributes:
        id: Id of its record.
        time: When it was answered, ISO 8601.
        label: The answer.
        confidence: Of the answer, 0 to 1.
        novelty: 0 to 1.
        photo: The file with the picture, None if none was kept.
    """

    id: str
    time: str
    label: str
    confidence: float
    novelty: float
    photo: Path | None


@dataclass(frozen=True)
class Drift:
    """How a period's pictures differ from the validation photos.

    Attributes:
        bundle: Name of the bundle.
        version: Its version; records of other versions are not compared.
        since: Start of the period, ISO 8601.
        until: End of the period.
        requests: Number of requests, of which one picture each is tested.
        left_out: Reason → number of records that are not compared, see `Window`.
        then: DriftFigures of the validation photos.
        now: DriftFigures of the period's pictures.
        labels: Label → its shares.
        accuracy_then: Accuracy on the validation photos, 0 to 1.
        accuracy: Share of the period's answers that are right, as estimated from calibrated scores. It
            assumes that pictures of each label look as they did.
        assumption_holds: Whether no sign contradicts that.
        signs: The tests; none with fewer than 30 requests.
        detectable: Change of a share that would be noticed four times out of five, 0 to 1.
        unusual: The pictures that differ most, if any sign but those of labels and scores alarms.
    """

    bundle: str
    version: str
    since: str
    until: str
    requests: int
    left_out: Mapping[str, int]
    then: DriftFigures
    now: DriftFigures
    labels: Mapping[str, LabelDrift]
    accuracy_then: float
    accuracy: ShareEstimate
    assumption_holds: bool
    signs: tuple[DriftSign, ...]
    detectable: float
    unusual: tuple[UnusualPicture, ...]

    @property
    def too_few(self) -> bool:
        """Whether there are too few requests for any test."""
        return not self.signs

    @property
    def alarm(self) -> bool:
        """Whether any test alarms."""
        return any(sign.alarms for sign in self.signs)

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object."""
        document = asdict(self)
        for picture in document["unusual"]:
            picture["photo"] = picture["photo"] and str(picture["photo"])
        return {"alarm": self.alarm, "too_few": self.too_few, **document}
