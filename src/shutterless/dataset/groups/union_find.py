"""Join things to groups, link by link."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt


class Union:
    """Places 0 to `count` - 1, each in a group of its own until they are joined.

    In memory are the places alone, however many links there are. The smaller group is added to the
    larger, so that no place changes its group more than log2(count) times.
    """

    def __init__(self, count: int) -> None:
        self._group = np.arange(count)
        self._members: dict[int, list[int]] = {}

    def join(self, places: npt.ArrayLike) -> None:
        """Make one group of all groups that these places are in."""
        groups = self._group[np.asarray(places, np.intp)]
        if (groups == groups[0]).all():
            return
        lists = sorted((self._members.pop(group, [group]) for group in np.unique(groups).tolist()), key=len)
        members, target = lists[-1], int(self._group[lists[-1][0]])
        for others in lists[:-1]:
            self._group[others] = target
            members += others
        self._members[target] = members

    def groups(self) -> Iterator[list[int]]:
        """Yield the places, sorted, of every group of two or more, in the order of their first."""
        yield from sorted(map(sorted, self._members.values()))


def joined(count: int, links: Iterable[npt.ArrayLike]) -> list[list[int]]:
    """Return the groups of two or more of `count` places that the links make, each sorted."""
    union = Union(count)
    for places in links:
        union.join(places)
    return list(union.groups())
