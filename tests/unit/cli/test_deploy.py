import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from shutterless.deploy import deployer, removal, smoke
from shutterless.deploy.aws import session
from shutterless.deploy.aws.account import AccountLimits
from shutterless.deploy.canary.comparison import Comparison
from shutterless.deploy.cost import local_latency
from shutterless.deploy.cost import plan as cost_plan
from shutterless.deploy.deployer import Plan, PlannedStep
from shutterless.deploy.options import Options
from shutterless.deploy.releases import traffic
from shutterless.deploy.releases.traffic import DeployedRelease
from shutterless.deploy.state import Deployment
from shutterless.deploy.template.diff import PropertyChange, ResourceChange
from shutterless.errors import DeployError

URL = "https://abc.execute-api.eu-central-1.amazonaws.com/prod"
DEPLOYED = Deployment("clothes", URL, "api-key", "key-id", "clothes 1", "image", {"Resources": {}})
CHANGE = ResourceChange(
    "changed", "Function", "AWS::Lambda::Function", (PropertyChange("MemorySize", 1769, 3008),)
)
STEPS = (PlannedStep("update", (CHANGE,)),)
PLAN = Plan(STEPS, {"Resources": {}}, Options(memory=3008), "us-east-1", False, Options())
RELEASES = [
    DeployedRelease("3", "clothes 3", f"host/clothes@sha256:{3:064x}", "2026-11-20T08:00:00+00:00", 0.1, {}),
    DeployedRelease("2", "clothes 2", f"host/clothes@sha256:{2:064x}", "", 0.9, {"memory": 3008}),
]


@pytest.fixture
def calls(monkeypatch):
    """Replace what talks to AWS; return the arguments that each function was called with."""
    calls = {}

    def answer(name, value):
        def function(*arguments, **options):
            calls[name] = (*arguments, options)
            return value

        return function

    for name, value in {"plan": PLAN, "deploy": DEPLOYED}.items():
        monkeypatch.setattr(deployer, name, answer(name, value))
    monkeypatch.setattr(removal, "destroy", answer("destroy", None))
    for name, value in {"promote": DEPLOYED, "rollback": DEPLOYED, "list_releases": RELEASES}.items():
        monkeypatch.setattr(traffic, name, answer(name, value))
    monkeypatch.setattr(session, "connect", answer("connect", None))
    monkeypatch.setattr(smoke, "smoke_test", answer("smoke_test", {"label": "pants", "confidence": 0.97}))
    monkeypatch.setattr(local_latency, "measure_latency", lambda bundle: 20.0)
    monkeypatch.setattr(local_latency, "measure_start", lambda bundle: 200.0)
    monkeypatch.setattr(cost_plan, "count_snapshots", lambda template: None)
    return calls


def answers(monkeypatch, name, *values, module=deployer):
    """Answer a function of the deployer, or of another module, with one value after the other."""
    queue = list(values)
    monkeypatch.setattr(module, name, lambda *arguments, **options: queue.pop(0))


def test_a_deploy_is_tested_and_shows_how_to_call_the_api(shutterless, calls):
    result = shutterless("deploy", "bundle", "--name", "clothes")
    assert result.exit_code == 0
    assert "pants, 97%" in result.stderr
    assert f"Page: {URL}/\n" in result.stdout
    assert "Key:  shutterless status clothes --show-key\n" in result.stdout
    assert (
        f"curl -H \"x-api-key: $KEY\" -H 'Content-Type: image/jpeg' --data-binary @photo.jpg {URL}/predict"
    ) in result.stdout


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        ("none", "  curl -H 'Content-Type"),
        ("iam", '  curl --aws-sigv4 aws:amz:eu-central-1:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET'),
    ],
)
def test_without_a_key_the_curl_line_has_none(shutterless, calls, monkeypatch, auth, shown):
    answers(monkeypatch, "deploy", Deployment(**{**vars(DEPLOYED), "auth": auth, "key_id": ""}))
    result = shutterless("deploy", "bundle", "--name", "clothes")
    assert shown in result.stdout
    assert "Key:" not in result.stdout


def test_without_the_page_its_address_is_not_shown(shutterless, calls, monkeypatch):
    answers(monkeypatch, "deploy", Deployment(**{**vars(DEPLOYED), "has_page": False}))
    shown = shutterless("deploy", "bundle", "--name", "clothes").stdout
    assert f"{URL}/\n" not in shown
    assert f"{URL}/predict" in shown


def test_requests_to_a_function_url_are_signed_for_lambda(shutterless, calls, monkeypatch):
    url = "https://k3j2h1g0.lambda-url.eu-central-1.on.aws"
    changes = {"auth": "iam", "key_id": "", "url": url}
    answers(monkeypatch, "deploy", Deployment(**{**vars(DEPLOYED), **changes}))
    shown = shutterless("deploy", "bundle", "--name", "clothes").stdout
    assert "--aws-sigv4 aws:amz:eu-central-1:lambda --user" in shown
    assert f"{url}/predict" in shown


def test_options_reach_the_deployer_and_those_left_out_are_none(shutterless, calls):
    shutterless("deploy", "bundle", "--name", "clothes", "--memory", 3008, "--snapstart", "--canary", "10%")
    bundle, name, options = calls["deploy"]
    assert (bundle, name) == (Path("bundle"), "clothes")
    assert (options["memory"], options["snapstart"], options["canary"]) == (3008, True, 0.1)
    assert options["auth"] is None
    assert options["tags"] is None


def test_a_policy_is_printed_and_nothing_is_deployed(shutterless, calls, monkeypatch):
    identity = {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/a"}
    client = SimpleNamespace(get_caller_identity=lambda: identity)
    connected = SimpleNamespace(client=lambda service: client, region_name="eu-central-1")
    monkeypatch.setattr(session, "connect", lambda profile, region: connected)
    result = shutterless("deploy", "--policy", "--name", "clothes", "--alarm-email", "a@example.com")
    statements = json.loads(result.stdout)["Statement"]
    resources = {arn for statement in statements for arn in statement["Resource"]}
    assert "arn:aws:lambda:eu-central-1:123456789012:function:shutterless-clothes" in resources
    assert any("sns:CreateTopic" in statement["Action"] for statement in statements)
    assert "deploy" not in calls


def test_a_policy_has_placeholders_without_aws(shutterless, calls, monkeypatch):
    def refuse(profile, region):
        raise DeployError("no-credentials", "There are no AWS credentials")

    monkeypatch.setattr(session, "connect", refuse)
    result = shutterless("deploy", "--policy", "--region", "eu-west-1")
    assert "arn:aws:lambda:eu-west-1:ACCOUNT:function:shutterless-*" in result.stdout
    assert "ACCOUNT" in result.stderr


def test_a_deploy_without_a_bundle_is_a_usage_error(shutterless, calls):
    assert shutterless("deploy", "--name", "clothes").exit_code == 2


def test_tags_reach_the_deployer(shutterless, calls):
    shutterless("deploy", "bundle", "--name", "clothes", "--tag", "team=vision", "--tag", "cost=4711")
    assert calls["deploy"][2]["tags"] == {"team": "vision", "cost": "4711"}


def test_a_domain_is_shown_with_what_dns_has_to_point_it_to(shutterless, calls, monkeypatch):
    domain = {"domain": "https://photos.example.com", "domain_target": "d-1.example.net"}
    answers(monkeypatch, "deploy", Deployment(**{**vars(DEPLOYED), **domain}))
    result = shutterless("deploy", "bundle", "--name", "clothes")
    assert "https://photos.example.com/predict" in result.stdout
    assert "d-1.example.net" in result.stdout


def test_a_plan_shows_what_new_options_ask_of_the_owner(shutterless, calls, monkeypatch):
    answers(monkeypatch, "plan", replace(PLAN, options=Options(alarm_email="vision@example.com")))
    assert "vision@example.com" in shutterless("deploy", "bundle", "--name", "clothes", "--plan").stdout


def test_a_plan_shows_the_account_s_limits(shutterless, calls, monkeypatch):
    answers(monkeypatch, "plan", replace(PLAN, limits=AccountLimits(10, 10), options=Options(memory=4000)))
    output = shutterless("deploy", "bundle", "--name", "clothes", "--plan").stdout
    assert "10 calls" in output
    assert "3,008" in output


def test_a_deploy_that_changes_nothing_says_so_and_is_not_tested(shutterless, calls, monkeypatch):
    answers(monkeypatch, "deploy", Deployment(**{**vars(DEPLOYED), "changed": False}))
    result = shutterless("deploy", "bundle", "--name", "clothes")
    assert "clothes 1" in result.stdout
    assert "smoke_test" not in calls


def test_a_canary_shows_both_next_steps(shutterless, calls, monkeypatch):
    running = Deployment(**{**vars(DEPLOYED), "canary": 0.1, "canary_model": "clothes 2"})
    answers(monkeypatch, "deploy", running)
    result = shutterless("deploy", "bundle", "--name", "clothes", "--canary", "10%", "--no-smoke-test")
    assert all(part in result.stdout for part in ("clothes 2", "10%", "clothes 1"))
    assert "shutterless promote clothes" in result.stdout
    assert "shutterless rollback clothes" in result.stdout
    assert "smoke_test" not in calls


@pytest.mark.parametrize("share", ["100%", "-1%", "some", "0.1.2%", "1"])
def test_a_canary_that_is_no_share_is_a_usage_error(shutterless, calls, share):
    result = shutterless("deploy", "bundle", "--name", "clothes", "--canary", share)
    assert result.exit_code == 2
    assert "deploy" not in calls


def test_the_result_as_json_stands_alone_on_standard_output(shutterless, calls):
    result = shutterless("deploy", "bundle", "--name", "clothes", "--json")
    assert json.loads(result.stdout)["url"] == URL
    assert "template" not in json.loads(result.stdout)


def test_the_template_is_written_on_request(shutterless, calls, tmp_path):
    shutterless("deploy", "bundle", "--name", "clothes", "--template", tmp_path / "template.json")
    assert json.loads((tmp_path / "template.json").read_text()) == DEPLOYED.template


def test_a_plan_shows_what_changes_and_costs_and_deploys_nothing(shutterless, calls, tmp_path):
    file = tmp_path / "template.json"
    result = shutterless(
        "deploy", "bundle", "--name", "clothes", "--memory", 3008, "--plan", "--template", file
    )
    assert result.exit_code == 0
    (row,) = [line for line in result.stdout.splitlines() if "MemorySize" in line]
    assert row.split("\t") == ["~", "Function", "MemorySize", "1769", "3008"]
    # Where settings come from is only said if there is a file of them.
    assert not [line for line in result.stdout.splitlines() if line.startswith("From ")]
    assert re.search(r"^Now: .*\$.*\nThen: .*\$", result.stdout, re.MULTILINE)
    assert "deploy" not in calls
    assert json.loads(file.read_text()) == PLAN.template


def test_a_plan_without_a_change_shows_the_notes_only(shutterless, calls, monkeypatch):
    answers(monkeypatch, "plan", Plan((), {}, Options(), "us-east-1", False, Options(), ("It is busy.",)))
    result = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    assert "It is busy." in result.stdout
    assert "\t" not in result.stdout
    assert "Now:" not in result.stdout


def test_a_plan_shows_of_references_and_images_what_tells_them_apart(shutterless, calls, monkeypatch):
    changes = (
        PropertyChange(
            "Code.ImageUri", f"host/clothes@sha256:{1:064x}", f"clothes@sha256:{deployer.UNKNOWN}"
        ),
        PropertyChange("FunctionVersion", {"Fn::GetAtt": ["Version1", "Version"]}, {"Ref": "Version2"}),
        PropertyChange("Code.S3Key", f"clothes/{1:064x}.zip", f"clothes/{deployer.UNKNOWN}.zip"),
        PropertyChange("Quota", None, {"Limit": 5, "Period": "MONTH"}),
        PropertyChange("Description", f"a{'x' * 100}z", "[bold]"),
    )
    change = ResourceChange("replaced", "Function", "AWS::Lambda::Function", changes)
    answers(
        monkeypatch,
        "plan",
        Plan((PlannedStep("update", (change,)),), {}, Options(), "us-east-1", True, Options()),
    )
    result = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    rows = [line.split("\t") for line in result.stdout.splitlines() if "\t" in line]
    assert rows[1:] == [
        ["!", "Function", "Code.ImageUri", "sha256:000000000000", "(known after the upload)"],
        ["", "", "FunctionVersion", "Version1", "Version2"],
        ["", "", "Code.S3Key", "sha256:000000000000", "(known after the upload)"],
        ["", "", "Quota", "", '{"Limit": 5, "Period": "MONTH"}'],
        ["", "", "Description", f"a{'x' * 29}…{'x' * 29}z", "[bold]"],
    ]


def test_a_plan_of_a_first_deploy_counts_what_would_be_created(shutterless, calls, monkeypatch):
    changes = tuple(ResourceChange("added", name, "AWS::Lambda::Version") for name in ("one", "two"))
    answers(monkeypatch, "plan", Plan((PlannedStep("create", changes),), {}, Options(), "us-east-1", True))
    result = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    (row,) = [line for line in result.stdout.splitlines() if "AWS::Lambda::Version" in line]
    assert row.split("\t") == ["AWS::Lambda::Version", "2"]


def test_a_plan_without_prices_of_the_region_has_no_costs(shutterless, calls, monkeypatch):
    answers(monkeypatch, "plan", Plan(STEPS, {}, Options(), "af-south-1", True))
    result = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    assert result.exit_code == 0
    assert "AWS::Lambda::Function" in result.stdout
    assert "af-south-1" in result.stdout
    assert "$" not in result.stdout


def test_a_plan_as_json_has_changes_and_costs(shutterless, calls):
    result = shutterless("deploy", "bundle", "--name", "clothes", "--plan", "--json")
    document = json.loads(result.stdout)
    assert document["steps"][0]["name"] == "update"
    assert document["steps"][0]["changes"][0]["properties"] == [
        {"path": "MemorySize", "before": 1769, "after": 3008}
    ]
    assert document["costs"]


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_promote_and_rollback_show_who_gets_the_calls(shutterless, calls, command):
    result = shutterless(command, "clothes", "--region", "eu-central-1")
    assert "clothes 1" in result.stdout
    assert calls[command][1]["region"] == "eu-central-1"


@pytest.mark.parametrize("command", [("deploy", "bundle", "--name", "clothes"), ("promote", "clothes")])
def test_what_a_canary_s_answers_showed_is_told(shutterless, calls, monkeypatch, command):
    compared = replace(DEPLOYED, comparison=Comparison("too-few", 18, 2))
    answers(monkeypatch, "deploy", compared)
    monkeypatch.setattr(traffic, "promote", lambda *_, **__: compared)
    result = shutterless(*command)
    assert result.exit_code == 0
    assert "18 live requests, 2 of the canary" in result.stderr


@pytest.mark.parametrize(("options", "ignore"), [([], False), (["--canary-ignore-answers"], True)])
def test_a_canary_s_answers_can_be_ignored(shutterless, calls, options, ignore):
    shutterless("deploy", "bundle", "--name", "clothes", "--canary", "10%", *options)
    assert calls["deploy"][-1]["canary_ignore_answers"] is ignore


def test_a_promotion_can_leave_the_test_out(shutterless, calls):
    shutterless("promote", "clothes", "--no-smoke-test")
    assert calls["promote"][1]["smoke_test"] is False


def test_a_rollback_can_name_its_release_and_leave_the_test_out(shutterless, calls):
    shutterless("rollback", "clothes", "--to", "3", "--no-smoke-test")
    assert (calls["rollback"][1]["to"], calls["rollback"][1]["smoke_test"]) == ("3", False)


def test_a_rollback_that_changes_nothing_says_how_to_go_further(shutterless, calls, monkeypatch):
    monkeypatch.setattr(traffic, "rollback", lambda *_, **__: replace(DEPLOYED, changed=False))
    result = shutterless("rollback", "clothes")
    assert result.exit_code == 0
    assert "--to" in result.stdout


def test_releases_are_listed_with_what_differs(shutterless, calls):
    result = shutterless("releases", "clothes")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[1][:4] == ["3", "clothes 3", "10%", "2026-11-20 08:00"]
    assert rows[2] == ["2", "clothes 2", "90%", "", "000000000000", "memory 3008"]


def test_releases_as_json_have_every_member(shutterless, calls):
    result = shutterless("releases", "clothes", "--json")
    assert json.loads(result.stdout) == [asdict(release) for release in RELEASES]


@pytest.mark.parametrize(
    ("module", "command", "words"),
    [
        (deployer, ("deploy", "bundle", "--name", "clothes"), "the same command"),
        (traffic, ("rollback", "clothes"), "the same command"),
        (traffic, ("promote", "clothes"), "shutterless status clothes"),
    ],
)
def test_ctrl_c_shows_the_next_step(shutterless, calls, monkeypatch, module, command, words):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, command[0], stop)
    result = shutterless(*command)
    assert result.exit_code == 130
    assert words in result.stderr


def test_destroy_lists_what_it_removes_and_that_nothing_is_left(shutterless, calls, monkeypatch):
    resources = ["stack shutterless-clothes", "repository shutterless/clothes"]
    answers(monkeypatch, "list_resources", resources, [], module=removal)
    result = shutterless("destroy", "clothes", "--yes")
    assert "stack shutterless-clothes" in result.stderr
    assert result.stdout == "clothes is removed; AWS has nothing left of it.\n"
    assert "destroy" in calls


def test_destroy_lists_what_is_left(shutterless, calls, monkeypatch):
    answers(monkeypatch, "list_resources", ["stack a"], ["log group b"], module=removal)
    result = shutterless("destroy", "clothes", "--yes")
    assert "log group b" in result.stderr
    assert result.exit_code == 1


def test_destroy_asks_and_without_an_answer_does_nothing(shutterless, calls, monkeypatch):
    answers(monkeypatch, "list_resources", ["stack shutterless-clothes"], module=removal)
    result = shutterless("destroy", "clothes")
    assert "--yes" in result.stderr
    assert result.exit_code == 1
    assert "destroy" not in calls


def test_ctrl_c_at_the_question_is_ctrl_c(shutterless, calls, monkeypatch):
    def stop(*arguments, **options):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise typer.Abort from None  # as typer's own

    answers(monkeypatch, "list_resources", ["stack shutterless-clothes"], module=removal)
    monkeypatch.setattr(typer, "confirm", stop)
    result = shutterless("destroy", "clothes")
    assert result.exit_code == 130
    assert result.stderr.endswith("error: Stopped by Ctrl-C\n")
    assert "destroy" not in calls


def test_destroying_what_does_not_exist_does_nothing(shutterless, calls, monkeypatch):
    answers(monkeypatch, "list_resources", [], module=removal)
    result = shutterless("destroy", "clothes")
    assert (result.exit_code, "destroy" in calls) == (0, False)
    assert "clothes" in result.stderr


def test_a_deploy_takes_the_package_and_says_what_was_uploaded(shutterless, calls, monkeypatch):
    options = []

    def deploy(*arguments, **keywords):
        options.append(keywords["package"])
        return replace(DEPLOYED, uploaded_bytes=13_400_000)

    monkeypatch.setattr(deployer, "deploy", deploy)
    result = shutterless("deploy", "bundle", "--name", "clothes", "--package", "zip")
    assert options == ["zip"]
    assert "13.4 MB" in result.stderr


@pytest.mark.parametrize(("package", "words"), [("zip", "A zip"), ("image", "An image")])
def test_a_plan_says_whether_a_zip_or_an_image_would_be_made(shutterless, calls, monkeypatch, package, words):
    answers(monkeypatch, "plan", replace(PLAN, options=Options(package=package), needs_push=True))
    assert shutterless("deploy", "bundle", "--name", "clothes", "--plan").stdout.startswith(words)
