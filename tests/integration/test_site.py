"""The documentation as `make docs` builds it: without warnings, complete, nothing loaded from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer

import shutterless
import shutterless.deploy
from error_codes import find_raises
from shutterless.cli.app import app

ROOT = Path(__file__).parents[2]
# Attributes that make a browser fetch something; a link that a reader may follow is none of these.
FETCHING_ATTRIBUTES = {"src", "srcset", "data", "poster", "action"}
ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Return the folder of the built site; a dead link or a page missing from the navigation is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return folder


class Fetches(HTMLParser):
    """Collects the addresses that a browser fetches when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = FETCHING_ATTRIBUTES | ({"href"} if tag in ("link", "use", "image") else set())
        self.addresses += [value or "" for name, value in attributes if name in names]


def test_no_page_fetches_anything_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        fetches = Fetches()
        fetches.feed(page.read_text("utf-8"))
        assert fetches.addresses
        assert [address for address in fetches.addresses if ELSEWHERE.match(address)] == [], page


def test_no_style_fetches_anything_from_elsewhere(site):
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import\s+)[\"']?(https?:)?//", sheet.read_text("utf-8")), sheet


def commands(group, path="shutterless"):
    """Yield the whole name of every command, as the reference's anchors have it, and the command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}-{name}")
        else:
            yield f"{path}-{name}", command


@pytest.mark.parametrize(("name", "command"), list(commands(typer.main.get_command(app))))
def test_every_command_is_in_the_reference_with_its_options(site, name, command):
    page = (site / "commands.html").read_text("utf-8")
    section = page.partition(f'id="{name}"')[2].partition("<h2")[0]
    options = [option for each in command.params for option in each.opts if option.startswith("-")]
    assert section
    assert [option for option in options if option not in section] == []


@pytest.mark.parametrize(
    "name",
    [
        *(f"shutterless.{name}" for name in shutterless.__all__ if name != "deploy"),
        *(f"shutterless.deploy.{name}" for name in shutterless.deploy.__all__),
    ],
)
def test_everything_the_package_offers_is_in_the_reference(site, name):
    assert f'id="{name}"' in (site / "python.html").read_text("utf-8")


def test_every_error_is_in_the_reference(site):
    page = (site / "errors.html").read_text("utf-8")
    raises = [each for each in find_raises(Path(shutterless.__file__).parent) if each.code]
    assert [each for each in raises if f"<code>{each.code}</code>" not in page] == []
    assert [each for each in raises if f"<code>{each.module}</code>" not in page] == []


def test_recipes_and_their_fields_are_in_the_reference(site):
    page = (site / "recipe-fields.html").read_text("utf-8")
    assert all(field in page for field in ("dropout_before_hidden", "weight_average", "like_keras"))
    assert all(f'id="{recipe}"' in page for recipe in ("quick", "standard", "best", "tutorial"))
