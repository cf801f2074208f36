import copy
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import shutterless
from shutterless import model_check
from shutterless.deploy import deployer
from shutterless.deploy.cost import local_latency
from shutterless.errors import BundleError
from shutterless.model_check import check_model, is_remembered, open_bundle, remember
from shutterless.runtime.model import check
from shutterless.runtime.model.bundle import read_bundle, write_bundle
from shutterless.runtime.settings import Settings
from shutterless.serving import serve

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Remember nothing from other tests."""
    monkeypatch.setattr(model_check, "cache_folder", lambda name: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def half_bundle(colour_run, tmp_path_factory) -> Path:
    """Return a bundle in float16, the first of whose operators LiteRT trusts blindly."""
    return shutterless.convert(
        colour_run, tmp_path_factory.mktemp("half") / "bundle", precision="float16"
    ).bundle.path


@pytest.fixture
def changed(half_bundle, tmp_path):
    """Return the folder of a bundle whose model a function has changed."""

    def change(function) -> Path:
        bundle = read_bundle(half_bundle)
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(bundle.model), 0))
        function(model)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return write_bundle(tmp_path / "changed", bytes(builder.Output()), bundle).path

    return change


def read_from_nowhere(model):
    model.subgraphs[0].operators[0].inputs = np.array([-1], np.int32)


def add_subgraph(model):
    model.subgraphs.append(copy.copy(model.subgraphs[0]))


@pytest.fixture
def crashing(changed) -> Path:
    return changed(read_from_nowhere)


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Have a shell script in place of Python in the child process."""

    def replace_python(script: str) -> None:
        file = tmp_path / "python"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return replace_python


def forbid_children(monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError("a child process")

    monkeypatch.setattr(subprocess, "run", fail)


WAYS_IN = {
    "load": shutterless.load,
    "predict": lambda bundle: shutterless.predict(bundle, b""),
    "load_model": shutterless.load_model,
    "evaluate": lambda bundle: shutterless.evaluate(bundle, bundle),
    "serve": lambda bundle: serve(Settings(bundle, port=0)),
    "package": lambda bundle: shutterless.package(bundle, bundle / "context"),
    "plan": lambda bundle: deployer.plan(bundle, "clothes"),
    "deploy": lambda bundle: deployer.deploy(bundle, "clothes"),
    "cost": local_latency.measure_latency,
}


@pytest.mark.parametrize("use", WAYS_IN.values(), ids=WAYS_IN)
def test_a_model_that_crashes_ends_no_process_but_its_own(crashing, use):
    with pytest.raises(BundleError) as caught:
        use(crashing)
    assert caught.value.code == "crashing-model"


def test_a_model_with_loops_which_might_never_end_is_refused(changed):
    with pytest.raises(BundleError) as caught:
        open_bundle(changed(add_subgraph))
    assert caught.value.code == "endless-model"


def test_what_litert_says_of_a_model_is_passed_on(colour_bundle, tmp_path):
    bundle = write_bundle(tmp_path / "bundle", b"no model", read_bundle(colour_bundle))
    with pytest.raises(BundleError) as caught:
        check_model(bundle)
    assert caught.value.code == "unreadable-model"


def test_the_model_that_was_read_is_checked_whatever_becomes_of_the_folder(crashing, colour_bundle, tmp_path):
    bad, good = read_bundle(crashing), read_bundle(shutil.copytree(colour_bundle, tmp_path / "good"))
    shutil.rmtree(good.path)
    shutil.copytree(colour_bundle, crashing, dirs_exist_ok=True)
    check_model(good)
    with pytest.raises(BundleError) as caught:
        check_model(bad)
    assert caught.value.code == "crashing-model"


@pytest.mark.parametrize("script", ["exec sleep 600", "kill -XCPU $$"])
def test_a_model_that_does_not_finish_is_stopped(colour_bundle, python, monkeypatch, script):
    monkeypatch.setattr(check, "WALL_SECONDS", 0.5)
    python(script)
    with pytest.raises(BundleError) as caught:
        open_bundle(colour_bundle)
    assert caught.value.code == "endless-model"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is killed, not waited for
def test_ctrl_c_ends_the_check(colour_bundle, python):
    python(f"sleep 0.2; kill -INT {os.getpid()}; exec sleep 600")
    with pytest.raises(KeyboardInterrupt):
        open_bundle(colour_bundle)


def test_without_a_python_to_start_the_error_says_so(colour_bundle, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(BundleError) as caught:
        open_bundle(colour_bundle)
    assert caught.value.code == "model-not-checked"
    assert "/nowhere/python" in caught.value.message


def limited(code: str) -> subprocess.CompletedProcess[str]:
    start = "import resource; from shutterless.runtime.model import check;"
    start += "check.CPU_SECONDS = 1; check.limit_check(1000);"
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True)


def test_the_child_has_limits_of_time_and_memory_and_dumps_no_core():
    kinds = "(resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_CORE)"
    printed = limited(f"print(*(resource.getrlimit(kind)[1] for kind in {kinds}))").stdout
    assert [int(limit) for limit in printed.split()] == [2, (2 << 30) + 8000, 0]


def test_a_child_over_its_limits_ends():
    assert limited("\nwhile True: pass").returncode == -24
    assert "MemoryError" in limited("bytes(3 << 30)").stderr


def test_the_limits_of_this_process_stay_as_they_were(colour_bundle):
    before = resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU)
    check_model(read_bundle(colour_bundle))
    assert (resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CPU)) == before


def test_a_model_that_has_passed_is_not_checked_again(colour_bundle, tmp_path, monkeypatch):
    copied = shutil.copytree(colour_bundle, tmp_path / "copied")
    first = open_bundle(colour_bundle)
    forbid_children(monkeypatch)
    assert open_bundle(copied) == first.replace(folder=str(copied))


def test_a_model_that_has_not_passed_is_checked_each_time(crashing, cache):
    for _ in range(2):
        with pytest.raises(BundleError) as caught:
            open_bundle(crashing)
        assert caught.value.code == "crashing-model"
    assert not cache.exists()


def change_litert(monkeypatch):
    monkeypatch.setattr(model_check, "version", lambda package: "99")


def change_processor(monkeypatch):
    monkeypatch.setattr(model_check, "_processor", lambda: ("x86_64", "flags: none"))


@pytest.mark.parametrize("change", [change_litert, change_processor])
def test_with_another_litert_or_processor_a_model_is_checked_again(colour_bundle, monkeypatch, change):
    bundle = open_bundle(colour_bundle)
    assert is_remembered(bundle)
    assert not is_remembered(bundle.replace(sha256="0" * 64))
    change(monkeypatch)
    assert not is_remembered(bundle)


def open_folder(folder, record):
    folder.chmod(0o777)


def open_record(folder, record):
    record.chmod(0o666)


def link_record(folder, record):
    record.rename(folder / "another")
    record.symlink_to("another")


@pytest.mark.parametrize("tamper", [open_folder, open_record, link_record])
def test_a_record_that_others_may_have_made_is_not_trusted(colour_bundle, cache, tamper):
    bundle = open_bundle(colour_bundle)
    (record,) = cache.iterdir()
    tamper(cache, record)
    assert not is_remembered(bundle)


def test_the_cache_is_closed_to_others_again_with_the_next_check(colour_bundle, cache):
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    assert is_remembered(open_bundle(colour_bundle))
    assert cache.stat().st_mode & 0o077 == 0


def test_the_oldest_records_are_forgotten(colour_bundle, cache, monkeypatch):
    monkeypatch.setattr(model_check, "MAX_RECORDS", 3)
    bundle = read_bundle(colour_bundle)
    bundles = [bundle.replace(sha256=digit * 64) for digit in "01234"]
    for seconds, each in enumerate(bundles):
        remember(each)
        for file in cache.glob(f"{each.sha256}*"):
            os.utime(file, (seconds, seconds))
    assert [is_remembered(each) for each in bundles] == [False, False, True, True, True]


def test_convert_remembers_its_own_model(colour_run, tmp_path, monkeypatch):
    bundle = shutterless.convert(colour_run, tmp_path / "bundle", precision="float32").bundle
    forbid_children(monkeypatch)
    assert open_bundle(tmp_path / "bundle") == bundle


def put_file_in_place(cache, record):
    cache.write_text("no folder")


def put_folder_in_place(cache, record):
    record.mkdir(parents=True)


def fill_record(cache, record):
    record.parent.mkdir()
    record.write_bytes(os.urandom(1000))


@pytest.mark.parametrize("tamper", [put_file_in_place, put_folder_in_place, fill_record])
def test_a_damaged_cache_only_costs_a_check(colour_bundle, cache, tamper):
    bundle = read_bundle(colour_bundle)
    remember(bundle)
    (record,) = cache.iterdir()
    shutil.rmtree(cache)
    tamper(cache, record)
    assert open_bundle(colour_bundle) == bundle


def test_nothing_is_imported_from_the_working_folder(colour_bundle, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    check_model(read_bundle(colour_bundle))
