import sys
from dataclasses import replace
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from shutterless.deploy import image
from shutterless.deploy.aws.ecr import ensure_repository
from shutterless.deploy.options import Options
from shutterless.utils.progress import silent


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with mock_aws():
        yield boto3.Session(region_name="eu-central-1")


@pytest.fixture
def bundle(described):
    return replace(described, sha256="1" * 64)


def test_an_image_is_another_one_for_another_model_platform_or_base(bundle):
    fingerprints = {
        image.image_fingerprint(bundle, Options()),
        image.image_fingerprint(replace(bundle, sha256="0" * 64), Options()),
        image.image_fingerprint(replace(bundle, threshold=0.9), Options()),
        image.image_fingerprint(bundle, Options(platform="linux/arm64")),
        image.image_fingerprint(bundle, Options(base_image="python:3.13")),
    }
    assert len(fingerprints) == 5


def test_an_image_is_the_same_for_other_settings_of_the_function(bundle):
    assert image.image_fingerprint(bundle, Options()) == image.image_fingerprint(
        bundle, Options(memory=3008, auth="iam")
    )


def test_an_image_is_another_one_for_another_runtime(bundle, monkeypatch, tmp_path):
    before = image.image_fingerprint(bundle, Options())
    (tmp_path / "more.py").write_text("")
    sources = [*image._sources(), tmp_path / "more.py"]
    monkeypatch.setattr(image, "_sources", lambda: iter(sources))
    assert image.image_fingerprint(bundle, Options()) != before


def test_the_runtime_and_its_page_are_among_the_sources():
    names = {file.name for file in image._sources()}
    assert {"errors.py", "service.py", "index.html"} <= names


def test_an_image_is_found_in_the_registry_by_its_digest(session):
    repository = ensure_repository(session, "shutterless/clothes")
    layer = {"digest": f"sha256:{1:064x}", "size": 1}
    manifest = f'{{"schemaVersion": 2, "mediaType": "x", "layers": [{{"digest": "{layer["digest"]}"}}]}}'
    answer = session.client("ecr").put_image(
        repositoryName="shutterless/clothes", imageManifest=manifest, imageTag="1"
    )
    digest = answer["image"]["imageId"]["imageDigest"]
    assert image.image_exists(session, f"{repository.uri}@{digest}")
    assert not image.image_exists(session, f"{repository.uri}@sha256:{2:064x}")
    assert not image.image_exists(session, f"{repository.uri}-other@{digest}")


def test_publishing_builds_as_the_options_say_and_pushes(session, monkeypatch, tmp_path):
    builds, pushes = [], []
    packaging = SimpleNamespace(build_image=lambda *args, **options: builds.append((args, options)))
    monkeypatch.setitem(sys.modules, "shutterless.packaging", packaging)
    monkeypatch.setattr(image, "push", lambda session, repository, tag, progress: pushes.append(tag) or "uri")
    options = Options(platform="linux/arm64", base_image="python:3.13")
    assert image.publish_image(session, "clothes", tmp_path, options, silent) == "uri"
    ((arguments, keywords),) = builds
    assert arguments == (tmp_path, "shutterless/clothes:deploy")
    assert (keywords["platform"], keywords["base_image"]) == ("linux/arm64", "python:3.13")
    assert pushes == ["shutterless/clothes:deploy"]
