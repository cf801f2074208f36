import json
from pathlib import Path

import pytest
import typer

from shutterless.deploy import deployer, smoke
from shutterless.deploy.aws import session
from shutterless.deploy.cost import local_latency
from shutterless.deploy.deployer import Deployment, Plan
from shutterless.deploy.options import Options
from shutterless.deploy.template.diff import Change, Difference

URL = "https://abc.execute-api.eu-central-1.amazonaws.com/prod"
DEPLOYED = Deployment("clothes", URL, "api-key", "key-id", "clothes 1", "image", {"Resources": {}})
CHANGE = Difference("changed", "Function", "AWS::Lambda::Function", (Change("MemorySize", 1769, 3008),))
PLAN = Plan((CHANGE,), {"Resources": {}}, Options(memory=3008), "us-east-1", False, Options())


@pytest.fixture
def asked(monkeypatch):
    """Answer in AWS's place; return what each function was asked for."""
    asked = {}

    def answer(name, value):
        def answered(*arguments, **options):
            asked[name] = (*arguments, options)
            return value

        return answered

    for name, value in {"plan": PLAN, "promote": DEPLOYED, "rollback": DEPLOYED, "destroy": None}.items():
        monkeypatch.setattr(deployer, name, answer(name, value))
    monkeypatch.setattr(deployer, "deploy", answer("deploy", DEPLOYED))
    monkeypatch.setattr(session, "connect", answer("connect", None))
    monkeypatch.setattr(smoke, "smoke_test", answer("smoke_test", {"label": "pants", "confidence": 0.97}))
    monkeypatch.setattr(local_latency, "measure", lambda bundle: 20.0)
    return asked


def answers(monkeypatch, name, *values):
    """Answer a function of the deployer with one value after the other."""
    left = list(values)
    monkeypatch.setattr(deployer, name, lambda *arguments, **options: left.pop(0))


def test_a_deploy_is_tried_and_says_how_to_call_it(shutterless, asked):
    done = shutterless("deploy", "bundle", "--name", "clothes")
    assert done.exit_code == 0
    assert "Tried with a drawn photo: pants, 97%." in done.stderr
    assert f"Page: {URL}/\n" in done.stdout
    assert "Key:  shutterless status clothes --show-key\n" in done.stdout
    assert (
        f"curl -H \"x-api-key: $KEY\" -H 'Content-Type: image/jpeg' --data-binary @photo.jpg {URL}/predict"
    ) in done.stdout


@pytest.mark.parametrize(
    ("auth", "shown"),
    [
        ("none", "  curl -H 'Content-Type"),
        ("iam", '  curl --aws-sigv4 aws:amz:eu-central-1:execute-api --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET'),
    ],
)
def test_without_a_key_the_curl_line_has_none(shutterless, asked, monkeypatch, auth, shown):
    answers(monkeypatch, "deploy", Deployment(**{**vars(DEPLOYED), "auth": auth, "key_id": ""}))
    done = shutterless("deploy", "bundle", "--name", "clothes")
    assert shown in done.stdout
    assert "Key:" not in done.stdout


def test_options_reach_the_deployer_and_those_left_out_are_none(shutterless, asked):
    shutterless("deploy", "bundle", "--name", "clothes", "--memory", 3008, "--snapstart", "--canary", "10%")
    bundle, name, options = asked["deploy"]
    assert (bundle, name) == (Path("bundle"), "clothes")
    assert (options["memory"], options["snapstart"], options["canary"]) == (3008, True, 0.1)
    assert options["auth"] is None


def test_nothing_changed_is_said_and_not_tried(shutterless, asked, monkeypatch):
    answers(monkeypatch, "deploy", Deployment(**{**vars(DEPLOYED), "changed": False}))
    done = shutterless("deploy", "bundle", "--name", "clothes")
    assert "Nothing has changed: clothes 1 is deployed already." in done.stdout
    assert "smoke_test" not in asked


def test_a_canary_says_both_ways_on(shutterless, asked, monkeypatch):
    running = Deployment(**{**vars(DEPLOYED), "canary": 0.1, "canary_model": "clothes 2"})
    answers(monkeypatch, "deploy", running)
    done = shutterless("deploy", "bundle", "--name", "clothes", "--canary", "10%", "--no-smoke-test")
    assert "clothes 2 gets 10% of the calls, clothes 1 the others." in done.stdout
    assert "shutterless promote clothes" in done.stdout
    assert "shutterless rollback clothes" in done.stdout
    assert "smoke_test" not in asked


@pytest.mark.parametrize("share", ["100%", "-1%", "some", "0.1.2%", "1"])
def test_a_canary_that_is_no_share_is_a_usage_error(shutterless, asked, share):
    done = shutterless("deploy", "bundle", "--name", "clothes", "--canary", share)
    assert done.exit_code == 2
    assert "deploy" not in asked


def test_the_result_as_json_stands_alone_on_standard_output(shutterless, asked):
    done = shutterless("deploy", "bundle", "--name", "clothes", "--json")
    assert json.loads(done.stdout)["url"] == URL
    assert "template" not in json.loads(done.stdout)


def test_the_template_is_written_on_request(shutterless, asked, tmp_path):
    shutterless("deploy", "bundle", "--name", "clothes", "--template", tmp_path / "template.json")
    assert json.loads((tmp_path / "template.json").read_text()) == DEPLOYED.template


def test_a_plan_shows_what_changes_and_costs_and_deploys_nothing(shutterless, asked, tmp_path):
    file = tmp_path / "template.json"
    done = shutterless(
        "deploy", "bundle", "--name", "clothes", "--memory", 3008, "--plan", "--template", file
    )
    assert done.exit_code == 0
    (row,) = [line for line in done.stdout.splitlines() if "MemorySize" in line]
    assert row.split("\t") == ["~", "Function", "MemorySize", "1769", "3008"]
    assert "Now: Without a request $" in done.stdout
    assert "Then: Without a request $" in done.stdout
    assert "deploy" not in asked
    assert json.loads(file.read_text()) == PLAN.template


def test_a_plan_without_a_difference_says_so(shutterless, asked, monkeypatch):
    answers(monkeypatch, "plan", Plan((), {}, Options(), "us-east-1", False, Options(), ("It is busy.",)))
    done = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    assert "It is busy." in done.stdout
    assert "Nothing would change." in done.stdout
    assert "Now:" not in done.stdout


def test_a_plan_shows_of_references_and_images_what_tells_them_apart(shutterless, asked, monkeypatch):
    changes = (
        Change("Code.ImageUri", f"host/clothes@sha256:{1:064x}", f"clothes@{deployer.UNKNOWN_DIGEST}"),
        Change("FunctionVersion", {"Fn::GetAtt": ["Version1", "Version"]}, {"Ref": "Version2"}),
        Change("Quota", None, {"Limit": 5, "Period": "MONTH"}),
        Change("Description", f"a{'x' * 100}z", "[bold]"),
    )
    difference = Difference("replaced", "Function", "AWS::Lambda::Function", changes)
    answers(monkeypatch, "plan", Plan((difference,), {}, Options(), "us-east-1", True, Options()))
    done = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    rows = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    assert rows[1:] == [
        ["!", "Function", "Code.ImageUri", "sha256:000000000000", "(known after the push)"],
        ["", "", "FunctionVersion", "Version1", "Version2"],
        ["", "", "Quota", "", '{"Limit": 5, "Period": "MONTH"}'],
        ["", "", "Description", f"a{'x' * 29}…{'x' * 29}z", "[bold]"],
    ]


def test_a_plan_from_nothing_counts_what_would_be_made(shutterless, asked, monkeypatch):
    made = tuple(Difference("added", name, "AWS::Lambda::Version") for name in ("one", "two"))
    answers(monkeypatch, "plan", Plan(made, {}, Options(), "us-east-1", True))
    done = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    (row,) = [line for line in done.stdout.splitlines() if "AWS::Lambda::Version" in line]
    assert row.split("\t") == ["AWS::Lambda::Version", "2"]


def test_a_plan_where_no_prices_are_known_says_so(shutterless, asked, monkeypatch):
    answers(monkeypatch, "plan", Plan((CHANGE,), {}, Options(), "af-south-1", True))
    done = shutterless("deploy", "bundle", "--name", "clothes", "--plan")
    assert done.exit_code == 0
    assert "What it costs is not known." in done.stdout
    assert "The image would be built and pushed" in done.stdout


def test_a_plan_as_json_has_differences_and_costs(shutterless, asked):
    done = shutterless("deploy", "bundle", "--name", "clothes", "--plan", "--json")
    document = json.loads(done.stdout)
    assert document["differences"][0]["changes"] == [{"path": "MemorySize", "before": 1769, "after": 3008}]
    assert document["costs"]


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_turning_says_who_gets_the_calls(shutterless, asked, command):
    done = shutterless(command, "clothes", "--region", "eu-central-1")
    assert "clothes 1 gets all calls now." in done.stdout
    assert asked[command][1]["region"] == "eu-central-1"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("deploy", "bundle", "--name", "clothes"), "the same command goes on from there"),
        (("rollback", "clothes"), "shutterless status clothes shows what is live"),
    ],
)
def test_ctrl_c_says_that_aws_goes_on(shutterless, asked, monkeypatch, command, words):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(deployer, command[0], stop)
    done = shutterless(*command)
    assert done.exit_code == 130
    assert f"AWS finishes what it has begun; {words}.\nerror: Stopped by Ctrl-C" in done.stderr


def test_destroy_says_what_goes_and_that_nothing_is_left(shutterless, asked, monkeypatch):
    answers(monkeypatch, "inventory", ["stack shutterless-clothes", "repository shutterless/clothes"], [])
    done = shutterless("destroy", "clothes", "--yes")
    assert "stack shutterless-clothes" in done.stderr
    assert "Left of clothes in AWS: nothing." in done.stdout
    assert "destroy" in asked


def test_destroy_says_what_is_left(shutterless, asked, monkeypatch):
    answers(monkeypatch, "inventory", ["stack a"], ["log group b"])
    done = shutterless("destroy", "clothes", "--yes")
    assert "error: Left of clothes in AWS: log group b\n" in done.stderr
    assert done.exit_code == 1


def test_destroy_asks_and_without_an_answer_does_nothing(shutterless, asked, monkeypatch):
    answers(monkeypatch, "inventory", ["stack shutterless-clothes"])
    done = shutterless("destroy", "clothes")
    assert "Remove all of this for good" in done.stderr
    assert "error: Nobody answered, so nothing was removed\nGive --yes" in done.stderr
    assert done.exit_code == 1
    assert "destroy" not in asked


def test_ctrl_c_at_the_question_is_ctrl_c(shutterless, asked, monkeypatch):
    def stop(*arguments, **options):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise typer.Abort from None  # as typer's own

    answers(monkeypatch, "inventory", ["stack shutterless-clothes"])
    monkeypatch.setattr(typer, "confirm", stop)
    done = shutterless("destroy", "clothes")
    assert done.exit_code == 130
    assert done.stderr.endswith("error: Stopped by Ctrl-C\n")
    assert "destroy" not in asked


def test_destroying_nothing_is_nothing(shutterless, asked, monkeypatch):
    answers(monkeypatch, "inventory", [])
    done = shutterless("destroy", "clothes")
    assert (done.exit_code, "destroy" in asked) == (0, False)
    assert "There is nothing of clothes" in done.stderr
