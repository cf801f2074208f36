"""Commands that read shutterless.toml: what they take from it, and that the command line wins."""

import json
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from shutterless.deploy import deployer, endpoint, removal, status
from shutterless.deploy.aws import logs
from shutterless.deploy.code import live
from shutterless.deploy.code.live import LiveRelease
from shutterless.deploy.endpoint import Endpoint
from shutterless.deploy.options import Options
from shutterless.deploy.releases import traffic
from shutterless.deploy.template.code import ImageCode
from shutterless.deploy.template.template import build_template
from shutterless.errors import DeployError

TEXT = """
region = "eu-central-1"

[prod]
name = "clothes"
profile = "production"
memory = 3008
rate = 50
canary = 0.1
canary_minutes = 30

[nameless]
"""
COMMANDS = ["promote", "rollback", "releases", "destroy", "status", "logs"]
PLACE = ("clothes", "eu-central-1", "production")


@pytest.fixture(autouse=True)
def _project(tmp_path, monkeypatch):
    """Work in a folder with a configuration file."""
    monkeypatch.chdir(tmp_path)
    Path("shutterless.toml").write_text(TEXT)


@pytest.fixture
def calls(monkeypatch):
    """Note the arguments of everything that would ask AWS; nothing is deployed."""
    calls = []

    def note(*arguments, **options):
        calls.append((arguments, options))
        raise DeployError("no-deployment", "nothing is deployed")

    for module, name in (
        *((deployer, each) for each in ("deploy", "plan")),
        (removal, "list_resources"),
        *((traffic, each) for each in ("promote", "rollback", "list_releases")),
        *((status, "read_status"), (logs, "read_logs"), (endpoint, "read_endpoint")),
    ):
        monkeypatch.setattr(module, name, note)
    return calls


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_its_deployment_from_an_environment(shutterless, calls, command):
    shutterless(command, "--env", "prod")
    ((arguments, options),) = calls
    assert (arguments[0], options["region"], options["profile"]) == PLACE


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_wins(shutterless, calls, command):
    shutterless(command, "other", "--env", "prod", "--region", "us-east-1", "--profile", "work")
    ((arguments, options),) = calls
    assert (arguments[0], options["region"], options["profile"]) == ("other", "us-east-1", "work")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("options", [(), ("--env", "nameless")])
def test_without_any_name_nothing_is_done(error_of, calls, command, options):
    assert error_of(command, *options).code == "missing-name"
    assert calls == []


def test_a_deploy_takes_options_from_an_environment_and_the_command_line_wins(shutterless, calls):
    shutterless("deploy", "bundle", "--env", "prod", "--rate", 100, "--canary-minutes", 0)
    (((bundle, name), options),) = calls
    assert (bundle, name, options["region"], options["profile"]) == (Path("bundle"), *PLACE)
    assert (options["memory"], options["rate"], options.get("burst")) == (3008, 100, None)
    assert (options["canary"], options["canary_minutes"]) == (0.1, 0)


@pytest.fixture
def images(monkeypatch):
    """Let the live image of any deployment be read; return where it was looked for."""
    places = []

    def read(name, *, region, profile):
        places.append((name, region, profile))
        image = ImageCode(f"host/shutterless/{name}", f"sha256:{1:064x}")
        return LiveRelease(name, image, "clothes 1", "1", Options(), boto3.Session("a", "b"))

    monkeypatch.setattr(live, "read_live_release", read)
    return places


def test_a_deploy_can_bring_the_live_image_of_another_environment(shutterless, calls, images):
    shutterless("deploy", "--from", "prod", "--name", "other", "--region", "us-east-1")
    (((release, name), options),) = calls
    assert images == [PLACE]
    assert (release.code.digest, name, options["region"]) == (f"sha256:{1:064x}", "other", "us-east-1")
    assert (options["profile"], options.get("memory")) == (None, None)


@pytest.mark.parametrize("arguments", [("bundle", "--from", "prod"), ()])
def test_a_deploy_brings_either_a_bundle_or_an_image(shutterless, calls, images, arguments):
    assert shutterless("deploy", *arguments, "--name", "other").exit_code == 2
    assert (calls, images) == ([], [])


def test_a_deploy_without_an_environment_reads_no_file(shutterless, calls):
    Path("shutterless.toml").write_text("this is no TOML")
    shutterless("deploy", "bundle", "--name", "clothes")
    (((_, name), options),) = calls
    assert (name, options["region"], options["canary"], options["canary_minutes"]) == ("clothes", None, 0, 10)


def test_another_file_can_be_given(shutterless, calls):
    Path("shutterless.toml").rename("other.toml")
    shutterless("status", "--env", "prod", "--config", "other.toml")
    assert calls[0][0] == ("clothes",)


def test_a_file_without_an_environment_is_a_mistake(shutterless, calls):
    assert shutterless("status", "clothes", "--config", "shutterless.toml").exit_code == 2
    assert calls == []


@pytest.fixture
def _planned(monkeypatch):
    template = build_template(
        "clothes", Options(), code=ImageCode("host/c", "sha256:0"), model="1", fingerprint="1"
    )
    plan = deployer.Plan((), template, Options(), "mars-1", needs_push=False, current_options=Options())
    monkeypatch.setattr(deployer, "plan", lambda *arguments, **options: plan)


@pytest.mark.usefixtures("_planned")
def test_a_plan_shows_where_each_setting_comes_from(shutterless):
    command = ("deploy", "bundle", "--env", "prod", "--rate", 100, "--no-snapstart", "--plan")
    lines = shutterless(*command).stdout.splitlines()
    origin, _, keys = lines[0].partition(": ")
    assert origin == "From [prod] in shutterless.toml"
    assert {*keys.split(", ")} == {"name", "region", "profile", "memory", "canary", "canary_minutes"}
    assert {*lines[1].partition(": ")[2].split(", ")} == {"rate", "snapstart"}
    origins = json.loads(shutterless(*command, "--json").stdout)["origins"]
    assert (origins["memory"], origins["rate"]) == ("[prod] in shutterless.toml", "the command line")


@pytest.mark.usefixtures("_planned")
def test_a_plan_shows_which_image_would_be_copied(shutterless, images, monkeypatch):
    plan = replace(deployer.plan(), needs_push=True)
    monkeypatch.setattr(deployer, "plan", lambda *arguments, **options: plan)
    output = shutterless("deploy", "--from", "prod", "--name", "other", "--plan").stdout
    assert f"sha256:{1:064x}" in output
    assert "shutterless cost clothes" in output


def test_a_call_takes_address_and_key_from_aws(shutterless, monkeypatch):
    places, calls = [], []

    def read(name, *, region, profile):
        places.append((name, region, profile))
        return Endpoint("https://host/prod", "secret")

    def call_many(url, pictures, api_key, timeout, **options):
        calls.append((url, pictures, api_key))
        yield from ()

    monkeypatch.setattr(endpoint, "read_endpoint", read)
    monkeypatch.setattr("shutterless.client.call_many", call_many)
    shutterless("call", "--env", "prod", "photo.jpg", "photos/")
    shutterless("call", "--env", "prod", "photo.jpg", "--api-key", "another")
    assert places == [PLACE, PLACE]
    assert calls == [
        ("https://host/prod", ["photo.jpg", "photos/"], "secret"),
        ("https://host/prod", ["photo.jpg"], "another"),
    ]


def test_a_call_needs_an_address_and_a_picture(shutterless):
    assert shutterless("call", "photo.jpg").exit_code == 2


def test_a_cost_is_that_of_the_environment_s_deployment(error_of, monkeypatch):
    places = []

    def connect(profile, region):
        places.append((profile, region))
        raise DeployError("no-credentials", "no credentials")

    monkeypatch.setattr("shutterless.deploy.aws.session.connect", connect)
    assert error_of("cost", "--env", "prod").code == "no-credentials"
    assert places == [("production", "eu-central-1")]
