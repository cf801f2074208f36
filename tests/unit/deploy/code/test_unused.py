import json
from datetime import UTC, datetime

import pytest

from shutterless.deploy.aws.s3.objects import StoredObject
from shutterless.deploy.code import unused
from shutterless.deploy.template.code import ImageCode, ZipCode

SHA256 = f"{1:064x}"
TIME = datetime(2026, 1, 1, tzinfo=UTC)


def test_when_an_image_was_pushed_is_asked_of_ecr(aws):
    digest = f"sha256:{SHA256}"
    details = {"imageDetails": [{"imagePushedAt": TIME}]}
    place = {"repositoryName": "shutterless/clothes", "imageIds": [{"imageDigest": digest}]}
    aws.answer("ecr", "describe_images", details, **place)
    assert unused.read_upload_time(aws, ImageCode("host/shutterless/clothes", digest)) == TIME


@pytest.mark.parametrize("time", [TIME, None])
def test_when_a_zip_was_uploaded_is_asked_of_s3(monkeypatch, time):
    code = ZipCode("bucket", f"clothes/{SHA256}.zip", "1")
    versions = {(code.key, "1"): StoredObject("1", SHA256, time) if time else None}
    monkeypatch.setattr(unused, "find_bucket", lambda session: "bucket")
    monkeypatch.setattr(unused, "read_object", lambda bucket, key, version_id: versions[key, version_id])
    assert unused.read_upload_time(None, code) == time


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
