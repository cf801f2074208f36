"""Our image compared with one of the tutorial's design: first answer, warm calls, memory, size.

    python -m benchmarks.container [--run RUN] [--bundle BUNDLE] [--photos DATASET] [--rounds N]

The tutorial's network has random weights. Its image has Debian 12 with Python 3.11, the newest that
tflite-runtime 2.14 supports, NumPy 1.26, Pillow and the tutorial's handler, all compiled; ours has Debian 13
with Python 3.13. Both base images are made by scripts/stand-in-base, and both containers answer on the local
invocations path. Each round starts a container of each, with a warm file cache. The first answer counts
from `docker run`; a second figure leaves out the time until the engine has started a process, which is the
same for any image.
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

from benchmarks.contenders import parse_resident_memory, percentiles
from benchmarks.materials import Materials
from benchmarks.report import main
from benchmarks.rounds import ROOT, CannotRunError, Figures, Results, compare, interleave
from shutterless.packaging import build_image

BASES = {"tutorial": ("bookworm", "shutterless-base:bookworm"), "ours": ("trixie", "shutterless-base:trixie")}
TAGS = {"tutorial": "shutterless-bench-tutorial", "ours": "shutterless-bench-ours"}
WHEELS = ("tflite-runtime==2.14.0", "numpy==1.26.4", "pillow==12.2.0")
# Fractions of a processor: one whole, and what Lambda allocates for 1,024 MB.
CPU_FRACTIONS = {"1 vCPU": 1.0, "1,024 MB": 1024 / 1769}
TUTORIAL = ROOT / "benchmarks" / "tutorial"
PATH = "/2015-03-31/functions/function/invocations"
FIRST, WITHOUT_ENGINE = "docker run to first answer", "the same without Docker's own time"
UNITS = {FIRST: "ms", WITHOUT_ENGINE: "ms", "warm, p50": "ms", "warm, p95": "ms", "resident memory": "MB"}
SIZES = {"unpacked": "MB", "unpacked, without the base image": "MB", "compressed, as pushed": "MB"}
GOALS = {
    "1 vCPU": {FIRST: 0.42, "warm, p50": 0.15, "resident memory": 0.2},
    "1,024 MB": {FIRST: 0.5, "warm, p50": 0.15, "resident memory": 0.2},
}
SIZE_GOALS, SIZE_LIMITS = {"compressed, as pushed": 0.45}, {"unpacked, without the base image": 40}
RIVAL = "tutorial's image"
ROUNDS, CALLS, QUICK_CALLS = 3, 50, 5
TIMEOUT = 60

DOCKERFILE = """\
FROM {base}
COPY packages /var/task
COPY lambda_function.py server.py model.tflite /var/task/
RUN python3 -m compileall -q /var/task
WORKDIR /var/task
ENTRYPOINT ["python3", "server.py"]
"""


def rows(materials: Materials) -> Results:
    """Build both images, start them interleaved with either fraction of a processor; yield ours ÷ theirs."""
    check_docker()
    for suite, tag in BASES.values():
        run(ROOT / "scripts" / "stand-in-base", suite, tag)
    _build_tutorial(materials.tutorial / "model.tflite")
    build_image(materials.bundle, TAGS["ours"], base_image=BASES["ours"][1])
    events = [_event(file) for file in materials.photos]
    calls = QUICK_CALLS if materials.quick else CALLS
    for fraction, cpus in CPU_FRACTIONS.items():
        contenders = {name: partial(_measure, name, cpus, events, calls) for name in TAGS}
        rounds = interleave(materials.rounds(ROUNDS), contenders)
        yield from compare(rounds, "ours", "tutorial", UNITS, GOALS[fraction], RIVAL, prefix=fraction)
    sizes = [{name: _sizes(name) for name in TAGS}]
    yield from compare(sizes, "ours", "tutorial", SIZES, SIZE_GOALS, RIVAL, limits=SIZE_LIMITS)


def check_docker() -> None:
    """Raise `CannotRunError` where there is no Docker engine."""
    try:
        docker("version")
    except (OSError, CannotRunError) as error:
        raise CannotRunError(f"no Docker engine: {error}") from None


def _event(file: Path) -> bytes:
    return json.dumps({"image": base64.b64encode(file.read_bytes()).decode()}).encode()


def docker(*arguments: str) -> str:
    """Return the output of a docker command; raise `CannotRunError` if it fails."""
    return run("docker", *arguments)


def run(*command: str | Path) -> str:
    """Return a command's output; raise `CannotRunError` with its last line if it fails."""
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
        raise CannotRunError(f"{Path(command[0]).name}: {lines[-1]}")
    return process.stdout.strip()


def _build_tutorial(model: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        wheels = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"]
        wheels += ["--platform", "manylinux2014_x86_64", "--dest", str(context / "wheels")]
        run(sys.executable, "-m", "pip", "download", "--quiet", *wheels, *WHEELS)
        for wheel in (context / "wheels").glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(context / "packages")
        shutil.copyfile(model, context / "model.tflite")
        for name in ("lambda_function.py", "server.py"):
            (context / name).write_bytes((TUTORIAL / name).read_bytes())
        (context / "Dockerfile").write_text(DOCKERFILE.format(base=BASES["tutorial"][1]), "utf-8")
        docker("build", "--quiet", "--tag", TAGS["tutorial"], str(context))


def _measure(contender: str, cpus: float, events: list[bytes], calls: int) -> Figures:
    """Start a container and return its milliseconds and megabytes; whatever happens, it is removed."""
    container = f"{TAGS[contender]}-{os.getpid()}"
    limits = ["--memory", "1024m", "--cpus", f"{cpus:.2f}", "--read-only", "--tmpfs", "/tmp"]
    options = ["--detach", "--name", container, "--publish", "127.0.0.1:0:8080", *limits]
    start_time, start_date = time.perf_counter(), datetime.now(UTC)
    try:
        docker("run", *options, TAGS[contender])
        url = f"http://{docker('port', container, '8080/tcp')}{PATH}"
        _wait_for_answer(url, events[0])
        first = time.perf_counter() - start_time
        process_start = docker("inspect", "--format", "{{.State.StartedAt}}", container)
        engine = (datetime.fromisoformat(f"{process_start[:26]}+00:00") - start_date).total_seconds()
        p50, p95 = percentiles([_time(url, events[number % len(events)]) for number in range(calls)])
        return {
            FIRST: first * 1000,
            WITHOUT_ENGINE: (first - engine) * 1000,
            "warm, p50": p50 * 1000,
            "warm, p95": p95 * 1000,
            "resident memory": _resident_memory(container),
        }
    finally:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, check=False)


def _wait_for_answer(url: str, event: bytes) -> None:
    """Send an event until there is an answer."""
    deadline = time.perf_counter() + TIMEOUT
    while time.perf_counter() < deadline:
        try:
            _time(url, event)
            return
        except OSError:
            time.sleep(0.005)
    raise CannotRunError("the container does not answer")


def _time(url: str, event: bytes) -> float:
    start_time = time.perf_counter()
    with urllib.request.urlopen(url, event, timeout=TIMEOUT) as answer:
        scores = json.load(answer)
    assert sum(scores.values()) > 0.99, scores
    return time.perf_counter() - start_time


def _resident_memory(container: str) -> float:
    """Return the resident memory of the container's first process, pages of mapped files included."""
    status = docker("exec", container, "python3", "-c", "print(open('/proc/1/status').read())")
    return parse_resident_memory(status)


def _sizes(contender: str) -> Figures:
    """Return the megabytes of an image: unpacked, without its base, and compressed by gzip as pushed."""
    tag, base = TAGS[contender], BASES[contender][1]
    whole, below = (int(docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (tag, base))
    return {
        "unpacked": whole / 1e6,
        "unpacked, without the base image": (whole - below) / 1e6,
        "compressed, as pushed": _compressed_size(tag) / 1e6,
    }


def _compressed_size(tag: str) -> int:
    with (
        tempfile.TemporaryFile() as packed,
        subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saving,
    ):
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as stream:
            shutil.copyfileobj(saving.stdout, stream, 1 << 20)
        return packed.tell()


if __name__ == "__main__":
    main({"container": rows}, __doc__)
