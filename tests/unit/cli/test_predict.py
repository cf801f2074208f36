import json
import shutil

import pytest


@pytest.fixture
def photo(colour_photos):
    return colour_photos / "test" / "red" / "00.png"


def test_a_picture_is_shown_with_its_best_labels(shutterless, colour_bundle, photo):
    done = shutterless("predict", colour_bundle, photo, "--top", 2)
    assert (done.exit_code, done.stdout) == (0, "")
    best, second = [line for line in done.stderr.splitlines() if line.startswith("│")]
    assert (str(photo) in best, "red" in best, "red" in second) == (True, True, False)


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
