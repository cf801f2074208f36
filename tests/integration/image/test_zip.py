"""The zip as Lambda's managed Python runs it, against a stand-in for the runtime and its API."""

import base64
import io
import json
import shutil
import struct
import zipfile

import pytest
from PIL import Image

from managed_runtime import (
    RUN_ZIP,
    build_runtime_image,
    environment_options,
    function_options,
    zip_options,
)
from shutterless import load
from shutterless.packaging import build_zip
from shutterless.packaging.zip_package import ZIP_HANDLER

MACHINES = {"linux/amd64": 62, "linux/arm64": 183}  # e_machine of an ELF file
BOUNDARY = "----form"


@pytest.fixture(scope="module")
def packages(colour_bundle, tmp_path_factory):
    """Return the zip for each platform."""
    folder = tmp_path_factory.mktemp("zips")
    return {
        platform: build_zip(colour_bundle, folder / f"{number}.zip", platform=platform)
        for number, platform in enumerate(MACHINES)
    }


@pytest.fixture(scope="module")
def task(packages, tmp_path_factory):
    """Return the zip's folder on Lambda."""
    folder = tmp_path_factory.mktemp("var") / "task"
    zipfile.ZipFile(packages["linux/amd64"].path).extractall(folder)
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    return folder


@pytest.fixture
def function(docker, start, task, runtime_api):
    """Start the zip as a function's environment; further options are docker's."""
    image = build_runtime_image(compiled=False)

    def begin(*options: str) -> str:
        command = [*function_options(1024, runtime_api.address), *zip_options(task, ZIP_HANDLER), *options]
        name = start(*command, image, *RUN_ZIP)
        assert runtime_api.init_ended.wait(60), "it did not end its initialization"
        return name

    return begin


def make_event(body: bytes, content_type: str) -> dict[str, object]:
    """Return the event of an HTTP API's POST /predict."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/predict",
        "headers": {"content-type": content_type},
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": "/predict"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def make_form(photo: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


def to_tiff(photo: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(file, "TIFF")
    return file.getvalue()


def test_the_zip_answers_as_its_bundle_and_writes_nothing(
    docker, function, runtime_api, colour_bundle, colour_photos
):
    name = function()
    photo = (colour_photos / "test" / "red" / "00.png").read_bytes()
    scores = load(colour_bundle).predict(photo).scores
    plain = runtime_api.invoke({"image": base64.b64encode(photo).decode()})
    form = runtime_api.invoke(make_event(make_form(photo), f"multipart/form-data; boundary={BOUNDARY}"))
    damaged = runtime_api.invoke(make_event(photo[:100], "image/png"))
    failure = runtime_api.invoke({"image": "no picture"})
    unusual = runtime_api.invoke(make_event(to_tiff(photo), "image/tiff"))  # decoded in a child process
    assert plain.response == pytest.approx(scores, abs=1e-3)
    assert json.loads(form.response["body"])["scores"] == plain.response
    assert json.loads(unusual.response["body"])["scores"] == plain.response
    assert (damaged.response["statusCode"], failure.error["errorType"]) == (422, "Problem")

    lines = [json.loads(line) for line in docker("logs", name).splitlines() if line.startswith("{")]
    ids = [each.id for each in (plain, form, damaged, failure, unusual)]
    assert [line["request_id"] for line in lines] == ids
    assert lines[1]["route"] == "POST /predict"
    assert docker("exec", name, "ls", "-A", "/tmp") == ""


def test_a_snapshot_has_the_model_loaded_and_survives_being_restored(function, runtime_api):
    function("--env", "AWS_LAMBDA_INITIALIZATION_TYPE=snap-start")
    assert runtime_api.restores == 1
    assert runtime_api.invoke({"source": "aws.events"}).response["status"] == "ok"


def test_a_damaged_bundle_is_a_failure_of_initialization(
    docker, function, runtime_api, colour_bundle, tmp_path
):
    damaged = shutil.copytree(colour_bundle, tmp_path / "bundle")
    with (damaged / "model.tflite").open("ab") as model:
        model.write(b"!")
    for folder in (damaged, *tmp_path.parents[:2], tmp_path):
        folder.chmod(0o755)
    variables = environment_options({"SHUTTERLESS_BUNDLE": "/damaged"})
    name = function("--volume", f"{damaged}:/damaged:ro", *variables)
    assert runtime_api.init_error["errorType"] == "BundleError"
    assert docker("wait", name) == "1"


@pytest.mark.parametrize("platform", MACHINES)
def test_it_has_what_serving_needs_and_nothing_else(packages, colour_bundle, platform):
    with zipfile.ZipFile(packages[platform].path) as archive:
        parts = {name.partition("/")[0].partition("-")[0] for name in archive.namelist()}
    assert parts - {"__pycache__"} == {
        *("lambda_function.py", "shutterless", "bundle"),
        *("ai_edge_litert", "PIL", "pillow.libs", "pillow"),
    }
    assert packages[platform].bytes - (colour_bundle / "model.tflite").stat().st_size < 12e6


@pytest.mark.parametrize(("platform", "machine"), MACHINES.items())
def test_every_library_is_for_its_platform(packages, platform, machine):
    with zipfile.ZipFile(packages[platform].path) as archive:
        heads = {name: archive.read(name)[:20] for name in archive.namelist() if ".so" in name}
        assert archive.testzip() is None
    assert "ai_edge_litert/libLiteRt.so" in heads
    assert {struct.unpack("<4s14xH", head) for head in heads.values()} == {(b"\x7fELF", machine)}
