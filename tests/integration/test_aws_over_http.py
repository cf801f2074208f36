"""The double of AWS behind HTTP: what boto3 really sends, and reads."""

import base64
import hashlib
import urllib.error
import urllib.request

import boto3
import pytest

import shutterless
from shutterless.deploy import deployer, read_logs, removal
from shutterless.deploy.status import read_status
from tests.aws_as_it_is.account import Account
from tests.aws_as_it_is.deployments import FUNCTION, NAME, deploy, make_bundle, publish
from tests.aws_as_it_is.fixtures import set_environment, use_clock
from tests.aws_as_it_is.server import Server


@pytest.fixture
def account(monkeypatch):
    """Serve an account whose clock only goes on when the deploy stage waits."""
    account = Account()
    account.behaviour.stale_reads = 0
    account.behaviour.untagged_review = False
    server = Server(account, speed=0)
    server.start()
    set_environment(account, monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    use_clock(account, monkeypatch)
    yield account
    server.stop()


def test_a_deployment_over_http(account, described, tmp_path, colour_photos):
    deployment = deploy(make_bundle(tmp_path / "bundle", described, "model"))
    key = read_status(NAME, show_key=True).key
    photo = next(colour_photos.rglob("*.png"))
    assert shutterless.call(deployment.url, photo, key)["label"] == "pants"
    account.clock.advance(60)
    assert read_status(NAME).last_hour.requests > 0
    assert any(entry.record.get("status") == 200 for entry in read_logs(NAME))
    removal.destroy(NAME)
    assert removal.list_resources(NAME) == []


def test_a_deployment_with_a_function_url_over_http(account, described, tmp_path, colour_photos):
    bundle, photo = make_bundle(tmp_path / "bundle", described, "model"), next(colour_photos.rglob("*.png"))
    deployment = deploy(bundle, front="url", auth="none")
    account.clock.advance(60)  # until Lambda has the new version ready
    assert shutterless.call(deployment.url, photo)["label"] == "pants"
    assert deploy(bundle, front="rest").url != deployment.url


def test_the_key_of_one_api_does_not_lock_another(account, described, tmp_path, colour_photos):
    bundle, photo = make_bundle(tmp_path / "bundle", described, "model"), next(colour_photos.rglob("*.png"))
    url = deploy(bundle, auth="none").url
    deployer.deploy(bundle, "other", publish=publish, auth="api-key", smoke_test=False)
    account.clock.advance(60)
    assert shutterless.call(url, photo)["label"] == "pants"


def test_row_18_preflights_do_not_call_the_function(account, described, tmp_path):
    url = deploy(make_bundle(tmp_path / "bundle", described, "model"), auth="none").url
    account.clock.advance(60)
    records = len(list(read_logs(NAME)))
    preflight = urllib.request.Request(f"{url}/predict", method="OPTIONS")
    with urllib.request.urlopen(preflight) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Methods"]) == (204, "POST, OPTIONS")
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{url}/predict")
    assert error.value.code == 404
    error.value.close()
    assert len(list(read_logs(NAME))) == records
    with urllib.request.urlopen(f"{url}/health") as answer:
        assert answer.status == 200
    assert len(list(read_logs(NAME))) > records


def test_a_retry_after_a_lost_answer_is_a_second_call(account):
    client = boto3.client("cloudformation")
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    account.faults.lose_answer(1)
    with pytest.raises(client.exceptions.AlreadyExistsException):
        client.create_change_set(
            StackName=FUNCTION, ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template
        )
    assert len(account.faults.calls) == 2


def test_buckets_and_objects_over_http(account):
    s3, bucket = boto3.client("s3"), f"shutterless-{account.id}-{account.region}"
    location = {"LocationConstraint": account.region}
    with pytest.raises(s3.exceptions.ClientError) as error:
        s3.create_bucket(Bucket=bucket)
    assert error.value.response["Error"]["Code"] == "IllegalLocationConstraintException"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
    with pytest.raises(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=location)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    body, digest = b"photo" * 1000, base64.b64encode(hashlib.sha256(b"photo" * 1000).digest()).decode()
    account.faults.lose_answer(1)  # boto3 tries again, and finds what the first try has written
    with pytest.raises(s3.exceptions.ClientError) as error:
        s3.put_object(Bucket=bucket, Key="a", Body=body, ChecksumSHA256=digest, IfNoneMatch="*")
    assert error.value.response["Error"]["Code"] == "PreconditionFailed"
    account.clock.advance(60)
    version = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert (version["ContentLength"], version["ChecksumSHA256"]) == (len(body), digest)
    assert s3.get_object(Bucket=bucket, Key="a", VersionId=version["VersionId"])["Body"].read() == body
    s3.delete_object(Bucket=bucket, Key="a")
    with pytest.raises(s3.exceptions.ClientError) as error:
        s3.delete_bucket(Bucket=bucket)
    assert error.value.response["Error"]["Code"] == "BucketNotEmpty"
    assert len(s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]) == 1
