import json
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from shutterless.deploy.aws.ecr import ensure_repository
from shutterless.deploy.code import unused
from shutterless.deploy.template.code import ImageCode, parse_code


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with mock_aws():
        yield boto3.Session(region_name="eu-central-1")


def test_an_image_is_found_in_the_registry_by_its_digest(session):
    repository = ensure_repository(session, "shutterless/clothes")
    layer = {"digest": f"sha256:{1:064x}", "size": 1}
    manifest = f'{{"schemaVersion": 2, "mediaType": "x", "layers": [{{"digest": "{layer["digest"]}"}}]}}'
    answer = session.client("ecr").put_image(
        repositoryName="shutterless/clothes", imageManifest=manifest, imageTag="1"
    )
    digest = answer["image"]["imageId"]["imageDigest"]
    assert unused.read_upload_time(session, ImageCode(repository.uri, digest))
    assert not unused.read_upload_time(session, ImageCode(repository.uri, f"sha256:{2:064x}"))
    assert not unused.read_upload_time(session, parse_code(f"{repository.uri}-other@{digest}"))


@pytest.fixture
def stack(aws, monkeypatch):
    """A deployment at AWS whose template names two images; return the digests that were kept."""
    calls = []
    monkeypatch.setattr(unused, "delete_unused_images", lambda session, *call: calls.append(call) or ("why",))

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
    template = {
        "Metadata": {
            "Shutterless": {"Options": {}},
            "Releases": [{"image": f"host/clothes@{digest}"} for digest in DIGESTS],
        }
    }
    aws.answer("cloudformation", "get_template", {"TemplateBody": json.dumps(template)}, StackName=STACK)
    assert unused.delete_unused(aws, "clothes") == ("why",)
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
    assert unused.delete_unused(aws, "clothes") == ()
    assert calls == []


def test_a_failure_to_read_the_stack_is_a_warning(aws):
    aws.fail("cloudformation", "describe_stacks", "AccessDenied", "not authorized: DescribeStacks")
    (warning,) = unused.delete_unused(aws, "clothes")
    assert "DescribeStacks" in warning
