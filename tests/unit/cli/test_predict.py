import json
import os
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from shutterless import inference
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.prediction import Prediction

COLOURS = [label for label in ("blue", "green", "red") for _ in range(3)]


@pytest.fixture
def photo(colour_photos):
    return colour_photos / "test" / "red" / "00.png"


def test_a_picture_is_shown_with_its_best_labels(shutterless, colour_bundle, photo):
    done = shutterless("predict", colour_bundle, photo, "--top", 2)
    assert done.exit_code == 0
    source, label, score, unsure, others = done.stdout.rstrip("\n").split("\t")
    assert (source, label, unsure) == (str(photo), "red", "")
    assert (float(score) > 0.5, len(others.split(", "))) == (True, 1)


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
    assert "10 pictures: 9 not sure, 1 unreadable" in done.stderr
    assert done.stdout.count("\tnot sure\t") == 9
    assert done.exit_code == 1


def test_a_picture_that_is_like_no_label_is_told_apart_from_one_that_is_not_sure(
    shutterless, familiar_bundle, photo, tmp_path
):
    Image.new("RGB", (32, 32), "yellow").save(tmp_path / "yellow.png")
    result = shutterless("predict", familiar_bundle, photo, tmp_path / "yellow.png")
    assert [line.split("\t")[3] for line in result.stdout.splitlines()] == ["", "none of the labels"]
    assert "2 pictures: 0 not sure, 1 none of the labels, 0 unreadable" in result.stderr
    result = shutterless("predict", familiar_bundle, photo, tmp_path / "yellow.png", "--json")
    known, strange = json.loads(result.stdout)["predictions"]
    assert (known["familiar"], known["accepted"]) == (True, True)
    assert (strange["familiar"], strange["accepted"], strange["novelty"]) == (False, False, 1 - 1 / 19)
    shutterless("predict", familiar_bundle, photo, tmp_path / "yellow.png", "-o", tmp_path / "a.csv")
    rows = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()]
    assert rows[0][3:6] == ["accepted", "familiar", "novelty"]
    assert rows[2][3:6] == ["false", "false", "0.9474"]


def test_an_empty_name_does_not_stand_for_the_current_folder(
    error_of, colour_bundle, colour_photos, monkeypatch
):
    monkeypatch.chdir(colour_photos)
    assert error_of("predict", colour_bundle, "").code == "empty-name"


def test_a_file_that_is_gone_when_its_turn_comes_is_a_problem_of_its_own(
    shutterless, colour_bundle, photo, tmp_path, monkeypatch
):
    gone = tmp_path / "gone.png"
    monkeypatch.setattr(inference, "expand_sources", lambda sources, *_: [str(gone), *sources])
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


def test_a_missing_file_is_named(error_of, colour_bundle, tmp_path):
    error = error_of("predict", colour_bundle, tmp_path / "no.jpg")
    assert error.code == "not-found"
    assert str(tmp_path / "no.jpg") in error.message


def test_a_changed_bundle_is_refused(error_of, colour_bundle, photo, tmp_path):
    bundle = shutil.copytree(colour_bundle, tmp_path / "bundle")
    model = bytearray((bundle / "model.tflite").read_bytes())
    model[-1] ^= 1
    (bundle / "model.tflite").write_bytes(model)
    assert error_of("predict", bundle, photo).code == "corrupt-bundle"


def test_answers_are_shown_as_they_come(colour_bundle, photo):
    """The list's next line is written when the answers to those before it have been read."""
    command = [
        sys.executable,
        "-c",
        "from shutterless.cli import main; main()",
        "predict",
        colour_bundle,
        "-",
        "--top",
        "1",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as predicting:
        names = [photo.with_name(f"0{number}.png") for number in range(3)]
        for _ in range(20):
            predicting.stdin.writelines(f"{name}\n" for name in names)
        predicting.stdin.flush()
        assert predicting.stdout.readline().startswith(f"{names[0]}\tred\t")
        predicting.stdin.close()
        assert len(predicting.stdout.readlines()) == 59
    assert predicting.returncode == 0


def test_a_list_on_standard_input_may_have_folders_urls_and_what_is_not_there(
    shutterless_reading, colour_bundle, colour_photos, photo, tmp_path
):
    listed = f"{colour_photos / 'test'}\n\n{photo}\r\n{tmp_path / 'gone.png'}\nhttp://127.0.0.1:1/a.jpg\n"
    done = shutterless_reading(listed, "predict", colour_bundle, "-", "--json")
    predictions = json.loads(done.stdout)["predictions"]
    assert [answer.get("label") for answer in predictions[:10]] == [*COLOURS, "red"]
    assert [answer["code"] for answer in predictions[10:]] == ["unreadable-image", "fetch-failed"]
    assert done.exit_code == 1


@pytest.mark.parametrize("arguments", [("-", "photo.jpg"), ("photo.jpg", "-o", "answers.csv", "--json")])
def test_arguments_that_exclude_each_other_are_wrong_usage(shutterless, colour_bundle, arguments):
    assert shutterless("predict", colour_bundle, *arguments).exit_code == 2


def test_json_says_the_model_once(shutterless, colour_bundle, colour_photos):
    document = json.loads(shutterless("predict", colour_bundle, colour_photos / "test", "--json").stdout)
    assert document["model"] == read_bundle(colour_bundle).version
    assert all("model" not in answer for answer in document["predictions"])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_file_of_answers_is_continued_where_it_ends(
    shutterless, colour_bundle, colour_photos, tmp_path, suffix
):
    file = tmp_path / f"answers{suffix}"
    command = ("predict", colour_bundle, colour_photos / "test", "-o", file)
    assert (shutterless(*command).exit_code, shutterless(*command).exit_code) == (0, 0)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    done = shutterless(*command)
    assert (done.exit_code, file.read_bytes()) == (0, whole)
    assert f"of 9 pictures are already in {file}" in done.stderr


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_ctrl_c_keeps_what_is_answered_and_says_how_much(
    shutterless, colour_bundle, colour_photos, tmp_path, monkeypatch, suffix
):
    asked = []

    def interrupted(self, picture):
        asked.append(picture)
        if len(asked) == 5:
            raise KeyboardInterrupt
        return Prediction("red", 1.0, True, {"red": 1.0})

    monkeypatch.setattr(inference, "cores", lambda: 1)
    monkeypatch.setattr(inference.Classifier, "_predict_one", interrupted)
    file = tmp_path / f"answers{suffix}"
    done = shutterless("predict", colour_bundle, colour_photos / "test", "-o", file)
    assert done.exit_code == 130
    assert "Stopped after 4 pictures" in done.stderr
    assert len(file.read_text().splitlines()) == 4 + (suffix == ".csv")


def test_a_file_that_is_not_of_answers_is_refused_before_any_work(error_of, colour_bundle, photo, tmp_path):
    file = tmp_path / "notes.csv"
    file.write_text("label,source\n")
    assert error_of("predict", colour_bundle, photo, "-o", file).code == "not-ours"
    assert file.read_text() == "label,source\n"


def test_an_output_among_the_pictures_is_refused(error_of, colour_bundle, colour_photos):
    error = error_of("predict", colour_bundle, colour_photos, "-o", colour_photos / "answers.csv")
    assert error.code == "output-inside-photos"


def test_swapped_arguments_are_recognised(error_of, colour_bundle, photo):
    error = error_of("predict", photo, colour_bundle)
    assert error.code == "swapped-arguments"
    assert f"{colour_bundle} {photo}" in error.hint


def test_a_run_predicts_too(shutterless, colour_run, photo):
    done = shutterless("predict", colour_run, photo)
    assert (done.exit_code, done.stdout.split("\t")[1]) == (0, "red")


def test_a_folder_that_is_not_a_model_is_named(error_of, tmp_path, photo):
    error = error_of("predict", tmp_path, photo)
    assert error.code == "not-a-model"
    assert str(tmp_path) in error.message
