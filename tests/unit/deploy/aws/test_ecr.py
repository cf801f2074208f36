"""The repository; the push is tested with a real registry, in tests/integration."""

import copy
import json
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto import mock_aws

from shutterless.deploy.aws import ecr
from shutterless.deploy.aws.ecr import (
    OLD_LIFECYCLE,
    TAG,
    change_tags,
    delete_repository,
    delete_unused_images,
    ensure_repository,
    read_findings,
    read_push_time,
)
from shutterless.errors import DeployError

NAME = "shutterless/clothes"
PUSHED = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def session():
    with mock_aws():
        yield boto3.Session(region_name="us-east-1")


def repositories(session):
    return session.client("ecr").describe_repositories()["repositories"]


def test_a_repository_scans_images_has_immutable_tags_and_our_tag(session):
    repository = ensure_repository(session, NAME)
    (description,) = repositories(session)
    assert repository.uri == description["repositoryUri"] == f"{repository.host}/{NAME}"
    assert description["imageTagMutability"] == "IMMUTABLE"
    assert description["imageScanningConfiguration"] == {"scanOnPush": True}
    tags = session.client("ecr").list_tags_for_resource(resourceArn=repository.arn)["tags"]
    assert tags == [{"Key": TAG, "Value": "clothes"}]


def lifecycle_policy(session):
    """Return the lifecycle policy of the repository, or None."""
    ecr = session.client("ecr")
    try:
        return json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"])
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return None


def test_no_lifecycle_policy_expires_images(session):
    ensure_repository(session, NAME)
    assert lifecycle_policy(session) is None


def test_the_lifecycle_policy_of_earlier_versions_is_removed(session):
    first = ensure_repository(session, NAME)
    text = json.dumps(OLD_LIFECYCLE, indent=4)
    session.client("ecr").put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=text)
    assert ensure_repository(session, NAME) == first
    assert lifecycle_policy(session) is None


def test_a_lifecycle_policy_of_the_user_s_stays(session):
    ensure_repository(session, NAME)
    own = copy.deepcopy(OLD_LIFECYCLE)
    own["rules"][0]["selection"]["countNumber"] = 50
    session.client("ecr").put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=json.dumps(own))
    ensure_repository(session, NAME)
    assert lifecycle_policy(session) == own


def put_images(session, tags):
    """Put one image for each tag into the repository and return their digests."""
    ecr = session.client("ecr")
    digests = []
    for number, tag in enumerate(tags):
        manifest = {"schemaVersion": 2, "mediaType": "x", "layers": [{"digest": f"sha256:{number:064x}"}]}
        answer = ecr.put_image(repositoryName=NAME, imageManifest=json.dumps(manifest), imageTag=tag)
        digests.append(answer["image"]["imageId"]["imageDigest"])
    return digests


def digests_in(session):
    answer = session.client("ecr").describe_images(repositoryName=NAME)
    return {image["imageDigest"] for image in answer["imageDetails"]}


def our_tag(number):
    return f"0123456789ab-{number:012x}"


@pytest.fixture
def _everything_is_old(monkeypatch):
    monkeypatch.setattr(ecr, "MIN_AGE", timedelta(hours=-1))


@pytest.mark.usefixtures("_everything_is_old")
def test_images_that_no_release_names_are_deleted(session):
    ensure_repository(session, NAME)
    kept, *_ = put_images(session, map(our_tag, range(3)))
    assert delete_unused_images(session, NAME, {kept}) == ()
    assert digests_in(session) == {kept}


def test_an_image_that_was_just_pushed_is_kept(session):
    """Somebody else's deploy may be about to use it."""
    ensure_repository(session, NAME)
    digests = put_images(session, [our_tag(1)])
    assert delete_unused_images(session, NAME, ()) == ()
    assert digests_in(session) == {*digests}


@pytest.mark.usefixtures("_everything_is_old")
def test_an_image_with_a_tag_of_the_user_s_is_kept(session):
    ensure_repository(session, NAME)
    _, own = put_images(session, [our_tag(1), "before-the-audit"])
    delete_unused_images(session, NAME, ())
    assert digests_in(session) == {own}


@pytest.mark.usefixtures("_everything_is_old")
def test_images_are_listed_page_by_page_and_deleted_a_hundred_at_once(aws):
    details = [
        {"imageDigest": f"sha256:{number:064x}", "imageTags": [our_tag(number)], "imagePushedAt": PUSHED}
        for number in range(101)
    ]
    aws.answer("ecr", "describe_images", {"imageDetails": details[:50], "nextToken": "2"})
    aws.answer("ecr", "describe_images", {"imageDetails": details[50:]})
    images = [{"imageDigest": each["imageDigest"]} for each in details]
    for batch in (images[:100], images[100:]):
        aws.answer("ecr", "batch_delete_image", {"failures": []}, repositoryName=NAME, imageIds=batch)
    assert delete_unused_images(aws, NAME, ()) == ()


@pytest.mark.usefixtures("_everything_is_old")
def test_an_image_that_cannot_be_deleted_is_a_warning(aws):
    detail = {"imageDigest": f"sha256:{1:064x}", "imageTags": [our_tag(1)], "imagePushedAt": PUSHED}
    aws.answer("ecr", "describe_images", {"imageDetails": [detail]})
    failure = {"failureCode": "KmsError", "failureReason": "the key is disabled"}
    aws.answer("ecr", "batch_delete_image", {"failures": [failure]})
    (warning,) = delete_unused_images(aws, NAME, ())
    assert failure["failureReason"] in warning


def test_a_missing_permission_to_list_images_is_a_warning(aws):
    aws.fail("ecr", "describe_images", "AccessDeniedException", "not authorized: ecr:DescribeImages")
    (warning,) = delete_unused_images(aws, NAME, ())
    assert "ecr:DescribeImages" in warning


def test_when_an_image_was_pushed_is_read_by_its_digest(session):
    repository = ensure_repository(session, NAME)
    (digest,) = put_images(session, ["1"])
    assert read_push_time(session, f"{repository.uri}@{digest}").tzinfo
    assert read_push_time(session, f"{repository.uri}@sha256:{2:064x}") is None
    assert read_push_time(session, f"{repository.uri}-other@{digest}") is None


@pytest.mark.parametrize(
    ("status", "findings", "expected"),
    [
        ("COMPLETE", {"findingSeverityCounts": {"HIGH": 2}}, {"HIGH": 2}),
        ("ACTIVE", {"findingSeverityCounts": {"LOW": 1}}, {"LOW": 1}),
        ("COMPLETE", {}, {}),
        ("IN_PROGRESS", {}, None),
        ("UNSUPPORTED_IMAGE", {}, None),
    ],
)
def test_findings_are_those_of_a_finished_scan(aws, status, findings, expected):
    answer = {"imageScanStatus": {"status": status}, "imageScanFindings": findings}
    digest = f"sha256:{1:064x}"
    request = {"repositoryName": NAME, "imageId": {"imageDigest": digest}, "maxResults": 1}
    aws.answer("ecr", "describe_image_scan_findings", answer, **request)
    assert read_findings(aws, f"host/{NAME}@{digest}") == expected


def test_an_image_that_was_never_scanned_has_no_findings(aws):
    aws.fail("ecr", "describe_image_scan_findings", "ScanNotFoundException")
    assert read_findings(aws, f"host/{NAME}@sha256:{1:064x}") is None


@pytest.mark.parametrize("touch", [ensure_repository, delete_repository])
def test_the_repository_of_somebody_else_is_left_alone(session, touch):
    session.client("ecr").create_repository(repositoryName=NAME)
    with pytest.raises(DeployError) as error:
        touch(session, NAME)
    assert error.value.code == "foreign-repository"
    assert len(repositories(session)) == 1


def test_a_deleted_repository_is_gone_and_deleting_it_again_does_nothing(session):
    ensure_repository(session, NAME)
    assert (delete_repository(session, NAME), delete_repository(session, NAME)) == (True, False)
    assert repositories(session) == []


def test_another_registry_can_take_the_place_of_the_account_s(session):
    repository = ensure_repository(session, NAME, "127.0.0.1:5000")
    assert (repository.uri, repository.host) == (f"127.0.0.1:5000/{NAME}", "127.0.0.1:5000")


KEY = "arn:aws:kms:us-east-1:123456789012:key/0a1b"


def tags_of(session, repository):
    tags = session.client("ecr").list_tags_for_resource(resourceArn=repository.arn)["tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def test_a_repository_has_the_tags_and_the_key_that_it_is_made_with(session):
    repository = ensure_repository(session, NAME, tags={TAG: "clothes", "team": "vision"}, kms_key=KEY)
    assert tags_of(session, repository) == {TAG: "clothes", "team": "vision"}
    (description,) = repositories(session)
    assert description["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": KEY}
    assert ensure_repository(session, NAME, kms_key=KEY) == repository


def test_another_key_than_the_repository_was_made_with_is_refused(session):
    ensure_repository(session, NAME, kms_key=KEY)
    with pytest.raises(DeployError) as error:
        ensure_repository(session, NAME, kms_key=KEY.replace("0a1b", "2c3d"))
    assert error.value.code == "fixed-option"


def test_changed_tags_reach_the_repository_and_those_of_others_stay(session):
    repository = ensure_repository(session, NAME)
    added_by_others = [{"Key": "owner", "Value": "audit"}]
    session.client("ecr").tag_resource(resourceArn=repository.arn, tags=added_by_others)
    change_tags(session, NAME, {TAG: "clothes"}, {TAG: "clothes", "team": "vision", "cost": "1"})
    change_tags(session, NAME, {TAG: "clothes", "team": "vision", "cost": "1"}, {TAG: "clothes", "cost": "2"})
    assert tags_of(session, repository) == {TAG: "clothes", "cost": "2", "owner": "audit"}


def test_tags_of_a_repository_that_is_gone_are_nobody_s(session):
    change_tags(session, NAME, {TAG: "clothes"}, {TAG: "clothes", "team": "vision"})
    assert repositories(session) == []
