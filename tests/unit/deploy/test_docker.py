"""Docker's words and ours; a program called docker says what a test wants. Integration has the real one."""

import json
from pathlib import Path

import pytest

from shutterless.deploy.docker import content_tag, docker, push
from shutterless.errors import ShutterlessError
from shutterless.progress import silent

FAKE = """#!/bin/sh
echo "$@" >> {folder}/asked
case "$1" in {cases} esac
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a docker on the path that does what is given for each command; return what it was asked."""

    def make(**commands):
        cases = "\n".join(f"{command}) {does} ;;" for command, does in commands.items())
        program = tmp_path / "docker"
        program.write_text(FAKE.format(folder=tmp_path, cases=cases))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return tmp_path / "asked"

    return make


def test_docker_that_is_not_installed_is_put_into_words(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ShutterlessError, match="Docker is not installed") as error:
        docker("version")
    assert "docs.docker.com" in error.value.hint


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the daemon running?",
            "Docker is not running",
            "systemctl start docker",
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket",
            "Docker does not let this user in",
            "usermod",
        ),
        (
            "Error response from daemon: No such image: clothes:1",
            "There is no image clothes:1 here",
            "image build",
        ),
        ("unauthorized: authentication required", "The registry refuses the login", "again"),
        ("no basic auth credentials", "The registry refuses the login", "again"),
        ("write /var/lib/docker: no space left on device", "Docker's disk is full", "prune"),
        ("dial tcp: lookup x on 1.1.1.1:53: no such host", "Docker cannot reach the registry", "network"),
        (
            "denied: User: anna is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:x",
            "These AWS credentials may not do ecr:InitiateLayerUpload on arn:x",
            "administrator",
        ),
        ("something else", "Docker: something else", ""),
    ],
)
def test_what_docker_says_is_put_into_words(fake, said, message, hint):
    fake(push=f"echo '{said}' >&2; exit 1")
    with pytest.raises(ShutterlessError) as error:
        docker("push", "x")
    assert error.value.message == message
    assert hint in error.value.hint


@pytest.mark.parametrize(
    ("printed", "tag"),
    [
        ("sha256:0123456789abcdef fedcba987654", "fedcba987654-0123456789ab"),
        ("sha256:0123456789abcdef ", "0123456789ab"),
        ("sha256:0123456789abcdef not a tag!", "0123456789ab"),
    ],
)
def test_a_tag_is_the_model_s_version_if_it_can_be_in_one_and_the_image_s_id(fake, printed, tag):
    fake(image=f"echo '{printed}'")
    assert content_tag("clothes") == tag


def test_a_push_counts_the_layers_that_are_there(fake):
    lines = ("0123456789ab: Preparing", "ba9876543210: Waiting", "0123456789ab: Layer already exists",
             "ba9876543210: Pushed", "tag: digest: sha256:00 size: 528")  # fmt: skip
    asked = fake(push="; ".join(f"echo '{line}'" for line in lines))
    reported = []
    push("clothes", "registry/clothes:tag", "QVdTOng=", lambda *report: reported.append(report[1:]))
    assert reported == [(0, 1), (0, 2), (1, 2), (2, 2)]
    assert asked.read_text().splitlines() == [
        "tag clothes registry/clothes:tag",
        "context inspect --format {{.Endpoints.docker.Host}}",
        "push registry/clothes:tag",
        "image rm --no-prune registry/clothes:tag",
    ]


def test_the_login_is_for_the_push_alone_and_on_no_command_line(fake, tmp_path):
    asked = fake(
        push=f'cp "$DOCKER_CONFIG/config.json" {tmp_path}/seen; echo "$DOCKER_CONFIG" > {tmp_path}/where'
    )
    push("clothes", "registry/clothes:tag", "QVdTOng=", silent)
    assert json.loads((tmp_path / "seen").read_text()) == {"auths": {"registry": {"auth": "QVdTOng="}}}
    assert not Path((tmp_path / "where").read_text().strip()).exists()
    assert "QVdTOng=" not in asked.read_text()


def test_the_engine_that_the_user_s_context_names_is_pushed_from(fake, tmp_path, monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    fake(
        context="echo unix:///home/anna/.docker/run/docker.sock",
        push=f'echo "$DOCKER_HOST" > {tmp_path}/seen',
    )
    push("clothes", "registry/clothes:tag", "QVdTOng=", silent)
    assert (tmp_path / "seen").read_text().strip() == "unix:///home/anna/.docker/run/docker.sock"


def test_a_failed_push_takes_its_tag_away_again(fake):
    asked = fake(push="echo 'unauthorized: no'; exit 1")
    with pytest.raises(ShutterlessError, match="refuses the login"):
        push("clothes", "registry/clothes:tag", "QVdTOng=", silent)
    assert asked.read_text().splitlines()[-1] == "image rm --no-prune registry/clothes:tag"
