"""Deployments by zip against a double of AWS: the bucket, uploads, and what is left of them."""

import contextlib
import hashlib
import json

import boto3
import pytest

from shutterless.deploy.aws.s3 import bucket as buckets
from shutterless.deploy.aws.s3 import objects
from shutterless.deploy.aws.s3.bucket import ensure_bucket, find_bucket
from shutterless.deploy.aws.s3.objects import delete_zips, download, read_object, upload
from shutterless.deploy.template.code import ZipCode, zip_key
from shutterless.errors import DeployError
from shutterless.utils.progress import silent

BUCKET = "shutterless-123456789012-eu-central-1-an"
CONTENT = b"a zip"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = zip_key("clothes", SHA256)


@pytest.fixture
def aws(account):
    """Give a session of an empty account."""
    account.limits.concurrency = 1000
    return boto3.Session()


@pytest.fixture
def file(tmp_path):
    (tmp_path / "function.zip").write_bytes(CONTENT)
    return tmp_path / "function.zip"


def put(aws, file, key=KEY, sha256=SHA256):
    return upload(ensure_bucket(aws), key, file, sha256, silent)


def code_of(action):
    with pytest.raises(DeployError) as error:
        action()
    return error.value.code


def operations(account, action):
    """Return the calls of S3 that an action makes."""
    account.faults.clear()
    action()
    return [call.operation for call in account.faults.calls if call.service == "s3"]


def test_the_bucket_is_private_versioned_encrypted_and_by_tls_only(aws, account):
    ensure_bucket(aws)
    settings = account.s3.buckets[BUCKET].settings
    assert set(settings["PublicAccessBlockConfiguration"].values()) == {True}
    assert settings["VersioningConfiguration"] == {"Status": "Enabled"}
    (encryption,) = settings["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (statement,) = json.loads(settings["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )
    (rule,) = settings["LifecycleConfiguration"]["Rules"]
    assert "Days" not in rule["Expiration"]  # which would delete what is in use


def test_a_bucket_that_is_complete_is_left_as_it_is(aws, account):
    ensure_bucket(aws)
    assert operations(account, lambda: ensure_bucket(aws)) == ["GetBucketTagging"]


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-2"])
def test_the_region_is_named_but_for_the_first(monkeypatch, region):
    calls = []
    client = type("S3", (), {"__getattr__": lambda self, name: lambda **call: calls.append((name, call))})()
    monkeypatch.setattr(buckets, "_is_complete", lambda bucket: False)
    buckets._set_up(buckets.Bucket(client, {"Bucket": "b", "ExpectedBucketOwner": "1"}, "arn"), region)
    name, creation = calls[0]
    location = creation.get("CreateBucketConfiguration", {}).get("LocationConstraint")
    assert (name, location) == ("create_bucket", None if region == "us-east-1" else region)
    assert calls[-1][0] == "put_bucket_tagging"


@pytest.mark.parametrize("fault", ["interrupt_before", "lose_answer", "repeat"])
def test_an_upload_that_was_interrupted_anywhere_is_finished_by_the_next(aws, account, file, fault):
    snapshot = account.snapshot()
    calls = account.faults.count(lambda: put(aws, file))
    for call in range(1, calls + 1):
        account.restore(snapshot)
        getattr(account.faults, fault)(call)
        with contextlib.suppress(KeyboardInterrupt, DeployError):
            put(aws, file)
        account.faults.clear()
        code = put(aws, file)
        (version,) = account.s3.buckets[BUCKET].versions
        assert (version.key, version.id, version.body) == (code.key, code.version_id, CONTENT)


def test_a_zip_that_is_there_is_not_uploaded_again(aws, account, file):
    code = put(aws, file)
    assert operations(account, lambda: put(aws, file)) == ["GetBucketTagging", "HeadObject"]
    assert put(aws, file) == code


def test_a_zip_that_s3_cannot_read_yet_is_not_uploaded_twice(aws, account, file):
    assert operations(account, lambda: put(aws, file)).count("PutObject") == 1


def test_an_object_with_other_content_is_replaced(aws, account, file):
    client = boto3.client("s3")
    ensure_bucket(aws)
    client.put_object(Bucket=BUCKET, Key=KEY, Body=b"something else")
    code = put(aws, file)
    assert client.get_object(Bucket=BUCKET, Key=KEY, VersionId=code.version_id)["Body"].read() == CONTENT


def test_s3_refuses_content_that_is_not_what_it_should_be(aws, file):
    assert code_of(lambda: put(aws, file, sha256="0" * 64)) == "aws-error"


def test_without_versioning_an_upload_is_an_error(aws, account, file):
    ensure_bucket(aws)
    account.s3.buckets[BUCKET].settings["VersioningConfiguration"] = {"Status": "Suspended"}
    assert code_of(lambda: put(aws, file)) == "object-not-stored"


def test_a_bucket_of_somebody_else_is_not_used(aws, account, file):
    account.s3.add_foreign(BUCKET)
    assert code_of(lambda: put(aws, file)) == "access-denied"


def test_a_bucket_with_objects_that_shutterless_did_not_make_is_not_used(aws, account, file):
    ensure_bucket(aws)
    del account.s3.buckets[BUCKET].settings["Tagging"]
    ensure_bucket(aws)  # as after an interruption
    del account.s3.buckets[BUCKET].settings["Tagging"]
    boto3.client("s3").put_object(Bucket=BUCKET, Key="a-file", Body=b"mine")
    assert code_of(lambda: put(aws, file)) == "foreign-bucket"


def test_a_bucket_can_be_made_again_after_it_was_deleted(aws, account, file):
    put(aws, file)
    delete_zips(aws, "clothes")
    assert account.s3.buckets == {}
    assert read_object(find_bucket(aws), KEY) is None
    put(aws, file)


def test_the_zips_of_other_deployments_stay(aws, account, file):
    put(aws, file)
    other = put(aws, file, zip_key("clothes-2", SHA256))
    delete_zips(aws, "clothes")
    assert [version.key for version in account.s3.buckets[BUCKET].versions] == [other.key]


def test_a_zip_is_downloaded_only_if_it_is_what_its_name_says(aws, account, file, tmp_path):
    code, copy = put(aws, file), tmp_path / "copy.zip"
    download(aws, code, copy)
    assert copy.read_bytes() == CONTENT
    account.s3.buckets[BUCKET].versions[0].body = b"changed"
    assert code_of(lambda: download(aws, code, copy)) == "digest-mismatch"
    gone = ZipCode(code.bucket, code.key, "another")
    assert code_of(lambda: download(aws, gone, copy)) == "zip-not-in-bucket"


def test_old_zips_that_nothing_names_are_deleted(aws, account, file):
    code = put(aws, file)
    assert objects.delete_unused_zips(aws, "clothes", "") == ()
    assert read_object(find_bucket(aws), KEY)  # it is too young
    account.clock.advance(2 * 86_400)
    assert objects.delete_unused_zips(aws, "clothes", json.dumps({"any": str(code)})) == ()
    assert read_object(find_bucket(aws), KEY)
    assert objects.delete_unused_zips(aws, "clothes", "") == ()
    assert read_object(find_bucket(aws), KEY) is None
