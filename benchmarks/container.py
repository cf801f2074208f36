"""Our image beside one of the tutorial's design: time to the first answer, warm calls, memory, bytes.

    python benchmarks/container.py [--run RUN] [--bundle BUNDLE] [--photos DATASET] [--rounds N]

The tutorial's network has random weights. Its image has Debian 12 with Python 3.11, the newest that
tflite-runtime 2.14 knows, NumPy 1.26, Pillow and a handler in its way, all compiled; ours has Debian 13 with
Python 3.13. Both stand on bases made by scripts/stand-in-base, and both answer the local invocations path.
Each round starts a container of either side, in turn, with the file cache warm. The first answer counts from
`docker run`; what the engine needs until it has started a process is also taken off, because it is the same
for any image.
"""

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from measuring import HERE, CannotRunError, Figures, Results, beside, in_turn
from preparing import Prepared
from reporting import main
from shutterless.packaging import build_image
from sides import percentiles, resident_of

BASES = {"tutorial": ("bookworm", "shutterless-base:bookworm"), "ours": ("trixie", "shutterless-base:trixie")}
TAGS = {"tutorial": "shutterless-bench-tutorial", "ours": "shutterless-bench-ours"}
WHEELS = ("tflite-runtime==2.14.0", "numpy==1.26.4", "pillow==12.2.0")
# Shares of a processor: one whole, and what Lambda gives with 1,024 MB.
SHARES = {"1 vCPU": 1.0, "1,024 MB": 1024 / 1769}
PATH = "/2015-03-31/functions/function/invocations"
FIRST, ENGINE = "docker run to first answer", "without the engine's part"
STARTED = {FIRST: "ms", ENGINE: "ms", "warm, p50": "ms", "warm, p95": "ms", "resident memory": "MB"}
SIZES = {"unpacked": "MB", "unpacked, over the base": "MB", "compressed, as it is pushed": "MB"}
GOALS = {FIRST: 0.5, "warm, p50": 0.15, "resident memory": 0.35, "compressed, as it is pushed": 0.45}
BESIDE = "tutorial's image"
ROUNDS, CALLS, QUICK_CALLS = 3, 50, 5
PATIENCE = 60

DOCKERFILE = """\
FROM {base}
COPY packages /var/task
COPY lambda_function.py server.py model.tflite /var/task/
RUN python3 -m compileall -q /var/task
WORKDIR /var/task
ENTRYPOINT ["python3", "server.py"]
"""


def rows(prepared: Prepared) -> Results:
    """Build both images, start each in turn with either share of a processor; yield ours beside theirs."""
    _check_docker()
    for suite, tag in BASES.values():
        _run(HERE.parent / "scripts" / "stand-in-base", suite, tag)
    _build_tutorial(prepared.tutorial / "model.tflite")
    build_image(prepared.bundle, TAGS["ours"], base_image=BASES["ours"][1])
    events = [_event(file) for file in prepared.photos]
    calls = QUICK_CALLS if prepared.quick else CALLS
    for share, cpus in SHARES.items():
        sides = {side: partial(_measure, side, cpus, events, calls) for side in TAGS}
        rounds = in_turn(prepared.rounds(ROUNDS), sides)
        yield from beside(rounds, "ours", "tutorial", STARTED, GOALS, BESIDE, of=share)
    sizes = [{side: _sizes(side) for side in TAGS}]
    yield from beside(sizes, "ours", "tutorial", SIZES, GOALS, BESIDE)


def _check_docker() -> None:
    try:
        _docker("version")
    except (OSError, CannotRunError) as error:
        raise CannotRunError(f"no Docker engine: {error}") from None


def _event(file: Path) -> bytes:
    return json.dumps({"image": base64.b64encode(file.read_bytes()).decode()}).encode()


def _docker(*arguments: str) -> str:
    return _run("docker", *arguments)


def _run(*command: str | Path) -> str:
    """Return what a command prints; raise `CannotRunError` with its last words if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise CannotRunError(f"{Path(command[0]).name}: {words[-1]}")
    return done.stdout.strip()


def _build_tutorial(model: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        wheels = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"]
        wheels += ["--platform", "manylinux2014_x86_64", "--dest", str(context / "wheels")]
        _run(sys.executable, "-m", "pip", "download", "--quiet", *wheels, *WHEELS)
        for wheel in (context / "wheels").glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(context / "packages")
        shutil.copyfile(model, context / "model.tflite")
        for name in ("lambda_function.py", "server.py"):
            (context / name).write_bytes((HERE / "tutorial" / name).read_bytes())
        (context / "Dockerfile").write_text(DOCKERFILE.format(base=BASES["tutorial"][1]), "utf-8")
        _docker("build", "--quiet", "--tag", TAGS["tutorial"], str(context))


def _measure(side: str, cpus: float, events: list[bytes], calls: int) -> Figures:
    """Start a container and return its milliseconds and megabytes; whatever happens, it is removed."""
    name = f"{TAGS[side]}-{os.getpid()}"
    terms = ["--memory", "1024m", "--cpus", f"{cpus:.2f}", "--read-only", "--tmpfs", "/tmp"]
    begun, begun_at = time.perf_counter(), datetime.now(UTC)
    try:
        _docker("run", "--detach", "--name", name, "--publish", "127.0.0.1:0:8080", *terms, TAGS[side])
        url = f"http://{_docker('port', name, '8080/tcp')}{PATH}"
        _first(url, events[0])
        first = time.perf_counter() - begun
        started = _docker("inspect", "--format", "{{.State.StartedAt}}", name)
        engine = (datetime.fromisoformat(f"{started[:26]}+00:00") - begun_at).total_seconds()
        p50, p95 = percentiles([_time(url, events[number % len(events)]) for number in range(calls)])
        return {
            FIRST: first * 1000,
            ENGINE: (first - engine) * 1000,
            "warm, p50": p50 * 1000,
            "warm, p95": p95 * 1000,
            "resident memory": _resident(name),
        }
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


def _first(url: str, event: bytes) -> None:
    """Ask until there is an answer."""
    ends = time.perf_counter() + PATIENCE
    while time.perf_counter() < ends:
        try:
            _time(url, event)
            return
        except OSError:
            time.sleep(0.005)
    raise CannotRunError("the container does not answer")


def _time(url: str, event: bytes) -> float:
    begun = time.perf_counter()
    with urllib.request.urlopen(url, event, timeout=PATIENCE) as answer:
        scores = json.load(answer)
    assert sum(scores.values()) > 0.99, scores
    return time.perf_counter() - begun


def _resident(container: str) -> float:
    """Return the resident memory of the container's first process, pages of mapped files included."""
    status = _docker("exec", container, "python3", "-c", "print(open('/proc/1/status').read())")
    return resident_of(status)


def _sizes(side: str) -> Figures:
    """Return the image's megabytes unpacked, over its base, and compressed by gzip as they are pushed."""
    tag, base = TAGS[side], BASES[side][1]
    whole, below = (int(_docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (tag, base))
    return {
        "unpacked": whole / 1e6,
        "unpacked, over the base": (whole - below) / 1e6,
        "compressed, as it is pushed": _compressed(tag) / 1e6,
    }


def _compressed(tag: str) -> int:
    with (
        tempfile.TemporaryFile() as packed,
        subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saving,
    ):
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as stream:
            shutil.copyfileobj(saving.stdout, stream, 1 << 20)
        return packed.tell()


if __name__ == "__main__":
    main({"container": rows}, __doc__)
