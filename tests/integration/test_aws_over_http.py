"""The double of AWS behind HTTP: what boto3 really sends, and reads."""

import boto3
import pytest

import shutterless
from shutterless.deploy import deployer, read_logs
from shutterless.deploy.status import read_status
from tests.aws_as_it_is.account import Account
from tests.aws_as_it_is.deployments import FUNCTION, NAME, deploy, make_bundle
from tests.aws_as_it_is.fixtures import set_environment, use_clock
from tests.aws_as_it_is.server import Server


@pytest.fixture
def account(monkeypatch):
    """Serve an account whose clock only goes on when the deploy stage waits."""
    account = Account()
    server = Server(account, speed=0)
    server.start()
    set_environment(account, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    use_clock(account, monkeypatch)
    yield account
    server.stop()


def test_a_deployment_over_http(account, described, tmp_path, colour_photos):
    account.behaviour.stale_reads = 0
    account.behaviour.untagged_review = False
    deployment = deploy(make_bundle(tmp_path / "bundle", described, "model"))
    key = read_status(NAME, show_key=True).key
    photo = next(colour_photos.rglob("*.png"))
    assert shutterless.call(deployment.url, photo, key)["label"] == "pants"
    account.clock.advance(60)
    assert read_status(NAME).last_hour.requests > 0
    assert any(entry.record.get("status") == 200 for entry in read_logs(NAME))
    deployer.destroy(NAME)
    assert deployer.list_resources(NAME) == []


def test_a_retry_after_a_lost_answer_is_a_second_call(account):
    client = boto3.client("cloudformation")
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    account.faults.lose_answer(1)
    with pytest.raises(client.exceptions.AlreadyExistsException):
        client.create_change_set(
            StackName=FUNCTION, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template
        )
    assert len(account.faults.calls) == 2
