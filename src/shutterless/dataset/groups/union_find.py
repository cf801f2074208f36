"""Join items into groups, link by link."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt


class UnionFind:
    """Items 0 to `count` - 1, each in a group of its own until it is joined to others.

    Only the items are kept in memory, however many links there are. The smaller group is added to the
    larger, so no item changes its group more than log2(count) times.
    """

    def __init__(self, count: int) -> None:
        self._group = np.arange(count)
        self._members: dict[int, list[int]] = {}

    def join(self, items: npt.ArrayLike) -> None:
        """Make one group of all groups that these items are in."""
        groups = self._group[np.asarray(items, np.intp)]
        if (groups == groups[0]).all():
            return
        lists = sorted((self._members.pop(group, [group]) for group in np.unique(groups).tolist()), key=len)
        members, target = lists[-1], int(self._group[lists[-1][0]])
        for others in lists[:-1]:
            self._group[others] = target
            members += others
        self._members[target] = members

    def groups(self) -> Iterator[list[int]]:
        """Yield the items, sorted, of every group of two or more, in the order of their first item."""
        yield from sorted(map(sorted, self._members.values()))
