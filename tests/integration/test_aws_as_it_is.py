"""What real AWS does and moto does not, one test or more for each row of the table that lists it.

The numbers are the table's. tests/aws_as_it_is simulates each.
"""

import itertools
from dataclasses import replace

import pytest

from shutterless.deploy import deployer
from shutterless.deploy.releases import traffic
from shutterless.deploy.status import read_status
from shutterless.errors import DeployError, ShutterlessError
from tests.aws_as_it_is.deployments import (
    FUNCTION,
    NAME,
    alias,
    ask,
    deploy,
    digest,
    during_push,
    events,
    make_bundle,
)
from tests.aws_as_it_is.runtime import Answer, Crash


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, described):
    """Return folders of several bundles, whose models are not run here."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / str(number), described, f"model {number}") for number in range(13)]


def find_call(account, operation, action, number=1):
    """Run an action; return how many calls it makes up to and with the n-th one of an operation."""
    account.faults.count(action)
    places = [n for n, call in enumerate(account.faults.calls, 1) if call.operation == operation]
    account.faults.clear()
    return places[number - 1]


def interrupt_first_deploy(account, bundle):
    """Interrupt a first deploy before it executes its change set: an empty stack remains."""
    empty = account.snapshot()
    call = find_call(account, "ExecuteChangeSet", lambda: deploy(bundle))
    account.restore(empty)
    account.faults.interrupt_before(call)
    with pytest.raises(KeyboardInterrupt):
        deploy(bundle)
    account.faults.clear()


def answer_from_second_call_on(answer):
    """Return a model that answers the first call well, and all others by `answer`."""
    calls = itertools.count()
    return lambda random: answer(random) if next(calls) else Answer()


def fail(_):
    raise RuntimeError("the model does not work")


def crash(_):
    raise Crash


def test_row_01_an_interrupted_first_deploy_can_be_repeated(account, bundles):
    interrupt_first_deploy(account, bundles[0])
    assert deploy(bundles[0]).changed
    assert alias(account) == ("1", {})


def test_row_01_an_interrupted_first_deploy_can_be_planned_and_destroyed(account, bundles):
    interrupt_first_deploy(account, bundles[0])
    assert deployer.plan(bundles[0], NAME).steps
    deployer.destroy(NAME)
    assert deployer.list_resources(NAME) == []


def test_row_01_a_first_change_set_of_somebody_else_is_left_alone(account, bundles):
    account.cloudformation.create_change_set(
        StackName=FUNCTION,
        ChangeSetName="theirs",
        ChangeSetType="CREATE",
        TemplateBody='{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}',
    )
    with pytest.raises(DeployError) as error:
        deploy(bundles[0])
    assert error.value.code == "foreign-stack"
    assert account.cloudformation.find(FUNCTION).status == "REVIEW_IN_PROGRESS"


def test_row_02_one_stale_read_does_not_hide_a_failure(account, bundles):
    deploy(bundles[0])
    account.cloudformation.fail("LiveAlias", "UPDATE", "it does not work")
    with pytest.raises(DeployError):
        deploy(bundles[1])
    assert alias(account) == ("1", {})


def test_row_02_one_stale_read_does_not_end_the_wait_for_a_deletion(account, bundles):
    deploy(bundles[0])
    deployer.destroy(NAME)
    assert deployer.list_resources(NAME) == []


def test_row_02_one_stale_read_does_not_promote_a_canary(account, bundles):
    deploy(bundles[0])
    start = account.clock.time_s
    deploy(bundles[1], canary=0.1, canary_minutes=10)
    assert account.clock.time_s - start > 600
    assert alias(account) == ("2", {})


def test_row_03_a_name_that_is_not_ascii_replaces_no_version(account, described, tmp_path):
    first, second = (make_bundle(tmp_path / name, described, name, "Größe") for name in ("a", "b"))
    deploy(first)
    deploy(second)
    deploy(second, memory=2048)
    traffic.rollback(NAME)
    assert alias(account) == ("2", {})
    assert events(account, "UPDATE_FAILED") == events(account, "CREATE_FAILED") == []


@pytest.mark.parametrize("failure", [fail, crash])
def test_row_06_a_canary_that_fails_is_turned_back(account, bundles, failure):
    deploy(bundles[0])
    account.runtime.models[digest(bundles[1])] = answer_from_second_call_on(failure)
    account.send(FUNCTION, "live", 100)
    with pytest.raises(DeployError):
        deploy(bundles[1], canary=0.1, canary_minutes=10)
    assert alias(account) == ("1", {})


def test_row_08_refused_canaries_do_not_expire_the_live_image(account, bundles):
    deploy(bundles[0])
    for bundle in bundles[1:]:
        deploy(bundle, canary=0.1, canary_minutes=0)
        traffic.rollback(NAME)
        account.clock.advance(60)
    assert alias(account) == ("1", {})
    assert ask(account) == 200


@pytest.mark.parametrize(
    ("concurrency", "options"),
    [
        (1000, {"reserved_concurrency": 1, "provisioned_concurrency": 2}),
        (1000, {"url_hosts": ",".join(f"host{number}.example.com" for number in range(250))}),
        (1000, {"alarm_topic": "arn:aws:sns:us-east-1:123456789012:alarms"}),
        (10, {"reserved_concurrency": 5}),
    ],
    ids=["reserved", "environment", "topic", "new account"],
)
def test_row_12_what_aws_refuses_late_is_refused_before_anything_is_pushed(
    account, bundles, concurrency, options
):
    account.limits.concurrency = concurrency
    with pytest.raises(ShutterlessError):
        deploy(bundles[0], publish=during_push(lambda: pytest.fail("it was pushed")), **options)
    assert deployer.list_resources(NAME) == []


def test_row_13_a_function_that_cannot_be_invoked_is_unavailable(account, bundles):
    resources = deploy(bundles[0]).template["Resources"].values()
    (failure,) = (
        each["Properties"]
        for each in resources
        if each["Type"] == "AWS::ApiGateway::GatewayResponse"
        and each["Properties"]["ResponseType"] == "INTEGRATION_FAILURE"
    )
    assert failure["StatusCode"] == "502"
    assert "gatewayresponse.header.Retry-After" in failure["ResponseParameters"]


def test_row_20_two_models_that_answer_differently_have_two_versions(account, described, tmp_path):
    first = make_bundle(tmp_path / "a", described, "model")
    second = make_bundle(tmp_path / "b", replace(described, labels=("shirt", "pants")), "model")
    deployment = deploy(first)
    assert deploy(second).model != deployment.model
    assert alias(account) == ("2", {})


def test_row_17_the_cost_of_cold_starts_is_estimated(account, bundles):
    deploy(bundles[0])
    account.behaviour.warm_s = 0  # every call finds a cold function
    account.send(FUNCTION, "live", 1)
    account.behaviour.start_ms = 10
    account.clock.advance(6 * 3600)
    cheap = read_status(NAME).monthly_usd
    account.behaviour.start_ms = 10_000
    account.clock.advance(6 * 3600)
    assert read_status(NAME).monthly_usd > 2 * cheap


def test_row_19_a_newer_base_image_is_built_on(account, bundles, monkeypatch):
    from shutterless.packaging import base_image

    deploy(bundles[0])
    monkeypatch.setattr(base_image, "find_base_digest", lambda *_: f"sha256:{'1' * 64}")
    assert deployer.plan(bundles[0], NAME).needs_push


def test_row_22_the_cost_of_a_young_deployment_is_not_divided_by_14_days(account, bundles):
    deploy(bundles[0])
    account.send(FUNCTION, "live", 1)
    account.clock.advance(12 * 3600)
    young = read_status(NAME).monthly_usd
    account.clock.advance(12 * 3600)
    assert read_status(NAME).monthly_usd == pytest.approx(young, rel=0.1)
