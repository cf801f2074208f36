"""What needs no whole deployment. Those are in tests/integration/test_deploy.py."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from shutterless.deploy import deployer, removal, state
from shutterless.deploy.aws.cloudformation.stack import Stack
from shutterless.deploy.options import Options
from shutterless.deploy.releases import traffic
from shutterless.deploy.template.code import ImageCode
from shutterless.deploy.template.template import build_template
from shutterless.errors import DeployError, InputError
from shutterless.model_check import remember
from shutterless.runtime.model.bundle import write_bundle

TIME = datetime(2026, 1, 1, tzinfo=UTC)
IMAGE = ImageCode("host/shutterless/clothes", f"sha256:{1:064x}")
TEMPLATE = build_template("clothes", Options(package="image"), code=IMAGE, model="clothes 1", fingerprint="1")


@pytest.fixture
def bundle(tmp_path, described):
    remember(write_bundle(tmp_path / "bundle", b"model", described))  # whose model is not run here
    return tmp_path / "bundle"


@pytest.fixture
def put_stack(monkeypatch):
    """Make AWS have a stack in a given state, and nothing else."""

    def put(status, template):
        stack = Stack("shutterless-clothes", "arn", status, TIME, TIME, {"Url": "u", "Auth": "none"}, {})
        session = SimpleNamespace(client=lambda service: None, region_name="eu-central-1")
        for module in (deployer, removal, traffic):
            monkeypatch.setattr(module, "connect", lambda profile, region: session)
        monkeypatch.setattr(deployer, "check_account", lambda session, options, deployed: None)
        monkeypatch.setattr(state, "read_stack", lambda cloudformation, name: stack)
        monkeypatch.setattr(state, "read_template", lambda cloudformation, stack: template)
        monkeypatch.setattr(deployer, "_expected_code", lambda *_: replace(IMAGE, digest="sha256:2"))
        monkeypatch.setattr(deployer, "find_alias_change", lambda session, state: None)

    return put


@pytest.mark.parametrize(
    ("status", "template", "action"),
    [
        ("UPDATE_IN_PROGRESS", TEMPLATE, "wait"),
        ("ROLLBACK_COMPLETE", None, "delete"),
        ("REVIEW_IN_PROGRESS", None, "delete"),
        ("UPDATE_ROLLBACK_FAILED", TEMPLATE, "rollback"),
    ],
)
def test_a_plan_notes_what_would_be_done_first_to_a_stack_that_cannot_be_updated(
    put_stack, bundle, status, template, action
):
    put_stack(status, template)
    (note,) = deployer.plan(bundle, "clothes").notes
    assert status in note
    assert action in note


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_plan_has_no_notes_on_a_stack_that_can_be_updated(put_stack, bundle, status):
    put_stack(status, TEMPLATE)
    assert deployer.plan(bundle, "clothes").notes == ()


def test_a_plan_tells_what_each_change_set_changes(put_stack, bundle):
    put_stack("UPDATE_COMPLETE", TEMPLATE)
    steps = deployer.plan(bundle, "clothes", canary=0.1, provisioned_concurrency=0).steps
    assert [step.name for step in steps] == ["publish", "turn", "promote"]
    changes = [{change.name for change in step.changes} for step in steps]
    assert "LiveAlias" not in changes[0]
    assert changes[1] == {"LiveAlias"}
    assert {name for name in changes[2] if not name.startswith("Canary")} == {"LiveAlias"}


def test_a_plan_says_how_many_snapshots_are_still_billed(put_stack, bundle):
    snapstart = build_template(
        "clothes", Options(package="image", snapstart=True), code=IMAGE, model="clothes 1", fingerprint="1"
    )
    put_stack("UPDATE_COMPLETE", snapstart)
    (note,) = deployer.plan(bundle, "clothes", snapstart=False).notes
    assert "SnapStart: 0 would be deleted and 1 kept" in note


@pytest.mark.parametrize(
    "action",
    [
        traffic.promote,
        traffic.rollback,
        traffic.list_releases,
        removal.destroy,
        removal.list_resources,
    ],
)
def test_an_invalid_name_is_refused(put_stack, action):
    put_stack("CREATE_COMPLETE", TEMPLATE)
    with pytest.raises(InputError) as error:
        action("Not A Name")
    assert error.value.code == "invalid-name"


@pytest.mark.parametrize("action", [deployer.plan, deployer.deploy])
def test_an_invalid_option_is_refused_before_aws_is_asked(bundle, monkeypatch, action):
    monkeypatch.setattr(deployer, "connect", None)
    with pytest.raises(InputError) as error:
        action(bundle, "clothes", memory=64)
    assert error.value.code == "invalid-option"
    assert "--memory" in error.value.message


@pytest.mark.parametrize(
    ("canary", "minutes", "value"), [(1.0, 10, "100%"), (-0.1, 10, "-10%"), (0.1, 181, "181")]
)
def test_an_invalid_canary_is_refused(bundle, canary, minutes, value):
    with pytest.raises(InputError) as error:
        deployer.deploy(bundle, "clothes", canary=canary, canary_minutes=minutes)
    assert error.value.code == "invalid-canary"
    assert value in error.value.message


def test_a_deployment_that_is_deleted_meanwhile_is_an_error():
    with pytest.raises(DeployError) as error:
        state.describe(state.State("clothes", None, None), changed=True)
    assert error.value.code == "stack-deleted"
