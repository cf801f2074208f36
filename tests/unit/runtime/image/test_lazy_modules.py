import sys
import threading
import time

import pytest

from shutterless.runtime.image.lazy_modules import defer

CODE = """
import time
runs.append(1)
first = "first"
time.sleep(0.05)  # so that other threads come while it runs
last = "last"
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with the module `late`; return its name."""
    folder = tmp_path / "package_of_late"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "late.py").write_text(f"from package_of_late.runs import runs\n{CODE}")
    (folder / "runs.py").write_text("runs = []\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder.name
    for name in [name for name in sys.modules if name.split(".")[0] == folder.name]:
        del sys.modules[name]


def test_a_deferred_module_runs_once_when_it_is_first_used(package):
    defer(f"{package}.late")
    from package_of_late import late
    from package_of_late.runs import runs

    assert (late.__name__, late.__spec__.name, runs) == (f"{package}.late", f"{package}.late", [])
    assert late.last == "last"
    assert (late.first, runs) == ("first", [1])
    with pytest.raises(AttributeError, match="middle"):
        late.middle  # noqa: B018


def test_any_number_of_threads_may_be_the_first_to_use_it(package):
    defer(f"{package}.late")
    from package_of_late import late
    from package_of_late.runs import runs

    values, barrier = [], threading.Barrier(8)

    def use():
        barrier.wait()
        values.append(late.last)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (values, runs) == (["last"] * 8, [1])


def test_a_module_that_is_imported_or_missing_is_left_alone():
    defer("time")
    defer("package_of_late_is_missing")
    assert sys.modules["time"] is time
    assert "package_of_late_is_missing" not in sys.modules
