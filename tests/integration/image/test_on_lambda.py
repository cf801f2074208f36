"""The container as Lambda runs it, against a stand-in for the runtime API."""

import base64
import json
import shutil
import socket
import time

import pytest

LAMBDA = ("--network", "host", "--read-only", "--tmpfs", "/tmp")


@pytest.fixture
def function(image, start, runtime_api):
    """Start the image as a function's environment; further options are docker's."""

    def begin(*options: str) -> str:
        name = start(*LAMBDA, "--env", f"AWS_LAMBDA_RUNTIME_API={runtime_api.address}", *options, image.tag)
        assert runtime_api.init_ended.wait(60), "it did not end its initialisation"
        return name

    return begin


@pytest.fixture(scope="session")
def red(colour_photos) -> str:
    return base64.b64encode((colour_photos / "test" / "red" / "00.png").read_bytes()).decode()


def test_a_plain_event_gets_the_plain_map(function, runtime_api, red):
    function()
    scores = runtime_api.invoke({"image": red}).response
    assert max(scores, key=scores.get) == "red"
    assert sorted(scores) == ["blue", "green", "red"]


def test_an_event_of_api_gateway_gets_an_answer_of_its_shape(function, runtime_api, red):
    function()
    event = {
        "requestContext": {"httpMethod": "POST", "stage": "prod"},
        "httpMethod": "POST",
        "path": "/predict",
        "headers": {"Content-Type": "image/png"},
        "body": red,
        "isBase64Encoded": True,
    }
    answer = runtime_api.invoke(event).response
    assert (answer["statusCode"], json.loads(answer["body"])["label"]) == (200, "red")


def test_a_failure_is_a_function_error_and_the_next_event_is_answered(function, runtime_api, red):
    function()
    failed = runtime_api.invoke({"image": "no picture"})
    assert failed.response is None
    assert failed.error["errorType"] == "Problem"
    assert failed.error["errorMessage"]
    assert max(runtime_api.invoke({"image": red}).response.values()) > 0.3


def test_a_damaged_bundle_is_a_failure_of_initialisation(
    docker, function, runtime_api, colour_bundle, tmp_path
):
    damaged = shutil.copytree(colour_bundle, tmp_path / "bundle")
    with (damaged / "model.tflite").open("ab") as model:
        model.write(b"!")
    tmp_path.chmod(0o755)
    name = function("--volume", f"{damaged}:/damaged:ro", "--env", "SHUTTERLESS_BUNDLE=/damaged")
    assert runtime_api.init_error["errorType"] == "BundleError"
    assert "/damaged" in runtime_api.init_error["errorMessage"]
    assert docker("wait", name) == "1"


def test_an_event_that_is_not_answered_by_its_deadline_fails_and_a_new_environment_goes_on(
    docker, function, runtime_api, red
):
    name = function("--env", "SHUTTERLESS_URLS=any")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/photo.jpg"
        with pytest.raises(TimeoutError):
            runtime_api.invoke({"url": url}, seconds=1)
        docker("kill", name)  # as Lambda does
    function()
    assert runtime_api.invoke({"image": red}).response


def test_five_hundred_events_take_no_more_memory_than_fifty(docker, function, runtime_api, red):
    name = function()

    def resident() -> int:
        status = docker("exec", name, "python3", "-c", "print(open('/proc/1/status').read())")
        return int(status.split("VmRSS:")[1].split()[0])

    # With a host network but a namespace of its own for processes, the function is process 1 there.
    for _ in range(50):
        runtime_api.invoke({"image": red})
    after_fifty = resident()
    for _ in range(450):
        assert runtime_api.invoke({"image": red}).response
    assert resident() < after_fifty + 2048


def test_a_snapshot_is_taken_with_the_model_loaded_and_survives_being_restored(function, runtime_api, red):
    function("--env", "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start")
    assert runtime_api.restores == 1
    assert runtime_api.invoke({"image": red}).response


def test_sigterm_ends_it_while_it_waits_for_an_event(docker, function):
    name = function()
    time.sleep(0.5)
    docker("stop", "--time", "20", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
