"""The cores and the memory that this process may use, container limits included."""

import contextlib
import math
import os

# A container sees its own limits here, https://docs.kernel.org/admin-guide/cgroup-v2.html and cgroup-v1.
CGROUP = "/sys/fs/cgroup"
DEFAULT_MEMORY = 4 << 30


def cores() -> int:
    """Return how many cores this process may use: those it may run on, or a container's CPU quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas: list[float] = []
    if len(quota_and_period := _read_numbers("cpu.max")) == 2:
        quotas.append(quota_and_period[0] / quota_and_period[1])
    quota, period = _read_numbers("cpu/cpu.cfs_quota_us"), _read_numbers("cpu/cpu.cfs_period_us")
    if quota and period and quota[0] > 0:
        quotas.append(quota[0] / period[0])
    return max(1, math.ceil(min([affinity, *quotas])))


def available_memory() -> int:
    """Return how many bytes of memory this process may still use."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return memory() - pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, AttributeError, ValueError):  # not Linux
        return memory()


def memory() -> int:
    """Return how many bytes of memory this process may use: the machine's, a container's or a function's."""
    names = ("memory.max", "memory/memory.limit_in_bytes")
    limits = [values[0] for name in names if (values := _read_numbers(name))]
    if megabytes := os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"):
        limits.append(float(megabytes) * (1 << 20))
    with contextlib.suppress(AttributeError, ValueError, OSError):  # Windows has no sysconf
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return int(min((limit for limit in limits if limit < math.inf), default=DEFAULT_MEMORY))


def limit_process(**limits: int) -> None:
    """Limit what this process may take, where the system can: nothing on Windows, no memory on macOS.

    Args:
        **limits: What `resource` calls a limit, such as `RLIMIT_CPU`, and its value. One that is
            lower already stays.
    """
    try:
        import resource  # Windows has none
    except ImportError:
        return
    for name, limit in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):
            # Who takes too much processor time gets SIGXCPU, and only after another second SIGKILL.
            resource.setrlimit(getattr(resource, name), (limit, limit + (name == "RLIMIT_CPU")))


def max_open_files() -> int:
    """Return how many files this process may have open."""
    try:
        import resource  # Windows has none
    except ImportError:
        return 2048
    limit: int = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit if limit != resource.RLIM_INFINITY else 1 << 20


def _read_numbers(name: str) -> list[float]:
    """Return the numbers in a file of the cgroup, none if there is no such file; "max" is infinite."""
    try:
        with open(f"{CGROUP}/{name}", encoding="utf-8") as file:
            return [math.inf if word == "max" else int(word) for word in file.read().split()]
    except (OSError, ValueError):
        return []
