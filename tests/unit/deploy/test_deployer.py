"""What moto cannot show; the whole way is in tests/integration/test_deploy.py."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from shutterless.deploy import deployer
from shutterless.deploy.aws.cloudformation import Stack
from shutterless.deploy.options import Options
from shutterless.deploy.template.template import build_template
from shutterless.errors import ShutterlessError
from shutterless.model_check import remember
from shutterless.runtime.model.bundle import write_bundle

TIME = datetime(2026, 1, 1, tzinfo=UTC)
IMAGE = f"host/shutterless/clothes@sha256:{1:064x}"
TEMPLATE = build_template("clothes", Options(), image=IMAGE, model="clothes 1", source="1")


@pytest.fixture
def bundle(tmp_path, described):
    remember(write_bundle(tmp_path / "bundle", b"model", described))  # whose model is not run here
    return tmp_path / "bundle"


@pytest.fixture
def found(monkeypatch):
    """Find a stack in the given state, and nothing else of AWS."""

    def find(status, template):
        stack = Stack("shutterless-clothes", "arn", status, TIME, {"Url": "https://host", "Auth": "none"}, {})
        session = SimpleNamespace(client=lambda service: None, region_name="eu-central-1")
        monkeypatch.setattr(deployer, "connect", lambda profile, region: session)
        monkeypatch.setattr(deployer, "read_stack", lambda cloudformation, name: stack)
        monkeypatch.setattr(deployer, "read_template", lambda cloudformation, stack: template)
        return stack

    return find


@pytest.mark.parametrize(
    ("status", "template", "note"),
    [
        ("UPDATE_IN_PROGRESS", TEMPLATE, "waits until it has finished"),
        ("ROLLBACK_COMPLETE", None, "deletes it first"),
        ("REVIEW_IN_PROGRESS", None, "deletes it first"),
        ("UPDATE_ROLLBACK_FAILED", TEMPLATE, "finish going back first"),
    ],
)
def test_a_plan_says_what_would_be_done_to_a_stack_in_the_way(found, bundle, status, template, note):
    found(status, template)
    (said,) = deployer.plan(bundle, "clothes").notes
    assert status in said
    assert note in said


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_plan_has_nothing_to_say_of_one_that_is_well(found, bundle, status):
    found(status, TEMPLATE)
    assert deployer.plan(bundle, "clothes").notes == ()


def test_going_back_in_the_middle_of_an_update_cancels_it(found, monkeypatch):
    stack = found("UPDATE_IN_PROGRESS", TEMPLATE)
    cancelled = []
    monkeypatch.setattr(deployer, "cancel_update", lambda cloudformation, stack, _: cancelled.append(stack))
    monkeypatch.setattr(deployer, "settle", lambda cloudformation, name, progress: stack)
    assert deployer.rollback("clothes").model == "clothes 1"
    assert cancelled == [stack]


@pytest.mark.parametrize(
    "action", [deployer.promote, deployer.rollback, deployer.destroy, deployer.inventory]
)
def test_a_name_that_cannot_be_is_refused(found, action):
    found("CREATE_COMPLETE", TEMPLATE)
    with pytest.raises(ShutterlessError, match="cannot be a deployment's name"):
        action("Not A Name")


@pytest.mark.parametrize("action", [deployer.plan, deployer.deploy])
def test_an_option_that_cannot_be_is_refused_before_aws_is_asked(bundle, monkeypatch, action):
    monkeypatch.setattr(deployer, "connect", None)
    with pytest.raises(ShutterlessError, match="--memory is 64"):
        action(bundle, "clothes", memory=64)


@pytest.mark.parametrize(
    ("canary", "minutes", "words"),
    [(1.0, 10, "100% of the calls"), (-0.1, 10, "-10% of the calls"), (0.1, 181, "for 181 minutes")],
)
def test_a_canary_that_cannot_be_is_refused(bundle, canary, minutes, words):
    with pytest.raises(ShutterlessError, match=words):
        deployer.deploy(bundle, "clothes", canary=canary, canary_minutes=minutes)
