"""Check an untrusted model in a sandboxed child process before it runs in this one.

A `.tflite` file holds no code, but LiteRT, which is written in C++, trusts it: a model of a kilobyte can run
for ever, use all memory, or crash the process. So `open_bundle` runs a bundle's model once in a child process
with limits. Models that passed are remembered by their SHA-256.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
from ai_edge_litert import __version__ as litert_version
from ai_edge_litert.interpreter import Interpreter

import shutterless
from shutterless.errors import BundleError, ShutterlessError
from shutterless.runtime.model.bundle import Bundle, read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.utils.cache import cache_folder

# Limits of processor time, and of time on the clock for a busy machine; the slowest backbones take seconds.
CPU_SECONDS, WALL_SECONDS = 60, 180
# Limits of address space: for Python and its libraries, and for the weights: in the file, loaded, unpacked.
BASE_BYTES, BYTES_PER_MODEL_BYTE = 2 << 30, 8


def open_bundle(path: str | Path) -> Bundle:
    """Read a bundle and make sure that its model can be run safely in this process.

    Args:
        path: The bundle's folder.

    Returns:
        The bundle, with its model in memory.

    Raises:
        BundleError: The bundle does not verify, or its model fails the check; see `check_model`.
    """
    bundle = read_bundle(path)
    if not is_remembered(bundle):
        check_model(bundle)
        remember(bundle)
    return bundle


def check_model(bundle: Bundle) -> None:
    """Load and run a bundle's model in a child process with limits on time and memory.

    Args:
        bundle: What `read_bundle` returned.

    Raises:
        BundleError: The model crashes, does not finish, has loops, gives no probabilities, or cannot be
            loaded.
    """
    command = [sys.executable, "-P", "-m", __name__, str(bundle.path), bundle.sha256]
    # The child imports from the same folders as this process, but not from the working folder.
    path = os.pathsep.join(folder for folder in sys.path if folder)
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    try:
        child = subprocess.run(command, env=environment, capture_output=True, timeout=WALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise _endless(bundle) from None
    except OSError as error:
        raise BundleError(
            "model-not-checked",
            f"The model of {bundle.path} cannot be checked: {error.strerror}: {sys.executable}",
            "shutterless starts Python to check a new model.",
        ) from error
    if child.returncode:
        raise _crash(bundle, child)
    if problem := json.loads(child.stdout):
        raise BundleError(*problem)


def remember(bundle: Bundle) -> None:
    """Record in the cache, if it can be written, that a bundle's model passed the check on this machine."""
    with suppress(OSError, RuntimeError):
        file = _record(bundle)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def is_remembered(bundle: Bundle) -> bool:
    """Tell whether a bundle's model has passed the check on this machine before."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home folder
        return _record(bundle).is_file()
    return False


def _record(bundle: Bundle) -> Path:
    """Return the empty file that records that a model passed this check with this LiteRT."""
    name = f"{bundle.sha256}-{shutterless.__version__}-{litert_version}"
    return cache_folder("checked-models") / name


def _endless(bundle: Bundle) -> BundleError:
    return BundleError(
        "endless-model",
        f"The model of {bundle.path} does not finish",
        f"It was stopped after {CPU_SECONDS} s. Do not use it.",
    )


def _crash(bundle: Bundle, child: subprocess.CompletedProcess[bytes]) -> BundleError:
    if child.returncode == -getattr(signal, "SIGXCPU", 0):
        return _endless(bundle)
    reason = f"exit code {child.returncode}"
    if child.returncode < 0:
        reason = signal.Signals(-child.returncode).name
    elif lines := child.stderr.decode(errors="replace").split("\n"):
        reason = next((line for line in reversed(lines) if line.strip()), reason)
    return BundleError(
        "crashing-model",
        f"The model of {bundle.path} crashes: {reason}",
        "It is damaged or malicious, or needs too much memory. If it is yours, convert it again.",
    )


def main(folder: str, sha256: str) -> None:
    """Run the model, in the child process, and print the error as JSON (code, message, hint), or null."""
    try:
        bundle = read_bundle(folder)
        if bundle.sha256 != sha256:
            raise BundleError("changed-bundle", f"{folder} has changed while it was being read", "Try again.")
        limit_process(len(bundle.model))
        _run(bundle)
        problem = None
    except ShutterlessError as error:
        problem = error.code, error.message, error.hint
    except (ValueError, RuntimeError, MemoryError) as error:  # LiteRT's errors
        problem = (
            "crashing-model",
            f"LiteRT cannot run the model of {folder}: {error or 'out of memory'}",
            "Do not use it.",
        )
    print(json.dumps(problem))


def _run(bundle: Bundle) -> None:
    """Run the model on a black picture and on noise; without loops it takes equally long for any picture."""
    if Interpreter(model_content=bundle.model).num_subgraphs() > 1:
        raise BundleError(
            "endless-model",
            f"The model of {bundle.path} has loops or branches",
            "It could run forever on some pictures. `shutterless convert` makes no such models.",
        )
    classifier = Classifier(bundle)
    classifier.warm_up()
    shape = (1, bundle.input.height, bundle.input.width, 3)
    classifier.probabilities(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


def limit_process(model_bytes: int) -> None:
    """Limit time and memory of this process, where the system can: not on Windows, no memory on macOS."""
    try:
        import resource
    except ImportError:
        return
    memory = BASE_BYTES + BYTES_PER_MODEL_BYTE * model_bytes
    limits = [
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
        (resource.RLIMIT_AS, memory, memory),
    ]
    for kind, soft, hard in limits:
        with suppress(ValueError, OSError):  # its limits are lower already
            resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
