import shutil
from pathlib import Path

import pytest

import shutterless
from shutterless.deploy import code
from shutterless.deploy.options import Options
from shutterless.packaging import base_image

IMAGE = Options(package="image")


@pytest.fixture
def bundle(described):
    return described.replace(sha256="1" * 64)


def test_an_image_is_another_one_for_another_model_platform_or_base(bundle):
    fingerprints = {
        code.code_fingerprint(bundle, IMAGE),
        code.code_fingerprint(bundle.replace(sha256="0" * 64), IMAGE),
        code.code_fingerprint(bundle.replace(threshold=0.9), IMAGE),
        code.code_fingerprint(bundle, Options(package="image", platform="linux/arm64")),
        code.code_fingerprint(bundle, Options(package="image", base_image="python:3.13")),
    }
    assert len(fingerprints) == 5


def test_an_image_is_the_same_for_other_settings_of_the_function(bundle):
    assert code.code_fingerprint(bundle, IMAGE) == code.code_fingerprint(
        bundle, Options(package="image", memory=3008, auth="iam")
    )


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A copy of this package's sources, which a test may change."""
    root = tmp_path / "shutterless"
    shutil.copytree(Path(shutterless.__file__).parent, root)
    monkeypatch.setattr(shutterless, "__file__", str(root / "__init__.py"))
    return root


@pytest.mark.parametrize(
    "name",
    [
        *("__init__.py", "errors.py", "runtime/service.py", "runtime/page/index.html"),
        *("runtime/new.bin", "packaging/layers.py", "packaging/dependencies.txt", "utils/zip_file.py"),
    ],
)
def test_an_image_is_another_one_for_other_sources(bundle, package, name):
    before = code.code_fingerprint(bundle, IMAGE)
    with (package / name).open("ab") as file:
        file.write(b" ")
    assert code.code_fingerprint(bundle, IMAGE) != before


def test_an_image_is_another_one_if_two_sources_change_places(bundle, package):
    before = code.code_fingerprint(bundle, IMAGE)
    one, other = package / "runtime/image/limits.py", package / "runtime/model/limits.py"
    one.rename(other)
    assert code.code_fingerprint(bundle, IMAGE) != before


@pytest.mark.parametrize("name", ["deploy/options.py", "runtime/__pycache__/service.pyc"])
def test_an_image_is_the_same_for_what_is_not_in_it(bundle, package, name):
    before = code.code_fingerprint(bundle, IMAGE)
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_bytes(b"other")
    assert code.code_fingerprint(bundle, IMAGE) == before


def test_an_image_is_another_one_for_a_newer_base_image(bundle, monkeypatch):
    questions = []

    def find(platform, base_image):
        questions.append((platform, base_image))
        return f"sha256:{len(questions)}"

    monkeypatch.setattr(base_image, "find_base_digest", find)
    options = Options(package="image", platform="linux/arm64", base_image="python:3.13")
    first, second = (code.code_fingerprint(bundle, options) for _ in range(2))
    assert not code.is_same_code(first, second)
    assert questions == [("linux/arm64", "python:3.13")] * 2


def test_an_image_is_the_same_if_its_base_image_is_unknown(bundle, monkeypatch):
    known = code.code_fingerprint(bundle, IMAGE)
    monkeypatch.setattr(base_image, "find_base_digest", lambda *_: "")
    unknown = code.code_fingerprint(bundle, IMAGE)
    assert code.is_same_code(known, unknown)
    assert not code.is_same_code(unknown, known)
    other = code.code_fingerprint(bundle.replace(threshold=0.9), IMAGE)
    assert not code.is_same_code(known, other)


def test_a_zip_is_another_one_than_an_image_and_has_no_base(bundle, monkeypatch):
    monkeypatch.setattr(base_image, "find_base_digest", None)
    fingerprints = {
        code.code_fingerprint(bundle, Options()),
        code.code_fingerprint(bundle.replace(threshold=0.9), Options()),
        code.code_fingerprint(bundle, Options(platform="linux/arm64")),
    }
    assert len(fingerprints) == 3
    assert code.code_fingerprint(bundle, Options(memory=3008)) in fingerprints
    assert not any(code.is_same_code(f"{each}-{1:012x}", each) for each in fingerprints)
