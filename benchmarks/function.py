"""Cold starts on a stand-in of Lambda: our zip compared with our image and with a function that does nothing.

    python -m benchmarks.function [--run RUN] [--bundle BUNDLE] [--photos DATASET] [--rounds N]

Each round starts a container of each, with a warm file cache. The zip and the hello-world function run on a
stand-in of the managed Python 3.13, the image is its own; all of them ask a stand-in of the runtime API (see
scripts/managed_runtime.py). The memory gives the share of a processor, as on Lambda. The initialization
counts from the start of the process, not of its container, to its request for the first event; the first
answer from that event, which contains a photo, to the answer.
"""

import base64
import os
import shutil
import statistics
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.container import check_docker, docker, run
from benchmarks.materials import Materials
from benchmarks.report import main
from benchmarks.rounds import ROOT, CannotRunError, Figures, Results, compare, interleave
from scripts.managed_runtime import (
    BASE_IMAGE,
    RUN_ZIP,
    build_runtime_image,
    function_options,
    running_api,
    zip_options,
)
from shutterless.packaging import build_image, build_zip
from shutterless.packaging.bytecode import Python, compile_layers
from shutterless.packaging.zip_package import TASK_ROOT, ZIP_HANDLER

MEMORIES = (1769, 1024)
IMAGE, CONTAINER = "shutterless-bench-function", f"shutterless-bench-function-{os.getpid()}"
RUN_IMAGE = ("-c", 'echo "$EPOCHREALTIME" >&2; exec python3 -S -m shutterless.runtime')
HELLO_WORLD = "def lambda_handler(event, context):\n    return {'hello': 'world'}\n"
INIT, FIRST, COLD, CPU = "initialization", "first answer", "both", "CPU time of both"
UNITS = {INIT: "ms", FIRST: "ms", COLD: "ms", CPU: "ms"}
RIVALS = {"image": "our image", "sources": "the zip without bytecode", "hello": "hello world"}
ROUNDS, TIMEOUT = 9, 60


def rows(materials: Materials) -> Results:
    """Start all of them interleaved, with two memory sizes; yield the zip ÷ each of the others."""
    check_docker()
    run(ROOT / "scripts" / "stand-in-base", "trixie", BASE_IMAGE)
    event = {"image": base64.b64encode(materials.photos[0].read_bytes()).decode()}
    with tempfile.TemporaryDirectory() as folder:
        commands = _make_contenders(materials.bundle, Path(folder))
        for memory in MEMORIES:
            contenders = {name: partial(_measure, memory, words, event) for name, words in commands.items()}
            rounds = interleave(materials.rounds(ROUNDS), contenders)
            for rival, name in RIVALS.items():
                yield from compare(rounds, "zip", rival, UNITS, rival=name, prefix=f"{memory:,} MB")
            yield from describe_differences(rounds, memory)


def _make_contenders(bundle: Path, folder: Path) -> dict[str, list[str]]:
    """Return what follows the limits in the `docker run` of each contender."""
    runtime = build_runtime_image(compiled=True)
    roots = {name: folder / name for name in ("sources", "zip", "hello")}
    tasks = {name: root / TASK_ROOT for name, root in roots.items()}
    package = build_zip(bundle, folder / "function.zip", bytecode=False)
    zipfile.ZipFile(package.path).extractall(tasks["sources"])
    shutil.copytree(roots["sources"], roots["zip"])
    python = ("docker", "run", "--rm", "--interactive", "--entrypoint", "python3", runtime)
    compile_layers([roots["zip"]], Python(python), optimization="")
    tasks["hello"].mkdir(parents=True)
    (tasks["hello"] / "lambda_function.py").write_text(HELLO_WORLD, "utf-8")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    image = build_image(bundle, IMAGE, base_image=BASE_IMAGE, check=False)
    commands = {name: [*zip_options(task, ZIP_HANDLER), runtime, *RUN_ZIP] for name, task in tasks.items()}
    return {**commands, "image": ["--entrypoint", "/bin/bash", image.tag, *RUN_IMAGE]}


def _measure(memory: int, words: list[str], event: dict[str, str]) -> Figures:
    """Start a function and ask it once; return its milliseconds."""
    with running_api() as api:
        try:
            limits = function_options(memory, api.address)
            docker("run", "--detach", "--name", CONTAINER, *limits, *words)
            if not api.init_ended.wait(TIMEOUT) or api.init_error:
                raise CannotRunError(f"the function does not start: {api.init_error}")
            start_time = perf_counter()
            if not api.invoke(event, TIMEOUT).response:
                raise CannotRunError("the function does not answer")
            first = perf_counter() - start_time
            init = api.init_end - _process_start()
            cpu = _cpu_seconds()
        finally:
            subprocess.run(["docker", "rm", "--force", CONTAINER], capture_output=True, check=False)
    return {INIT: init * 1000, FIRST: first * 1000, COLD: (init + first) * 1000, CPU: cpu * 1000}


def _process_start() -> float:
    """Return when the container's process began, by the first line of its log."""
    log = subprocess.run(["docker", "logs", CONTAINER], capture_output=True, text=True, check=True)
    return float(log.stderr.split()[0])


def _cpu_seconds() -> float:
    """Return the CPU time of all threads of the container's process."""
    lines = docker("exec", CONTAINER, "sh", "-c", "cat /proc/1/task/*/schedstat").splitlines()
    return sum(int(line.split()[0]) for line in lines) / 1e9


def describe_differences(rounds: list[dict[str, Figures]], memory: int) -> Iterator[str]:
    """Yield what each of ours takes longer than hello world."""
    for name in ("zip", "sources", "image"):
        times = sorted(each[name][COLD] - each["hello"][COLD] for each in rounds)
        yield (
            f"{memory:,} MB: {RIVALS.get(name, 'the zip')} takes hello world"
            f" + {statistics.median(times):.0f} ms ({times[0]:.0f} … {times[-1]:.0f})"
        )


if __name__ == "__main__":
    main({"function": rows}, __doc__)
