"""What real AWS does and moto does not, one test or more for each row of the table that lists it.

The numbers are the table's. tests/aws_as_it_is simulates each.
"""

import itertools

import pytest
from typer.testing import CliRunner

from shutterless import deploy as api
from shutterless.cli.app import app
from shutterless.deploy import deployer
from shutterless.deploy.options import Options
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
    is_empty,
    make_bundle,
    publish,
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
    assert api.plan(bundles[0], NAME).options.stage == "prod"
    api.destroy(NAME)
    assert api.list_resources(NAME) == []


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
    api.destroy(NAME)
    assert api.list_resources(NAME) == []


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
    api.rollback(NAME)
    assert alias(account) == ("2", {})
    assert events(account, "UPDATE_FAILED") == events(account, "CREATE_FAILED") == []


def test_row_04_the_reason_of_an_early_validation_is_shown(account, bundles):
    group = f"/aws/lambda/{FUNCTION}"
    account.log_backend.create_log_group(group, {})
    with pytest.raises(DeployError) as error:
        deploy(bundles[0])
    assert error.value.code == "name-taken"
    assert group in error.value.message


def test_row_04_a_stack_whose_first_change_set_failed_is_removed(account, bundles):
    account.log_backend.create_log_group(f"/aws/lambda/{FUNCTION}", {})
    with pytest.raises(DeployError):
        deploy(bundles[0])
    account.log_backend.delete_log_group(f"/aws/lambda/{FUNCTION}")
    account.clock.advance(10)
    (rest,) = api.list_resources(NAME)
    assert rest.startswith("1 zip in the bucket ")


def test_row_05_the_policy_is_enough_to_deploy_and_destroy(account, bundles):
    place = api.Place(account.region, account.id)
    account.permissions.statements = api.deploy_policy(Options(), NAME, place)["Statement"]
    deploy(bundles[0])
    deploy(bundles[1], memory=2048)
    api.destroy(NAME)
    assert is_empty(account)


def test_row_06_a_model_that_answers_500_gets_no_calls(account, bundles):
    deploy(bundles[0])
    account.runtime.models[digest(bundles[1])] = fail
    with pytest.raises(DeployError):
        deploy(bundles[1])
    assert alias(account) == ("1", {})
    assert ask(account) == 200


@pytest.mark.parametrize("failure", [fail, crash])
def test_row_06_a_canary_that_fails_is_turned_back(account, bundles, failure):
    deploy(bundles[0])
    account.runtime.models[digest(bundles[1])] = answer_from_second_call_on(failure)
    account.send(FUNCTION, "live", 100)
    with pytest.raises(DeployError):
        deploy(bundles[1], canary=0.1, canary_minutes=10)
    assert alias(account) == ("1", {})


def test_row_06_errors_of_the_live_version_turn_no_canary_back(account, bundles):
    account.runtime.models[digest(bundles[0])] = answer_from_second_call_on(
        lambda random: crash(random) if random.random() < 0.1 else Answer()
    )
    deploy(bundles[0])
    account.send(FUNCTION, "live", 100)
    account.clock.advance(300)
    deploy(bundles[1], canary=0.1, canary_minutes=10)
    assert alias(account) == ("2", {})


def test_row_07_a_rollback_wakes_the_version_up_before_it_gets_calls(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    account.functions.put_to_sleep(FUNCTION, "1")
    api.rollback(NAME)
    assert alias(account) == ("1", {})
    assert ask(account) == 200


def test_row_07_a_new_version_gets_no_calls_before_it_is_active(account, bundles):
    account.behaviour.pending_s = 60
    deploy(bundles[0])
    deploy(bundles[1])
    assert alias(account) == ("2", {})
    assert ask(account) == 200


def test_row_08_refused_canaries_do_not_expire_the_live_image(account, bundles):
    deploy(bundles[0])
    for bundle in bundles[1:]:
        deploy(bundle, canary=0.1, canary_minutes=0)
        api.rollback(NAME)
        account.clock.advance(60)
    assert alias(account) == ("1", {})
    assert ask(account) == 200


def test_row_09_a_rollback_whose_answer_was_lost_goes_back_one_version(account, bundles):
    for bundle in bundles[:3]:
        deploy(bundle)
    snapshot = account.snapshot()
    call = find_call(account, "ExecuteChangeSet", lambda: api.rollback(NAME))
    account.restore(snapshot)
    account.faults.lose_answer(call)
    with pytest.raises(DeployError):
        api.rollback(NAME)
    account.faults.clear()
    account.clock.advance(60)
    api.rollback(NAME)
    assert alias(account) == ("2", {})


def test_row_10_a_deploy_refuses_when_another_one_was_faster(account, bundles):
    deploy(bundles[0])
    other = during_push(lambda: deploy(bundles[2], memory=2048))
    with pytest.raises(DeployError) as error:
        deploy(bundles[1], publish=other)
    assert error.value.code == "deployed-meanwhile"
    assert alias(account) == ("2", {})
    assert read_status(NAME).memory == 2048


def test_row_10_the_same_canary_again_is_watched_before_it_is_promoted(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    start = account.clock.time_s
    deploy(bundles[1], canary=0.1, canary_minutes=10)
    assert account.clock.time_s - start > 600
    assert alias(account) == ("2", {})


def test_row_11_version_and_provisioned_concurrency_change_together(account, bundles):
    account.limits.concurrency = 1000
    deploy(bundles[0], provisioned_concurrency=1)
    deploy(bundles[1], provisioned_concurrency=2)
    assert alias(account) == ("2", {})
    assert read_status(NAME).provisioned == 2


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
    assert api.list_resources(NAME) == []


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


def test_row_14_a_late_failure_of_a_first_deploy_is_found_on_the_second_page(account, bundles):
    account.behaviour.events_per_page = 50
    reason = 'Resource handler returned message: "no" (RequestToken: 1, HandlerErrorCode: AccessDenied)'
    account.cloudformation.fail("ApiMayCallFunction", "CREATE", reason)
    with pytest.raises(DeployError) as error:
        deploy(bundles[0])
    assert "ApiMayCallFunction" in error.value.message


def test_row_15_a_command_connects_once(account, bundles, monkeypatch):
    account.behaviour.pending_s = 0
    monkeypatch.setitem(deployer.deploy.__kwdefaults__, "publish", publish)
    monkeypatch.setattr("shutterless.deploy.aws.session._sessions", {})
    account.faults.clear()
    result = CliRunner().invoke(app, ["deploy", str(bundles[0]), "--name", NAME, "--auth", "iam"])
    assert result.exit_code == 0, result.output
    assert sum(call.service == "sts" for call in account.faults.calls) == 1


def test_row_16_versions_without_snapstart_cost_nothing_any_more(account, bundles):
    deploy(bundles[0], snapstart=True)
    deploy(bundles[1])
    deploy(bundles[1], snapstart=False)
    versions = account.functions.functions[FUNCTION].versions.values()
    assert sum("SnapStart" in each.config for each in versions) <= 1
    assert alias(account) == ("3", {})


def test_row_20_two_models_that_answer_differently_have_two_versions(account, described, tmp_path):
    first = make_bundle(tmp_path / "a", described, "model")
    second = make_bundle(tmp_path / "b", described.replace(labels=("shirt", "pants")), "model")
    deployment = deploy(first)
    assert deploy(second).model != deployment.model
    assert alias(account) == ("2", {})


def test_row_21_a_rollback_brings_the_options_of_the_release_back(account, bundles):
    deploy(bundles[0], memory=1024)
    deploy(bundles[1], memory=2048)
    api.rollback(NAME)
    deploy(bundles[2])
    assert read_status(NAME).memory == 1024


def test_row_21_an_alias_that_was_moved_by_hand_is_put_back(account, bundles):
    deploy(bundles[0])
    deploy(bundles[1])
    account.functions.update_alias(FUNCTION, "live", FunctionVersion="1")
    deploy(bundles[1])
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


def test_row_18_preflights_do_not_reach_the_function(account, bundles):
    resources = deploy(bundles[0]).template["Resources"].values()
    methods = [each["Properties"] for each in resources if each["Type"] == "AWS::ApiGateway::Method"]
    kinds = {each["HttpMethod"]: each["Integration"]["Type"] for each in methods}
    assert kinds["OPTIONS"] == "MOCK"
    assert "ANY" not in kinds


def test_row_18_the_page_can_be_left_out(account, bundles):
    resources = deploy(bundles[0], page="off").template["Resources"].values()
    methods = [each["Properties"] for each in resources if each["Type"] == "AWS::ApiGateway::Method"]
    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    assert not any(each["ResourceId"] == root and each["HttpMethod"] == "GET" for each in methods)


def test_row_19_a_newer_base_image_is_built_on(account, bundles, monkeypatch):
    from shutterless.packaging import base_image

    deploy(bundles[0], package="image")
    monkeypatch.setattr(base_image, "find_base_digest", lambda *_: f"sha256:{'1' * 64}")
    assert api.plan(bundles[0], NAME).needs_push


def test_row_22_the_cost_of_a_young_deployment_is_not_divided_by_14_days(account, bundles):
    account.runtime.default = lambda _: Answer(duration_ms=5000)
    deploy(bundles[0])
    account.send(FUNCTION, "live", 1)
    account.clock.advance(12 * 3600)
    young = read_status(NAME).monthly_usd
    account.clock.advance(12 * 3600)
    assert read_status(NAME).monthly_usd == pytest.approx(young, rel=0.1)
