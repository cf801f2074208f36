import pytest

from shutterless.errors import ShutterlessError
from shutterless.packaging.container import running
from shutterless.packaging.docker import WrongProcessorError, docker, query

SAID = {
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?": (
        "The Docker engine is not running",
        "systemctl start docker",
    ),
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock": (
        "You may not talk to the Docker engine",
        "usermod -aG docker",
    ),
    "Error processing tar file(exit status 1): write /model.tflite: no space left on device": (
        "The disk of the Docker engine is full",
        "docker system prune",
    ),
    "Error response from daemon: driver failed programming external connectivity on endpoint x: "
    "Bind for 127.0.0.1:8080 failed: port is already allocated": ("The port is taken", "-p"),
    "Error response from daemon: pull access denied for nothing, repository does not exist or may require "
    "'docker login': denied: requested access to the resource is denied": (
        "There is no such image",
        "docker pull",
    ),
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup '
    "registry-1.docker.io: no such host": ("The registry cannot be reached", "network"),
    "unauthorized: authentication required": ("The registry refuses the login", "docker login"),
    "no basic auth credentials": ("The registry refuses the login", "docker login"),
    "denied: Your authorization token has expired. Reauthenticate and try again.": (
        "The registry refuses the login",
        "run it again",
    ),
    "toomanyrequests: You have reached your pull rate limit.": (
        "The registry asks for fewer",
        "docker login",
    ),
    "Error response from daemon: No such image: clothes:1": ("There is no such image", "image build"),
    'Put "https://registry/v2/x/blobs/uploads/y": EOF': ("The registry cannot be reached", "run the same"),
    "something new": ("docker pull failed: something new", "by hand"),
}


@pytest.mark.parametrize("said", SAID)
def test_each_complaint_has_its_own_words_and_way_out(said, docker_says):
    docker_says(said)
    message, hint = SAID[said]
    with pytest.raises(ShutterlessError) as caught:
        docker("pull", "python")
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


@pytest.fixture
def docker_says(request):
    fake = request.getfixturevalue("docker")
    return lambda said: fake.says("pull", err=said + "\n")


@pytest.mark.parametrize(
    "said",
    [
        "exec /usr/bin/python3: exec format error",
        "image with reference python was found but does not match the specified platform: "
        "wanted linux/arm64, actual: linux/amd64",
    ],
)
def test_an_image_for_another_processor_is_an_error_of_its_own(said, docker_says):
    docker_says(said)
    with pytest.raises(WrongProcessorError, match="another processor"):
        docker("pull", "python")


def test_a_missing_docker_says_where_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ShutterlessError, match="docker is not installed") as caught:
        docker("version")
    assert "Install Docker" in caught.value.hint


def test_json_comes_back_as_a_document(request):
    request.getfixturevalue("docker").says("image inspect", '[{"Id": "sha256:1"}]')
    assert query("image", "inspect", "x") == [{"Id": "sha256:1"}]


def test_a_container_that_does_not_stop_is_removed_all_the_same(request):
    fake = request.getfixturevalue("docker")
    fake.says("create", "container-id\n")
    fake.says("stop", err="Error response from daemon: cannot stop container: tried to kill it\n")
    with running("clothes", []) as container:
        assert container == "container-id"
    assert fake.calls[-1] == ["rm", "--force", "container-id"]
