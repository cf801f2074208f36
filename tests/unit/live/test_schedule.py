"""The workflow that looks at a deployment every week."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from shutterless.errors import InputError, OutputError
from shutterless.live.schedule import schedule

ROLE = "arn:aws:iam::123456789012:role/drift"


@pytest.fixture
def file(tmp_path):
    output = tmp_path / ".github" / "workflows" / "drift.yml"
    return schedule("clothes", region="eu-central-1", role=ROLE, bundle="models/clothes", output=output)


def steps(file: Path) -> list[dict]:
    return yaml.safe_load(file.read_text("utf-8"))["jobs"]["drift"]["steps"]


def test_it_collects_compares_and_opens_an_issue(file):
    commands = [step["run"] for step in steps(file) if "run" in step]
    assert "shutterless collect clothes --region eu-central-1 --since 8d -o live" in commands
    assert any("shutterless drift models/clothes live --alarm" in command for command in commands)
    (issue,) = [step for step in steps(file) if "gh issue create" in step.get("run", "")]
    assert issue["if"] == "steps.compare.outputs.status == '3'"


def test_it_has_few_permissions_and_no_key(file):
    workflow = yaml.safe_load(file.read_text("utf-8"))
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["drift"]["permissions"] == {
        "contents": "read",
        "id-token": "write",
        "issues": "write",
    }
    assert "secrets." not in file.read_text("utf-8")
    (credentials,) = [step for step in steps(file) if "credentials" in step.get("uses", "")]
    assert credentials["with"] == {"role-to-assume": ROLE, "aws-region": "eu-central-1"}


def test_actions_are_pinned_by_commit(file):
    actions = [step["uses"] for step in steps(file) if "uses" in step]
    assert len(actions) == 3
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in actions)


def test_without_a_role_it_is_a_variable_of_the_repository(tmp_path):
    file = schedule("clothes", region="eu-central-1", output=tmp_path / "drift.yml")
    (credentials,) = [step for step in steps(file) if "credentials" in step.get("uses", "")]
    assert credentials["with"]["role-to-assume"] == "${{ vars.AWS_ROLE }}"


@pytest.mark.parametrize(
    "linter",
    [
        ("zizmor", "--offline", "--persona=pedantic", "--no-config"),
        ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
    ],
    ids=lambda linter: linter[0],
)
def test_linters_find_nothing(linter, file):
    command = [Path(sys.executable).with_name(linter[0]), *linter[1:], file]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_an_existing_file_stays(file):
    content = file.read_text("utf-8")
    with pytest.raises(OutputError) as caught:
        schedule("shoes", region="eu-central-1", output=file)
    assert caught.value.code == "exists"
    assert file.read_text("utf-8") == content


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "clothes; rm -rf ~"}, "invalid-name"),
        ({"region": "eu-central-1\n"}, "invalid-schedule"),
        ({"region": "$(id)"}, "invalid-schedule"),
        ({"bundle": "a b"}, "invalid-schedule"),
        ({"bundle": "../bundle"}, "invalid-schedule"),
        ({"bundle": "--alarm"}, "invalid-schedule"),
        ({"bundle": "${{ secrets.KEY }}"}, "invalid-schedule"),
        ({"role": "arn:aws:iam::1:role/x"}, "invalid-schedule"),
        ({"role": f"{ROLE}\n          x: y"}, "invalid-schedule"),
    ],
)
def test_nothing_gets_into_the_workflow_but_what_it_is_for(changes, code, tmp_path):
    arguments = {"name": "clothes", "region": "eu-central-1", "output": tmp_path / "drift.yml", **changes}
    with pytest.raises(InputError) as caught:
        schedule(**arguments)
    assert caught.value.code == code
    assert not (tmp_path / "drift.yml").exists()
