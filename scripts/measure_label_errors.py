"""Measure how well wrong labels are found: change labels at random, and look where they are in the list.

    python scripts/measure_label_errors.py photos --seeds 0 1 2

Prints the average precision of the list of possible label errors for each seed, and how many of the changed
labels are among as many first entries. The photos themselves are not changed.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from shutterless.curation.label_errors import cross_validate_features, find_label_errors
from shutterless.curation.neighbours import center
from shutterless.curation.networks import load_network
from shutterless.dataset import Photo, load_dataset
from shutterless.features.embedding import DEFAULT_MODEL, embed


def change_labels(
    photos: Sequence[Photo], fraction: float, seed: int
) -> tuple[list[Photo], npt.NDArray[np.bool_]]:
    """Return the photos, some under another label, and which these are."""
    rng = np.random.default_rng(seed)
    labels = sorted({photo.label for photo in photos})
    is_changed = np.zeros(len(photos), bool)
    is_changed[rng.choice(len(photos), round(fraction * len(photos)), replace=False)] = True
    shifts = rng.integers(1, len(labels), len(photos))
    changed = [
        replace(photo, label=labels[(labels.index(photo.label) + shift) % len(labels)]) if change else photo
        for photo, change, shift in zip(photos, is_changed, shifts, strict=True)
    ]
    return changed, is_changed


def main() -> None:
    """Print a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--fraction", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    photos = load_dataset(arguments.photos).photos
    vectors = center(embed(arguments.photos, photos, load_network(arguments.model)))
    for seed in arguments.seeds:
        changed, is_changed = change_labels(photos, arguments.fraction, seed)
        result = cross_validate_features(vectors, changed)
        own = result.probabilities[np.arange(len(result.indices)), result.truth]
        precision = average_precision_score(is_changed[result.indices], -own)
        errors = find_label_errors(vectors, changed)
        first = [error.index for error in errors[: is_changed.sum()]]
        print(
            f"seed {seed}: average precision {precision:.3f}; {is_changed[first].sum()} of the first "
            f"{len(first)} entries are changed labels; {len(errors)} entries have "
            f"{is_changed[[error.index for error in errors]].sum()} of {is_changed.sum()}",
            flush=True,
        )


if __name__ == "__main__":
    main()
