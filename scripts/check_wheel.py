"""Install a wheel in two empty environments and use it as a user would; a step of `make release`.

    python scripts/check_wheel.py dist/shutterless-0.1.0-py3-none-any.whl

With the extra `train` it draws photos, trains and converts; without, it predicts with the bundle. pip fetches
the newest dependencies that the wheel permits, as a user's pip does.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def main(wheel: Path) -> None:
    """Check one wheel; raises CalledProcessError with the first command that fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = install(folder / "train-env", f"{wheel.resolve()}[train]")
        run(folder, train, "dataset", "sample", "photos", "--per-label", "20", "--size", "64")
        run(folder, train, "train", "photos", "-o", "run", "--backbone", "tiny", "--epochs", "2")
        run(folder, train, "convert", "run", "-o", "bundle", "--max-drop", "20%")
        bare = install(folder / "bare-env", str(wheel.resolve()))
        version = run(folder, bare, "--version")
        if version.split()[-1] != wheel.name.split("-")[1]:
            sys.exit(f"{wheel.name} says that it is {version}")
        run(folder, bare, "predict", "bundle", "photos/test/hat")


def install(environment: Path, requirement: str) -> Path:
    """Make an environment, install a wheel there and return its `shutterless` command."""
    print(f"installing {Path(requirement).name} in an empty environment", flush=True)
    venv.create(environment, with_pip=True)
    programs = environment / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, requirement], check=True)
    return programs / "shutterless"


def run(folder: Path, command: Path, *arguments: str) -> str:
    """Run a command in a folder, show it, and return what it prints."""
    print(f"$ shutterless {' '.join(arguments)}", flush=True)
    output = subprocess.run(
        [command, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    print(output, end="", flush=True)
    return output


if __name__ == "__main__":
    main(Path(sys.argv[1]))
