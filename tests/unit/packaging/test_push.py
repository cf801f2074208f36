"""What docker is asked for; a real push into a real registry is in tests/integration."""

from pathlib import Path

import pytest

from shutterless.packaging.docker import DockerError
from shutterless.packaging.push import content_tag, push_image
from shutterless.utils.progress import silent

pytestmark = pytest.mark.slow

TARGET = "registry/clothes:tag"
AUTHORIZATION = "QVdTOng="
UNTAG = ["image", "rm", "--no-prune", TARGET]


@pytest.mark.parametrize(
    ("printed", "tag"),
    [
        ("fedcba987654 sha256:0123456789abcdef\n", "fedcba987654-0123456789ab"),
        (" sha256:0123456789abcdef\n", "0123456789ab"),
        ("not a tag! sha256:0123456789abcdef\n", "0123456789ab"),
    ],
)
def test_a_tag_is_the_model_s_version_if_it_can_be_in_one_and_the_image_s_id(docker, printed, tag):
    docker.says("image inspect", printed)
    assert content_tag("clothes") == tag


def test_a_push_counts_the_layers_that_are_there(docker):
    docker.says(
        "push",
        "0123456789ab: Preparing\nba9876543210: Waiting\n0123456789ab: Layer already exists\n"
        "ba9876543210: Pushed\ntag: digest: sha256:00 size: 528\n",
    )
    reported = []
    push_image("clothes", TARGET, AUTHORIZATION, lambda *report: reported.append(report[1:]))
    assert reported == [(0, 1), (0, 2), (1, 2), (2, 2)]


def test_a_push_tags_the_image_and_takes_the_tag_away_again(docker, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    push_image("clothes", TARGET, AUTHORIZATION, silent)
    assert docker.calls == [["tag", "clothes", TARGET], ["push", TARGET], UNTAG]


def test_a_failed_push_takes_its_tag_away_too(docker):
    docker.says("push", "0123456789ab: Preparing\n", err="unauthorized: no\n")
    with pytest.raises(DockerError) as caught:
        push_image("clothes", TARGET, AUTHORIZATION, silent)
    assert caught.value.code == "registry-login-refused"
    assert docker.calls[-1] == UNTAG


def test_an_interrupted_push_ends_docker_and_takes_its_tag_away(docker):
    def interrupt(*report: object) -> None:
        raise KeyboardInterrupt

    docker.says("push", "0123456789ab: Preparing\n")
    with pytest.raises(KeyboardInterrupt):
        push_image("clothes", TARGET, AUTHORIZATION, interrupt)
    assert docker.calls[-1] == UNTAG


def test_the_login_is_for_the_push_alone_and_on_no_command_line(docker):
    push_image("clothes", TARGET, AUTHORIZATION, silent)
    (push,) = [seen for seen in docker.environments if seen["command"] == "push"]
    assert push["logins"] == {"auths": {"registry": {"auth": AUTHORIZATION}}}
    assert not Path(push["DOCKER_CONFIG"]).exists()
    assert not any(AUTHORIZATION in argument for call in docker.calls for argument in call)


def test_the_engine_that_the_user_s_context_names_is_pushed_from(docker, monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    docker.says("context inspect", "unix:///home/anna/.docker/run/docker.sock\n")
    push_image("clothes", TARGET, AUTHORIZATION, silent)
    (push,) = [seen for seen in docker.environments if seen["command"] == "push"]
    assert push["DOCKER_HOST"] == "unix:///home/anna/.docker/run/docker.sock"


def test_an_image_that_is_not_there_is_an_error(docker):
    docker.says("tag", err="Error response from daemon: No such image: clothes:latest\n")
    with pytest.raises(DockerError) as caught:
        push_image("clothes", TARGET, AUTHORIZATION, silent)
    assert caught.value.code == "image-not-found"
    assert "clothes:latest" in caught.value.message
