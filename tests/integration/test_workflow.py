"""The GitHub Actions workflow of docs/how-to/github-actions.md, checked by linters of workflows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from shutterless.cli.app import app

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "examples/github-actions/deploy.yml"
TRUST_POLICY = ROOT / "examples/github-actions/trust-policy.json"
PAGE = ROOT / "docs/how-to/github-actions.md"
LINTERS = {
    "zizmor": ("zizmor", "--offline", "--persona=pedantic", "--no-config"),
    "schema": ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
}


def lint(linter: str, file: Path) -> int:
    """Return the exit code of a linter of workflows."""
    program, *options = LINTERS[linter]
    command = [Path(sys.executable).with_name(program), *options, file]
    return subprocess.run(command, capture_output=True).returncode


@pytest.fixture
def workflow():
    return yaml.safe_load(WORKFLOW.read_text("utf-8"))


@pytest.fixture
def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("linter", LINTERS)
def test_linters_find_nothing_in_the_workflow(linter):
    assert lint(linter, WORKFLOW) == 0


@pytest.mark.parametrize(
    ("linter", "old", "new"),
    [
        ("zizmor", r"@11bd\w+", "@v4"),
        ("zizmor", "permissions: {}", "permissions: write-all"),
        ("zizmor", "persist-credentials: false", "fetch-depth: 1"),
        ("zizmor", "run: shutterless train", "run: echo ${{ github.event.head_commit.message }} #"),
        ("schema", "runs-on", "run-on"),
        ("schema", "timeout-minutes: 90", "timeout-minutes: [90]"),
    ],
)
def test_linters_find_what_is_wrong(tmp_path, linter, old, new):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text, count = re.subn(old, new, WORKFLOW.read_text("utf-8"))
    assert count
    (folder / "deploy.yml").write_text(text, "utf-8")
    assert lint(linter, folder / "deploy.yml") != 0


@pytest.mark.parametrize("file", [WORKFLOW, TRUST_POLICY])
def test_the_page_shows_the_files_as_they_are(file):
    assert f"\n{file.read_text('utf-8')}```" in PAGE.read_text("utf-8")


def test_every_action_is_pinned_by_a_commit(steps):
    actions = [step["uses"] for step in steps if "uses" in step]
    assert len(actions) == 8
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in actions)


def test_only_the_deploy_may_ask_for_a_token(workflow):
    assert workflow["permissions"] == {}
    permissions = {name: job["permissions"] for name, job in workflow["jobs"].items()}
    assert permissions == {"train": {"contents": "read"}, "deploy": {"contents": "read", "id-token": "write"}}
    assert workflow["jobs"]["deploy"]["needs"] == "train"


def test_every_command_exists_with_its_options(steps):
    commands = [step["run"].split() for step in steps if step.get("run", "").startswith("shutterless ")]
    assert [command[1] for command in commands] == ["train", "convert", "evaluate", "deploy"]
    for _, name, *arguments in commands:
        get_command(app).commands[name].make_context(name, [*arguments], resilient_parsing=True)


def test_the_role_trusts_one_environment_of_one_repository(workflow):
    (statement,) = json.loads(TRUST_POLICY.read_text("utf-8"))["Statement"]
    environment = workflow["jobs"]["deploy"]["environment"]
    claims = {key.partition(":")[2]: text for key, text in statement["Condition"]["StringEquals"].items()}
    assert statement["Condition"].keys() == {"StringEquals"}
    assert claims == {"aud": "sts.amazonaws.com", "sub": f"repo:OWNER/REPO:environment:{environment}"}
