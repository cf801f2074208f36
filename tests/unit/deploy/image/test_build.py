import sys
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from shutterless.deploy.image import build
from shutterless.deploy.options import Options
from shutterless.utils.progress import silent


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with mock_aws():
        yield boto3.Session(region_name="eu-central-1")


def test_publishing_builds_as_the_options_say_and_pushes(session, monkeypatch, tmp_path):
    builds, pushes = [], []
    packaging = SimpleNamespace(build_image=lambda *args, **options: builds.append((args, options)))
    monkeypatch.setitem(sys.modules, "shutterless.packaging", packaging)
    monkeypatch.setattr(build, "push", lambda session, repository, tag, progress: pushes.append(tag) or "uri")
    options = Options(platform="linux/arm64", base_image="python:3.13")
    assert build.publish_image(session, "clothes", tmp_path, options, silent) == "uri"
    ((arguments, keywords),) = builds
    assert arguments == (tmp_path, "shutterless/clothes:deploy")
    assert (keywords["platform"], keywords["base_image"]) == ("linux/arm64", "python:3.13")
    assert pushes == ["shutterless/clothes:deploy"]
