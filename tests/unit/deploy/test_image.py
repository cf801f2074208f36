import json
import shutil
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

import shutterless
from shutterless.deploy import image
from shutterless.deploy.aws.ecr import ensure_repository
from shutterless.deploy.options import Options
from shutterless.packaging import base_image
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


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A copy of this package's sources, which a test may change."""
    root = tmp_path / "shutterless"
    shutil.copytree(Path(shutterless.__file__).parent, root)
    monkeypatch.setattr(shutterless, "__file__", str(root / "__init__.py"))
    return root


@pytest.mark.parametrize(
    "name",
    [
        *("__init__.py", "errors.py", "runtime/service.py", "runtime/page/index.html"),
        *("runtime/new.bin", "packaging/layers.py", "packaging/dependencies.txt"),
    ],
)
def test_an_image_is_another_one_for_other_sources(bundle, package, name):
    before = image.image_fingerprint(bundle, Options())
    with (package / name).open("ab") as file:
        file.write(b" ")
    assert image.image_fingerprint(bundle, Options()) != before


def test_an_image_is_another_one_if_two_sources_change_places(bundle, package):
    before = image.image_fingerprint(bundle, Options())
    one, other = package / "runtime/image/limits.py", package / "runtime/model/limits.py"
    one.rename(other)
    assert image.image_fingerprint(bundle, Options()) != before


@pytest.mark.parametrize("name", ["deploy/options.py", "runtime/__pycache__/service.pyc"])
def test_an_image_is_the_same_for_what_is_not_in_it(bundle, package, name):
    before = image.image_fingerprint(bundle, Options())
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_bytes(b"other")
    assert image.image_fingerprint(bundle, Options()) == before


def test_an_image_is_another_one_for_a_newer_base_image(bundle, monkeypatch):
    questions = []

    def find(platform, base_image):
        questions.append((platform, base_image))
        return f"sha256:{len(questions)}"

    monkeypatch.setattr(base_image, "find_base_digest", find)
    options = Options(platform="linux/arm64", base_image="python:3.13")
    first, second = (image.image_fingerprint(bundle, options) for _ in range(2))
    assert not image.is_same_image(first, second)
    assert questions == [("linux/arm64", "python:3.13")] * 2


def test_an_image_is_the_same_if_its_base_image_is_unknown(bundle, monkeypatch):
    known = image.image_fingerprint(bundle, Options())
    monkeypatch.setattr(base_image, "find_base_digest", lambda *_: "")
    unknown = image.image_fingerprint(bundle, Options())
    assert image.is_same_image(known, unknown)
    assert not image.is_same_image(unknown, known)
    other = image.image_fingerprint(replace(bundle, threshold=0.9), Options())
    assert not image.is_same_image(known, other)


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


@pytest.fixture
def stack(aws, monkeypatch):
    """A deployment at AWS whose template names two images; return the digests that were kept."""
    calls = []
    monkeypatch.setattr(image, "delete_unused_images", lambda session, *call: calls.append(call) or ("why",))

    def answer(status="UPDATE_COMPLETE", change_sets=()):
        stack = {"StackName": STACK, "StackStatus": status, "CreationTime": datetime(2026, 1, 1, tzinfo=UTC)}
        aws.answer("cloudformation", "describe_stacks", {"Stacks": [stack]}, StackName=STACK)
        summaries = [{"Status": status, "ExecutionStatus": execution} for status, execution in change_sets]
        aws.answer("cloudformation", "list_change_sets", {"Summaries": summaries}, StackName=STACK)
        return calls

    return answer


STACK = "shutterless-clothes"
DIGESTS = [f"sha256:{number:064x}" for number in range(2)]


@pytest.mark.parametrize(
    "change_sets", [[], [("FAILED", "UNAVAILABLE"), ("CREATE_COMPLETE", "EXECUTE_FAILED")]]
)
def test_images_that_a_stack_names_are_kept(aws, stack, change_sets):
    calls = stack(change_sets=change_sets)
    template = {"Metadata": {"Releases": [{"image": f"host/clothes@{digest}"} for digest in DIGESTS]}}
    aws.answer("cloudformation", "get_template", {"TemplateBody": json.dumps(template)}, StackName=STACK)
    assert image.delete_unused(aws, "clothes") == ("why",)
    assert calls == [("shutterless/clothes", {*DIGESTS})]


@pytest.mark.parametrize(
    ("status", "change_sets"),
    [
        ("UPDATE_IN_PROGRESS", []),
        ("UPDATE_COMPLETE", [("CREATE_IN_PROGRESS", "UNAVAILABLE")]),
        ("UPDATE_COMPLETE", [("CREATE_COMPLETE", "AVAILABLE")]),
        ("UPDATE_COMPLETE", [("CREATE_COMPLETE", "EXECUTE_IN_PROGRESS")]),
    ],
)
def test_no_image_is_deleted_while_somebody_changes_the_stack(aws, stack, status, change_sets):
    calls = stack(status, change_sets)
    assert image.delete_unused(aws, "clothes") == ()
    assert calls == []


def test_a_failure_to_read_the_stack_is_a_warning(aws):
    aws.fail("cloudformation", "describe_stacks", "AccessDenied", "not authorized: DescribeStacks")
    (warning,) = image.delete_unused(aws, "clothes")
    assert "DescribeStacks" in warning


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
