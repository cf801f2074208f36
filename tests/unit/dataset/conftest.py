import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

MakePhotos = Callable[..., None]


@pytest.fixture
def make_photos(tmp_path: Path) -> MakePhotos:
    """Write `count` small photos, each of its own colour, into a folder below `tmp_path`."""

    def make(folder: str, count: int = 1, *, suffix: str = ".png") -> None:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            shade = zlib.crc32(folder.encode())
            Image.new("RGB", (8, 6), (number, shade % 256, shade // 256 % 256)).save(
                tmp_path / folder / f"{number:03}{suffix}"
            )

    return make
