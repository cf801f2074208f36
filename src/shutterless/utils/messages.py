"""Names and numbers in messages: suggestions for misspelt names, long lists cut short, plurals."""

from collections.abc import Collection, Iterable
from itertools import islice

MAX_NAMES = 3
MIN_SIMILARITY = 0.6  # as difflib.get_close_matches


def closest(name: str, names: Iterable[str]) -> list[str]:
    """Return up to three of `names` that `name` may be a misspelling of.

    The closest come first; of equally close ones, those that come first in `names`.
    """
    from difflib import SequenceMatcher  # only errors need it, and it would slow down every start

    def similarity(candidate: str) -> float:
        return SequenceMatcher(None, candidate.lower(), name.lower()).ratio()

    scores = {candidate: similarity(candidate) for candidate in names}
    by_score = sorted(scores, key=lambda candidate: scores[candidate], reverse=True)
    return [candidate for candidate in by_score if scores[candidate] >= MIN_SIMILARITY][:MAX_NAMES]


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
