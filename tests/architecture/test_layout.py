"""The layout that docs/architecture.md describes is that of the source."""

import re
from pathlib import Path

import pytest

import shutterless

SOURCE = Path(shutterless.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs/architecture.md").read_text("utf-8")
TREE = PAGE.partition("src/shutterless/\n")[2].partition("```")[0]
FOLDERS = [
    folder for folder in sorted(SOURCE.rglob("*/")) if any(folder.glob("*.*")) and "__" not in str(folder)
]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(?!run/)([\w/]+\.(?:py|toml))`", PAGE))))
def test_every_file_it_names_exists(path):
    assert any(SOURCE.rglob(path))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(SOURCE)))
def test_its_tree_has_every_folder(folder):
    assert re.search(rf"^ +{folder.name}/ ", TREE, re.MULTILINE) or folder.name == "templates"
