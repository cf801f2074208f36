from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

MakePicture = Callable[..., Path]


@pytest.fixture
def make_picture(tmp_path: Path) -> MakePicture:
    """Write a small picture below `tmp_path`; pictures of one number are equal."""

    def make(path: str, number: int) -> Path:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (number * 9, 80, 99)).save(tmp_path / path, "PNG")
        return tmp_path / path

    return make


@pytest.fixture
def refusal() -> Callable[[Callable[[], object]], str]:
    """Return the code of the error that a call raises."""
    from shutterless.errors import ShutterlessError

    def code_of(call: Callable[[], object]) -> str:
        with pytest.raises(ShutterlessError) as caught:
            call()
        assert caught.value.hint
        return caught.value.code

    return code_of
