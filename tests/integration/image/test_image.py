"""The container image on a real engine: how it is built, what is in it, and that it answers."""

import base64
import functools
import hashlib
import http.server
import io
import ipaddress
import json
import re
import shutil
import signal
import struct
import subprocess
import tarfile
import threading
import time
import urllib.request

import pytest

from shutterless.errors import PackagingError
from shutterless.packaging import build_image, package, run_image
from shutterless.packaging.context import write_context
from shutterless.packaging.docker import DockerError, WrongProcessorError
from shutterless.packaging.image import base_python
from shutterless.packaging.push import content_tag
from shutterless.runtime.model.bundle import read_bundle
from shutterless.utils.progress import silent

BASE = "shutterless-base:trixie"
AARCH64 = 183  # e_machine of an ELF file
TIGHT_LIMITS = ("--read-only", "--memory", "512m", "--cpus", "0.29", "--network", "none")


def test_the_image_is_what_lambda_takes_and_answers_like_the_bundle(image):
    assert image.platform == "linux/amd64"
    assert image.media_type == "application/vnd.docker.distribution.manifest.v2+json"
    assert [layer.name for layer in image.layers] == ["base", "dependencies", "runtime", "bundle"]
    assert image.compiled
    assert image.check.difference < 0.001
    assert sum(layer.bytes for layer in image.layers[1:]) < 100e6


def test_the_image_says_that_it_may_be_snapshotted_and_which_model_is_in_it(docker, image, colour_bundle):
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", image.tag))
    assert labels["com.amazonaws.lambda.feature.snapstart"] == "Allow"
    assert content_tag(image.tag) == f"{read_bundle(colour_bundle).version}-{image.id[7:19]}"


def layers_of(docker, folder, *options):
    built = docker("build", "--quiet", *options, str(folder))
    digests = json.loads(docker("inspect", "--format", "{{json .RootFS.Layers}}", built))
    return digests[-3:]


def test_equal_inputs_give_equal_layers_and_a_new_model_changes_its_own_alone(
    docker, image, colour_bundle, tmp_path
):
    digests = [layer.digest for layer in image.layers[1:]]
    write_context(read_bundle(colour_bundle), tmp_path / "context", "linux/amd64", BASE, base_python, silent)
    assert layers_of(docker, tmp_path / "context", "--no-cache") == digests

    other = shutil.copytree(colour_bundle, tmp_path / "other")
    description = (other / "bundle.json").read_text().replace('"name": "colours"', '"name": "others"')
    (other / "bundle.json").write_text(description)
    write_context(read_bundle(other), tmp_path / "changed", "linux/amd64", BASE, base_python, silent)
    changed = layers_of(docker, tmp_path / "changed")
    assert changed[:2] == digests[:2]
    assert changed[2] != digests[2]


def load_empty_image(tag, architecture):
    """Have the engine hold an image of a processor, without anything in it: Docker's own archive format."""
    layer = io.BytesIO()
    tarfile.open(fileobj=layer, mode="w").close()
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = {"architecture": architecture, "os": "linux", "config": {}}
    config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer.getvalue(),
        "manifest.json": json.dumps(
            [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
        ).encode(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as stream:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            stream.addfile(entry, io.BytesIO(data))
    subprocess.run(["docker", "load"], input=archive.getvalue(), check=True, capture_output=True)


def test_a_context_for_arm_builds_here_and_every_program_in_it_is_for_arm(docker, colour_bundle, tmp_path):
    base = "shutterless-test-empty:arm64"
    load_empty_image(base, "arm64")
    package(colour_bundle, tmp_path / "context", platform="linux/arm64", base_image=base)
    built = docker("build", "--quiet", "--platform", "linux/arm64", str(tmp_path / "context"))
    assert docker("inspect", "--format", "{{.Os}}/{{.Architecture}}", built) == "linux/arm64"
    docker("rmi", built, base)

    with tarfile.open(tmp_path / "context" / "dependencies.tar") as archive:
        libraries = [entry for entry in archive if re.search(r"\.so(\.|$)", entry.name)]
        heads = [archive.extractfile(library).read(20) for library in libraries]
    assert len(libraries) > 15
    for library, head in zip(libraries, heads, strict=True):
        assert (head[:4], struct.unpack_from("<H", head, 18)[0]) == (b"\x7fELF", AARCH64), library.name


def test_it_answers_with_a_third_of_a_processor_and_neither_network_nor_a_writable_file(
    docker, image, start, colour_photos
):
    container = start(*TIGHT_LIMITS, image.tag)
    photo = base64.b64encode((colour_photos / "test" / "red" / "00.png").read_bytes()).decode()
    ask = """
import sys, time, urllib.request
for attempt in range(300):
    try:
        urllib.request.urlopen("http://127.0.0.1:8080/health")
        break
    except OSError:
        time.sleep(0.1)
request = urllib.request.Request("http://127.0.0.1:8080/predict", sys.stdin.buffer.read())
print(urllib.request.urlopen(request).read().decode())
"""
    answer = docker(
        "exec", "--interactive", container, "python3", "-c", ask, data=json.dumps({"image": photo})
    )
    assert json.loads(answer)["label"] == "red"


def test_it_runs_as_nobody_who_can_change_nothing(docker, image):
    code = """
import os, pathlib
print(os.getuid())
for path in pathlib.Path("/opt/shutterless").rglob("*"):
    assert os.access(path, os.R_OK) and not os.access(path, os.W_OK), path
"""
    assert docker("run", "--rm", "--entrypoint", "python3", image.tag, "-c", code) == "65534"


def test_every_library_that_ships_can_be_loaded(docker, image):
    code = """
import ctypes, pathlib, re
import PIL._imaging
files = pathlib.Path("/opt/shutterless").rglob("*")
libraries = [file for file in files if re.search(r"\\.so(\\.|$)", file.name)]
for library in libraries:
    ctypes.CDLL(str(library))
print(len(libraries))
"""
    assert int(docker("run", "--rm", "--entrypoint", "python3", image.tag, "-c", code)) > 15


def test_every_format_that_pillow_should_read_is_read(docker, image):
    code = "from PIL import features; print(*map(features.check, ('jpg', 'zlib', 'webp', 'avif', 'libtiff')))"
    assert (
        docker("run", "--rm", "--entrypoint", "python3", image.tag, "-c", code) == "True True True True True"
    )


def test_a_start_compiles_nothing(docker, image):
    code = """
import importlib.util, sys
import shutterless.runtime.adapters.http_server, shutterless.runtime.adapters.runtime_client
from pathlib import Path
modules = [module for module in sys.modules.values() if getattr(module, "__cached__", None)]
print([module.__file__ for module in modules if not Path(module.__cached__).exists()])
"""
    assert docker("run", "--rm", "--entrypoint", "python3", image.tag, "-c", code) == "[]"


def test_sigterm_ends_it_in_order(docker, image, start):
    container = start("--network", "none", image.tag)
    time.sleep(2)
    docker("stop", "--time", "20", container)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"


@pytest.fixture
def photos_url(docker, colour_photos):
    """Put the test photos where containers can fetch them: on the bridge's gateway."""
    subnet = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    gateway = str(next(ipaddress.ip_network(subnet).hosts()))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=colour_photos / "test")
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer((gateway, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{gateway}:{server.server_port}"
        server.shutdown()


@pytest.fixture
def running(shutterless, image):
    """Type `shutterless image run` and give its process."""
    command = [shutterless, "image", "run", image.tag, "-p", "0", "--memory", "512", "--urls", "any"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.terminate()
    process.communicate(timeout=60)


def best_of(url, event):
    """Do what the tutorial's client does with the answer."""
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(event).encode())) as answer:
        results = json.load(answer)
    best, best_score = None, 0.0
    for name in results:
        if results[name] > best_score:
            best, best_score = name, results[name]
    return best


def test_image_run_prints_its_url_and_answers_the_tutorials_client(running, photos_url):
    url = running.stdout.readline().strip() + "/2015-03-31/functions/function/invocations"
    for label in ("blue", "green", "red"):
        assert best_of(url, {"url": f"{photos_url}/{label}/00.png"}) == label


def test_ctrl_c_ends_image_run_and_leaves_no_container(docker, running, image):
    assert running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors
    assert docker("ps", "--all", "--quiet", "--filter", f"ancestor={image.tag}") == ""


def test_a_port_in_use_is_an_error_of_its_own(docker, image, start):
    name = start("--publish", "127.0.0.1:0:8080", image.tag)
    port = int(docker("port", name, "8080/tcp").split(":")[-1])
    with pytest.raises(DockerError) as caught:
        run_image(image.tag, port=port)
    assert caught.value.code == "port-in-use"


def test_a_container_that_ends_at_once_is_reported_with_its_own_error(docker, image, tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {image.tag}\nENV PORT=many\n")
    docker("build", "--quiet", "--tag", "shutterless-test-broken", str(tmp_path))
    with pytest.raises(PackagingError) as caught:
        run_image("shutterless-test-broken", port=0)
    assert caught.value.code == "container-ended"
    assert "PORT is 'many'" in caught.value.message
    docker("rmi", "shutterless-test-broken")


def test_a_base_image_that_does_not_exist_is_reported(docker, colour_bundle):
    with pytest.raises(DockerError) as caught:
        build_image(colour_bundle, "shutterless-test-none", base_image="registry.invalid/nothing:1")
    assert caught.value.code in ("image-not-found", "registry-unreachable")


def test_a_base_image_without_python_is_reported(docker, colour_bundle):
    load_empty_image("shutterless-test-empty:amd64", "amd64")
    with pytest.raises(PackagingError) as caught:
        build_image(colour_bundle, "shutterless-test-none", base_image="shutterless-test-empty:amd64")
    assert caught.value.code == "unusable-base-image"
    docker("rmi", "shutterless-test-empty:amd64")


def test_an_image_for_another_processor_is_reported(docker, image, tmp_path):
    """An image whose python3 is no program of this processor: what an ARM laptop's image is to Lambda."""
    (tmp_path / "python3").write_bytes(b"\x7fELF" + bytes(60))
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "Dockerfile").write_text(f"FROM {image.tag}\nCOPY python3 /usr/local/sbin/python3\n")
    docker("build", "--quiet", "--tag", "shutterless-test-arm", str(tmp_path))
    with pytest.raises(WrongProcessorError):
        run_image("shutterless-test-arm", port=0)
    docker("rmi", "--force", "shutterless-test-arm")
