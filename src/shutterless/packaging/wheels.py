"""The wheels in the container image: downloaded by pip for the target platform, checked by hash, cached."""

import re
import subprocess
import sys
from pathlib import Path

from shutterless.errors import PackagingError
from shutterless.files import atomic_directory
from shutterless.packaging.platforms import MACHINES, PYTHON, Platform, wheel_tags
from shutterless.utils.cache import cache_folder
from shutterless.utils.hashing import file_hash
from shutterless.utils.progress import Progress, silent

# Every wheel by name, version and SHA-256, for both platforms; written by requirements/update.
LOCK = Path(__file__).with_name("dependencies.txt")
STAGE = "downloading wheels"


def fetch_wheels(platform: Platform, progress: Progress = silent) -> list[Path]:
    """Return the wheel files of the lock for a platform, from the cache if they are all there.

    The files in the cache are hashed each time, so that a damaged one is downloaded again.

    Args:
        platform: The image's platform.
        progress: Called with the wheels downloaded so far, and all of them.

    Raises:
        PackagingError: `wheels-not-fetched` if pip cannot download one.
        OutputError: If the cache cannot be written.
    """
    folder = cache_folder("wheels") / f"{file_hash(LOCK)[:12]}-{MACHINES[platform]}"
    lock = LOCK.read_text("utf-8")
    count = len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE))
    hashes = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", lock))
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != count or not hashes.issuperset(map(file_hash, wheels)):
        with atomic_directory(folder, "the wheels") as draft:
            _download(draft, platform, count, progress)
    return sorted(folder.glob("*.whl"))


def _download(folder: Path, platform: Platform, count: int, progress: Progress) -> None:
    """Let pip choose and check the wheels; only pip knows the user's index, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(LOCK), "-d", str(folder)]
    command += ["--implementation", "cp", "--python-version", f"{PYTHON[0]}.{PYTHON[1]}"]
    command += [option for tag in wheel_tags(platform) for option in ("--platform", tag)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            lines.append(line.strip())
            if line.startswith("Collecting "):
                progress(STAGE, sum(line.startswith("Collecting ") for line in lines), count)
    if pip.returncode:
        raise _pip_error(lines)


def _pip_error(lines: list[str]) -> PackagingError:
    if lines and lines[-1].endswith("No module named pip"):
        return PackagingError(
            "pip-not-installed", "This Python has no pip to download wheels with", "Run: python -m ensurepip"
        )
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return PackagingError(
        "wheels-not-fetched",
        f"pip cannot download the wheels: {(errors or lines or ['it wrote nothing'])[0]}",
        "Check the network and pip's settings; wheels are downloaded once and then cached.",
    )
