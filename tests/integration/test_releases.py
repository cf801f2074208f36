"""Which release answers: new versions that fail, repeated rollbacks, and templates of older versions."""

import json

import pytest

from shutterless import deploy as api
from shutterless.errors import DeployError, InputError
from shutterless.runtime.model.bundle import read_bundle
from tests.aws_as_it_is.deployments import FUNCTION, NAME, alias, deploy, digest, make_bundle


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, described):
    """Return folders of several bundles, whose models are not run here."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / str(number), described, f"model {number}") for number in range(4)]


@pytest.fixture(autouse=True)
def _large_account(account):
    account.limits.concurrency = 1000


def fail(_):
    raise RuntimeError("the model does not work")


def code_of(action):
    with pytest.raises(DeployError) as error:
        action()
    return error.value.code


def change_sets(account, action):
    """Return what each change set of an action is for."""
    account.faults.clear()
    action()
    return [
        call.params["ChangeSetName"].split("-")[1]
        for call in account.faults.calls
        if call.operation == "CreateChangeSet"
    ]


def template(account):
    return json.loads(account.cloudformation.find(FUNCTION).text)


def record(account):
    return template(account)["Metadata"]["Shutterless"]


def test_a_new_version_is_published_before_it_gets_calls(account, bundles):
    assert change_sets(account, lambda: deploy(bundles[0])) == ["deploy"]
    assert change_sets(account, lambda: deploy(bundles[0], rate=50)) == ["deploy"]
    assert change_sets(account, lambda: deploy(bundles[1])) == ["deploy", "deploy"]
    assert change_sets(account, lambda: deploy(bundles[1])) == []
    canary = change_sets(account, lambda: deploy(bundles[2], canary=0.1, canary_minutes=1))
    assert canary == ["deploy", "canary", "promote"]


def test_the_number_of_warm_instances_changes_alone(account, bundles):
    deploy(bundles[0])
    steps = api.plan(bundles[1], NAME, provisioned_concurrency=2).steps
    assert [step.name for step in steps] == ["publish", "turn", "provision"]
    assert len(change_sets(account, lambda: deploy(bundles[1], provisioned_concurrency=2))) == 3
    steps = api.plan(bundles[2], NAME, provisioned_concurrency=0, snapstart=True).steps
    assert [step.name for step in steps] == ["publish", "turn"]
    deploy(bundles[2], provisioned_concurrency=0, snapstart=True)
    assert alias(account) == ("3", {})


def test_a_version_that_does_not_answer_never_gets_calls(account, bundles):
    deploy(bundles[0], memory=1024, rate=5)
    before = template(account)
    account.runtime.models[digest(bundles[1])] = fail
    assert code_of(lambda: deploy(bundles[1], memory=2048, rate=50)) == "smoke-test-failed"
    assert alias(account) == ("1", {})
    assert template(account)["Resources"] == before["Resources"]
    assert record(account)["Options"] == before["Metadata"]["Shutterless"]["Options"]
    assert not api.rollback(NAME).changed


def test_the_question_can_be_left_out(account, bundles):
    deploy(bundles[0])
    account.runtime.models[digest(bundles[1])] = fail
    deploy(bundles[1], smoke_test=False)
    assert alias(account) == ("2", {})


def test_a_version_that_failed_can_be_deployed_once_it_works(account, bundles):
    deploy(bundles[0])
    account.runtime.models[digest(bundles[1])] = fail
    code_of(lambda: deploy(bundles[1]))
    del account.runtime.models[digest(bundles[1])]
    deploy(bundles[1])
    assert alias(account)[0] not in ("1", "$LATEST")
    assert "RolledBack" not in {key for key, value in record(account).items() if value}


def test_a_rollback_goes_back_once_however_often_it_is_run(account, bundles):
    for bundle in bundles[:3]:
        deploy(bundle)
    assert api.rollback(NAME).changed
    assert not api.rollback(NAME).changed
    assert alias(account) == ("2", {})
    deploy(bundles[3])
    api.rollback(NAME)
    assert alias(account) == ("2", {})


def test_a_rollback_to_a_release_goes_anywhere_and_can_be_repeated(account, bundles):
    for bundle in bundles[:3]:
        deploy(bundle)
    for text, version in [
        ("1", "1"),
        (read_bundle(bundles[2]).version, "3"),
        (digest(bundles[1])[:20], "2"),
    ]:
        api.rollback(NAME, to=text)
        assert alias(account) == (version, {})
        assert not api.rollback(NAME, to=text).changed
    assert code_of(lambda: api.rollback(NAME, to="4")) == "unknown-release"


def test_a_version_that_does_not_answer_is_not_gone_back_to(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    account.runtime.models[digest(bundles[0])] = fail
    assert code_of(lambda: api.rollback(NAME)) == "smoke-test-failed"
    assert alias(account) == ("2", {})
    api.rollback(NAME, smoke_test=False)
    assert alias(account) == ("1", {})


def test_a_deploy_that_cloudformation_rolled_back_is_not_rolled_back_again(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    account.cloudformation.fail("Function", "UPDATE", "it does not work")
    assert code_of(lambda: deploy(bundles[2])) == "rolled-back"
    assert not api.rollback(NAME).changed
    assert alias(account) == ("2", {})


def test_a_rollback_that_failed_is_tried_again(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    account.cloudformation.fail("LiveAlias", "UPDATE", "it does not work")
    assert code_of(lambda: api.rollback(NAME)) == "rolled-back"
    assert api.rollback(NAME).changed
    assert alias(account) == ("1", {})


def test_a_canary_that_is_watched_is_cancelled_by_a_rollback(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    results = []

    def progress(text, *_):
        if alias(account)[1] and not results:  # the canary has its share
            results.append(None)
            results.append(api.rollback(NAME))

    assert code_of(lambda: deploy(bundles[2], canary=0.1, progress=progress)) == "deployed-meanwhile"
    assert results[1].changed
    assert alias(account) == ("2", {})
    assert not api.rollback(NAME).changed


def test_a_version_that_was_published_and_then_abandoned_is_withdrawn(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    account.faults.clear()
    snapshot = account.snapshot()
    deploy(bundles[2])
    calls = [call.operation for call in account.faults.calls]
    account.restore(snapshot)
    account.faults.interrupt_before(calls.index("Invoke") + 1)
    with pytest.raises(KeyboardInterrupt):
        deploy(bundles[2])
    account.faults.clear()
    assert record(account)["Pending"]
    assert api.rollback(NAME).changed
    assert not api.rollback(NAME).changed
    assert not record(account)["Pending"]
    assert alias(account) == ("2", {})
    assert len(api.list_releases(NAME)) == 2


def test_releases_are_listed_newest_first_with_their_shares(account, bundles):
    deploy(bundles[0], memory=1024)
    deploy(bundles[1], memory=2048)
    deploy(bundles[2], canary=0.1, canary_minutes=0)
    releases = api.list_releases(NAME)
    assert [(each.version, round(each.share, 6)) for each in releases] == [("3", 0.1), ("2", 0.9), ("1", 0)]
    assert [each.options for each in releases] == [{}, {}, {"memory": 1024}]
    assert all(each.created for each in releases)


def test_a_release_whose_options_exclude_those_of_the_deployment_is_refused(account, bundles):
    deploy(bundles[0], snapstart=True)
    deploy(bundles[1], snapstart=False, provisioned_concurrency=1)
    with pytest.raises(InputError) as error:
        api.rollback(NAME)
    assert error.value.code == "conflicting-options"


def test_a_stack_of_an_older_version_can_be_updated_and_rolled_back(account, bundles):
    deploy(bundles[0], package="image")
    deploy(bundles[1])
    stack = account.cloudformation.find(FUNCTION)
    older = json.loads(stack.text)
    shutterless = older["Metadata"]["Shutterless"]
    del shutterless["Pending"], shutterless["RolledBack"], shutterless["Options"]["package"]
    for release in shutterless["Releases"]:
        del release["options"]
        release["image"] = release.pop("code")
    stack.text = json.dumps(older)
    assert api.rollback(NAME).changed
    assert alias(account) == ("1", {})
    deployment = deploy(bundles[2])
    assert alias(account) == ("3", {})
    assert deployment.code.endswith(f"@{digest(bundles[2], 'image')}")
