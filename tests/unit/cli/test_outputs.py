"""What every command does with an output that is in the way: refuse it before any work."""

import os
import shutil

import pytest

from shutterless.dataset import scan


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Fail if a photo is looked at, which is where the work begins."""

    def look(*arguments, **options):
        raise AssertionError("work began before the output was checked")

    monkeypatch.setattr(scan, "read_photos", look)
    monkeypatch.setattr("shutterless.conversion.converter.Exporter", look)
    monkeypatch.setattr("shutterless.packaging.context.fetch_wheels", look)
    monkeypatch.setattr("shutterless.packaging.zip_package.fetch_wheels", look)


@pytest.fixture
def photos(colour_photos, tmp_path):
    """Return a copy of the photos, so that a fault could not spoil those of other tests."""
    return shutil.copytree(colour_photos, tmp_path / "photos")


@pytest.fixture
def run(colour_run, photos, tmp_path):
    """Return a run whose photos are the copies."""
    run = shutil.copytree(colour_run, tmp_path / "run")
    recipe = (run / "recipe.toml").read_text()
    lines = [f'photos = "{photos}"' if line.startswith("photos = ") else line for line in recipe.splitlines()]
    (run / "recipe.toml").write_text("\n".join(lines))
    return run


@pytest.fixture
def command(run, photos, colour_bundle):
    """Return each command's words before its output."""
    return {
        "train": ("train", photos, "--backbone", "tiny", "-o"),
        "inspect": ("dataset", "inspect", photos, "--report"),
        "evaluate": ("evaluate", run, photos, "--report"),
        "convert": ("convert", run, "-o"),
        "package": ("package", colour_bundle, "-o"),
        "zip": ("package", colour_bundle, "--format", "zip", "-o"),
        "sample": ("dataset", "sample"),
        "download": ("dataset", "download", "clothing"),
    }


@pytest.mark.parametrize("name", ["train", "inspect", "evaluate", "convert"])
def test_an_output_among_the_photos_is_refused(error_of, command, photos, name):
    before = sorted(photos.rglob("*"))
    assert error_of(*command[name], photos / "out").code == "output-inside-photos"
    assert sorted(photos.rglob("*")) == before


@pytest.mark.parametrize("name", ["train", "inspect", "convert", "package", "zip", "sample", "download"])
@pytest.mark.parametrize("mine", ["notes.txt", "index.html", "model.tflite", "figures/mine.png"])
def test_a_folder_with_files_of_the_users_own_is_refused(error_of, command, tmp_path, name, mine):
    file = tmp_path / "out" / mine
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    assert error_of(*command[name], tmp_path / "out").code in ("not-ours", "not-empty")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [file]
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["train", "inspect", "evaluate", "convert", "package", "zip", "sample", "download"]
)
def test_an_output_below_a_file_or_in_a_folder_without_write_access_is_refused(
    error_of, command, tmp_path, monkeypatch, name
):
    (tmp_path / "file").touch()
    assert error_of(*command[name], tmp_path / "file" / "out").code == "cannot-write"
    monkeypatch.setattr("os.access", lambda path, mode, **options: not mode & os.W_OK)
    assert error_of(*command[name], tmp_path / "out").code == "cannot-write"
