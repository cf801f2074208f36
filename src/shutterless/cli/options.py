"""What several commands read alike from the command line."""

import re

import typer

_NUMBER = re.compile(r"(\d{1,3}(?:\.\d+)?|\.\d+)\s*(%?)")


def share(value: str | float) -> float:
    """Return a share from 0 to 1 of a percentage.

    With a `%` sign a number is a percentage. Without, a number above 1 is one too and a number below 1 is
    a share, so `10%`, `10` and `0.1` mean the same; `1` could be either and is refused.
    Raises `typer.BadParameter`.
    """
    match = _NUMBER.fullmatch(str(value).strip())
    if not match:
        raise typer.BadParameter(f"{value!r} is not a percentage, such as 10%")
    number, sign = float(match[1]), match[2]
    if number == 1 and not sign:
        raise typer.BadParameter(f"{value!r} could be 1% or 100%: add the % sign")
    share = number / 100 if sign or number > 1 else number
    if share > 1:
        raise typer.BadParameter(f"{value!r} is more than 100%")
    return share
