import shutil
import subprocess
import sys
import tarfile

import pytest

from shutterless.errors import BundleError, InputError, OutputError, PackagingError
from shutterless.packaging import context, package
from shutterless.packaging.bytecode import Python
from shutterless.runtime.model.bundle import read_bundle

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_package")]


def test_the_dockerfile_adds_three_layers_and_runs_nothing(colour_bundle, tmp_path):
    package(colour_bundle, tmp_path / "context", platform="linux/arm64")
    lines = (tmp_path / "context" / "Dockerfile").read_text().splitlines()
    assert lines[0] == "FROM --platform=linux/arm64 python:3.13-slim-trixie"
    assert [line for line in lines if line.startswith(("RUN", "COPY"))] == []
    assert "ADD bundle.tar /" in lines
    assert sorted(file.name for file in (tmp_path / "context").iterdir()) == [
        "Dockerfile",
        "README.md",
        "bundle.tar",
        "dependencies.tar",
        "runtime.tar",
    ]


def test_the_image_is_labelled_with_the_model_s_version(colour_bundle, tmp_path):
    package(colour_bundle, tmp_path / "context")
    version = read_bundle(colour_bundle).version
    dockerfile = (tmp_path / "context" / "Dockerfile").read_text()
    assert f'org.opencontainers.image.version="{version}"\n' in dockerfile


def test_the_readme_says_how_to_build_by_hand(colour_bundle, tmp_path):
    package(colour_bundle, tmp_path / "context")
    readme = (tmp_path / "context" / "README.md").read_text()
    assert "docker build -t colours ." in readme
    assert "docker run --rm -p 8080:8080 --name colours colours" in readme


@pytest.mark.parametrize(
    ("name", "tag"),
    [("Obst & Gemüse", "obst-gem-se"), ("--x..y__", "x-y"), ("果物", "classifier"), ("fruit2", "fruit2")],
)
def test_an_image_is_called_by_the_bundle_s_name_as_far_as_docker_permits(name, tag):
    assert context.image_tag(name) == tag


def test_it_says_what_each_layer_weighs(colour_bundle, tmp_path):
    made = package(colour_bundle, tmp_path / "context")
    assert list(made.layers) == ["dependencies", "runtime", "bundle"]
    assert made.layers["bundle"] == sum(
        (colour_bundle / name).stat().st_size for name in ("bundle.json", "model.tflite")
    )


def test_any_base_image_can_be_named(colour_bundle, tmp_path):
    package(colour_bundle, tmp_path / "context", base_image="public.ecr.aws/lambda/python:3.13")
    assert "public.ecr.aws/lambda/python:3.13" in (tmp_path / "context" / "Dockerfile").read_text()


@pytest.mark.parametrize("name", ["a b", "base\nRUN rm -rf /", "-v"])
def test_what_is_more_than_the_name_of_an_image_is_refused(name, colour_bundle, tmp_path):
    with pytest.raises(InputError) as caught:
        package(colour_bundle, tmp_path / "context", base_image=name)
    assert caught.value.code == "invalid-image-name"
    assert not (tmp_path / "context").exists()


def test_an_unknown_platform_lists_the_known_ones(colour_bundle, tmp_path):
    with pytest.raises(InputError) as caught:
        package(colour_bundle, tmp_path / "context", platform="linux/s390x")
    assert caught.value.code == "unknown-platform"
    assert "linux/amd64, linux/arm64" in caught.value.hint


def test_a_folder_in_use_is_left_alone(colour_bundle, tmp_path):
    (tmp_path / "notes").touch()
    with pytest.raises(OutputError) as caught:
        package(colour_bundle, tmp_path)
    assert caught.value.code == "not-ours"
    assert (tmp_path / "notes").exists()


def test_an_earlier_build_context_is_replaced_unless_it_was_edited(colour_bundle, tmp_path):
    folder = tmp_path / "context"
    package(colour_bundle, folder, platform="linux/arm64")
    package(colour_bundle, folder, platform="linux/amd64")
    assert "linux/amd64" in (folder / "Dockerfile").read_text()
    edited = (folder / "Dockerfile").read_text() + "ENV MINE=1\n"
    (folder / "Dockerfile").write_text(edited)
    with pytest.raises(PackagingError) as caught:
        package(colour_bundle, folder)
    assert caught.value.code == "edited-context"
    assert (folder / "Dockerfile").read_text() == edited


def test_a_damaged_bundle_is_refused_and_nothing_is_written(colour_bundle, tmp_path):
    damaged = shutil.copytree(colour_bundle, tmp_path / "damaged")
    (damaged / "model.tflite").write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        package(damaged, tmp_path / "context")
    assert caught.value.code == "corrupt-bundle"
    assert not (tmp_path / "context").exists()


def test_bytecode_is_the_same_each_time_and_is_used_instead_of_the_source(colour_bundle, tmp_path):
    """This machine's Python stands in for the container's: what it compiles, it can load."""

    def layer(name):
        python = Python((sys.executable,))
        context.write_context(
            read_bundle(colour_bundle), tmp_path / name, "linux/amd64", None, lambda *_: python, print
        )
        return tmp_path / name / "dependencies.tar"

    assert layer("first").read_bytes() == layer("second").read_bytes()
    with tarfile.open(tmp_path / "first" / "dependencies.tar") as archive:
        assert {name.partition("/")[0] for name in archive.getnames()} == {"opt"}  # nothing of this machine
        archive.extractall(tmp_path, filter="data")
    root = tmp_path / "opt" / "shutterless" / "dependencies"
    (root / "small" / "__init__.py").write_text("size = 2\n")  # unchecked: nobody looks at the source again
    code = "import small; print(small.size)"
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
