"""Try LiteRT's C library on many inputs, and compare it with LiteRT's Python interpreter.

    python scripts/try_litert.py BUNDLE [--calls 5000] [--damaged 100]

It prints as JSON what happens to damaged copies of the model (they run, are refused with an error, end the
process by a signal, or do not end), and how much memory grows over loads and calls. Linux only.
"""

import argparse
import collections
import json
import os
import random
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from shutterless.runtime.model.bundle import Bundle, read_bundle
from shutterless.runtime.model.interpreter import InterpretedModel
from shutterless.runtime.model.litert import CompiledModel, load_library
from shutterless.runtime.model.notice import without_notice

Model = CompiledModel | InterpretedModel
Load = Callable[[bytes], Model]
RAN, REFUSED = 0, 1
LOADS = 40
TIMEOUT = 20  # seconds of one model
MEMORY = 8 << 30  # of address space


def resident_kilobytes() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def memory_growth(bundle: Bundle, loads: int, calls: int) -> tuple[int, int]:
    """Load a model several times and run the last one; return how the resident memory grows, in kilobytes.

    Args:
        bundle: The model's bundle.
        loads: How often it is loaded. The first half is not counted: by then, memory is used again.
        calls: How often it is run; the first tenth is not counted.

    Returns:
        The growth over the loads, and over the calls.
    """
    photo = bytes(bundle.input.height * bundle.input.width * 3)
    sizes = []
    for _ in range(loads):
        model = load_compiled(bundle.model)
        model.run(photo, [*model.outputs])
        sizes.append(resident_kilobytes())
    for number in range(calls):
        if number == calls // 10:
            before = resident_kilobytes()
        model.run(photo, [*model.outputs])
    return sizes[-1] - max(sizes[: loads // 2]), resident_kilobytes() - before


def damage(content: bytes, count: int) -> Iterator[bytes]:
    """Yield damaged copies of a model file, the same each time: cut off, or with 1 to 64 other bytes.

    Half of the other bytes are in its first and last kilobytes, where its structure is.
    """
    rng = random.Random(19)
    for number in range(count):
        if number % 4 == 0:
            yield content[: rng.randrange(len(content))]
            continue
        copy = bytearray(content)
        for _ in range(rng.choice((1, 4, 16, 64))):
            edge = rng.randrange(4096)
            place = rng.choice((edge, len(copy) - 1 - edge)) if number % 2 else rng.randrange(len(copy))
            copy[place] = rng.randrange(256)
        yield bytes(copy)


def outcomes(bundle: Bundle, load: Load, count: int) -> collections.Counter[str]:
    """Load and run damaged copies of a bundle's model, each in a process of its own; count what happens."""
    photo = bytes(bundle.input.height * bundle.input.width * 3)
    return collections.Counter(_try(content, photo, load) for content in damage(bundle.model, count))


def _try(content: bytes, photo: bytes, load: Load) -> str:
    child = os.fork()
    if not child:
        _run(content, photo, load)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        return "ran" if os.WEXITSTATUS(status) == RAN else "refused"
    return (
        "without end" if os.WTERMSIG(status) == signal.SIGALRM else signal.Signals(os.WTERMSIG(status)).name
    )


def _run(content: bytes, photo: bytes, load: Load) -> None:
    """Load and run a model, and exit."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    signal.alarm(TIMEOUT)
    code = REFUSED
    try:
        model = load(content)
        model.run(photo, [*model.outputs])
        code = RAN
    finally:
        os._exit(code)


def load_compiled(content: bytes) -> Model:
    """Load a model with the C library."""
    library = load_library()
    if library is None:
        sys.exit("LiteRT's C library does not load here")
    with without_notice():
        return CompiledModel(library, content, threads=1)


def load_interpreted(content: bytes) -> Model:
    """Load a model with the Python interpreter."""
    return InterpretedModel(content, threads=1)


def main() -> None:
    """Print what a bundle's damaged models do, and the memory over many calls."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--damaged", type=int, default=100)
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    compiled, interpreted = (
        outcomes(bundle, load, options.damaged) for load in (load_compiled, load_interpreted)
    )
    by_loads, by_calls = memory_growth(bundle, LOADS, options.calls)
    growth = {"loads_kb": by_loads, "calls_kb": by_calls}
    print(json.dumps({"compiled": compiled, "interpreted": interpreted, **growth}))


if __name__ == "__main__":
    main()
