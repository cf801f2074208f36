"""What this process may use of the machine: cores and memory, within a container's limits."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

# A container sees its own limits here, https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1.
CGROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Return how many cores this process may use: those it may run on, or a container's CPU quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min([affinity, *_quotas()])))


def memory() -> int:
    """Return how many bytes of memory this process may use: the machine's, or a container's limit."""
    names = ("memory.max", "memory/memory.limit_in_bytes")
    limits = [values[0] for name in names if (values := _numbers(name))]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return int(min((limit for limit in limits if limit < math.inf), default=4 << 30))


def _quotas() -> Iterator[float]:
    """Yield the quotas in cores: microseconds of CPU time in each period, divided by the period."""
    if len(both := _numbers("cpu.max")) == 2:
        yield both[0] / both[1]
    quota, period = _numbers("cpu/cpu.cfs_quota_us"), _numbers("cpu/cpu.cfs_period_us")
    if quota and period and quota[0] > 0:
        yield quota[0] / period[0]


def _numbers(name: str) -> list[float]:
    """Return the numbers in a file of the cgroup, none if there is no such file; "max" is infinite."""
    try:
        return [math.inf if word == "max" else int(word) for word in (CGROUP / name).read_text().split()]
    except (OSError, ValueError):
        return []
