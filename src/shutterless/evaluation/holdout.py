"""Say which photos figures were measured on, and what that means for new ones."""

from collections.abc import Mapping


def explain(measured: Mapping[str, int], left_out: Mapping[str, int]) -> list[str]:
    """Return, a line each, what a reader of figures must know about the photos that they were measured on.

    Args:
        measured: Split → number of photos that were measured.
        left_out: Split → number of photos of the same folder that were not.
    """
    total = sum(measured.values()) + sum(left_out.values())
    notes = []
    if trained := measured.get("train", 0):
        notes.append(
            f"{trained:,} of these {sum(measured.values()):,} photos were trained on: "
            "the figures are too good for new photos"
        )
    elif measured.get("validation"):
        notes.append(
            "the best epoch was chosen on the validation photos: expect slightly lower accuracy on new ones"
        )
    unused = {"were trained on": left_out.get("train"), "chose the best epoch": left_out.get("validation")}
    reasons = [f"{count:,} {reason}" for reason, count in unused.items() if count]
    if reasons:
        notes.append(
            f"of these {total:,} photos, {' and '.join(reasons)}: left out (--split all measures every photo)"
        )
    return notes


def describe(measured: Mapping[str, int]) -> str:
    """Return which photos were measured, such as "the test photos" or "20 test and 40 new photos"."""
    if len(measured) == 1:
        return f"the {next(iter(measured))} photos"
    *others, last = (f"{count:,} {split}" for split, count in measured.items())
    return f"{', '.join(others)} and {last} photos"
