import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from shutterless.errors import BundleError, OutputError
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model import bundle as bundle_module
from shutterless.runtime.model.bundle import Bundle, read_bundle, write_bundle
from shutterless.runtime.model.familiarity import Familiarity

MODEL = b"the bytes of a model"
BUNDLE = Bundle(
    name="garments",
    labels=("hat", "T-shirt à manches", "帽子"),
    input=InputSpec(299, 200, "pad", "lanczos"),
    precision="int8",
    backbone="xception",
    recipe="standard",
    dataset_fingerprint="abc",
    created="2026-01-02T03:04:05+00:00",
    temperature=1.5,
    threshold=0.25,
    accuracy={"keras": 0.9, "bundle": 0.89, "agreement": 0.98, "calibration_error": 0.02, "images": 372},
    made_with={"keras": "3.13"},
)
FAMILIAR = {
    "weights": [1.0, 0.25],
    "scores": [0.5, 1.0, 1.0, 2.5],
    "photos": 4,
    "false_alarm_rate": 0.02,
    "measured": {"auroc": 0.9, "labels": {"hat": 0.8}},
}
MEMBERS = sorted(BUNDLE.to_json().keys() - {"version", "format_version", "files"})


@pytest.fixture
def folder(tmp_path) -> Path:
    """A bundle that verifies."""
    write_bundle(tmp_path / "bundle", MODEL, BUNDLE)
    return tmp_path / "bundle"


def describe(folder: Path, **members) -> None:
    """Change members of bundle.json; `...` removes one."""
    file = folder / "bundle.json"
    document = {**json.loads(file.read_text()), **members}
    file.write_text(json.dumps({name: value for name, value in document.items() if value is not ...}))


def refusal(folder: Path) -> tuple[str, str]:
    """Return the code and the message of the error that reading a bundle raises."""
    with pytest.raises(BundleError) as caught:
        read_bundle(folder)
    assert str(folder) in caught.value.message
    assert caught.value.hint
    return caught.value.code, caught.value.message


def assert_corrupt(folder: Path, name: str) -> None:
    """Fail unless the bundle is refused for what `name` is called."""
    code, message = refusal(folder)
    assert code == "corrupt-bundle"
    assert name in message


def fill_the_disk(monkeypatch, error: BaseException) -> None:
    """Let the description, which is written last, break off in the middle."""

    def write_text(path: Path, text: str, encoding: str) -> None:
        path.write_bytes(text[:20].encode())
        raise error

    monkeypatch.setattr(Path, "write_text", write_text)


def test_what_is_written_is_read_again(folder):
    written = write_bundle(folder, MODEL, BUNDLE)
    assert read_bundle(folder) == written
    assert written == BUNDLE.replace(sha256=written.sha256, folder=str(folder), model=MODEL)


def test_the_folder_holds_the_model_and_its_description(folder):
    assert {file.name for file in folder.iterdir()} == {"model.tflite", "bundle.json"}
    assert (folder / "model.tflite").read_bytes() == MODEL
    digest = "68d18a506016639d3a8274be1d740a81afb482ffbfad7e4c3e10a5a32fd04840"
    assert json.loads((folder / "bundle.json").read_text("utf-8")) == {
        "format_version": 1,
        "name": "garments",
        "labels": ["hat", "T-shirt à manches", "帽子"],
        "input": {"height": 299, "width": 200, "resize": "pad", "interpolation": "lanczos"},
        "precision": "int8",
        "backbone": "xception",
        "recipe": "standard",
        "dataset_fingerprint": "abc",
        "created": "2026-01-02T03:04:05+00:00",
        "sha256": digest,
        "version": read_bundle(folder).version,
        "temperature": 1.5,
        "threshold": 0.25,
        "accuracy": BUNDLE.accuracy,
        "made_with": {"keras": "3.13"},
        "files": {},
    }


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "1" * 64},
        {"labels": BUNDLE.labels[::-1]},
        {"input": BUNDLE.input.replace(resize="crop")},
        {"input": BUNDLE.input.replace(interpolation="nearest")},
        {"temperature": 1.25},
        {"threshold": 0.26},
    ],
)
def test_the_version_changes_with_everything_that_changes_an_answer(change):
    assert BUNDLE.replace(**change).version != BUNDLE.version
    assert re.fullmatch("[0-9a-f]{12}", BUNDLE.version)


@pytest.mark.parametrize(
    "change", [{"name": "n"}, {"created": "2027"}, {"accuracy": {}}, {"made_with": {}}, {"recipe": "best"}]
)
def test_the_version_stays_if_no_answer_changes(change):
    assert BUNDLE.replace(**change).version == BUNDLE.version


def test_the_version_is_computed_and_never_read(folder):
    """Bundles of before have the model's hash alone as their version."""
    version = read_bundle(folder).version
    describe(folder, version="68d18a506016")
    assert read_bundle(folder).version == version
    describe(folder, temperature=2)
    hotter = read_bundle(folder).version
    assert hotter != version
    describe(folder, temperature=2.0)
    assert read_bundle(folder).version == hotter


def test_a_real_bundle_verifies(colour_bundle):
    bundle = read_bundle(colour_bundle)
    assert (bundle.name, bundle.labels, bundle.path) == ("colours", ("blue", "green", "red"), colour_bundle)


@pytest.mark.parametrize("model", [MODEL + b"!", MODEL[:-1], b""])
def test_a_changed_model_is_refused(folder, model):
    (folder / "model.tflite").write_bytes(model)
    assert_corrupt(folder, "model.tflite")


@pytest.mark.parametrize("name", ["model.tflite", "bundle.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    code, message = refusal(folder)
    assert code == "not-a-bundle"
    assert name in message


def test_no_folder_and_a_file_are_no_bundles(tmp_path):
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "nowhere")[0] == "not-a-bundle"
    assert refusal(tmp_path / "file")[0] == "not-a-bundle"


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"1" * 5000])
def test_a_description_that_is_not_json_is_refused(folder, text):
    (folder / "bundle.json").write_bytes(text)
    assert_corrupt(folder, "bundle.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("member", ["accuracy", "temperature"])
def test_a_number_that_is_not_finite_is_refused(folder, member, number):
    describe(folder, **{member: 0.125})
    file = folder / "bundle.json"
    file.write_text(file.read_text().replace("0.125", f'{{"keras": {number}}}'))
    assert_corrupt(folder, "bundle.json")


def test_figures_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(BundleError) as caught:
        write_bundle(tmp_path / "bundle", MODEL, BUNDLE.replace(accuracy={"keras": float("nan")}))
    assert caught.value.code == "invalid-figures"
    assert not (tmp_path / "bundle").exists()


def nested(levels: int) -> list:
    return [nested(levels - 1)] if levels else []


def test_a_description_may_be_nested_only_so_deep(folder):
    describe(folder, accuracy={"lists": nested(bundle_module.MAX_DEPTH - 3)})
    assert read_bundle(folder).accuracy
    describe(folder, accuracy={"lists": nested(900)})
    assert_corrupt(folder, str(bundle_module.MAX_DEPTH))


@pytest.mark.parametrize(
    ("name", "limit"), [("model.tflite", "MAX_MODEL_BYTES"), ("bundle.json", "MAX_DESCRIPTION_BYTES")]
)
def test_files_are_read_up_to_a_limit(folder, monkeypatch, name, limit):
    size = (folder / name).stat().st_size
    monkeypatch.setattr(bundle_module, limit, size)
    assert read_bundle(folder).path == folder
    monkeypatch.setattr(bundle_module, limit, size - 1)
    code, message = refusal(folder)
    assert code == "not-a-bundle"
    assert name in message
    assert f"{size - 1:,}" in message


def test_what_was_read_is_held(folder):
    bundle = read_bundle(folder)
    (folder / "model.tflite").write_bytes(b"another model")
    assert bundle.model == MODEL
    assert "model" not in bundle.to_json()


@pytest.mark.parametrize("files", [None, [], {"a": 1}])
def test_the_hashes_of_files_are_text_by_name(folder, files):
    describe(folder, files=files)
    assert_corrupt(folder, "'files'")


@pytest.mark.parametrize("text", ["[]", "null", '"bundle"', "1"])
def test_a_description_that_is_no_object_is_refused(folder, text):
    (folder / "bundle.json").write_text(text)
    assert_corrupt(folder, "bundle.json")


def test_a_member_that_is_there_twice_is_refused(folder):
    file = folder / "bundle.json"
    file.write_text(file.read_text().replace('"threshold":', '"threshold": 0.5, "threshold":'))
    assert_corrupt(folder, "bundle.json")


@pytest.mark.parametrize("member", ["name", "backbone", "sha256"])
@pytest.mark.parametrize("text", ["x" * (bundle_module.MAX_TEXT + 1), "\udcff", "\ud83d"], ids=ascii)
def test_a_text_that_is_too_long_or_is_no_unicode_is_refused(folder, member, text):
    describe(folder, **{member: text})
    assert_corrupt(folder, repr(member))


@pytest.mark.parametrize("label", ["x" * (bundle_module.MAX_TEXT + 1), "\udcff"], ids=ascii)
def test_a_label_that_is_too_long_or_is_no_unicode_is_refused(folder, label):
    describe(folder, labels=["hat", label])
    assert_corrupt(folder, "'labels'")


def test_there_may_be_only_so_many_labels(folder):
    describe(folder, labels=[*map(str, range(bundle_module.MAX_LABELS + 1))])
    assert_corrupt(folder, "'labels'")
    describe(folder, labels=[*map(str, range(bundle_module.MAX_LABELS))])
    assert len(read_bundle(folder).labels) == bundle_module.MAX_LABELS


def test_no_message_repeats_more_than_a_line_of_a_description(folder):
    describe(folder, format_version="x" * 100_000)
    assert len(refusal(folder)[1]) < 1000
    members = json.loads((folder / "bundle.json").read_text())["input"]
    describe(folder, format_version=1, input={**members, "resize": "x" * 100_000})
    assert len(refusal(folder)[1]) < 1000


@pytest.mark.parametrize("version", [0, 3, "1", None, ..., True, 1.0])
def test_another_format_is_refused_with_what_to_do(folder, version):
    describe(folder, format_version=version)
    code, message = refusal(folder)
    assert code == "unsupported-bundle-format"
    assert repr(None if version is ... else version) in message


@pytest.mark.parametrize("value", [..., None, True])
@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_that_is_missing_or_of_another_type_is_named(folder, member, value):
    describe(folder, **{member: value})
    assert_corrupt(folder, repr(member))


@pytest.mark.parametrize("files", [None, True, ["training_photos.txt"], {"training_photos.txt": 1}])
def test_hashes_of_other_files_may_be_missing_but_not_of_another_type(folder, files):
    describe(folder, files=files)
    assert_corrupt(folder, "'files'")
    describe(folder, files=...)
    assert read_bundle(folder).files == {}


def test_the_record_of_the_training_photos_is_part_of_the_bundle_and_replaced_with_it(folder):
    written = write_bundle(folder, MODEL, BUNDLE, {"training_photos.txt": b"0123456789abcdef train\n"})
    assert (folder / "training_photos.txt").read_text() == "0123456789abcdef train\n"
    assert read_bundle(folder).files == written.files
    assert written.files.keys() == {"training_photos.txt"}
    assert write_bundle(folder, MODEL, BUNDLE).files == {}
    assert not (folder / "training_photos.txt").exists()


def test_members_of_a_later_version_are_kept(folder):
    before = read_bundle(folder)
    members = {"colour": "mauve", "path": "/etc", "model": {"of": "later"}, "unknown": [1]}
    describe(folder, **members, version="not from here")
    bundle = read_bundle(folder)
    assert bundle == before.replace(unknown=members)
    assert bundle.version == before.version
    document = write_bundle(folder, MODEL, bundle).to_json()
    assert {**document, **members} == document == json.loads((folder / "bundle.json").read_text("utf-8"))


def test_a_bundle_that_knows_what_is_familiar_is_of_format_2(folder):
    written = write_bundle(folder, MODEL, BUNDLE.replace(familiar=FAMILIAR))
    document = json.loads((folder / "bundle.json").read_text("utf-8"))
    assert (document["format_version"], document["familiar"]) == (2, FAMILIAR)
    assert read_bundle(folder) == written
    assert read_bundle(folder).familiarity == Familiarity((1.0, 0.25), (0.5, 1.0, 1.0, 2.5), 0.02)


def test_what_a_later_version_says_of_the_familiar_is_kept(folder):
    familiar = {**FAMILIAR, "kinds": ["mahalanobis"], "measured": {"foreign": {"noticed": 0.9}}}
    describe(folder, format_version=2, familiar=familiar)
    bundle = read_bundle(folder)
    assert write_bundle(folder, MODEL, bundle).to_json()["familiar"] == familiar


def test_a_bundle_of_format_2_need_not_know_what_is_familiar(folder):
    before = read_bundle(folder)
    describe(folder, format_version=2)
    assert read_bundle(folder) == before
    assert before.familiarity is None
    assert before.to_json()["format_version"] == 1


def test_the_version_of_a_bundle_of_format_1_is_what_it_always_was():
    assert BUNDLE.replace(sha256="0" * 64).version == "e7bc5abe5975"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, False),
        ({"weights": [1.0, 0.5]}, False),
        ({"scores": [0.5, 1.0, 1.0, 2.75]}, False),
        ({"false_alarm_rate": 0.03}, False),
        ({"weights": [1, 0.25]}, True),
        ({"photos": 5}, True),
        ({"measured": {}}, True),
        ({"kinds": ["mahalanobis"]}, True),
    ],
)
def test_the_version_changes_with_what_is_familiar(change, same):
    familiar = BUNDLE.replace(familiar=FAMILIAR)
    changed = BUNDLE.replace(familiar={**FAMILIAR, **change} if change else {})
    assert (changed.version == familiar.version) is same


@pytest.mark.parametrize("familiar", [None, [], {}, True, FAMILIAR["scores"]])
def test_what_is_familiar_must_be_an_object(folder, familiar):
    describe(folder, format_version=2, familiar=familiar)
    assert_corrupt(folder, "'familiar'")


@pytest.mark.parametrize("number", ["NaN", "1e999"])
def test_what_is_familiar_has_finite_numbers(folder, number):
    describe(folder, format_version=2, familiar={**FAMILIAR, "weights": [0.125]})
    file = folder / "bundle.json"
    file.write_text(file.read_text().replace("0.125", number))
    assert_corrupt(folder, "bundle.json")


@pytest.mark.parametrize("labels", [[], ["hat"], ["hat", "hat"], ["hat", ""], ["hat", 1], ["hat", ["cap"]]])
def test_labels_must_be_two_or_more_different_words(folder, labels):
    describe(folder, labels=labels)
    assert_corrupt(folder, "'labels'")


@pytest.mark.parametrize(
    ("member", "value"),
    [("temperature", value) for value in (0, -1, 2e6, 10**400)]
    + [("threshold", value) for value in (-0.01, 1.01)],
)
def test_a_temperature_or_threshold_out_of_range_is_refused(folder, member, value):
    describe(folder, **{member: value})
    assert_corrupt(folder, repr(member))


@pytest.mark.parametrize("threshold", [0, 1])
def test_a_threshold_may_be_an_end_of_its_range(folder, threshold):
    describe(folder, threshold=threshold)
    assert read_bundle(folder).threshold == threshold


@pytest.mark.parametrize("change", [{"height": "32"}, {"width": 2.0}, {"width": True}, {"depth": 3}])
def test_an_input_that_is_not_understood_is_refused(folder, change):
    members = json.loads((folder / "bundle.json").read_text())["input"]
    describe(folder, input={**members, **change})
    assert_corrupt(folder, "'input'")


@pytest.mark.parametrize("change", [{"height": 0}, {"width": 5000}, {"resize": "zoom"}, {"resize": []}])
def test_an_input_that_is_not_possible_is_refused(folder, change):
    members = json.loads((folder / "bundle.json").read_text())["input"]
    describe(folder, input={**members, **change})
    assert_corrupt(folder, "'input'")


def test_an_older_bundle_is_replaced_and_nothing_is_left_beside(folder):
    write_bundle(folder, b"newer", BUNDLE.replace(name="newer"))
    assert read_bundle(folder).name == "newer"
    assert [file.name for file in folder.parent.iterdir()] == ["bundle"]


def test_an_empty_folder_and_one_whose_parents_are_missing_are_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "a" / "b"):
        written = write_bundle(folder, MODEL, BUNDLE)
        assert read_bundle(folder) == written


def test_a_folder_with_anything_else_is_not_touched(folder):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputError) as caught:
        write_bundle(folder, b"newer", BUNDLE)
    assert caught.value.code == "not-ours"
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "model.tflite").read_bytes() == MODEL


def test_a_file_is_not_replaced(tmp_path):
    (tmp_path / "bundle").write_text("mine")
    with pytest.raises(OutputError) as caught:
        write_bundle(tmp_path / "bundle", MODEL, BUNDLE)
    assert caught.value.code == "not-ours"
    assert (tmp_path / "bundle").read_text() == "mine"


def test_a_link_to_a_bundle_stays_a_link(folder, tmp_path):
    link = tmp_path / "current"
    link.symlink_to(folder)
    write_bundle(link, b"newer", BUNDLE)
    assert link.is_symlink()
    assert (folder / "model.tflite").read_bytes() == b"newer"


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    fill_the_disk(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OutputError) as caught:
        write_bundle(tmp_path / "bundle", MODEL, BUNDLE)
    assert caught.value.code == "cannot-write"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_an_older_bundle_survives_a_full_disk_and_an_interrupt(folder, monkeypatch, error):
    before = read_bundle(folder)
    fill_the_disk(monkeypatch, error)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        write_bundle(folder, b"newer", BUNDLE)
    assert read_bundle(folder) == before
    assert [file.name for file in folder.parent.iterdir()] == ["bundle"]


def test_a_bundle_may_be_copied_elsewhere(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert read_bundle(copy) == read_bundle(folder).replace(folder=str(copy))


@pytest.mark.parametrize("name", ["bundle.json", "model.tflite"])
@pytest.mark.parametrize("kind", ["endless", "pipe", "too large"])
def test_only_plain_files_of_a_possible_size_are_read(folder, name, kind):
    (folder / name).unlink()
    if kind == "endless":
        (folder / name).symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).touch()
        os.truncate(folder / name, 2**31 + 1)  # a file with a hole takes no room
    code, message = refusal(folder)
    assert code == "not-a-bundle"
    assert name in message
