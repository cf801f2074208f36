import os

import pytest

from shutterless.runtime import host_resources
from shutterless.runtime.host_resources import cores, memory

MB = 1 << 20


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """Return a function that writes the files of a container's cgroup, on a machine of 64 cores and 8 GB."""
    monkeypatch.setattr(host_resources, "CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2 * MB}.__getitem__)

    def write(**files: str) -> None:
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/")
            file.parent.mkdir(exist_ok=True)
            file.with_name(file.name.replace("_max", ".max").replace("_cfs", ".cfs")).write_text(text)

    return write


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64),
        ({"cpu_max": "max 100000\n"}, 64),
        ({"cpu_max": "50000 100000\n"}, 1),
        ({"cpu_max": "250000 100000\n"}, 3),
        ({"cpu_max": "9900000 100000\n"}, 64),
        ({"cpu_max": "what\n"}, 64),
        ({"cpu__cpu_cfs_quota_us": "200000\n", "cpu__cpu_cfs_period_us": "100000\n"}, 2),
        ({"cpu__cpu_cfs_quota_us": "-1\n", "cpu__cpu_cfs_period_us": "100000\n"}, 64),
    ],
)
def test_a_containers_quota_bounds_the_cores(cgroup, files, expected):
    cgroup(**files)
    assert cores() == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8192 * MB),
        ({"memory_max": "max\n"}, 8192 * MB),
        ({"memory_max": f"{512 * MB}\n"}, 512 * MB),
        ({"memory_max": f"{16384 * MB}\n"}, 8192 * MB),
    ],
)
def test_a_containers_limit_bounds_the_memory(cgroup, files, expected):
    cgroup(**files)
    assert memory() == expected


def test_the_first_version_of_cgroups_bounds_the_memory(tmp_path, cgroup):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{256 * MB}\n")
    assert memory() == 256 * MB


def test_where_there_are_no_cgroups_the_machine_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(host_resources, "CGROUP", tmp_path)
    assert 1 <= cores() <= (os.cpu_count() or 1)
    assert memory() > 64 * MB
