"""Names and numbers in messages: suggestions for misspelt names, long lists cut short, plurals."""

from collections.abc import Collection, Iterable
from itertools import islice

MAX_NAMES = 3


def closest(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of `names` that `name` may be a misspelling of, the most likely first."""
    from difflib import get_close_matches  # only errors need it, and it would slow down every start

    originals = {candidate.lower(): candidate for candidate in names}
    matches = get_close_matches(name.lower(), originals, n=MAX_NAMES, cutoff=0.6)
    return [originals[match] for match in matches]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return "Did you mean a, b or c? " for a misspelt name; "" if none of `names` is similar."""
    *others, last = closest(name, names) or [""]
    suggestion = f"{', '.join(others)} or {last}" if others else last
    return f"Did you mean {suggestion}? " if suggestion else ""


def shortened(names: Collection[str], limit: int = MAX_NAMES) -> str:
    """Return the first few names and the number of the others, as in "a, b, c and 68 more"."""
    more = len(names) - limit
    first = ", ".join(islice(names, limit))
    return f"{first} and {more:,} more" if more > 0 else first


def plural(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun, as in "1 photo" or "1,200 photos".

    Args:
        count: The number.
        one: The noun for 1.
        many: The noun for any other number; by default `one` with an s.
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def quoted(names: Iterable[str]) -> str:
    """Return the first few of the sorted names in quotes, and how many more there are."""
    return shortened([f"'{name}'" for name in sorted(names)])
