import hashlib

import pytest

from shutterless.packaging import zip_package

pytestmark = pytest.mark.slow


@pytest.fixture
def small(monkeypatch):
    """Ship no wheels, from a machine without Python 3.13."""
    monkeypatch.setattr(zip_package, "fetch_wheels", lambda platform, progress: [])
    monkeypatch.setattr(zip_package, "local_python", lambda: None)


def test_a_zip_is_written_and_its_hash_shown(shutterless, small, colour_bundle, tmp_path):
    file = tmp_path / "function.zip"
    result = shutterless("package", colour_bundle, "-o", file, "--format", "zip", "--platform", "linux/arm64")
    assert result.exit_code == 0
    assert hashlib.sha256(file.read_bytes()).hexdigest() in result.stderr


@pytest.mark.parametrize(
    ("format", "option"),
    [("zip", ("--base-image", "python:3.13-slim")), ("context", ("--no-bytecode",)), ("tar", ())],
)
def test_an_option_of_the_other_format_is_refused(shutterless, colour_bundle, tmp_path, format, option):
    result = shutterless("package", colour_bundle, "-o", tmp_path / "out", "--format", format, *option)
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()
