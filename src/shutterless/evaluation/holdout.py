"""Describe the photos a model was measured on, and whether they say anything about new ones."""

from collections.abc import Mapping


def explain(measured: Mapping[str, int], left_out: Mapping[str, int]) -> list[str]:
    """Return notes on what the measured photos mean for the figures, one per line.

    Args:
        measured: Split → number of photos that were measured.
        left_out: Split → number of photos of the same folder that were not.
    """
    notes = []
    if trained_on := measured.get("train", 0):
        notes.append(
            f"{trained_on:,} of these {sum(measured.values()):,} photos were trained on: "
            "the figures are too good for new photos"
        )
    elif measured.get("validation"):
        notes.append(
            "the best epoch was chosen on the validation photos: expect slightly lower accuracy on new ones"
        )
    uses = {"were trained on": left_out.get("train"), "chose the best epoch": left_out.get("validation")}
    reasons = [f"{count:,} {use}" for use, count in uses.items() if count]
    if reasons:
        total = sum(measured.values()) + sum(left_out.values())
        notes.append(
            f"of these {total:,} photos, {' and '.join(reasons)}: left out (--split all measures every photo)"
        )
    return notes


def describe(measured: Mapping[str, int]) -> str:
    """Name the measured photos, as in "the test photos" or "20 test and 40 new photos".

    Args:
        measured: Split → number of photos that were measured.
    """
    if len(measured) == 1:
        return f"the {next(iter(measured))} photos"
    *others, last = (f"{count:,} {split}" for split, count in measured.items())
    return f"{', '.join(others)} and {last} photos"
