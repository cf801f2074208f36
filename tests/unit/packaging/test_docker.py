import pytest

from shutterless.errors import PackagingError
from shutterless.packaging.container import running
from shutterless.packaging.docker import DockerError, WrongProcessorError, docker

CODES = {
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?": (
        "docker-not-running"
    ),
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock": (
        "docker-not-permitted"
    ),
    "Error processing tar file(exit status 1): write /model.tflite: no space left on device": (
        "docker-disk-full"
    ),
    "Error response from daemon: driver failed programming external connectivity on endpoint x: "
    "Bind for 127.0.0.1:8080 failed: port is already allocated": "port-in-use",
    "Error response from daemon: pull access denied for nothing, repository does not exist or may require "
    "'docker login': denied: requested access to the resource is denied": "image-not-found",
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup '
    "registry-1.docker.io: no such host": "registry-unreachable",
    "unauthorized: authentication required": "registry-login-refused",
    "no basic auth credentials": "registry-login-refused",
    "denied: Your authorization token has expired. Reauthenticate and try again.": "registry-login-refused",
    "toomanyrequests: You have reached your pull rate limit.": "registry-rate-limited",
    "Error response from daemon: No such image: clothes:1": "image-not-found",
    'Put "https://registry/v2/x/blobs/uploads/y": EOF': "registry-unreachable",
    "something new": "docker-failed",
}


@pytest.mark.parametrize(("output", "code"), CODES.items())
def test_each_failure_has_its_own_code_and_dockers_own_message(output, code, docker_says):
    docker_says(output)
    with pytest.raises(DockerError) as caught:
        docker("pull", "python")
    assert caught.value.code == code
    assert output in caught.value.message
    assert caught.value.output == output + "\n"
    assert caught.value.hint


@pytest.fixture
def docker_says(request):
    fake = request.getfixturevalue("docker")
    return lambda output: fake.says("pull", err=output + "\n")


@pytest.mark.parametrize(
    "output",
    [
        "exec /usr/bin/python3: exec format error",
        "image with reference python was found but does not match the specified platform: "
        "wanted linux/arm64, actual: linux/amd64",
    ],
)
def test_an_image_for_another_processor_is_an_error_of_its_own(output, docker_says):
    docker_says(output)
    with pytest.raises(WrongProcessorError) as caught:
        docker("pull", "python")
    assert caught.value.code == "wrong-processor"


def test_a_missing_docker_says_where_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingError) as caught:
        docker("version")
    assert caught.value.code == "docker-not-installed"


def test_a_container_that_does_not_stop_is_removed_all_the_same(request):
    fake = request.getfixturevalue("docker")
    fake.says("create", "container-id\n")
    fake.says("stop", err="Error response from daemon: cannot stop container: tried to kill it\n")
    with running("clothes", []) as container:
        assert container == "container-id"
    assert fake.calls[-1] == ["rm", "--force", "container-id"]
