"""Measure how often canaries are turned back, and after how many requests: healthy ones and bad ones.

    python scripts/simulate_canaries.py [--canaries 200]

The traffic is that of the clothing photos: ten labels with their shares of the data set, photos in bursts
of one label, and now and then several photos in one request. The figures are those of docs/aws.md.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from shutterless.deploy.aws.logs import LogEntry
from shutterless.deploy.canary.watch import Watch

# The photos of each label in the training part of the clothing data set.
LABELS = {
    "dress": 241,
    "hat": 123,
    "longsleeve": 455,
    "outwear": 184,
    "pants": 468,
    "shirt": 290,
    "shoes": 198,
    "shorts": 202,
    "skirt": 112,
    "t-shirt": 795,
}
ACCEPTED = 0.9
BURST = 0.5  # the probability that a photo has the label of the one before
SEVERAL = 0.05  # the share of requests with 2 to 16 photos
POLL = 30  # requests between two readings of the log

# What a model makes of a photo: its label and whether that is accepted; None for an error.
Model = Callable[[str, Random], tuple[str, bool] | None]


def healthy(label: str, random: Random) -> tuple[str, bool]:
    """Answer as the live version does."""
    return label, random.random() < ACCEPTED


def everything_pants(label: str, random: Random) -> tuple[str, bool]:
    """Call everything pants."""
    return "pants", True


def errors(label: str, random: Random) -> None:
    """Answer 500 to everything."""


def unsure(label: str, random: Random) -> tuple[str, bool]:
    """Accept 70 % in place of 90 %."""
    return label, random.random() < 0.7


def retrained(label: str, random: Random) -> tuple[str, bool]:
    """Answer 5 % of the photos differently, as a model that was trained again does."""
    changed = random.random() < 0.05
    return (random.choice(list(LABELS)) if changed else label), random.random() < ACCEPTED


MODELS: dict[str, Model] = {
    "healthy": healthy,
    "retrained, 5 % of the answers differ": retrained,
    "500 to everything": errors,
    "everything pants": everything_pants,
    "accepts 70 % in place of 90 %": unsure,
}


@dataclass
class Traffic:
    """A log of requests, of which a canary answers a share; each reading has 30 more.

    Attributes:
        canary: The canary's model.
        share: Its share of the requests.
        random: The source of chance.
        requests: The number of requests so far.
    """

    canary: Model
    share: float
    random: Random
    requests: int = 0
    label: str = "t-shirt"

    def read(self) -> Iterator[LogEntry]:
        """Yield the lines of the next requests."""
        for _ in range(POLL):
            self.requests += 1
            yield LogEntry(self.requests, json.dumps(self._answer()))

    def _answer(self) -> dict[str, object]:
        """Return the record of one request."""
        is_canary = self.random.random() < self.share
        model = self.canary if is_canary else healthy
        if self.random.random() >= BURST:
            (self.label,) = self.random.choices(list(LABELS), list(LABELS.values()))
        count = self.random.randint(2, 16) if self.random.random() < SEVERAL else 1
        answers = [model(self.label, self.random) for _ in range(count)]
        predictions = [answer for answer in answers if answer]
        record = {"route": "POST /predict", "version": "2" if is_canary else "1"}
        if not predictions:
            return {**record, "status": 500, "code": "internal"}
        labels, accepted = ([each[column] for each in predictions] for column in (0, 1))
        values = (labels, accepted) if count > 1 else (labels[0], accepted[0])
        return {**record, "status": 200, "label": values[0], "accepted": values[1]}


def turned_back_after(model: Model, requests: int, share: float, seed: int) -> int | None:
    """Return the number of requests after which a canary was turned back, None if it was not.

    Args:
        model: The canary's model.
        requests: The number of requests until the canary's time is over.
        share: The canary's share of them, 0 to 1.
        seed: The seed of chance.
    """
    traffic = Traffic(model, share, Random(seed))
    watch = Watch(traffic, "1", "2")
    while traffic.requests < requests:
        is_last = traffic.requests + POLL >= requests
        if watch.look(is_last=is_last).verdict == "worse":
            return traffic.requests
    return None


def main() -> None:
    """Print a line for each model and number of requests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--canaries", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.1)
    arguments = parser.parse_args()
    for name, model in MODELS.items():
        for requests in (60, 300, 600, 1_200, 2_400):
            counts = [
                turned_back_after(model, requests, arguments.share, seed)
                for seed in range(arguments.canaries)
            ]
            numbers = sorted(count for count in counts if count)
            median = f", half of them within {numbers[len(numbers) // 2]:,}" if numbers else ""
            result = f"{len(numbers)} of {len(counts)} turned back{median}"
            print(f"{name}, {requests:,} requests: {result}", flush=True)


if __name__ == "__main__":
    main()
