"""Which base image a name stands for: asked of its registry, but never needed from it."""

import json

import pytest

from shutterless.packaging.base_image import find_base_digest

NAME = "python:3.13-slim-trixie"
OFFLINE = "dial tcp: lookup registry-1.docker.io: no such host"


def digest(number):
    return f"sha256:{number:064x}"


def describe(**members):
    document = {"Id": digest(0), "Os": "linux", "Architecture": "amd64", **members}
    return json.dumps([document])


def pulls(docker):
    return [call for call in docker.calls if call[0] == "pull"]


def test_a_newer_base_image_is_pulled_and_is_known_by_its_registry_s_digest(docker):
    docker.says("image inspect", describe(RepoDigests=[f"python@{digest(1)}"]))
    assert find_base_digest("linux/arm64") == digest(1)
    assert pulls(docker) == [["pull", "--quiet", "--platform", "linux/arm64", NAME]]


def test_offline_it_is_the_base_image_on_this_machine(docker):
    docker.says("image inspect", describe(RepoDigests=[f"python@{digest(1)}"]))
    docker.says("pull", err=OFFLINE)
    assert find_base_digest("linux/amd64") == digest(1)


def test_it_is_unknown_if_nobody_has_it(docker):
    docker.says("image inspect", err="Error: No such image: python")
    docker.says("pull", err=OFFLINE)
    assert find_base_digest("linux/amd64") == ""


def test_it_is_unknown_without_docker(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_base_digest("linux/amd64") == ""


@pytest.mark.parametrize("digests", [[], None])
def test_an_image_made_on_this_machine_is_known_by_its_id_and_not_pulled(docker, digests):
    docker.says("image inspect", describe(RepoDigests=digests))
    assert find_base_digest("linux/amd64", "base:1") == digest(0)
    assert pulls(docker) == []


def test_a_name_with_a_digest_is_not_pulled_again(docker):
    docker.says("image inspect", describe(RepoDigests=[f"python@{digest(1)}"]))
    assert find_base_digest("linux/amd64", f"python@{digest(1)}") == digest(1)
    assert pulls(docker) == []


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("registry.example.org:5000/python", 2),
        ("registry.example.org:5000/python:3.13", 2),
        (f"python:3.13@{digest(1)}", 1),
        ("docker.io/library/python:3.13", 1),
    ],
)
def test_an_image_in_several_registries_is_known_by_the_digest_of_the_one_that_was_named(
    docker, name, number
):
    digests = [f"python@{digest(1)}", f"registry.example.org:5000/python@{digest(2)}"]
    docker.says("image inspect", describe(RepoDigests=digests))
    assert find_base_digest("linux/amd64", name) == digest(number)
