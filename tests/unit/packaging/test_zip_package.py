import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from shutterless.errors import BundleError, InputError, OutputError, PackagingError
from shutterless.packaging import build_zip, zip_package
from shutterless.packaging.bytecode import Python

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_package")]
# Writes a zip as another user does, with this wheel.
BUILD = """
import os, pathlib, sys
from shutterless.packaging import build_zip, zip_package
bundle, file, wheel = map(pathlib.Path, sys.argv[1:])
os.umask(0o077)
zip_package.fetch_wheels, zip_package.local_python = lambda *_: [wheel], lambda: None
print(build_zip(bundle, file, progress=lambda *_: None).sha256)
"""


def test_it_has_the_entry_point_the_runtime_the_wheels_and_the_bundle(colour_bundle, tmp_path):
    package = build_zip(colour_bundle, tmp_path / "function.zip")
    with zipfile.ZipFile(package.path) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert archive.read("bundle/model.tflite") == (colour_bundle / "model.tflite").read_bytes()
        assert package.unzipped_bytes == sum(info.file_size for info in archive.infolist())
    assert names[0] == "lambda_function.py"
    assert names[1:] == sorted(names[1:])
    assert {name.partition("/")[0] for name in names} == {
        "lambda_function.py",
        "bundle",
        "shutterless",
        "small",
        "small-1.0.dist-info",
    }
    assert [name for name in names if name.startswith("bundle/")] == [
        "bundle/bundle.json",
        "bundle/model.tflite",
    ]
    assert (package.bytes, package.compiled) == (package.path.stat().st_size, "")


def test_it_does_not_depend_on_machine_user_folder_or_time(colour_bundle, small_package, tmp_path):
    package = build_zip(colour_bundle, tmp_path / "function.zip")
    home = tmp_path / "elsewhere"
    bundle = shutil.copytree(colour_bundle, home / "other name")
    for file in bundle.iterdir():
        file.chmod(0o700)
        os.utime(file, (1, 1))
    environment = {"HOME": str(home), "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    digest = subprocess.run(
        [sys.executable, "-c", BUILD, str(bundle), str(home / "b.zip"), str(small_package)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert digest == package.sha256 == hashlib.sha256(package.path.read_bytes()).hexdigest()


def test_bytecode_is_named_as_lambda_loads_it_and_is_used_instead_of_the_source(
    colour_bundle, tmp_path, monkeypatch
):
    """This machine's Python stands in for Lambda's: what it compiles, it can load."""
    python = Python((sys.executable,), version="3.13.5")
    monkeypatch.setattr(zip_package, "local_python", lambda: python)
    package = build_zip(colour_bundle, tmp_path / "function.zip")
    assert package.compiled == "3.13.5"
    assert build_zip(colour_bundle, tmp_path / "again.zip").sha256 == package.sha256
    assert build_zip(colour_bundle, tmp_path / "sources.zip", bytecode=False).compiled == ""
    root = tmp_path / "task"
    zipfile.ZipFile(package.path).extractall(root)
    (root / "small" / "__init__.py").write_text("size = 2\n")  # unchecked: nobody looks at the source again
    code = "import small; print(small.size)"
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert process.stdout == "1\n"


def test_what_lambda_has_or_never_loads_is_left_out(colour_bundle, wheel, tmp_path, monkeypatch):
    names = ("awslambdaric", "h11", "simplejson", "snapshot_restore_py", "needed")
    files = [wheel(name, {f"{name}.py": ""}) for name in names]
    monkeypatch.setattr(zip_package, "fetch_wheels", lambda platform, progress: files)
    package = build_zip(colour_bundle, tmp_path / "function.zip")
    names = zipfile.ZipFile(package.path).namelist()
    assert {name for name in names if "/" not in name} == {"lambda_function.py", "needed.py"}
    adapters = {Path(name).name for name in names if "/adapters/" in name}
    assert adapters == {"__init__.py", "lambda_events.py", "lambda_function.py"}
    assert "shutterless/runtime/__main__.py" not in names


def test_each_platform_has_its_own_wheels(colour_bundle, tmp_path, monkeypatch):
    platforms = []
    monkeypatch.setattr(zip_package, "fetch_wheels", lambda platform, _: platforms.append(platform) or [])
    assert build_zip(colour_bundle, tmp_path / "a.zip", platform="linux/arm64").platform == "linux/arm64"
    assert platforms == ["linux/arm64"]


def test_an_unknown_platform_is_refused(colour_bundle, tmp_path):
    with pytest.raises(InputError) as caught:
        build_zip(colour_bundle, tmp_path / "function.zip", platform="arm64")
    assert caught.value.code == "unknown-platform"


def test_an_earlier_zip_is_replaced_and_any_other_file_is_not(colour_bundle, tmp_path):
    file = tmp_path / "function.zip"
    build_zip(colour_bundle, file)
    build_zip(colour_bundle, file, platform="linux/arm64")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("lambda_function.py", "")
    for other in (tmp_path / "other.zip", tmp_path):
        with pytest.raises(OutputError) as caught:
            build_zip(colour_bundle, other)
        assert caught.value.code == "not-ours"
    assert zipfile.ZipFile(tmp_path / "other.zip").namelist() == ["lambda_function.py"]


def test_a_file_that_cannot_be_written_is_refused_before_any_work(colour_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(zip_package, "fetch_wheels", None)
    (tmp_path / "file").touch()  # below which not even root makes one
    with pytest.raises(OutputError) as caught:
        build_zip(colour_bundle, tmp_path / "file" / "function.zip")
    assert caught.value.code == "cannot-write"


def test_what_lambda_would_not_unpack_is_refused_and_nothing_is_written(colour_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(zip_package, "MAX_UNZIPPED", 100_000)
    with pytest.raises(PackagingError) as caught:
        build_zip(colour_bundle, tmp_path / "function.zip")
    assert caught.value.code == "too-large-for-lambda"
    assert not (tmp_path / "function.zip").exists()


def test_a_damaged_bundle_is_refused(colour_bundle, tmp_path):
    damaged = shutil.copytree(colour_bundle, tmp_path / "damaged")
    (damaged / "model.tflite").write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        build_zip(damaged, tmp_path / "function.zip")
    assert caught.value.code == "corrupt-bundle"


def test_a_zip_has_the_bundle_that_was_checked_whatever_is_in_its_folder_now(
    colour_bundle, replaced_bundle, tmp_path
):
    with zipfile.ZipFile(build_zip(replaced_bundle, tmp_path / "function.zip").path) as archive:
        for name in ("model.tflite", "bundle.json"):
            assert archive.read(f"bundle/{name}") == (colour_bundle / name).read_bytes()
