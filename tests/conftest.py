"""Small data that many tests share: photos of plain colours, which any network tells apart."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle, write_bundle
from tests.small_models import describe_familiar, make_colour_model


def pytest_addoption(parser):
    group = parser.getgroup("endpoint", "the endpoint that tests/endpoint asks")
    group.addoption("--url", help="its URL; without it a local server is started")
    group.addoption("--api-key", help="the key that it wants")


SLOW_FOLDERS = {"endpoint", "fuzz", "integration"}


def pytest_collection_modifyitems(items):
    """Mark every test of the slow folders; elsewhere, slow tests are marked where they are."""
    for item in items:
        if SLOW_FOLDERS.intersection(item.path.parts):
            item.add_marker(pytest.mark.slow)


def pytest_configure():
    """Let Ctrl-C reach what the tests start: a job in a shell's background passes on that it ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


COLOURS = {"blue": (40, 60, 200), "green": (50, 170, 60), "red": (200, 50, 40)}


def paint(file: Path, colour: tuple[int, int, int], rng: np.random.Generator) -> None:
    """Write a noisy 40 × 32 picture of one colour."""
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = rng.normal(0, 20, (32, 40, 3))
    Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8)).save(file)


@pytest.fixture(scope="session", autouse=True)
def checked_models(tmp_path_factory) -> Iterator[Path]:
    """Record the models that were checked in a folder of the tests, not in the user's cache."""
    folder = tmp_path_factory.mktemp("checked-models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutterless.model_check.cache_folder", lambda name: folder)
        yield folder


@pytest.fixture(scope="session", autouse=True)
def cached_features(tmp_path_factory) -> Iterator[None]:
    """Keep the features of photos in a folder of the tests, not in the user's cache."""
    folder = tmp_path_factory.mktemp("features")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutterless.features.cache.cache_folder", lambda name: folder)
        yield


@pytest.fixture(scope="session", autouse=True)
def base_digest() -> Iterator[str]:
    """Let no deploy ask Docker for the newest base image, which would take a network."""
    digest = f"sha256:{'ba5e' * 16}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutterless.packaging.base_image.find_base_digest", lambda *_: digest)
        yield digest


@pytest.fixture(scope="session")
def running():
    """Return a context manager that serves an app by our HTTP server, in a thread, and gives its port."""
    from shutterless.runtime.adapters.http_server import Server

    @contextmanager
    def run(app):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = Server(app, listening)
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                yield listening.getsockname()[1]
            finally:
                server.stop()
                thread.join()

    return run


@pytest.fixture(scope="session")
def described() -> Bundle:
    """Return what stands in a bundle, for tests in which its model does not run."""
    return Bundle(
        name="clothes",
        labels=("pants", "shirt"),
        input=InputSpec(32, 32),
        precision="float32",
        backbone="tiny",
        recipe="quick",
        dataset_fingerprint="0",
        created="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture(scope="session")
def colour_photos(tmp_path_factory) -> Path:
    """Return a data set of 3 labels: 12 photos each for training, 6 for validation, 3 for test."""
    root = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(7)
    for split, count in (("train", 12), ("validation", 6), ("test", 3)):
        for label, colour in COLOURS.items():
            for number in range(count):
                paint(root / split / label / f"{number:02}.png", colour, rng)
    return root


@pytest.fixture(scope="session")
def colour_run(colour_photos, tmp_path_factory) -> Path:
    """Return a run folder: the tiny backbone trained on the colours."""
    from shutterless.training import train

    run = tmp_path_factory.mktemp("runs") / "run"
    train(colour_photos, run, backbone="tiny", image_size=32, epochs=8, batch_size=6)
    return run


@pytest.fixture(scope="session")
def colour_bundle(colour_run, tmp_path_factory) -> Path:
    """Return the bundle of that run. Tests only read it: one that changes a bundle copies it first."""
    from shutterless.conversion import convert

    bundle = tmp_path_factory.mktemp("bundles") / "bundle"
    convert(colour_run, bundle, precision="float32", name="colours")
    return bundle


@pytest.fixture(scope="session")
def plain_bundle(described, tmp_path_factory) -> Path:
    """Return a bundle of format 1, whose model has one output."""
    model = make_colour_model(np.array([*COLOURS.values()]) / 255, names=("scores",))
    folder = tmp_path_factory.mktemp("plain") / "bundle"
    return write_bundle(folder, model, described.replace(name="colours", labels=tuple(COLOURS))).path


@pytest.fixture(scope="session")
def familiar_bundle(colour_photos, described, tmp_path_factory) -> Path:
    """Return a bundle of format 2 that knows the colours. Of 18 validation photos, it may refuse one."""
    draft = described.replace(name="colours", labels=tuple(COLOURS), threshold=0.5)
    model = make_colour_model(np.array([*COLOURS.values()]) / 255)
    folder = tmp_path_factory.mktemp("familiar") / "bundle"
    photos = [file.read_bytes() for file in sorted((colour_photos / "validation").rglob("*.png"))]
    familiar = describe_familiar(write_bundle(folder, model, draft), photos)
    return write_bundle(folder, model, draft.replace(familiar=familiar)).path
