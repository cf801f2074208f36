"""Measure which weeks `drift` alarms at, by which sign, and how often without a reason, on simulated weeks.

    python scripts/simulate_weeks.py PHOTOS FOLDER [--weeks 100] [--records 500]

A model is trained (`quick`) on a part of the photos, without one label, and converted. Its outputs for all
other photos, as they are and darkened, are computed once and kept in FOLDER. Each simulated week draws
its own validation photos and records from them, without a photo in both, so that the figures hold for any
deployment, not for one sample of validation photos. The figures are those of docs/drift.md.
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shutterless import Dataset, convert, load_dataset, read_bundle, train
from shutterless.dataset import Photo, read_pixels
from shutterless.evaluation.calibration import apply_temperature, fit_temperature
from shutterless.evaluation.robustness import darken
from shutterless.monitoring.estimates import estimate
from shutterless.monitoring.sample import Sample
from shutterless.monitoring.signs import find_signs
from shutterless.novelty import fit_familiarity
from shutterless.runtime.model.classifier import Classifier

UNSEEN = "outwear"  # the label that the model never sees
FREQUENT = "pants"  # the label that becomes three times as frequent
TRAIN, VALIDATION = 1400, 341
OUTPUTS = "outputs.npz"
# Share of a week's records that are changed in the weeks "darker" and "unseen".
CHANGED = (1.0, 0.3, 0.15)


@dataclass(frozen=True)
class Outputs:
    """A model's outputs for photos that it was not trained on.

    Attributes:
        scores: Without a temperature, float32[photos, labels].
        embeddings: float32[photos, d].
        distances: float32[photos, k].
    """

    scores: np.ndarray
    embeddings: np.ndarray
    distances: np.ndarray

    def take(self, indices: np.ndarray) -> "Outputs":
        """Return the outputs for the photos at these indices."""
        return Outputs(self.scores[indices], self.embeddings[indices], self.distances[indices])


def prepare(source: Path, folder: Path) -> None:
    """Train and convert a model on a part of the photos, and keep its outputs for all others."""
    dataset = load_dataset(source)
    rng = np.random.default_rng(0)
    known = [photo for photo in dataset.photos if photo.label != UNSEEN]
    unseen = [photo for photo in dataset.photos if photo.label == UNSEEN]
    order = rng.permutation(len(known))
    _copy(dataset, [known[index] for index in order[:TRAIN]], folder / "photos/train")
    others = order[TRAIN : TRAIN + VALIDATION]
    _copy(dataset, [known[index] for index in others], folder / "photos/validation")
    train(folder / "photos", folder / "run", recipe="quick", report=False)
    convert(folder / "run", folder / "bundle", precision="float16")
    rest = [*(known[index] for index in order[TRAIN + VALIDATION :]), *unseen]
    classifier = Classifier(read_bundle(folder / "bundle"))
    columns = {"label": np.array([photo.label for photo in rest])}
    for name in ("plain", "dark"):
        rows = []
        for photo in rest:
            pixels = read_pixels(dataset.root, [photo], classifier.input)
            if name == "dark":
                pixels = darken(pixels[0], rng)[np.newaxis]
            outputs = (classifier.probabilities, classifier.embeddings, classifier.distances)
            rows.append([output(pixels)[0] for output in outputs])
        for key, column in zip(("scores", "embeddings", "distances"), zip(*rows, strict=True), strict=True):
            columns[f"{name}_{key}"] = np.stack(column)
    np.savez(folder / OUTPUTS, **columns)


def _copy(dataset: Dataset, photos: list[Photo], folder: Path) -> None:
    for photo in photos:
        file = folder / photo.label / Path(photo.path).name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dataset.root / photo.path, file)


class Stream:
    """Draws weeks of records, each with validation photos of its own."""

    def __init__(self, folder: Path, records: int) -> None:
        arrays = np.load(folder / OUTPUTS)
        self.labels = read_bundle(folder / "bundle").labels
        self.truth = np.array([[*self.labels, UNSEEN].index(label) for label in arrays["label"]])
        self.outputs = {
            name: Outputs(*(arrays[f"{name}_{key}"] for key in ("scores", "embeddings", "distances")))
            for name in ("plain", "dark")
        }
        self.records = records

    def draw(self, week: str, rng: np.random.Generator) -> tuple[Sample, np.ndarray, Sample, np.ndarray]:
        """Return answers to validation photos, their labels, answers to a week's pictures, and theirs."""
        known = rng.permutation(np.flatnonzero(self.truth < len(self.labels)))
        validation, rest = known[:VALIDATION], known[VALIDATION:]
        share = float(week.partition(" ")[2] or 0)
        if week == "frequent":
            is_frequent = self.truth[rest] == self.labels.index(FREQUENT)
            share = 3 * is_frequent.mean() / (1 + 2 * is_frequent.mean())
            count = min(rng.binomial(self.records, share), is_frequent.sum())
            chosen = np.concatenate([rest[is_frequent][:count], rest[~is_frequent][: self.records - count]])
        else:
            chosen = rest[: self.records]
        changed = round(share * self.records)
        if week.startswith("unseen"):
            unseen = rng.permutation(np.flatnonzero(self.truth == len(self.labels)))[:changed]
            chosen = np.concatenate([unseen, chosen[len(unseen) :]])
        outputs = self.outputs["plain"].take(chosen)
        if week.startswith("darker"):
            dark = self.outputs["dark"].take(chosen[:changed])
            outputs = Outputs(
                *(
                    np.concatenate([new, old[changed:]])
                    for new, old in zip(vars(dark).values(), vars(outputs).values(), strict=True)
                )
            )
        plain = self.outputs["plain"].take(validation)
        temperature = fit_temperature(self.truth[validation], plain.scores)
        familiarity = fit_familiarity(plain.distances)
        then, now = (
            Sample(
                apply_temperature(each.scores, temperature).astype(np.float64),
                each.embeddings.astype(np.float16).astype(np.float64),
                familiarity.novelty(each.distances),
                np.arange(len(each.scores)),
            )
            for each in (plain, outputs)
        )
        return then, self.truth[validation], now, self.truth[chosen]


def measure(stream: Stream, week: str, weeks: int) -> dict[str, object]:
    """Return how often a kind of week alarms, by which signs, and how good the estimates are."""
    signs: dict[str, int] = {}
    alarms = covered = 0
    errors, differences, widths, accuracies = [], [], [], []
    for number in range(weeks):
        then, truth, now, labels = stream.draw(week, np.random.default_rng(number))
        names = [sign.name for sign in find_signs(then, now) if sign.alarms]
        alarms += bool(names)
        for name in names:
            signs[name] = signs.get(name, 0) + 1
        estimates = estimate(then, truth, now)
        accuracy = float(np.mean(now.answers == labels))
        covered += estimates.accuracy.low <= accuracy <= estimates.accuracy.high
        differences.append(estimates.accuracy.value - accuracy)
        widths.append(estimates.accuracy.high - estimates.accuracy.low)
        accuracies.append(accuracy)
        shares = np.bincount(labels, minlength=len(stream.labels) + 1)[: len(stream.labels)] / len(labels)
        estimated = np.array([share.value for share in estimates.shares])
        errors.append(np.abs(estimated - shares))
    return {
        "week": week,
        "records": stream.records,
        "weeks": weeks,
        "alarms": alarms,
        "signs": signs,
        "accuracy": round(float(np.mean(accuracies)), 4),
        "accuracy_within_interval": covered,
        "mean_error_of_accuracy": round(float(np.mean(differences)), 4),
        "mean_width_of_interval": round(float(np.mean(widths)), 4),
        "label_shares_within_3_points": round(float(np.mean(np.array(errors) <= 0.03)), 3),
        "mean_error_of_largest_change": round(
            float(np.mean([each[stream.labels.index(FREQUENT)] for each in errors])), 4
        ),
        "weeks_with_all_shares_within_3_points": int(np.sum(np.max(errors, axis=1) <= 0.03)),
    }


def main() -> None:
    """Prepare the outputs if they are not there yet, and print a JSON line for each kind of week."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="folder of labelled photos")
    parser.add_argument("folder", type=Path, help="for the model and its outputs")
    parser.add_argument("--weeks", type=int, default=100)
    parser.add_argument("--records", type=int, nargs="+", default=[500])
    parser.add_argument("--kinds", nargs="+", default=["quiet", "frequent"])
    options = parser.parse_args()
    if not (options.folder / OUTPUTS).exists():
        prepare(options.photos, options.folder)
    changed = [f"{kind} {share}" for kind in ("darker", "unseen") for share in CHANGED]
    kinds = [*options.kinds, *changed] if options.kinds == ["quiet", "frequent"] else options.kinds
    for records in options.records:
        for kind in kinds:
            print(json.dumps(measure(Stream(options.folder, records), kind, options.weeks)), flush=True)


if __name__ == "__main__":
    main()
