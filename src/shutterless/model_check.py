"""Check an untrusted model in a child process with limits before it runs in this one.

A `.tflite` file holds no code, but LiteRT, which is written in C++, trusts it: a model of a kilobyte can run
for ever, use all memory, or crash the process. So `open_bundle` runs a bundle's model in a child process
with limits. Models that passed are remembered by their SHA-256.
"""

import hashlib
import json
import os
import platform
import random
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import shutterless
from shutterless.errors import BundleError, ShutterlessError
from shutterless.runtime.model.bundle import Bundle, parse_description, read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.utils.cache import cache_folder

# Limits of processor time, and of time on the clock for a busy machine; the slowest backbones take seconds.
CPU_SECONDS, WALL_SECONDS = 60, 180
# Limits of address space: for Python and its libraries, and for the weights: in the file, loaded, unpacked.
BASE_BYTES, BYTES_PER_MODEL_BYTE = 2 << 30, 8
# Models that are remembered; the oldest are forgotten.
MAX_RECORDS = 1000
# The list of processors is as long as there are many; the first tells what they can do.
PROCESSOR_BYTES = 4096


def open_bundle(bundle: str | Path | Bundle) -> Bundle:
    """Read a bundle and make sure that its model can be run safely in this process.

    Args:
        bundle: The bundle's folder, or a bundle that was read before.

    Returns:
        The bundle, with its model in memory: what happens to the folder afterwards changes nothing.

    Raises:
        BundleError: The bundle does not verify, or its model fails the check; see `check_model`.
    """
    bundle = bundle if isinstance(bundle, Bundle) else read_bundle(bundle)
    if not is_remembered(bundle):
        check_model(bundle)
        remember(bundle)
    return bundle


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


def remember(bundle: Bundle) -> None:
    """Record in the cache, if it can be written, that a bundle's model passed the check on this machine."""
    with suppress(OSError, RuntimeError):
        record = _record(bundle)
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(record.parent):
            record.parent.chmod(0o700)  # an error if it is somebody else's
        records = sorted(record.parent.iterdir(), key=lambda file: file.lstat().st_mtime)
        for oldest in records[: max(0, len(records) - MAX_RECORDS + 1)]:
            oldest.unlink()
        record.touch(mode=0o600)


def is_remembered(bundle: Bundle) -> bool:
    """Tell whether a bundle's model has passed the check on this machine before."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home folder
        record = _record(bundle)
        return stat.S_ISREG(record.lstat().st_mode) and _is_private(record) and _is_private(record.parent)
    return False


def _record(bundle: Bundle) -> Path:
    """Return the empty file that records that a model passed this check, with this LiteRT and processor."""
    context = (shutterless.__version__, version("ai-edge-litert"), *_processor())
    digest = hashlib.sha256("\n".join(context).encode()).hexdigest()
    return cache_folder("checked-models") / f"{bundle.sha256}-{digest[:16]}"


def _processor() -> tuple[str, ...]:
    """Return what LiteRT chooses its code by; a home folder may be shared by different machines."""
    with suppress(OSError), Path("/proc/cpuinfo").open(errors="replace") as stream:
        lines = stream.read(PROCESSOR_BYTES).splitlines()
        features = [line for line in lines if line.startswith(("flags", "Features"))]
        return platform.machine(), *features[:1]
    return platform.machine(), platform.processor()


def _is_private(file: Path) -> bool:
    """Tell whether nobody but this user, and root, could have made or changed a file or folder."""
    if not hasattr(os, "getuid"):  # Windows, where the cache is in the user's own folder
        return True
    status = file.lstat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


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
        limit_process(len(model))
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
