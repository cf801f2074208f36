import json
import os
import shutil

import pytest

from shutterless.cli import pictures


@pytest.fixture
def photo(colour_photos):
    return colour_photos / "test" / "red" / "00.png"


def test_a_picture_is_shown_with_its_best_labels(shutterless, colour_bundle, photo):
    done = shutterless("predict", colour_bundle, photo, "--top", 2)
    assert done.exit_code == 0
    _, best, second = [line.split("\t") for line in done.stdout.splitlines()]
    assert (best[:2], second[0], second[1] != "red") == ([str(photo), "red"], "", True)


def test_a_folder_is_walked_and_json_has_every_score(shutterless, colour_bundle, colour_photos):
    done = shutterless("predict", colour_bundle, colour_photos / "test", "--json")
    predictions = json.loads(done.stdout)["predictions"]
    assert len(predictions) == 9
    assert all(f"/{answer['label']}/" in answer["source"] for answer in predictions)
    assert list(predictions[0]["scores"]) == ["blue", "green", "red"]


def test_a_broken_picture_does_not_hide_the_others_and_exits_with_1(
    shutterless, colour_bundle, photo, tmp_path
):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    shutil.copy(photo, pictures / "good.png")
    (pictures / "bad.png").write_bytes(b"no picture")
    done = shutterless("predict", colour_bundle, pictures, "--json")
    bad, good = json.loads(done.stdout)["predictions"]
    assert done.exit_code == 1
    assert (bad["code"], good["label"]) == ("unsupported-format", "red")


def test_a_summary_counts_what_is_not_sure_and_what_is_unreadable(
    shutterless, colour_bundle, colour_photos, tmp_path
):
    bundle = shutil.copytree(colour_bundle, tmp_path / "bundle")
    description = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps({**description, "threshold": 1.0, "temperature": 5.0}))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    done = shutterless("predict", bundle, colour_photos / "test", tmp_path / "bad.png")
    assert "10 photos: 9 not sure, 1 unreadable" in done.stderr
    assert done.stdout.count("(not sure)") == 9
    assert done.exit_code == 1


def test_an_empty_name_does_not_stand_for_the_current_folder(
    shutterless, colour_bundle, colour_photos, monkeypatch
):
    monkeypatch.chdir(colour_photos)
    done = shutterless("predict", colour_bundle, "")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (1, "error: The name of a picture is empty")


def test_folders_are_walked_to_any_depth_and_the_order_is_the_names(
    shutterless, colour_bundle, photo, tmp_path
):
    names = ["b/a/1.png", "a/2.png", "10.png", "a/1.PNG"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    done = shutterless("predict", colour_bundle, tmp_path, photo, "--json")
    sources = [answer["source"] for answer in json.loads(done.stdout)["predictions"]]
    assert sources == [*(str(tmp_path / name) for name in sorted(names)), str(photo)]
    assert done.exit_code == 0


def test_a_file_that_is_gone_when_its_turn_comes_is_a_problem_of_its_own(
    shutterless, colour_bundle, photo, tmp_path, monkeypatch
):
    gone = tmp_path / "gone.png"
    monkeypatch.setattr(pictures, "expand", lambda sources: [str(gone), *sources])
    done = shutterless("predict", colour_bundle, photo, "--json")
    bad, good = json.loads(done.stdout)["predictions"]
    assert (bad["code"], good["label"], done.exit_code) == ("unreadable-image", "red", 1)
    assert bad["detail"] == "the file cannot be read: No such file or directory"


def test_a_name_that_is_no_unicode_is_shown_and_the_json_can_be_read(
    shutterless, colour_bundle, photo, tmp_path
):
    shutil.copy(photo, os.fsencode(tmp_path) + b"/\xff\x1b[31m.png")
    done = shutterless("predict", colour_bundle, tmp_path, "--json")
    (answer,) = json.loads(done.stdout)["predictions"]
    assert answer["source"].endswith("\udcff\x1b[31m.png")
    shown = shutterless("predict", colour_bundle, tmp_path)
    assert (shown.exit_code, "\x1b[31m" in shown.output) == (0, False)


def test_what_is_not_there_is_named(shutterless, colour_bundle, tmp_path):
    done = shutterless("predict", colour_bundle, tmp_path / "no.jpg")
    assert done.exit_code == 1
    assert f"There is no picture or folder {tmp_path / 'no.jpg'}" in done.stderr


def test_a_changed_bundle_is_refused(shutterless, colour_bundle, photo, tmp_path):
    bundle = shutil.copytree(colour_bundle, tmp_path / "bundle")
    model = bytearray((bundle / "model.tflite").read_bytes())
    model[-1] ^= 1
    (bundle / "model.tflite").write_bytes(model)
    done = shutterless("predict", bundle, photo)
    assert done.exit_code == 1
    assert "does not verify" in done.stderr
