"""Canaries judged by what they answer, from the deploy to the alias, on a double of AWS with traffic."""

import itertools

import boto3
import pytest

from shutterless.deploy.releases import traffic
from shutterless.deploy.smoke import smoke_test
from shutterless.deploy.status import read_status
from shutterless.errors import DeployError
from tests.aws_as_it_is.deployments import FUNCTION, NAME, alias, deploy, digest, make_bundle
from tests.aws_as_it_is.runtime import Answer, Crash

LABELS = ("dress", "hat", "pants", "shirt", "shoes")
REQUESTS_PER_MINUTE = 60
CANARY = {"canary": 0.1, "canary_minutes": 10}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, described):
    """Return folders of two bundles, whose models are not run here."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / str(number), described, f"model {number}") for number in range(2)]


@pytest.fixture(autouse=True)
def start_s(account, bundles):
    """Deploy the first model, let requests arrive, and return the time."""
    account.runtime.default = healthy
    deploy(bundles[0])
    account.send(FUNCTION, "live", REQUESTS_PER_MINUTE)
    return account.clock.time_s


def healthy(random):
    return Answer(random.choice(LABELS), accepted=random.random() < 0.9)


def everything_pants(random):
    return Answer("pants")


def unsure(random):
    return Answer(random.choice(LABELS), accepted=random.random() < 0.3)


def fail(random):
    raise RuntimeError("the model does not work")


def crash(random):
    raise Crash


def sometimes(model, probability):
    return lambda random: (model if random.random() < probability else healthy)(random)


def after_the_test_photo(model):
    """Return a model that answers the first call well: the one before it gets any traffic."""
    calls = itertools.count()
    return lambda random: (model if next(calls) else healthy)(random)


def alarms_that_went_off(account):
    return {
        alarm.name for alarm in account.metrics.alarms.values() if "ALARM" in dict(alarm.history).values()
    }


def refuse(account, bundle, model, **options):
    """Deploy a model as a canary that must be turned back; return the error."""
    account.runtime.models[digest(bundle)] = after_the_test_photo(model)
    with pytest.raises(DeployError) as error:
        deploy(bundle, **{**CANARY, **options})
    assert alias(account) == ("1", {})
    return error.value


@pytest.mark.parametrize("model", [fail, crash])
def test_a_model_that_fails_is_turned_back_by_its_errors(account, bundles, start_s, model):
    error = refuse(account, bundles[1], model)
    assert error.code in ("alarm-rollback", "canary-turned-back")
    assert account.clock.time_s - start_s < 6 * 60


def test_errors_alone_turn_it_back_even_if_no_alarm_goes_off(account, bundles):
    error = refuse(account, bundles[1], fail, alarm_errors=1_000_000)
    assert error.code == "canary-turned-back"
    assert "100%" in error.message


def test_a_model_that_calls_everything_pants_is_turned_back_by_its_answers(account, bundles, start_s):
    error = refuse(account, bundles[1], everything_pants)
    assert error.code == "canary-turned-back"
    assert '"pants"' in error.message
    assert account.clock.time_s - start_s < 8 * 60
    assert alarms_that_went_off(account) == set()


def test_a_model_that_accepts_hardly_anything_is_turned_back(account, bundles):
    assert refuse(account, bundles[1], unsure).code == "canary-turned-back"


def test_a_canary_that_answers_alike_gets_all_calls(account, bundles):
    deployment = deploy(bundles[1], **CANARY)
    assert alias(account) == ("2", {})
    assert deployment.comparison.verdict == "healthy"
    assert deployment.comparison.canary_requests > 30


@pytest.mark.parametrize("probability", [0.2, 1])
@pytest.mark.parametrize("model", [fail, crash])
def test_the_old_model_s_own_errors_turn_nothing_back(account, bundles, model, probability):
    account.runtime.models[digest(bundles[0])] = sometimes(model, probability)
    deploy(bundles[1], **CANARY)
    assert alias(account) == ("2", {})


def test_a_model_that_is_meant_to_answer_differently_gets_all_calls(account, bundles):
    account.runtime.models[digest(bundles[1])] = everything_pants
    deploy(bundles[1], **CANARY, canary_ignore_answers=True)
    assert alias(account) == ("2", {})


def test_too_few_requests_are_said_to_be_too_few(account, bundles):
    account.traffic.clear()
    account.send(FUNCTION, "live", 1)
    account.runtime.models[digest(bundles[1])] = everything_pants
    deployment = deploy(bundles[1], **CANARY)
    assert deployment.comparison.verdict == "too-few"
    assert alias(account) == ("2", {})


def test_a_canary_that_is_watched_again_after_an_interruption_is_turned_back_too(account, bundles):
    account.runtime.models[digest(bundles[1])] = after_the_test_photo(everything_pants)
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    assert alias(account) == ("1", {"2": 0.1})
    with pytest.raises(DeployError) as error:
        deploy(bundles[1], **CANARY)
    assert error.value.code == "canary-turned-back"
    assert alias(account) == ("1", {})


def test_the_comparison_is_shown_while_a_canary_waits_to_be_promoted(account, bundles):
    account.runtime.models[digest(bundles[1])] = after_the_test_photo(everything_pants)
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    account.clock.advance(600)
    comparison = read_status(NAME).comparison
    assert (comparison.verdict, comparison.canary_requests > 30) == ("worse", True)
    assert traffic.promote(NAME).comparison == comparison
    assert alias(account) == ("2", {})


def test_a_model_that_fails_at_once_gets_no_calls_at_all(account, bundles):
    account.runtime.models[digest(bundles[1])] = fail
    account.traffic.clear()
    calls = account.send(FUNCTION, "live", REQUESTS_PER_MINUTE)
    with pytest.raises(DeployError) as error:
        deploy(bundles[1], **CANARY)
    assert error.value.code == "smoke-test-failed"
    assert set(calls.answers) <= {200}


def test_a_canary_that_does_not_answer_is_not_promoted(account, bundles):
    account.traffic.clear()
    account.runtime.models[digest(bundles[1])] = after_the_test_photo(fail)
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    with pytest.raises(DeployError) as error:
        traffic.promote(NAME)
    assert error.value.code == "smoke-test-failed"
    assert alias(account) == ("1", {"2": 0.1})
    traffic.promote(NAME, smoke_test=False)
    assert alias(account) == ("2", {})


def test_a_canary_that_nobody_called_for_weeks_is_woken_before_it_gets_all_calls(account, bundles):
    account.traffic.clear()
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    account.functions.put_to_sleep(FUNCTION, "2")
    traffic.promote(NAME)
    calls = account.send(FUNCTION, "live", REQUESTS_PER_MINUTE)
    account.clock.advance(60)
    assert set(calls.answers) == {200}


def test_a_rollback_wakes_the_version_that_it_returns_to(account, bundles):
    deploy(bundles[1])
    account.functions.put_to_sleep(FUNCTION, "1")
    account.traffic.clear()
    traffic.rollback(NAME)
    calls = account.send(FUNCTION, "live", REQUESTS_PER_MINUTE)
    account.clock.advance(60)
    assert alias(account) == ("1", {})
    assert set(calls.answers) == {200}


def test_the_smoke_test_of_an_api_for_iam_waits_for_a_function_that_sleeps(account, bundles):
    account.traffic.clear()
    deployment = deploy(bundles[0], auth="iam")
    account.functions.put_to_sleep(FUNCTION, "1")
    assert smoke_test(boto3.Session(), deployment)["label"] in LABELS
