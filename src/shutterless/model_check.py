"""Open bundles: read them, and check their models before they run in this process, once on each machine.

Models that passed are remembered by their SHA-256.
"""

import hashlib
import os
import platform
import stat
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import shutterless
from shutterless.runtime.model.bundle import Bundle, read_bundle
from shutterless.runtime.model.check import check_model
from shutterless.utils.cache import cache_folder

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
