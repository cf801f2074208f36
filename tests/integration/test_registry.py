"""A real push into a real registry that asks for a login as ECR does: HTTP Basic, with ECR's token."""

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from shutterless.deploy.aws import ecr
from shutterless.deploy.aws.registry import ACCEPTED, INDEXES, Registry, copy_image
from shutterless.deploy.aws.session import connect
from shutterless.deploy.code import live
from shutterless.deploy.options import Options
from shutterless.deploy.template.code import ImageCode, parse_code
from shutterless.errors import DeployError, PackagingError
from shutterless.packaging.base_image import find_base_digest
from shutterless.packaging.push import push_image
from shutterless.utils.progress import silent

NAME = "shutterless/clothes"
# ECR's token as moto hands it out, and its hash: perl -e 'print crypt("123456789012-auth-token", "$2y$05$…")'
TOKEN = base64.b64encode(b"AWS:123456789012-auth-token").decode()
PASSWORDS = "AWS:$2y$05$abcdefghijklmnopqrstuu/4ofrUS75HrKu6f.iuRo0I/XlrmpqlC\n"
CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/storage}}, delete: {{enabled: true}}}}
http: {{addr: {host}}}
auth: {{htpasswd: {{realm: ecr, path: {folder}/htpasswd}}}}
"""
START_TIMEOUT_S = 30


def docker(*arguments: object) -> str:
    command = ["docker", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed")
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Iterator[str]:
    with start_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="module")
def other_host(tmp_path_factory) -> Iterator[str]:
    """A registry of another region, with nothing in it."""
    with start_registry(tmp_path_factory.mktemp("other")) as host:
        yield host


@contextmanager
def start_registry(folder: Path) -> Iterator[str]:
    """Start a registry on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "htpasswd").write_text(PASSWORDS)
    (folder / "config.yml").write_text(CONFIG.format(folder=folder, host=host))
    with subprocess.Popen(
        ["docker-registry", "serve", folder / "config.yml"], stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(host)
            yield host
        finally:
            server.terminate()


def wait_for(host: str) -> None:
    name, _, port = host.partition(":")
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((name, int(port))):
            return
        time.sleep(0.05)
    raise AssertionError("the registry does not listen")


@pytest.fixture(scope="module")
def session() -> Iterator[boto3.Session]:
    """Connect to moto, which simulates AWS over HTTP."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    _, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.delenv("AWS_PROFILE", raising=False)
        yield connect(region="us-east-1")
    server.stop()


@pytest.fixture
def repository(session, host) -> ecr.Repository:
    return ecr.ensure_repository(session, NAME, host)


@pytest.fixture
def image(tmp_path) -> Iterator[str]:
    """Build an image of two small layers, new for every test."""
    (tmp_path / "one").write_text(f"one of {tmp_path}")
    (tmp_path / "two").write_text(f"two of {tmp_path}")
    (tmp_path / "Dockerfile").write_text(
        "FROM scratch\nCOPY one /one\nCOPY two /two\nLABEL org.opencontainers.image.version=0123456789ab\n"
    )
    tag = f"shutterless-test-{os.getpid()}:{tmp_path.name}"
    docker("build", "--quiet", "--tag", tag, tmp_path)
    yield tag
    docker("image", "rm", "--force", tag)


def ask(host: str, path: str, name: str = NAME) -> tuple[str, bytes]:
    """Return the media type and the bytes that the registry has at a path."""
    headers = {"Authorization": f"Basic {TOKEN}", "Accept": ", ".join(ACCEPTED)}
    request = urllib.request.Request(f"http://{host}/v2/{name}/{path}", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.headers["Content-Type"], answer.read()


def put(host: str, path: str, kind: str, content: bytes) -> None:
    headers = {"Authorization": f"Basic {TOKEN}", "Content-Type": kind}
    url = f"http://{host}/v2/{NAME}/{path}"
    urllib.request.urlopen(urllib.request.Request(url, content, headers, method="PUT")).close()


def tags(host: str) -> list[str]:
    try:
        return json.loads(ask(host, "tags/list")[1])["tags"] or []
    except urllib.error.HTTPError as error:
        error.close()
        return []


def test_a_pushed_image_is_found_by_its_digest_as_lambda_wants_it(session, repository, image, host):
    reports = []
    uri = ecr.push(session, repository, image, lambda *report: reports.append(report))
    address, digest = uri.split("@")
    kind, manifest = ask(host, f"manifests/{digest}")
    assert address == f"{host}/{NAME}"
    assert digest == f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    assert kind in ACCEPTED
    assert json.loads(manifest)["config"]["digest"] == docker(
        "image", "inspect", "--format", "{{.Id}}", image
    )
    assert reports[-1] == ("pushing layers", 2, 2)


def test_the_tag_says_model_and_content(session, repository, image, host):
    before = set(tags(host))
    ecr.push(session, repository, image)
    number = docker("image", "inspect", "--format", "{{.Id}}", image).removeprefix("sha256:")
    assert set(tags(host)) - before == {f"0123456789ab-{number[:12]}"}


def test_the_same_image_is_not_pushed_again(session, repository, image):
    first = ecr.push(session, repository, image)
    reports = []
    assert ecr.push(session, repository, image, lambda *report: reports.append(report)) == first
    assert reports == []


def test_an_interrupted_push_leaves_no_tag_and_is_finished_by_the_next(session, repository, image, host):
    before = tags(host)

    def interrupt(*report: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ecr.push(session, repository, image, interrupt)
    assert tags(host) == before
    _, digest = ecr.push(session, repository, image).split("@")
    assert ask(host, f"manifests/{digest}")[0] in ACCEPTED


def test_neither_a_login_nor_a_second_tag_stays_on_this_machine(
    session, repository, image, tmp_path, monkeypatch
):
    own = tmp_path / "docker"
    own.mkdir()
    (own / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(own))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    ecr.push(session, repository, image)
    assert [(file.name, file.read_text()) for file in own.iterdir()] == [("config.json", "{}")]
    assert list((tmp_path / "temporary").iterdir()) == []
    assert repository.host not in docker("image", "ls", "--format", "{{.Repository}}")


def test_an_index_is_refused(session, repository, image, host):
    """As buildx pushes one when it adds an attestation of provenance."""
    digest = ecr.push(session, repository, image).partition("@")[2]
    kind, manifest = ask(host, f"manifests/{digest}")
    entry = {"mediaType": kind, "digest": digest, "size": len(manifest)}
    index = {"schemaVersion": 2, "mediaType": INDEXES[1], "manifests": [entry]}
    put(host, "manifests/index", INDEXES[1], json.dumps(index).encode())
    with pytest.raises(DeployError) as error:
        Registry(repository.uri, TOKEN).read_manifest("index")
    assert error.value.code == "unsupported-manifest"
    assert INDEXES[1] in error.value.message


def test_a_refused_login_is_an_error(repository, image):
    with pytest.raises(PackagingError) as error:
        push_image(image, f"{repository.uri}:x", base64.b64encode(b"AWS:wrong").decode(), silent)
    assert error.value.code == "registry-login-refused"


def test_a_registry_that_answers_with_an_error_is_named(repository):
    with pytest.raises(DeployError) as error:
        Registry(repository.uri, base64.b64encode(b"AWS:wrong").decode()).read_manifest("x")
    assert error.value.code == "registry-failed"
    assert all(part in error.value.message for part in (repository.host, "401"))


def test_a_missing_registry_is_named(session, repository, image, free_tcp_port):
    nowhere = replace(repository, uri=f"127.0.0.1:{free_tcp_port}/{NAME}")
    with pytest.raises(DeployError) as error:
        ecr.push(session, nowhere, image)
    assert error.value.code == "registry-unreachable"
    assert nowhere.host in error.value.message


def test_a_missing_image_is_named(session, repository):
    with pytest.raises(PackagingError) as error:
        ecr.push(session, repository, "no-such:image")
    assert error.value.code == "image-not-found"
    assert "no-such:image" in error.value.message


@pytest.fixture
def pushed(session, repository, image) -> tuple[Registry, str]:
    """Return a repository, and the digest of an image in it."""
    digest = ecr.push(session, repository, image).partition("@")[2]
    return Registry(repository.uri, TOKEN), digest


@pytest.mark.parametrize("registry", ["host", "other_host"])
def test_a_copied_image_keeps_its_digest_and_every_byte(pushed, request, registry):
    source, digest = pushed
    host = request.getfixturevalue(registry)
    target = Registry(f"{host}/shutterless/clothes-prod", TOKEN)
    reports = []
    copy_image(source, target, digest, "a-tag", lambda *report: reports.append(report))
    assert reports[-1] == ("copying layers", 3, 3)
    for reference in (digest, "a-tag"):
        copy = ask(host, f"manifests/{reference}", "shutterless/clothes-prod")
        assert copy == ask(source.host, f"manifests/{digest}")
    for blob, size in target.read_manifest(digest).blobs().items():
        content = ask(host, f"blobs/{blob}", "shutterless/clothes-prod")[1]
        assert (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}") == (size, blob)


def test_a_live_image_is_copied_into_the_repository_of_another_deployment(
    session, repository, image, other_host, monkeypatch
):
    uri = ecr.push(session, repository, image)
    monkeypatch.setattr(
        live, "ensure_repository", lambda *_, **__: ecr.Repository("prod", f"{other_host}/prod")
    )
    source = live.LiveRelease("dev", parse_code(uri), "clothes 0123456789ab", "1", Options(), session)
    copy = source.copy_to(session, "prod", Options(), silent)
    assert copy == ImageCode(f"{other_host}/prod", source.code.digest)
    before = ask(repository.host, f"manifests/{source.code.digest}")
    assert ask(other_host, f"manifests/{source.code.digest}", "prod") == before
    assert f"sha256:{hashlib.sha256(before[1]).hexdigest()}" == uri.partition("@")[2]


def test_the_same_image_is_not_copied_again(pushed, other_host):
    source, digest = pushed
    target = Registry(f"{other_host}/shutterless/again", TOKEN)
    copy_image(source, target, digest, "a-tag", silent)
    gone = Registry(f"{source.host}/shutterless/no-such-repository", TOKEN)
    copy_image(gone, target, digest, "a-tag", silent)


def test_an_interrupted_copy_has_no_tag_and_is_finished_by_the_next(pushed, other_host):
    source, digest = pushed
    target = Registry(f"{other_host}/shutterless/interrupted", TOKEN)

    def interrupt(stage: str, count: int, total: int) -> None:
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_image(source, target, digest, "a-tag", interrupt)
    assert target.read_manifest("a-tag") is None
    copy_image(source, target, digest, "a-tag", silent)
    assert target.read_manifest("a-tag").digest == digest


def test_an_image_that_is_gone_cannot_be_copied(pushed, other_host):
    source, _ = pushed
    with pytest.raises(DeployError) as error:
        copy_image(source, Registry(f"{other_host}/x", TOKEN), f"sha256:{1:064x}", "a-tag", silent)
    assert error.value.code == "image-not-in-registry"


def test_a_login_is_not_in_the_text_of_a_registry(pushed):
    assert TOKEN not in repr(pushed[0])


def test_a_newer_base_image_is_pulled_and_an_older_one_serves_offline(tmp_path, monkeypatch):
    (tmp_path / "registry").mkdir()
    with start_registry(tmp_path / "registry") as host:
        name = f"{host}/base:1"
        logins = {"auths": {host: {"auth": TOKEN}}}
        (tmp_path / "config.json").write_text(json.dumps(logins))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        digests = []
        for number in range(2):
            (tmp_path / "Dockerfile").write_text(f"FROM scratch\nLABEL number={number}-{tmp_path.name}\n")
            docker("build", "--quiet", "--tag", f"{name}-{number}", tmp_path)
            docker("tag", f"{name}-{number}", name)
            docker("push", "--quiet", name)
            docker("tag", f"{name}-0", name)  # what this machine has is the first, whatever was pushed
            digests.append(find_base_digest("linux/amd64", name))
            assert digests[-1] == f"sha256:{hashlib.sha256(ask(host, 'manifests/1', 'base')[1]).hexdigest()}"
    assert len({*digests}) == 2
    assert find_base_digest("linux/amd64", name) == digests[1]
    docker("image", "rm", "--force", name, f"{name}-0", f"{name}-1")
    assert find_base_digest("linux/amd64", name) == ""
