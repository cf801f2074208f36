import shutil
from pathlib import Path

import pytest


@pytest.fixture
def photos(colour_photos, tmp_path) -> Path:
    """Return a folder of 24 photos."""
    folder = tmp_path / "photos"
    for label in ("blue", "green", "red"):
        shutil.copytree(colour_photos / "test" / label, folder / label)
        for number in range(5):
            shutil.copy(
                colour_photos / "train" / label / f"{number:02}.png", folder / label / f"t{number}.png"
            )
    return folder
