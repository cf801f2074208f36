"""Options that several commands share, and how they are parsed."""

import re
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Split = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="train, validation, test, new or all.  [default: test and new, else validation]",
    ),
]
LabelMap = Annotated[
    str | None,
    typer.Option(metavar="OLD=NEW,...", help="Renamed labels, or a file with OLD=NEW on each line."),
]

_NUMBER = re.compile(r"(\d{1,3}(?:\.\d+)?|\.\d+)\s*(%?)")


def share(value: str | float) -> float:
    """Parse a percentage as a share, 0 to 1.

    `10%`, `10` and `0.1` all mean a tenth: without a % sign, numbers above 1 are percentages and numbers
    below 1 are shares. `1` could be either and is refused.

    Raises:
        typer.BadParameter: It is not a percentage, or ambiguous.
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


def refuse_both(first: object, first_name: str, second: object, second_name: str) -> None:
    """Raise `typer.BadParameter` if two options that exclude each other are both given."""
    if first and second:
        raise typer.BadParameter(f"give either {first_name} or {second_name}", param_hint=second_name)


def parse_tags(values: list[str] | None) -> dict[str, str] | None:
    """Parse the values of `--tag KEY=VALUE`; an empty one stands for no tags, and no value for no change.

    Raises:
        typer.BadParameter: A value has no equals sign, or a key comes twice.
    """
    if not values:
        return None
    tags: dict[str, str] = {}
    for value in filter(None, values):
        key, sign, text = value.partition("=")
        if not sign or key in tags:
            raise typer.BadParameter(f"{value!r} is not KEY=VALUE with a new key", param_hint="--tag")
        tags[key] = text
    return tags


def parse_label_map(text: str) -> dict[str, str]:
    """Parse old label → new label from "old=new,old=new", or from a file with one pair per line."""
    pairs = Path(text).read_text("utf-8").splitlines() if Path(text).is_file() else text.split(",")
    names = {}
    for pair in filter(str.strip, pairs):
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (old and equals and new):
            raise typer.BadParameter(f"--label-map: {pair!r} is not OLD=NEW")
        names[old] = new
    return names
