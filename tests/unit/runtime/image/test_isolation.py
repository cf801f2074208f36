"""The child process that decodes unusual pictures, and stand-ins for one that misbehaves."""

import errno
import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from PIL import Image

from shutterless.runtime.image import decoder, isolation
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.image.isolation import decode_isolated
from shutterless.runtime.problems import Problem

SPEC = InputSpec(height=12, width=16, resize="pad", interpolation="lanczos")


def tiff(size=(40, 30), **options) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, "TIFF", **options)
    return file.getvalue()


def code(data: bytes = b"", **budget) -> str:
    with pytest.raises(Problem) as caught:
        decode_isolated(data, SPEC, Budget(**budget))
    assert caught.value.detail
    return caught.value.code


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Let this code be the child; it starts with a few imports and names."""

    def write(program: str) -> None:
        head = "import os, sys, time, signal\nfrom shutterless.runtime.image import child\n"
        (tmp_path / "stand_in.py").write_text(head + textwrap.dedent(program))

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(isolation, "CHILD", "stand_in")
    return write


def test_a_child_gives_the_pixels_that_the_decoder_gives():
    budget = Budget()
    picture = decode_isolated(tiff(), SPEC, budget)
    assert picture.tobytes() == decoder.decode(tiff(), SPEC).tobytes()
    assert (picture.mode, picture.size) == ("RGB", (16, 12))
    assert 0 < budget.cpu_seconds < 2.5


def test_a_child_s_errors_are_those_of_the_decoder():
    assert code(tiff()[:60]) == "unreadable-image"
    assert code(b"hello") == "unsupported-format"


def test_a_picture_needs_memory_that_fits_the_limit(monkeypatch):
    large = tiff((6000, 5000), compression="tiff_adobe_deflate")  # 120 MB
    monkeypatch.setattr(isolation, "MAX_CHILD_MEMORY", 100 << 20)
    assert code(large) == "too-large"
    monkeypatch.setattr(isolation, "available_memory", lambda: 1 << 20)
    assert code(tiff()) == "too-large"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "unreadable-image"),
        ("os.abort()", "unreadable-image"),
        ("sys.exit(3)", "unreadable-image"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "too-large"),  # as the system does without memory
        ("child.limit_process(1 << 30, 0.05, 10)\nwhile True: pass", "too-large"),
        ("child.limit_process(1 << 30, 10, 0.05)\ntime.sleep(60)", "too-large"),
        ("child.limit_process(200 << 20, 10, 10)\nbytearray(300 << 20)", "unreadable-image"),
        ("child.write(b'P' + bytes(100))", "unreadable-image"),  # too few pixels
        ("sys.stdin.buffer.read(); child.write(b'P' + bytes(10_000_000))", "unreadable-image"),
        ("child.write(b'garbage')", "unreadable-image"),
        ("child.write(b'E' + b'x' * 5000)", "unreadable-image"),
        ("child.write(b'Etoo-large\\nfor this')", "too-large"),
    ],
)
def test_whatever_a_child_does_is_a_problem_of_its_picture(child, program, expected):
    child("child.write(b'R')\n" + program)
    start_time = time.monotonic()
    assert code(bytes(3_000_000)) == expected  # which it does not read
    assert time.monotonic() - start_time < 10


def test_a_child_that_does_not_end_is_killed_at_the_deadline(child):
    child("child.write(b'R')\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)")
    assert code(seconds=1.0) == "too-large"


def test_a_child_that_closes_its_output_and_goes_on_is_killed(child, monkeypatch):
    monkeypatch.setattr(isolation, "EXIT_SECONDS", 0.05)
    child("child.write(b'R')\nos.close(0); os.close(1)\ntime.sleep(60)")
    start_time = time.monotonic()
    assert code() == "too-large"
    assert time.monotonic() - start_time < 10


def test_a_bug_in_a_child_is_a_bug_of_ours(child):
    child("child.write(b'REinternal\\nZeroDivisionError')")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        decode_isolated(b"", SPEC, Budget())


def test_where_no_child_starts_an_unusual_picture_is_refused_by_name(child, monkeypatch):
    child("sys.exit(1)")  # it cannot even import
    assert code() == "unusual-image"

    def refuse(*arguments, **options):
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert code() == "unusual-image"
    monkeypatch.setattr(isolation, "find_spec", lambda name: None)  # Windows
    assert code() == "unusual-image"


def test_without_a_budget_no_child_is_started(monkeypatch):
    monkeypatch.setattr(isolation, "start", lambda *_: pytest.fail("it was started"))
    assert code(cpu_seconds=0.0) == "too-large"


def test_a_child_inherits_no_secrets_no_files_and_no_terminal(child, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    report = """
        names = sorted(os.environ)
        files = [name for name in os.listdir("/proc/self/fd") if int(name) > 2]
        is_leader = os.getsid(0) == os.getpid()
        child.write(f"RE{'too-large'}\\n{names} {len(files)} {is_leader} {os.getcwd()}".encode())
    """
    child(report)
    opened = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(opened, True)
    try:
        with pytest.raises(Problem) as caught:
            decode_isolated(b"", SPEC, Budget())
    finally:
        os.close(opened)
    assert "AWS_SECRET_ACCESS_KEY" not in caught.value.detail
    assert caught.value.detail.endswith("1 True /")  # the one file is the folder that it lists


def test_the_limits_are_those_of_the_system(child):
    child("""
        import resource
        child.limit_process(300 << 20, 2.0, 9.0)
        names = "CORE", "FSIZE", "DATA", "AS", "CPU"
        values = [resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] for name in names]
        timers = signal.getitimer(signal.ITIMER_PROF)[0], signal.getitimer(signal.ITIMER_REAL)[0]
        score = open("/proc/self/oom_score_adj").read().strip()
        child.write(f"REtoo-large\\n{values} {1 < timers[0] < 3 < timers[1] < 10} {score}".encode())
    """)
    with pytest.raises(Problem) as caught:
        decode_isolated(b"", SPEC, Budget())
    limits = [0, 0, 300 << 20, (300 << 20) + (512 << 20), 4]
    assert caught.value.detail == f"{limits} True 1000"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_child_finishes_its_picture_when_the_service_is_told_to_stop(child, number):
    child(f"""
        child.limit_process(1 << 30, 2, 9)
        os.kill(os.getpid(), {int(number)})
        child.write(b"REtoo-large\\nfinished")
    """)
    assert code() == "too-large"


def test_no_zombie_and_no_open_file_is_left(child):
    child("child.write(b'R'); os.abort()")
    children, files = Path(f"/proc/self/task/{os.getpid()}/children"), Path("/proc/self/fd")
    before = children.read_text(), len([*files.iterdir()])  # other tests may have left some
    for _ in range(3):
        code()
    assert (children.read_text(), len([*files.iterdir()])) == before


def test_a_child_whose_service_is_killed_ends_by_itself(tmp_path):
    (tmp_path / "stand_in.py").write_text(
        "import os, sys\nfrom shutterless.runtime.image import child\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "child.limit_process(1 << 30, 0.3, 2)\nwhile True: pass\n"
    )
    service = """
import sys
from shutterless.runtime.image import isolation
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.image.decoder import InputSpec
isolation.CHILD = "stand_in"
isolation.decode_isolated(b"", InputSpec(2, 2), Budget())
"""
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    with subprocess.Popen([sys.executable, "-c", service], env={**os.environ, "PYTHONPATH": path}) as process:
        pid_file, deadline = tmp_path / "pid", time.monotonic() + 20
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    child = Path(f"/proc/{pid_file.read_text()}")
    while child.exists() and "\nState:\tZ" not in (child / "status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
