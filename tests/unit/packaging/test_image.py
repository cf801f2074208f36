"""What a real engine of one version cannot show: other builders, other stores, other answers."""

import json

import pytest

from shutterless.errors import InputError, PackagingError
from shutterless.packaging import build_image, context, image
from shutterless.packaging.container import lambda_limits
from shutterless.packaging.docker import DockerError

pytestmark = pytest.mark.slow

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def engine(docker, small_package):
    """An engine that has the base image but cannot run it, so that nothing is compiled."""

    def answer(*, architecture="amd64", media_type=OCI, buildx=True):
        base = {"Id": "sha256:0", "Os": "linux", "Architecture": "amd64"}
        built = {
            "Id": "sha256:1",
            "Os": "linux",
            "Architecture": architecture,
            "RootFS": {"Layers": [f"sha256:{number}" for number in range(6)]},
            "Descriptor": {"mediaType": media_type},
        }
        docker.says("image inspect python:3.13-slim-trixie", json.dumps([base]))
        docker.says("image inspect shop", json.dumps([built]))
        docker.says("run", err="exec /usr/bin/python3: exec format error")
        docker.says("history", "0\n0\n30\n20\n10\n0\n5\n40\n")
        if not buildx:
            docker.says("buildx", err="docker: 'buildx' is not a docker command.")
        return docker

    return answer


def test_buildkit_is_told_to_keep_no_records_and_to_load_the_image(engine, colour_bundle):
    docker = engine()
    image = build_image(colour_bundle, "shop", check=False)
    (build,) = [call for call in docker.calls if call[:2] == ["buildx", "build"]]
    assert {"--load", "--provenance=false", "--sbom=false"} <= {*build}
    assert image.media_type == OCI


def test_without_buildkit_the_classic_builder_builds(engine, colour_bundle):
    docker = engine(buildx=False)
    build_image(colour_bundle, "shop", check=False)
    (build,) = [call for call in docker.calls if call[0] == "build"]
    assert "--provenance=false" not in build


def test_layers_have_names_digests_and_bytes_from_the_base_up(engine, colour_bundle):
    engine()
    image = build_image(colour_bundle, "shop", check=False)
    assert [(layer.name, layer.digest, layer.bytes) for layer in image.layers] == [
        ("base", "sha256:2", 45),
        ("dependencies", "sha256:3", 10),
        ("runtime", "sha256:4", 20),
        ("bundle", "sha256:5", 30),
    ]


def test_an_index_which_lambda_refuses_is_an_error(engine, colour_bundle):
    engine(media_type=INDEX)
    with pytest.raises(PackagingError) as caught:
        build_image(colour_bundle, "shop")
    assert caught.value.code == "unsupported-manifest"
    assert INDEX in caught.value.message


def test_an_image_that_was_built_for_another_processor_is_an_error(engine, colour_bundle):
    engine(architecture="arm64")
    with pytest.raises(PackagingError) as caught:
        build_image(colour_bundle, "shop")
    assert caught.value.code == "wrong-platform"


def test_no_wheel_is_fetched_for_an_engine_that_is_not_there(docker, small_lock, colour_bundle, tmp_path):
    docker.says("version", err="Cannot connect to the Docker daemon. Is the docker daemon running?")
    with pytest.raises(DockerError) as caught:
        build_image(colour_bundle, "shop")
    assert caught.value.code == "docker-not-running"
    assert not (tmp_path / "cache").exists()


def test_a_base_image_with_another_python_is_an_error(docker, small_lock, colour_bundle):
    docker.says("image inspect", json.dumps([{"Os": "linux", "Architecture": "amd64"}]))
    docker.says("run", "3 12\n")
    with pytest.raises(PackagingError) as caught:
        build_image(colour_bundle, "shop", base_image="python:3.12-slim")
    assert caught.value.code == "unusable-base-image"
    assert "3.12" in caught.value.message
    assert "3.13" in caught.value.hint


def test_a_base_image_of_another_processor_is_pulled_for_this_one(docker, small_package, colour_bundle):
    docker.says("image inspect", json.dumps([{"Os": "linux", "Architecture": "arm64"}]))
    docker.says("pull", err="pull access denied for python")
    with pytest.raises(DockerError) as caught:
        build_image(colour_bundle, "shop")
    assert caught.value.code == "image-not-found"
    assert docker.calls[-1][:4] == ["pull", "--quiet", "--platform", "linux/amd64"]


def test_memory_brings_lambdas_share_of_a_processor_as_far_as_there_is_one(docker):
    docker.says("info", "2\n")
    for memory, cpus in ((512, "0.29"), (1769, "1.00"), (10240, "2.00")):
        options = lambda_limits(memory)
        assert options[options.index("--cpus") + 1] == cpus


@pytest.mark.parametrize("memory", [127, 10241])
def test_memory_that_lambda_does_not_offer_is_refused(memory):
    with pytest.raises(InputError) as caught:
        lambda_limits(memory)
    assert caught.value.code == "invalid-memory"


def test_an_image_has_and_is_compared_with_the_bundle_that_was_checked(
    engine, colour_bundle, replaced_bundle, monkeypatch
):
    engine()
    bundles = []
    monkeypatch.setattr(image, "check_image", lambda tag, bundle, platform: bundles.append(bundle))
    monkeypatch.setattr(context.layers, "write_bundle", lambda folder, bundle: bundles.append(bundle))
    build_image(replaced_bundle, "shop")
    model = (colour_bundle / "model.tflite").read_bytes()
    assert [bundle.model for bundle in bundles] == [model, model]
