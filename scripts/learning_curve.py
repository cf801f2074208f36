"""Train recipes on a second data set with fewer photos: every other label, 10 to 300 photos of each.

    python scripts/learning_curve.py photos --recipes quick standard --counts 10 30 100 300

Prints the accuracy and the log loss on all validation photos of these labels, calibrated on the same photos,
beside a linear head on MobileNetV2. The photos are not changed.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import shutterless
from shutterless.dataset import Dataset, load_dataset
from shutterless.evaluation import predict_labelled
from shutterless.evaluation.calibration import apply_temperature, fit_temperature, min_temperature

BASELINE = """
name = "mobilenetv2 and a linear head"
description = "What one would write first"
head_training = {epochs = 40, batch_size = 32, learning_rate = 1e-3, mirrored = false}
"""


def choose_photos(dataset: Dataset, count: int, seed: int) -> Dataset:
    """Return every other label of a data set, with at most `count` training photos of each."""
    labels, rng = dataset.labels[::2], np.random.default_rng(seed)
    chosen = [photo for photo in dataset.of("validation") if photo.label in labels]
    for label in labels:
        photos = [photo for photo in dataset.of("train") if photo.label == label]
        chosen += [photos[number] for number in rng.permutation(len(photos))[:count]]
    photos = tuple(sorted(chosen, key=lambda photo: photo.path))
    return replace(dataset, labels=labels, photos=photos, groups=(), other=())


def measure(dataset: Dataset, recipe: str, folder: Path, seed: int) -> tuple[float, float]:
    """Train a recipe and return its accuracy and its log loss."""
    run = shutterless.train(dataset, folder, recipe=recipe, seed=seed, report=False)
    predictions = predict_labelled(run, dataset.root, dataset.of("validation"))
    truth, scores = predictions.truth, predictions.probabilities
    scores = apply_temperature(scores, fit_temperature(truth, scores, min_temperature(len(truth))))
    metrics = replace(predictions, probabilities=scores).measure()
    return metrics.accuracy, metrics.loss


def main() -> None:
    """Print a line for each number of photos and each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--recipes", nargs="+", default=["quick"])
    parser.add_argument("--counts", nargs="+", type=int, default=[10, 30, 100, 300])
    parser.add_argument("--seed", type=int, default=42)
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.photos, seed=arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        baseline = folder / "baseline.toml"
        baseline.write_text(BASELINE)
        for count in arguments.counts:
            subset = choose_photos(dataset, count, arguments.seed)
            photos = len(subset.of("train"))
            for recipe in (*arguments.recipes, str(baseline)):
                run = folder / f"{count}-{Path(recipe).stem}"
                accuracy, log_loss = measure(subset, recipe, run, arguments.seed)
                print(f"{count}\t{photos}\t{Path(recipe).stem}\t{accuracy:.1%}\t{log_loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
