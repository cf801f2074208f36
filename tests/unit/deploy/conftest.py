"""An environment without a trace of anyone's AWS account."""

import os

import pytest


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Make a home of its own for every test, in which nothing of AWS is set; return its .aws folder."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # no role of the machine either
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"
