"""What AWS does with zips, one test or more for each row of the table in docs/architecture.md.

The numbers go on from those of test_aws_as_it_is.py; tests/aws_as_it_is simulates each.
"""

import contextlib
import json

import pytest

from shutterless import deploy as api
from shutterless.deploy.options import Options
from shutterless.deploy.policy.policy import ZIP_CALLS, Place
from shutterless.deploy.template.releases import read_releases
from shutterless.errors import DeployError, ShutterlessError
from tests.aws_as_it_is.deployments import (
    FUNCTION,
    NAME,
    alias,
    ask,
    deploy,
    digest,
    during_push,
    is_empty,
    make_bundle,
    publish,
)

DAY_S = 24 * 3600


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, described):
    """Return folders of several bundles, whose models are not run here."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / str(number), described, f"model {number}") for number in range(4)]


def bucket(account):
    """Return the only bucket of this account."""
    (result,) = [each for each in account.s3.buckets.values() if each.owner == account.id]
    return result


def stored(account):
    """Return the digests of the zips in the bucket, without delete markers."""
    return {f"sha256:{each.key.rpartition('/')[2].removesuffix('.zip')}" for each in bucket(account).versions}


def test_row_23_the_bucket_is_in_the_account_s_own_namespace(account, bundles):
    deploy(bundles[0])
    assert bucket(account).name == f"shutterless-{account.id}-{account.region}-an"


def test_row_23_a_bucket_of_a_stranger_gets_no_code(account, bundles):
    theirs = account.s3.add_foreign(f"shutterless-{account.id}-{account.region}-an")
    with pytest.raises(DeployError):
        deploy(bundles[0])
    assert theirs.versions == []
    assert FUNCTION not in account.functions.functions


def test_row_24_the_first_region_is_not_named_and_has_one_bucket_for_all(account, bundles, monkeypatch):
    account.region = "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    deploy(bundles[0])
    api.deploy(bundles[1], "other", publish=publish, smoke_test=False)
    assert bucket(account).region == "us-east-1"
    assert len(stored(account)) == 2


def test_row_26_a_new_object_that_cannot_be_read_yet_is_waited_for(account, bundles):
    account.behaviour.versioning_s = 60
    deploy(bundles[0])
    assert ask(account) == 200


def test_row_27_an_upload_whose_answer_was_lost_stores_one_version(account, bundles):
    empty = account.snapshot()
    account.faults.count(lambda: deploy(bundles[0]))
    operations = [call.operation for call in account.faults.calls]
    place = operations.index("PutObject") + 1
    for fault in ("lose_answer", "repeat"):
        account.restore(empty)
        getattr(account.faults, fault)(place)
        with contextlib.suppress(DeployError):
            deploy(bundles[0])
        account.faults.clear()
        deploy(bundles[0])
        assert len(bucket(account).versions) == 1
        assert alias(account) == ("1", {})


def test_row_28_what_a_rollback_of_the_stack_needs_is_kept(account, bundles):
    for bundle in bundles[:2]:
        deploy(bundle)
        account.clock.advance(2 * DAY_S)
    account.cloudformation.fail("LiveAlias", "UPDATE", "it does not work")
    with pytest.raises(DeployError):
        deploy(bundles[2])
    assert account.cloudformation.find(FUNCTION).status.startswith("UPDATE_ROLLBACK_COMPLETE")
    assert alias(account) == ("2", {})
    assert {digest(bundle) for bundle in bundles[:2]} <= stored(account)


def test_row_28_a_year_later_a_release_can_be_returned_to(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    for _ in range(4):  # a year, which need not pass minute by minute
        account.clock.time_s += 91 * DAY_S
        account.s3.expire()
    api.rollback(NAME)
    deploy(bundles[2])
    assert alias(account) == ("3", {})
    assert stored(account) == {digest(bundles[0]), digest(bundles[2])}  # not what was rolled back from


def test_row_28_a_zip_is_deleted_once_no_release_names_it(account, described, tmp_path):
    for number in range(8):
        deployment = deploy(make_bundle(tmp_path / str(number), described, f"{number}"))
        account.clock.time_s += 2 * DAY_S
    releases = read_releases(deployment.template).history
    assert len(releases) == 5
    assert stored(account) == {each.code.digest for each in releases}
    assert len({each.key for each in bucket(account).versions}) == 5


def test_row_28_a_version_runs_on_when_its_object_is_gone(account, bundles):
    deploy(bundles[0])
    bucket(account).versions.clear()
    assert ask(account) == 200
    deploy(bundles[1])
    assert alias(account) == ("2", {})


@pytest.mark.parametrize(("first", "second"), [("zip", "image"), ("image", "zip")])
def test_row_29_the_kind_of_a_function_cannot_be_changed(account, bundles, first, second):
    deploy(bundles[0], package=first)
    with pytest.raises(ShutterlessError) as error:
        deploy(bundles[1], package=second, publish=during_push(lambda: pytest.fail("it was published")))
    assert error.value.code == "fixed-option"
    assert deploy(bundles[1]).code.startswith("s3://" if first == "zip" else "")
    assert alias(account) == ("2", {})


def test_row_29_cloudformation_does_not_replace_a_function_with_a_name(account, bundles):
    deploy(bundles[0], package="image")
    template = deploy(bundles[0]).template
    function = template["Resources"]["Function"]["Properties"]
    code = {"S3Bucket": "bucket", "S3Key": "key"}
    function |= {"PackageType": "Zip", "Code": code, "Handler": "h", "Runtime": "python3.13"}
    account.cloudformation.create_change_set(FUNCTION, "switch", json.dumps(template))
    account.clock.advance(10)
    account.cloudformation.execute_change_set("switch", FUNCTION)
    account.clock.advance(60)
    assert account.cloudformation.find(FUNCTION).status == "UPDATE_ROLLBACK_COMPLETE"
    assert ask(account) == 200


def live(bundles):
    """Take a deployment through its whole life."""
    deploy(bundles[0])
    deploy(bundles[1])
    api.rollback(NAME)
    api.destroy(NAME)


def test_row_30_the_policy_is_enough_for_a_life_and_allows_nothing_else_in_s3(account, bundles):
    statements = api.deploy_policy(Options(package="zip"), NAME, Place(account.region, account.id))
    account.permissions.statements = statements["Statement"]
    live(bundles)
    assert is_empty(account)
    used = {action for action in account.permissions.used if action.startswith("s3:")}
    assert used == {
        action for each in statements["Statement"] for action in each["Action"] if action[:3] == "s3:"
    }
    assert not any(action.startswith("ecr:") for action in account.permissions.used)


@pytest.mark.parametrize("action", sorted({*ZIP_CALLS} - {"s3:GetObject"}))
def test_row_30_without_one_right_the_reason_is_named_and_with_it_the_command_goes_on(
    account, bundles, action
):
    account.permissions.denied = [action]
    with pytest.raises(DeployError) as error:
        live(bundles[:2])
    assert error.value.code == "access-denied"
    account.permissions.denied = []
    live(bundles)
    assert is_empty(account)


def test_row_31_code_storage_that_is_used_up_is_noticed_before_anything_is_built(account, bundles):
    account.limits.code_storage = 1_000_000
    with pytest.raises(DeployError) as error:
        deploy(bundles[0], publish=during_push(lambda: pytest.fail("it was published")))
    assert error.value.code == "account-limit"
    assert api.list_resources(NAME) == []


def test_row_32_a_sleeping_zip_function_is_woken_before_it_gets_calls(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    account.functions.put_to_sleep(FUNCTION, "1")
    api.rollback(NAME)
    assert ask(account) == 200


def test_row_33_destroy_leaves_the_zips_of_others(account, bundles):
    deploy(bundles[0])
    api.deploy(bundles[1], "other", publish=publish, smoke_test=False)
    api.destroy(NAME)
    assert {each.key.partition("/")[0] for each in bucket(account).versions} == {"other"}
    api.destroy("other")
    assert account.s3.buckets == {}


def test_row_33_a_bucket_can_be_created_again_at_once(account, bundles):
    deploy(bundles[0])
    api.destroy(NAME)
    deploy(bundles[0])
    assert alias(account) == ("1", {})
