import os
import shutil
import signal
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from shutterless.runtime.adapters import reloader as reloader_module
from shutterless.runtime.adapters.http_app import App
from shutterless.runtime.adapters.reloader import Reloader, read_checked, reload_on_hangup, stamp
from shutterless.runtime.http_messages import Request
from shutterless.runtime.model.bundle import read_bundle, write_bundle
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings


@pytest.fixture
def folder(colour_bundle, tmp_path) -> Path:
    return shutil.copytree(colour_bundle, tmp_path / "bundle")


@pytest.fixture
def server(folder):
    """Return an app that serves the folder, its reloader, and the records that both write."""
    records = []
    loaded = stamp(folder)
    app = App(Service.load(Settings(folder)), records.append)
    return SimpleNamespace(
        app=app, reloader=Reloader(app, read_bundle, records.append, loaded, watch=True), records=records
    )


def replace(folder: Path, **changes) -> str:
    """Write another valid bundle to the folder; return its version."""
    bundle = read_bundle(folder)
    return write_bundle(folder, bundle.model, bundle.replace(**changes)).version


def ask(app: App, data: bytes) -> dict:
    return app.respond(
        Request("POST", "/predict", {"content-type": "image/png"}, body=data, id="r-1")
    ).document


def test_a_reload_replaces_the_model_and_the_log_says_which_one_answered(server, folder, pictures):
    first = ask(server.app, pictures["red"])
    version = replace(folder, labels=("azul", "verde", "rojo"))
    assert ask(server.app, pictures["red"])["label"] == "red"  # the folder alone changes nothing
    server.reloader.reload()
    second = ask(server.app, pictures["red"])
    assert (first["label"], second["label"]) == ("red", "rojo")
    assert [record["model"] for record in server.records] == [first["model"]["version"]] * 2 + [version] * 2
    assert server.records[2]["event"] == "reload"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda folder: (folder / "model.tflite").write_bytes(b"half"), "corrupt-bundle"),
        (lambda folder: (folder / "bundle.json").unlink(), "not-a-bundle"),
        (lambda folder: write_bundle(folder, b"no model", read_bundle(folder)), "unreadable-model"),
    ],
)
def test_a_bad_bundle_never_replaces_a_good_one(server, folder, pictures, damage, code):
    version = server.app.service.model_version
    damage(folder)
    server.reloader.reload()
    assert server.records == [
        {
            "time": server.records[0]["time"],
            "level": "error",
            "event": "reload",
            "model": version,
            "code": code,
            "detail": server.records[0]["detail"],
        }
    ]
    assert ask(server.app, pictures["red"])["model"]["version"] == version


def test_a_fault_of_ours_leaves_the_old_model_too(server, monkeypatch):
    service = server.app.service
    monkeypatch.setattr(server.reloader, "_read", lambda folder: 1 // 0)
    server.reloader.reload()
    assert (server.records[0]["code"], server.app.service) == ("internal", service)


def test_a_request_is_answered_by_the_model_with_which_it_began(server, folder, pictures, monkeypatch):
    classifier = server.app.service._classifier
    version, classify = classifier.bundle.version, classifier.classify

    def reload_and_classify(pixels):
        replace(folder, labels=("azul", "verde", "rojo"))
        server.reloader.reload()
        return classify(pixels)

    monkeypatch.setattr(classifier, "classify", reload_and_classify)
    document = ask(server.app, pictures["red"])
    assert (document["label"], document["model"]["version"]) == ("red", version)
    assert server.records[-1]["model"] == version != server.app.service.model_version


def test_all_models_share_the_limits_of_the_server(server, folder):
    before = vars(server.app.service)
    replace(folder, threshold=0.5)
    server.reloader.reload()
    after = vars(server.app.service)
    assert {name for name in before if before[name] is not after[name]} == {"_classifier"}


def test_a_watched_folder_is_loaded_once_it_no_longer_changes(server, folder):
    for _ in range(3):
        server.reloader.poll()
    assert server.records == []
    replace(folder, threshold=0.5)
    server.reloader.poll()
    version = replace(folder, threshold=0.75)
    server.reloader.poll()
    assert server.records == []  # it was different each time
    for _ in range(3):
        server.reloader.poll()
    assert [record["model"] for record in server.records] == [version]


def test_a_bad_bundle_in_a_watched_folder_is_reported_once(server, folder):
    shutil.move(folder / "model.tflite", folder.parent)
    for _ in range(4):
        server.reloader.poll()
    shutil.move(folder.parent / "model.tflite", folder)
    for _ in range(4):
        server.reloader.poll()
    assert [record.get("code") for record in server.records] == ["not-a-bundle", None]


def test_a_reload_happens_in_a_thread_of_its_own(server, monkeypatch):
    names, is_done = [], threading.Event()

    def reload() -> None:
        names.append(threading.current_thread().name)
        is_done.set()

    monkeypatch.setattr(server.reloader, "reload", reload)
    server.reloader.start()
    server.reloader.request()
    assert is_done.wait(10)
    assert names == ["reloader"]


@pytest.mark.parametrize(
    ("terminals", "expected"), [((False,), "reload"), ((True, True), "reload"), ((True, False), "stop")]
)
def test_a_hangup_reloads_unless_the_terminal_was_closed(monkeypatch, terminals, expected):
    calls = []
    monkeypatch.setattr(reloader_module, "_has_terminal", iter(terminals).__next__)
    before = signal.getsignal(signal.SIGHUP)
    with reload_on_hangup(lambda: calls.append("reload"), lambda: calls.append("stop")):
        os.kill(os.getpid(), signal.SIGHUP)
    assert calls == [expected]
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_container_checks_a_model_in_a_child_process_before_it_reloads(folder, server, monkeypatch):
    write_bundle(folder, b"no model", read_bundle(folder))
    monkeypatch.setattr(server.reloader, "_read", read_checked)
    monkeypatch.setattr(server.app.service, "with_bundle", lambda bundle: pytest.fail("it was loaded"))
    server.reloader.reload()
    assert server.records[-1]["code"] == "unreadable-model"


def test_a_good_bundle_passes_the_check_of_a_reload(folder):
    assert read_checked(folder).version == read_bundle(folder).version
