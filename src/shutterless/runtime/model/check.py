"""Check an untrusted model in a child process with limits before it runs in this one.

A `.tflite` file holds no code, but LiteRT, which is written in C++, trusts it: a model of a kilobyte can run
for ever, use all memory, or crash the process.
"""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress

from shutterless.errors import BundleError, ShutterlessError
from shutterless.runtime.host_resources import limit_process
from shutterless.runtime.model.bundle import Bundle, parse_description
from shutterless.runtime.model.classifier import Classifier

# Limits of processor time, and of time on the clock for a busy machine; the slowest backbones take seconds.
CPU_SECONDS, WALL_SECONDS = 60, 180
# Limits of address space: for Python and its libraries, and for the weights: in the file, loaded, unpacked.
BASE_BYTES, BYTES_PER_MODEL_BYTE = 2 << 30, 8


def check_model(bundle: Bundle) -> None:
    """Load and run a bundle's model in a child process with limits on time and memory.

    The child gets the model that was read, not the folder, which may have changed.

    Args:
        bundle: What `read_bundle` returned.

    Raises:
        BundleError: The model crashes, does not finish, has loops, gives no probabilities, or cannot be
            loaded.
    """
    command = [sys.executable, "-P", "-m", __name__, bundle.folder]
    # The child imports from the same folders as this process, but not from the working folder.
    path = os.pathsep.join(folder for folder in sys.path if folder)
    content = json.dumps(bundle.to_json()).encode() + b"\n" + bundle.model
    try:
        child = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            input=content,
            capture_output=True,
            timeout=WALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _endless(bundle) from None
    except OSError as error:
        raise BundleError(
            "model-not-checked",
            f"The model of {bundle.folder} cannot be checked: {error.strerror}: {sys.executable}",
            "shutterless starts Python to check a new model.",
        ) from error
    if child.returncode:
        raise _crash(bundle, child)
    if problem := json.loads(child.stdout):
        raise BundleError(*problem)


def _endless(bundle: Bundle) -> BundleError:
    return BundleError(
        "endless-model",
        f"The model of {bundle.folder} does not finish",
        f"It was stopped after {CPU_SECONDS} s. Do not use it.",
    )


def _crash(bundle: Bundle, child: subprocess.CompletedProcess[bytes]) -> BundleError:
    if child.returncode == -getattr(signal, "SIGXCPU", 0):
        return _endless(bundle)
    reason = f"exit code {child.returncode}"
    if child.returncode < 0:
        with suppress(ValueError):  # a real-time signal has no name
            reason = signal.Signals(-child.returncode).name
    elif lines := child.stderr.decode(errors="replace").split("\n"):
        reason = next((line for line in reversed(lines) if line.strip()), reason)
    return BundleError(
        "crashing-model",
        f"The model of {bundle.folder} crashes: {reason}",
        "It is damaged or malicious, or needs too much memory. If it is yours, convert it again.",
    )


def main(folder: str) -> None:
    """Run the model on standard input, and print the error as JSON (code, message, hint), or null."""
    description, model = sys.stdin.buffer.readline(), sys.stdin.buffer.read()
    try:
        bundle = parse_description(description, folder).with_model(model)
        limit_check(len(model))
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
    """Run the model on three pictures: black, white and noise. Without loops, any takes equally long."""
    classifier = Classifier(bundle)
    if classifier.has_branches:
        raise BundleError(
            "endless-model",
            f"The model of {bundle.folder} has loops or branches",
            "It could run forever on some pictures. `shutterless convert` makes no such models.",
        )
    size = bundle.input.height * bundle.input.width * 3
    for pixels in (bytes(size), b"\xff" * size, random.Random(0).randbytes(size)):
        classifier.check(pixels)


def limit_check(model_bytes: int) -> None:
    """Limit the time and the memory of this process, in which a model of that size is checked."""
    memory = BASE_BYTES + BYTES_PER_MODEL_BYTE * model_bytes
    limit_process(RLIMIT_CORE=0, RLIMIT_CPU=CPU_SECONDS, RLIMIT_AS=memory)


if __name__ == "__main__":
    main(*sys.argv[1:])
