"""A review: the photos, and the answers that reviewers have given so far."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from shutterless.curation.fixes.plan import SPECIAL
from shutterless.errors import InputError
from shutterless.review.accuracy import ReviewedAccuracy, measure_accuracy
from shutterless.review.items import Item, Queue
from shutterless.review.labels_file import Answer, Choice, read_labels, write_labels
from shutterless.runtime.json_types import JsonObject

MAX_LABEL = 100  # characters of a new label


class Review:
    """Photos to label, and the answers so far, which several browsers may add to at the same time.

    Every answer is on the disk when `answer` returns.

    Attributes:
        queue: The photos in the order in which they are reviewed.
        items: Id → photo.

    Args:
        queue: The photos.
    """

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.items: Mapping[str, Item] = {item.id: item for item in queue.items}
        self._answers = read_labels(queue.labels_file)
        self._lock = threading.Lock()

    @property
    def answers(self) -> Mapping[str, Answer]:
        """Id → answer of every photo that has one, also of photos that are not among these."""
        return self._answers

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that there are, those that reviewers have added last."""
        new = [answer.label for answer in self._answers.values() if answer.label]
        return tuple(dict.fromkeys([*self.queue.labels, *new]))

    @property
    def accuracy(self) -> ReviewedAccuracy | None:
        """How often the model is right, by the photos that were chosen at random; None without answers."""
        return measure_accuracy(self.queue.sample, self.items, self._answers)

    @property
    def remaining(self) -> int:
        """Number of photos that have no answer."""
        return sum(name not in self._answers for name in self.items)

    def answer(
        self,
        name: str,
        choice: Choice | None,
        label: str = "",
        reviewer: str = "",
        *,
        earlier: tuple[Choice | None, str] | None = None,
    ) -> None:
        """Write down what a reviewer said of a photo, in place of any earlier answer.

        Args:
            name: The photo's id.
            choice: What was chosen; None takes the answer back.
            label: The label, if `choice` is `label`. It may be a new one.
            reviewer: Who said it.
            earlier: Choice and label of the answer that the photo has, as far as the reviewer knows; None if
                any answer may be replaced.

        Raises:
            InputError: There is no such photo (`unknown-photo`), the label is no name of a folder
                (`invalid-label`), or somebody else has answered in the meantime (`answer-exists`).
            OutputError: The file cannot be written (`cannot-write`); the earlier answer stays.
        """
        if name not in self.items:
            raise InputError("unknown-photo", f"There is no photo {name[:80]!r} in this review", "")
        time = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock:
            if earlier is not None and earlier != self._current(name):
                raise InputError("answer-exists", "Somebody else has answered this photo in the meantime", "")
            answers = {key: value for key, value in self._answers.items() if key != name}
            if choice is not None:
                answers[name] = self._describe(name, Answer(choice, label, reviewer=reviewer, time=time))
            write_labels(self.queue.labels_file, answers)
            self._answers = answers

    def add(self, answers: Iterable[tuple[str, Answer]]) -> int:
        """Add answers from elsewhere to photos of this review, all at once, and return their number.

        Raises:
            InputError: A label is no name of a folder (`invalid-label`).
            OutputError: The file cannot be written (`cannot-write`).
        """
        with self._lock:
            new = {name: self._describe(name, answer) for name, answer in answers if name in self.items}
            merged = {**self._answers, **new}
            write_labels(self.queue.labels_file, merged)
            self._answers = merged
        return len(new)

    def _current(self, name: str) -> tuple[Choice | None, str]:
        answer = self._answers.get(name)
        return (answer.choice, answer.label) if answer else (None, "")

    def _describe(self, name: str, answer: Answer) -> Answer:
        """Return an answer with what is known of its photo; a label that is new is checked."""
        item = self.items[name]
        label = answer.label if answer.choice is Choice.LABEL else ""
        if answer.choice is Choice.LABEL and label not in self.labels:
            label = check_label(label)
        return replace(answer, label=label, photo=item.name, before=item.label)

    def to_json(self) -> JsonObject:
        """Return how far the review is, as a JSON object."""
        accuracy = self.accuracy
        return {
            "source": str(self.queue.source),
            "kind": self.queue.kind.value,
            "photos": self.queue.total,
            "chosen": len(self.items),
            "remaining": self.remaining,
            "accuracy": accuracy.to_json() if accuracy else None,
        }


def check_label(text: str) -> str:
    """Return a label without spaces around it.

    Raises:
        InputError: It cannot be the name of a folder on every system (`invalid-label`).
    """
    label = " ".join(text.split())
    is_valid = (
        0 < len(label) <= MAX_LABEL
        and label.isprintable()
        and not SPECIAL & set(label)
        and not label.startswith((".", "_"))
        and not label.endswith(".")
    )
    if not is_valid:
        raise InputError(
            "invalid-label",
            f"{label[:MAX_LABEL]!r} can't be a label",
            'Labels are names of folders: without / \\ : * ? " < > |, and not beginning with . or _.',
        )
    return label
