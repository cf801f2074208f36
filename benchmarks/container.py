"""Our image beside one of the tutorial's design: time to the first answer, warm calls, memory, bytes.

    python benchmarks/container.py BUNDLE MODEL PHOTO … [--rounds 5] [--calls 100] [--json FILE]

MODEL is the tutorial's network as .tflite; `benchmarks/tutorial/model.py FILE` builds it with random
weights. Its image has Debian 12 with Python 3.11, the newest that tflite-runtime 2.14 knows, NumPy 1.26,
Pillow and a handler in its way, all compiled; ours has Debian 13 with Python 3.13. Both stand on bases
made by scripts/stand-in-base, and both answer the local invocations path. Each round starts a container
of either side, in turn, with the file cache warm; a ratio is the median of the rounds' ratios. The
first answer counts from `docker run`; what the engine needs until it has started a process is also
taken off, because it is the same for any image.
"""

import argparse
import base64
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from shutterless.packaging import build_image

HERE = Path(__file__).parent
BASES = {"tutorial": ("bookworm", "shutterless-base:bookworm"), "ours": ("trixie", "shutterless-base:trixie")}
TAGS = {"tutorial": "shutterless-bench-tutorial", "ours": "shutterless-bench-ours"}
WHEELS = ("tflite-runtime==2.14.0", "numpy==1.26.4", "pillow==12.2.0")
# Shares of a processor: one whole, and what Lambda gives with 1,024 MB.
SHARES = {"1 vCPU": 1.0, "1,024 MB": 1024 / 1769}
PATH = "/2015-03-31/functions/function/invocations"
GOALS = {"first answer": 0.5, "warm p50": 0.15, "resident": 0.35, "compressed": 0.45}
PATIENCE = 60

DOCKERFILE = """\
FROM {base}
COPY packages /var/task
COPY lambda_function.py server.py model.tflite /var/task/
RUN python3 -m compileall -q /var/task
WORKDIR /var/task
ENTRYPOINT ["python3", "server.py"]
"""


def main() -> None:
    """Build both images, measure in turn, print the table, and write the JSON if asked."""
    options = _options()
    for suite, tag in BASES.values():
        subprocess.run([HERE.parent / "scripts" / "stand-in-base", suite, tag], check=True)
    _build_tutorial(options.model)
    build_image(options.bundle, TAGS["ours"], base_image=BASES["ours"][1])
    events = [_event(file) for photo in options.photos for file in _files(photo)][:50]
    rows: dict[str, list[tuple[float, float]]] = {}
    for share, cpus in SHARES.items():
        for _ in range(options.rounds):
            sides = {side: _measure(side, cpus, events, options.calls) for side in TAGS}
            for name in sides["ours"]:
                rows.setdefault(f"{name}, {share}", []).append((sides["ours"][name], sides["tutorial"][name]))
    for name in (sizes := {side: _sizes(tag) for side, tag in TAGS.items()})["ours"]:
        rows[name] = [(sizes["ours"][name], sizes["tutorial"][name])]
    _print(rows)
    if options.json:
        document = {"machine": _machine(), "photos": len(events), "rows": rows}
        options.json.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("photos", type=Path, nargs="+", help="picture files or folders of them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=100, help="warm calls in each round")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _files(photo: Path) -> list[Path]:
    return sorted(path for path in photo.rglob("*") if path.is_file()) if photo.is_dir() else [photo]


def _event(file: Path) -> bytes:
    return json.dumps({"image": base64.b64encode(file.read_bytes()).decode()}).encode()


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def _build_tutorial(model: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        wheels = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11"]
        wheels += ["--platform", "manylinux2014_x86_64", "--dest", str(context / "wheels")]
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *wheels, *WHEELS], check=True)
        for wheel in (context / "wheels").glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(context / "packages")
        os.link(model, context / "model.tflite")
        for name in ("lambda_function.py", "server.py"):
            (context / name).write_bytes((HERE / "tutorial" / name).read_bytes())
        (context / "Dockerfile").write_text(DOCKERFILE.format(base=BASES["tutorial"][1]), "utf-8")
        _docker("build", "--quiet", "--tag", TAGS["tutorial"], str(context))


def _measure(side: str, cpus: float, events: list[bytes], calls: int) -> dict[str, float]:
    """Start a container and return its milliseconds and megabytes."""
    terms = ["--memory", "1024m", "--cpus", f"{cpus:.2f}", "--read-only", "--tmpfs", "/tmp"]
    begun, begun_at = time.perf_counter(), datetime.now(UTC)
    container = _docker("run", "--detach", "--publish", "127.0.0.1:0:8080", *terms, TAGS[side])
    try:
        url = f"http://{_docker('port', container, '8080/tcp')}{PATH}"
        _first(url, events[0])
        first = time.perf_counter() - begun
        started = _docker("inspect", "--format", "{{.State.StartedAt}}", container)
        engine = (datetime.fromisoformat(f"{started[:26]}+00:00") - begun_at).total_seconds()
        times = sorted(_time(url, events[number % len(events)]) for number in range(calls))
        return {
            "first answer, ms": first * 1000,
            "  without the engine's part, ms": (first - engine) * 1000,
            "warm p50, ms": times[len(times) // 2] * 1000,
            "warm p95, ms": times[int(len(times) * 0.95)] * 1000,
            "resident, MB": _resident(container),
        }
    finally:
        _docker("rm", "--force", container)


def _first(url: str, event: bytes) -> None:
    """Ask until there is an answer."""
    ends = time.perf_counter() + PATIENCE
    while time.perf_counter() < ends:
        try:
            _time(url, event)
            return
        except OSError:
            time.sleep(0.005)
    sys.exit(f"{url} does not answer")


def _time(url: str, event: bytes) -> float:
    begun = time.perf_counter()
    with urllib.request.urlopen(url, event, timeout=PATIENCE) as answer:
        scores = json.load(answer)
    assert sum(scores.values()) > 0.99, scores
    return time.perf_counter() - begun


def _resident(container: str) -> float:
    """Return the resident memory of the container's first process, pages of mapped files included."""
    status = _docker("exec", container, "python3", "-c", "print(open('/proc/1/status').read())")
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def _sizes(tag: str) -> dict[str, float]:
    """Return the image's megabytes unpacked, over its base, and compressed by gzip as they are pushed."""
    names = tag, next(BASES[side][1] for side, own in TAGS.items() if own == tag)
    whole, base = (int(_docker("image", "inspect", "--format", "{{.Size}}", name)) for name in names)
    with (
        tempfile.TemporaryFile() as packed,
        subprocess.Popen(["docker", "save", tag], stdout=subprocess.PIPE) as saving,
    ):
        assert saving.stdout is not None
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as stream:
            while chunk := saving.stdout.read(1 << 20):
                stream.write(chunk)
        compressed = packed.tell()
    return {
        "unpacked, MB": whole / 1e6,
        "unpacked over the base, MB": (whole - base) / 1e6,
        "compressed, MB": compressed / 1e6,
    }


def _print(rows: dict[str, list[tuple[float, float]]]) -> None:
    print(f"{'':44}{'ours':>10}{'tutorial':>10}{'ratio':>8}  goal")
    for name, pairs in rows.items():
        ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(mine / other for mine, other in pairs)
        goal = next((f"≤ {goal}" for what, goal in GOALS.items() if name.startswith(what)), "")
        print(f"{name:44}{ours:10.1f}{theirs:10.1f}{ratio:8.3f}  {goal}")


def _machine() -> dict[str, object]:
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "system": platform.platform()}


if __name__ == "__main__":
    main()
