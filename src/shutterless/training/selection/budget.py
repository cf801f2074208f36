"""A limit for the converted model: the time for a photo, or the size of the file."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shutterless.errors import InputError
from shutterless.training.selection.measurement import Measurement

AUTO = "auto"
_TEXT = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|kb|mb)", re.ASCII | re.IGNORECASE)
_MILLISECONDS = {"ms": 1, "s": 1000}
_BYTES = {"kb": 1000, "mb": 1_000_000}


@dataclass(frozen=True)
class Budget:
    """What a converted model may take at most.

    Attributes:
        text: As the user wrote it.
        quantity: Which figure of a measurement is limited.
        limit: Milliseconds for one photo on one core, or bytes.
    """

    text: str
    quantity: Literal["milliseconds", "bytes"]
    limit: float

    def cost(self, measurement: Measurement) -> float:
        """Return the figure that is limited."""
        return measurement.milliseconds if self.quantity == "milliseconds" else measurement.bytes

    def admits(self, measurement: Measurement) -> bool:
        """Tell whether a model is within the budget."""
        return self.cost(measurement) <= self.limit


def parse_budget(text: str) -> Budget:
    """Parse a time or a size.

    Args:
        text: A number with its unit: `8ms`, `0.008s`, `4MB` or `800KB`. 1 MB is a million bytes.

    Raises:
        InputError: It is no such text, or zero (`invalid-budget`).
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None or float(match[1]) == 0:
        raise InputError(
            "invalid-budget",
            f"{text!r} is no time or size for a budget",
            "Give a number with its unit, such as 8ms, 0.008s, 4MB or 800KB.",
        )
    number, unit = float(match[1]), match[2].lower()
    if unit in _MILLISECONDS:
        return Budget(text, "milliseconds", number * _MILLISECONDS[unit])
    return Budget(text, "bytes", number * _BYTES[unit])


def is_auto(backbone: str | None) -> bool:
    """Tell whether the backbone is to be chosen for a budget."""
    return backbone is not None and backbone.lower() == AUTO


def require_budget_options(
    backbone: str | None, budget: str | None, weights: str | Path | None, cut: str | None
) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: There is a budget without the backbone `auto`, or with `auto` a layer to cut at or a file
            of weights, which belong to one network (`conflicting-options`); or `auto` has no budget
            (`missing-budget`).
    """
    if not is_auto(backbone):
        if budget is None:
            return
        raise InputError(
            "conflicting-options",
            f"The budget {budget} is only for the backbone auto, which chooses one",
            "Add --backbone auto, or leave the budget out.",
        )
    if budget is None:
        raise InputError(
            "missing-budget",
            "The backbone auto needs a budget to choose by",
            "Add --budget with a time or a size, such as 8ms or 4MB.",
        )
    if cut is not None or str(weights or "imagenet") not in ("imagenet", "none"):
        raise InputError(
            "conflicting-options",
            "A layer to cut at, or a file of weights, belongs to one network: auto could choose another one",
            "Leave them out, or name the backbone.",
        )
