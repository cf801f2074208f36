"""Does it pay to label the photos that `review` shows first? Compare them with photos by lot.

    python scripts/try_review.py photos --seeds 0 1 2 3 4 --recipe quick

For each seed, a network is trained on a few photos, sees others as an API would, and is continued by
`train --from` with some of them: those that review chooses, or as many by lot. Prints the log loss and the
accuracy on the validation photos before and after.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

import shutterless
from shutterless.dataset import Dataset, Photo, load_dataset
from shutterless.review.order import choose_photos
from shutterless.runtime.image import decoder
from shutterless.runtime.model.classifier import Classifier


def choose(bundle: Path, dataset: Dataset, pool: list[Photo], count: int) -> list[Photo]:
    """Return the photos of the pool that a review of a bundle's answers would show."""
    classifier = Classifier(shutterless.read_bundle(bundle))
    scores, novelty, embeddings = [], [], []
    for photo in pool:
        pixels = decoder.decode(decoder.read(dataset.root / photo.path), classifier.input)
        prediction, embedding = classifier.classify_and_embed(pixels)
        scores.append([*prediction.scores.values()])
        novelty.append(prediction.novelty)
        embeddings.append(embedding)
    ids = [photo.sha256 for photo in pool]
    chosen, _ = choose_photos(ids, np.array(scores), np.array(novelty, float), np.array(embeddings), count)
    return [pool[index] for index in chosen]


def measure(run: Path) -> tuple[float, float]:
    """Return log loss and accuracy on the validation photos."""
    metrics = shutterless.evaluate(run, split="validation")
    return metrics.loss, metrics.accuracy


def try_seed(dataset: Dataset, seed: int, arguments: argparse.Namespace, folder: Path) -> list[float]:
    """Return log loss and accuracy of the first network, and of both continued ones."""
    train = dataset.of("train")
    order = np.random.default_rng(seed).permutation(len(train))
    start = [train[index] for index in order[: arguments.start]]
    pool = [train[index] for index in order[arguments.start : arguments.start + arguments.pool]]
    validation = dataset.of("validation")
    first = replace(dataset, photos=(*start, *validation))
    options = {"recipe": arguments.recipe, "seed": seed, "report": False}
    shutterless.train(first, folder / "run", **options)
    shutterless.convert(folder / "run", folder / "bundle", precision="float32")
    samples = {
        "lot": pool[: arguments.count],
        "review": choose(folder / "bundle", dataset, pool, arguments.count),
    }
    results = [*measure(folder / "run")]
    for name, sample in samples.items():
        photos = replace(dataset, photos=(*start, *sample, *validation))
        shutterless.train(photos, folder / name, from_run=folder / "run", **options)
        results += measure(folder / name)
    return results


def main() -> None:
    """Print a line for each seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--start", type=int, default=300, help="photos that the first network has")
    parser.add_argument("--pool", type=int, default=200, help="photos that the API sees")
    parser.add_argument("--count", type=int, default=50, help="photos that are labelled")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.photos)
    print("seed: log loss (accuracy) before, after photos by lot, after photos by review")
    rows = []
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(try_seed(dataset, seed, arguments, Path(folder)))
        print(f"{seed}: {_describe(rows[-1])}", flush=True)
    print(f"mean: {_describe(np.mean(rows, axis=0).tolist())}")


def _describe(row: list[float]) -> str:
    return ", ".join(
        f"{loss:.3f} ({accuracy:.1%})" for loss, accuracy in zip(row[::2], row[1::2], strict=True)
    )


if __name__ == "__main__":
    main()
