"""The commands and programs of README and docs are run, page by page, as a reader would type them.

A page's blocks run in order in one empty folder, or with something in it where the page says so:
`<!-- begins with: bundle photo.jpg -->`, `<!-- begins with: bundle photos -->`,
`<!-- begins with: run photos -->`, or
`<!-- begins with: clothing -->` for drawn photos in place of the real ones and ImageNet weights. A block
below a comment `<!-- not run: why -->` is left out.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from shutterless import draw_sample
from shutterless.runtime.access_log import make_record
from shutterless.runtime.http_messages import Request
from shutterless.runtime.service import Service
from shutterless.runtime.settings import KeptPhotos, Settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KERAS = ROOT.parent / "shared" / "keras"
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>.+?) -->\n+)?```(?P<language>bash|python)\n(?P<text>.*?)```", re.DOTALL
)
BEGINS_WITH = re.compile(r"<!-- begins with: (.+) -->")
SHOWN_PORT = "8080"
PATIENCE = 60  # seconds in which a server starts on any machine


class Block(NamedTuple):
    language: str
    text: str
    why_not: str | None


def blocks(page: Path) -> list[Block]:
    found = BLOCK.finditer(page.read_text("utf-8"))
    return [Block(match["language"], match["text"], match["why"]) for match in found]


def test_pages_without_a_block_that_runs_are_known():
    """So that a misspelt fence does not take a page out of this test unseen."""
    silent = {page.name for page in PAGES if all(block.why_not for block in blocks(page))}
    assert silent == {
        *("index.md", "from-2021-tutorial.md", "http-api.md", "experiments.md"),
        *("container.md", "benchmarks.md", "own-photos.md", "backbone.md", "quantize.md"),
        *("base-image.md", "arm64.md", "zip.md", "github-actions.md", "pitfalls.md", "architecture.md"),
        *("review.md", "tune.md", "drift.md"),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_tells_to_type_works(page, tmp_path, free_tcp_port, request):
    if wanted := BEGINS_WITH.search(page.read_text("utf-8")):
        lay = {
            "bundle photo.jpg": lay_bundle,
            "bundle photos": lay_bundle_and_photos,
            "run photos": lay_run,
            "clothing": lay_clothing,
            "requests.log": lay_log,
        }
        lay[wanted[1]](tmp_path, request)
    with contextlib.ExitStack() as servers:
        for block in blocks(page):
            text = block.text.replace(SHOWN_PORT, str(free_tcp_port))
            if block.why_not:
                continue
            if text.startswith("shutterless serve"):
                servers.enter_context(serving(text, tmp_path, free_tcp_port))
            else:
                run(block.language, text, tmp_path)


def lay_bundle(folder: Path, request: pytest.FixtureRequest) -> None:
    shutil.copytree(request.getfixturevalue("colour_bundle"), folder / "bundle")
    photo = request.getfixturevalue("colour_photos") / "test" / "red" / "00.png"
    Image.open(photo).save(folder / "photo.jpg")


def lay_bundle_and_photos(folder: Path, request: pytest.FixtureRequest) -> None:
    shutil.copytree(request.getfixturevalue("colour_bundle"), folder / "bundle")
    shutil.copytree(request.getfixturevalue("colour_photos") / "test", folder / "photos")


def lay_run(folder: Path, request: pytest.FixtureRequest) -> None:
    shutil.copytree(request.getfixturevalue("colour_run"), folder / "run")
    shutil.copytree(request.getfixturevalue("colour_photos"), folder / "photos")


def lay_clothing(folder: Path, request: pytest.FixtureRequest) -> None:
    if not KERAS.is_dir():
        pytest.skip("needs the ImageNet weights of ../shared")
    request.getfixturevalue("monkeypatch").setenv("KERAS_HOME", str(KERAS))
    draw_sample(folder / "clothing", per_label=20, size=64)


def lay_log(folder: Path, request: pytest.FixtureRequest) -> None:
    bundle = request.getfixturevalue("colour_bundle")
    photo = request.getfixturevalue("colour_photos") / "test" / "red" / "00.png"
    service = Service.load(Settings(bundle, records=True, kept_photos=KeptPhotos(share=1.0)))
    response = service.respond(Request("POST", "/predict", body=photo.read_bytes()))
    record = make_record("1", "POST /predict", service.model_version, time.perf_counter(), response)
    (folder / "requests.log").write_text(json.dumps(record) + "\n")


def run(language: str, text: str, folder: Path) -> None:
    shell = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
    done = subprocess.run([*shell, text], cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


@contextlib.contextmanager
def serving(command: str, folder: Path, port: int) -> Iterator[None]:
    with subprocess.Popen(
        command.split(), cwd=folder, env=environment(), stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(port)
            yield
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise AssertionError("the server does not listen")


def environment() -> dict[str, str]:
    """Return the environment with the commands of this very installation first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
