"""The wheels that the container ships: fetched once by pip for the target platform, hash-checked, cached."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

from shutterless.errors import PackagingError, ShutterlessError
from shutterless.files import atomic_directory
from shutterless.packaging.platforms import MACHINES, PYTHON, Platform, wheel_tags
from shutterless.utils.cache import cache_folder
from shutterless.utils.progress import Progress, silent

# Every wheel by name, version and SHA-256, for both platforms; written by requirements/update.
LOCK = Path(__file__).with_name("dependencies.txt")
FETCHING = "fetching wheels"


def fetch_wheels(platform: Platform, progress: Progress = silent) -> list[Path]:
    """Return the wheel files of the lock for `platform`, from the cache if it holds them all.

    What is in the cache is hashed again, so that a damaged file is fetched anew. Raises
    `ShutterlessError` if pip cannot fetch one or the cache cannot be written.
    """
    folder = cache_folder("wheels") / f"{_digest(LOCK)[:12]}-{MACHINES[platform]}"
    if not _is_whole(folder):
        _fill(folder, platform, progress)
    return sorted(folder.glob("*.whl"))


def _is_whole(folder: Path) -> bool:
    """Tell whether the folder holds one wheel for each line of the lock, with a hash that the lock names."""
    lock = LOCK.read_text("utf-8")
    permitted = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))
    wheels = list(folder.glob("*.whl"))
    return len(wheels) == _count(lock) and all(_digest(wheel) in permitted for wheel in wheels)


def _count(lock: str) -> int:
    return len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE))


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fill(folder: Path, platform: Platform, progress: Progress) -> None:
    with atomic_directory(folder, "the wheels") as draft:
        _download(draft, platform, progress)


def _download(folder: Path, platform: Platform, progress: Progress) -> None:
    """Let pip choose, fetch and hash-check; it alone knows the user's index, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(LOCK), "-d", str(folder)]
    command += ["--implementation", "cp", "--python-version", f"{PYTHON[0]}.{PYTHON[1]}"]
    command += [option for tag in wheel_tags(platform) for option in ("--platform", tag)]
    total, done, said = _count(LOCK.read_text("utf-8")), 0, []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            said.append(line.strip())
            if line.startswith("Collecting "):
                done += 1
                progress(FETCHING, done, total)
    if pip.returncode:
        raise _failed(said)


def _failed(said: list[str]) -> ShutterlessError:
    if said and said[-1].endswith("No module named pip"):
        return PackagingError(
            "wheels-not-fetched",
            "This Python has no pip to fetch wheels with",
            "Give it one: python -m ensurepip",
        )
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    return PackagingError(
        "wheels-not-fetched",
        f"pip cannot fetch the wheels: {(errors or said or ['it said nothing'])[0]}",
        "Check the network and pip's settings; wheels are fetched once and then kept.",
    )
