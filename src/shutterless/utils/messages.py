"""Names in messages: suggestions for a misspelt one, and long lists cut short."""

from collections.abc import Collection, Iterable
from itertools import islice

SHOWN = 3


def closest(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of `names` that `name` may be a misspelling of, the likeliest first."""
    from difflib import get_close_matches  # only errors need it, and starting up has no time for it

    originals = {candidate.lower(): candidate for candidate in names}
    matches = get_close_matches(name.lower(), originals, n=SHOWN, cutoff=0.6)
    return [originals[match] for match in matches]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return "Did you mean a, b or c? " for a misspelt `name`, or "" if nothing in `names` is like it."""
    *others, last = closest(name, names) or [""]
    suggestion = f"{', '.join(others)} or {last}" if others else last
    return f"Did you mean {suggestion}? " if suggestion else ""


def shortened(names: Collection[str], shown: int = SHOWN) -> str:
    """Return the first few `names` and how many more there are: "a, b, c and 68 more"."""
    more = len(names) - shown
    first = ", ".join(islice(names, shown))
    return f"{first} and {more:,} more" if more > 0 else first
