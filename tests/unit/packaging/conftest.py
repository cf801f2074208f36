"""A docker that says what a test wants it to say, and wheels that need no network."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shutterless.packaging import base_image, context, wheels, zip_package

FAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if "DOCKER_CONFIG" in os.environ:
    seen = {name: os.environ.get(name, "") for name in ("DOCKER_HOST", "DOCKER_CONFIG")}
    logins = json.loads(pathlib.Path(seen["DOCKER_CONFIG"], "config.json").read_text())
    with (here / "environments").open("a") as environments:
        environments.write(json.dumps({**seen, "command": sys.argv[1], "logins": logins}) + "\\n")
for start, code, out, err in json.loads((here / "answers").read_text()):
    if sys.argv[1 : len(start) + 1] == start:
        sys.stdout.write(out)
        sys.stderr.write(err)
        sys.exit(code)
"""


class FakeDocker:
    """A `docker` on PATH: it answers as told, with nothing and 0 if not told, and keeps what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: list[tuple[list[str], int, str, str]] = []
        (folder / "docker").write_text(FAKE)
        (folder / "docker").chmod(0o755)
        self._write()

    def says(self, command: str, out: str = "", *, err: str = "", code: int | None = None) -> None:
        """Answer commands that begin with these words; an answer on standard error is a failure."""
        self.answers.append((command.split(), int(bool(err)) if code is None else code, out, err))
        self._write()

    @property
    def calls(self) -> list[list[str]]:
        return self._read("calls")

    @property
    def environments(self) -> list[dict[str, Any]]:
        """Return command, engine and logins of every call that had a configuration of its own."""
        return self._read("environments")

    def _read(self, file: str) -> list[Any]:
        return [json.loads(line) for line in (self.folder / file).read_text().splitlines()]

    def _write(self) -> None:
        (self.folder / "answers").write_text(json.dumps(self.answers))


@pytest.fixture
def docker(tmp_path, monkeypatch) -> FakeDocker:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("DOCKER_CONFIG", raising=False)
    return FakeDocker(folder)


Wheel = Callable[..., Path]


@pytest.fixture
def wheel(tmp_path) -> Wheel:
    """Write a wheel with these files."""

    def make(name: str, files: dict[str, str]) -> Path:
        file = tmp_path / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(file, "w") as archive:
            for member, content in files.items():
                archive.writestr(member, content)
        return file

    return make


@pytest.fixture
def small_wheel(wheel) -> Path:
    """Return a small wheel that pip installs."""
    name = "small-1.0.dist-info"
    files = {"small/__init__.py": "size = 1\n", "small/tests/test_it.py": "", "small/x.pyi": ""}
    files[f"{name}/METADATA"] = "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n"
    files[f"{name}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    return wheel("small", {**files, f"{name}/RECORD": ""})


@pytest.fixture
def small_lock(small_wheel, tmp_path, monkeypatch) -> Path:
    """Let the lock be of one small wheel, which pip finds in a folder, and the cache an empty one."""
    digest = hashlib.sha256(small_wheel.read_bytes()).hexdigest()
    lock = tmp_path / "lock.txt"
    lock.write_text(f"small==1.0 \\\n    --hash=sha256:{digest}\n")
    monkeypatch.setattr(wheels, "LOCK", lock)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return small_wheel


@pytest.fixture
def small_package(small_wheel, monkeypatch) -> Path:
    """Let what is packaged have one small wheel, on a machine without Python 3.13."""
    for module in (context, zip_package):
        monkeypatch.setattr(module, "fetch_wheels", lambda platform, progress: [small_wheel])
    for module in (base_image, context, zip_package):
        monkeypatch.setattr(module, "local_python", lambda: None)
    return small_wheel


@pytest.fixture
def replaced_bundle(colour_bundle, small_wheel, tmp_path, monkeypatch) -> Path:
    """Return a bundle whose folder gets other content as soon as it has been checked."""
    folder = shutil.copytree(colour_bundle, tmp_path / "replaced")

    def replace_and_fetch(platform: str, progress: object) -> list[Path]:
        (folder / "model.tflite").write_bytes(b"another model")
        (folder / "bundle.json").write_text("{}")
        return [small_wheel]

    for module in (context, zip_package):
        monkeypatch.setattr(module, "fetch_wheels", replace_and_fetch)
    return folder
