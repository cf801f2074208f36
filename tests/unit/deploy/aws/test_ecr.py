"""The repository; the push is tested with a real registry, in tests/integration."""

import json

import boto3
import pytest
from moto import mock_aws

from shutterless.deploy.aws.ecr import TAG, delete_repository, ensure_repository
from shutterless.errors import DeployError

NAME = "shutterless/clothes"


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


def test_a_repository_keeps_the_last_ten_images(session):
    ensure_repository(session, NAME)
    policy = json.loads(
        session.client("ecr").get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"]
    )
    (rule,) = policy["rules"]
    assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10}
    assert rule["action"] == {"type": "expire"}


def test_our_own_repository_is_used_again_with_the_lifecycle_policy_that_it_has(session):
    first = ensure_repository(session, NAME)
    ecr = session.client("ecr")
    own = json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"])
    own["rules"][0]["selection"]["countNumber"] = 50
    ecr.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=json.dumps(own))
    assert ensure_repository(session, NAME) == first
    assert json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"]) == own


def test_a_repository_without_a_lifecycle_policy_gets_one(session):
    """As after an interruption between the two calls."""
    session.client("ecr").create_repository(repositoryName=NAME, tags=[{"Key": TAG, "Value": "clothes"}])
    ensure_repository(session, NAME)
    assert session.client("ecr").get_lifecycle_policy(repositoryName=NAME)


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
