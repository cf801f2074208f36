"""Measure `train --from` with a label that was added later, beside training from the start.

    python scripts/try_from.py photos --labels skirt shoes hat --seeds 42 1 2 [--recipe quick] [--cold]

For each label and seed, a first run is trained without the label. Then all photos are trained twice:
continuing the first run, and from the start. Prints how many validation photos of the old labels the three
runs get right, how many of the new label the last two do, and their processor time. Training from the start
finds the features of the first run in the cache, too; with `--cold` it starts with an empty one.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from shutterless.dataset import Dataset, load_dataset
from shutterless.training import Run, train


class Result(NamedTuple):
    """The validation photos that were right before, continued and from the start, and processor seconds."""

    old_photos: int
    old_before: int
    old_continued: int
    old_anew: int
    new_photos: int
    new_continued: int
    new_anew: int
    seconds_continued: float
    seconds_anew: float


def without(dataset: Dataset, label: str) -> Dataset:
    """Return the data set without one label."""
    labels = tuple(each for each in dataset.labels if each != label)
    photos = tuple(photo for photo in dataset.photos if photo.label != label)
    return replace(dataset, labels=labels, photos=photos)


def count_right(run: Run, label: str) -> tuple[int, int]:
    """Return how many validation photos of all other labels, and of `label`, the run gets right."""
    right = {name: round(row["right"]) for name, row in run.metrics["validation"]["per_label"].items()}
    new = right.pop(label, 0)
    return sum(right.values()), new


@contextmanager
def cache_in(folder: Path | None) -> Iterator[None]:
    """Use another cache folder, if one is given."""
    before = os.environ.get("XDG_CACHE_HOME")
    if folder:
        os.environ["XDG_CACHE_HOME"] = str(folder)
    try:
        yield
    finally:
        if folder:
            os.environ.pop("XDG_CACHE_HOME")
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


def measure(dataset: Dataset, label: str, seed: int, recipe: str, folder: Path, is_cold: bool) -> Result:
    """Train the three runs."""
    first = train(without(dataset, label), folder / "first", recipe=recipe, seed=seed, report=False)
    start = time.process_time()
    continued = train(dataset, folder / "continued", from_run=first, report=False)
    middle = time.process_time()
    with cache_in(folder / "cache" if is_cold else None):
        anew = train(dataset, folder / "anew", recipe=recipe, seed=seed, report=False)
    end = time.process_time()
    new_photos = sum(photo.label == label for photo in dataset.of("validation"))
    old_continued, new_continued = count_right(continued, label)
    old_anew, new_anew = count_right(anew, label)
    return Result(
        len(dataset.of("validation")) - new_photos,
        count_right(first, label)[0],
        old_continued,
        old_anew,
        new_photos,
        new_continued,
        new_anew,
        middle - start,
        end - middle,
    )


def main() -> None:
    """Print a line for each label and seed, and one for all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--labels", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--cold", action="store_true")
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.photos)
    results = []
    print("label", "seed", *Result._fields, "share", sep="\t")
    for label in arguments.labels:
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as folder:
                result = measure(dataset, label, seed, arguments.recipe, Path(folder), arguments.cold)
            results.append(result)
            share = result.seconds_continued / result.seconds_anew
            print(label, seed, *(round(value, 1) for value in result), round(share, 2), sep="\t", flush=True)
    total = Result(*(sum(values) for values in zip(*results, strict=True)))
    print(
        f"old labels: {total.old_before / total.old_photos:.1%} before, "
        f"{total.old_continued / total.old_photos:.1%} continued, "
        f"{total.old_anew / total.old_photos:.1%} from the start; "
        f"new label: {total.new_continued / total.new_photos:.1%} continued, "
        f"{total.new_anew / total.new_photos:.1%} from the start; "
        f"processor time {total.seconds_continued / total.seconds_anew:.2f} of training from the start"
    )


if __name__ == "__main__":
    main()
