import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shutterless.dataset import Photo
from shutterless.errors import OutputError
from shutterless.evaluation import ConditionMetrics, Predictions
from shutterless.evaluation.provenance import Provenance
from shutterless.evaluation.report.images import MAX_MISTAKES, MAX_SAMPLES, MAX_WORST, NO_HEAT
from shutterless.evaluation.report.plots import MAX_NAMED
from shutterless.evaluation.report.report import (
    MAX_LISTED,
    _commands,
    check_report_folder,
    plots,
    write_report,
)
from shutterless.runtime.image.decoder import InputSpec
from shutterless.utils.escaping import plain

pytestmark = pytest.mark.slow

LABELS = ('<img src=x onerror="alert(1)">', "$\\frac{a}{$ 猫", "plain & \u202esimple")
RECIPE = """
name = "</pre><script>alert(1)</script>"
[run]
photos = "/the photos"
dataset_fingerprint = "0123abcd"
backbone = "tiny"
weights = "none"
image_size = 32
seed = 5
"""
CONDITION_METRICS = {
    "unchanged": ConditionMetrics(30, 24, 0.8, (0.63, 0.9)),
    "blur": ConditionMetrics(30, 12, 0.4, (0.25, 0.58)),
}
HISTORY = """phase,epoch,seconds,learning_rate,loss,accuracy,val_loss,val_accuracy,best
head,1,0.5,0.001,1.2,0.4,1.1,0.5,True
network,1,0.5,0.001,0.9,0.6,0.8,0.7,True
"""


class Page(HTMLParser):
    """The elements of a page, its text, and where it leads."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data

    def values(self, *names):
        return [value for name, value in self.attributes if name in names]


def photograph(root, count):
    """Write `count` photos of each hostile label, twice as wide as high, under hostile names."""
    photos = []
    for place, label in enumerate(LABELS):
        (root / label).mkdir(parents=True)
        for number in range(count):
            photo = Photo(f'{label}/"><svg onload=x {number:03}>.png', label, "validation")
            shade = np.full((40, 80, 3), 40 + 80 * place, np.uint8)
            Image.fromarray(shade).save(root / photo.path)
            photos.append(photo)
    return tuple(photos)


def predict(root, photos, wrong, threshold=None):
    """Return predictions in which the first `wrong` photos of each label are taken for the next label."""
    rng = np.random.default_rng(2)
    per_label = len(photos) // len(LABELS)
    probabilities = np.empty((len(photos), len(LABELS)), np.float32)
    for row in range(len(photos)):
        place, number = divmod(row, per_label)
        guess = (place + (number < wrong)) % len(LABELS)
        confidence = rng.uniform(0.5, 0.8 if number < wrong else 0.99)
        probabilities[row] = (1 - confidence) / 2
        probabilities[row, guess] = confidence
    return Predictions(root, photos, LABELS, InputSpec(32, 32), probabilities, threshold)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("photos")


@pytest.fixture(scope="module")
def predictions(root):
    return predict(root, photograph(root, 10), wrong=2)


@pytest.fixture(scope="module")
def run(tmp_path_factory, predictions):
    folder = tmp_path_factory.mktemp("runs") / "<i>run"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "history.csv").write_text(HISTORY)
    rows = [f'"{photo.path.replace(chr(34), chr(34) * 2)}"' for photo in predictions.photos]
    labels = [f'"{photo.label.replace(chr(34), chr(34) * 2)}"' for photo in predictions.photos]
    lines = [f"{path},{label},train" for path, label in zip(rows, labels, strict=True)]
    (folder / "split.csv").write_text("\n".join(["path,label,split", *lines, ""]))
    return folder


@pytest.fixture(scope="module")
def heat_calls():
    return []


@pytest.fixture(scope="module")
def folder(predictions, run, heat_calls, tmp_path_factory):
    def heat_map(pixels, label):
        heat_calls.append((pixels.shape, pixels.dtype, label))
        return np.linspace(0, 1, 4, dtype=np.float32).reshape(2, 2)

    folder = tmp_path_factory.mktemp("reports") / "report"
    augmented = [np.full((32, 32, 3), 20 * number, np.uint8) for number in range(10)]
    written = write_report(
        folder, predictions, run, augmented=augmented, heat_map=heat_map, robustness=CONDITION_METRICS
    )
    assert written == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(folder):
    return Page((folder / "report.html").read_text("utf-8"))


def test_names_and_labels_are_shown_as_text_and_never_become_elements(page):
    assert page.tags.count("script") == 1 and "i" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for text in (*LABELS, "<script>alert(1)</script>", '"><svg onload=x 000>.png', "<i>run"):
        assert plain(text) in page.text


def test_no_label_changes_the_direction_of_other_text(folder):
    assert "\u202e" not in (folder / "report.html").read_text("utf-8")


def test_the_page_holds_all_that_it_shows_and_leads_nowhere_else(page, folder):
    assert page.tags.count("img") > 20
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.values("src"))
    assert all(address.startswith("#") for address in page.values("href", "xlink:href"))
    assert "://" not in (folder / "report.html").read_text("utf-8")
    assert not {"link", "iframe", "object", "base", "form"} & {*page.tags}


def test_the_only_script_that_may_run_is_the_pages_own(folder):
    text = (folder / "report.html").read_text("utf-8")
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    )
    assert not {"fetch(", "XMLHttpRequest", "import("} & {*re.findall(r"\w+\(", script)}


def test_every_link_finds_its_place_and_no_place_is_there_twice(page):
    places = page.values("id")
    assert len(places) == len({*places})
    assert {address[1:] for address in page.values("href", "xlink:href")} <= {*places}


def test_each_cell_of_the_confusion_matrix_leads_to_its_photos(page):
    assert {f"#confusion-{place}-{(place + 1) % 3}" for place in range(3)} <= {*page.values("href")}
    assert f"{LABELS[0]} predicted as {LABELS[1]}: 2" in page.text


def test_figures_take_their_colours_from_the_page(folder):
    text = (folder / "report.html").read_text("utf-8")
    charts = text[text.index("<svg") :]
    assert "currentColor" in charts and "var(--first)" in charts
    assert plots.INK not in charts
    assert "prefers-color-scheme: dark" in text


def test_every_figure_is_a_png_too(folder):
    names = ["accuracy", "augmentation", "confusion", "coverage", "heat-maps", "loss", "mistakes"]
    names += ["reliability", "robustness", "samples"]
    figures = sorted((folder / "figures").glob("*.png"))
    assert [file.name for file in figures] == [f"{name}.png" for name in names]
    for file in figures:
        with Image.open(file) as picture:
            assert (picture.format, min(picture.size) > 200) == ("PNG", True)


def test_the_page_shows_each_condition_with_its_accuracy_and_an_example(page):
    section = page.text[page.text.index("Accuracy on worse photos") :]
    assert "every measured photo" in section and "25 to 58 %" in section
    assert {"unchanged", "blur", "noise", "darkness", "JPEG", "rotation", "crop"} <= {*page.values("alt")}


def test_a_report_without_robustness_has_no_such_section(predictions, run, tmp_path):
    text = write_report(tmp_path / "report", predictions, run).read_text("utf-8")
    assert 'id="robustness"' not in text
    assert not (tmp_path / "report" / "figures" / "robustness.png").exists()


def test_the_page_shows_the_figures_of_the_model(page):
    assert "80 %" in page.text  # accuracy: 24 of 30
    assert "interval 63 to 90 %" in page.text
    assert "unknown (30 photos are too few; 200 needed)" in page.text  # the calibration error
    assert "0123abcd" in page.text
    assert "shutterless train '/the photos' -o" in page.text
    assert "--seed 5" in page.text


def test_heat_is_asked_for_the_guessed_label_of_photos_as_the_model_sees_them(heat_calls, predictions):
    assert len(heat_calls) == 8
    assert {(shape, dtype) for shape, dtype, _ in heat_calls} == {((32, 32, 3), np.dtype(np.uint8))}
    assert {label for _, _, label in heat_calls} <= {0, 1, 2}


def test_nothing_but_the_page_and_its_figures_is_left(folder):
    assert sorted(file.name for file in folder.iterdir()) == ["figures", "report.html"]


def test_a_second_report_replaces_the_first_and_leaves_a_runs_other_files_alone(
    folder, predictions, run, tmp_path
):
    own = shutil.copytree(run, tmp_path / "run")
    before = {file.name for file in own.iterdir()}
    shutil.copytree(folder / "figures", own / "figures")
    shutil.copy(folder / "report.html", own)
    shutil.copy(own / "figures" / "mistakes.png", own / "figures" / "older.png")
    with (own / "figures" / ".shutterless-figures").open("a") as names:
        names.write("older.png\n")
    write_report(own, predictions, own)
    assert {file.name for file in own.iterdir()} == {*before, "figures", "report.html"}
    assert not (own / "figures" / "older.png").exists()
    text = Page((own / "report.html").read_text("utf-8")).text
    assert "shutterless train" in text and "shutterless evaluate" not in text


@pytest.mark.parametrize("place", ["figures/mine.png", "figures/accuracy.png", "figures", "report.html"])
def test_a_page_and_figures_that_no_report_of_ours_wrote_are_left_alone(predictions, run, tmp_path, place):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(b"mine")
    with pytest.raises(OutputError) as caught:
        write_report(tmp_path, predictions, run)
    assert caught.value.code == "not-ours"
    assert (tmp_path / place).read_bytes() == b"mine"
    assert len(list(tmp_path.rglob("*"))) == len(Path(place).parts)


def test_a_figure_that_was_added_to_a_reports_figures_is_not_lost(folder, predictions, run, tmp_path):
    shutil.copytree(folder / "figures", tmp_path / "figures")
    check_report_folder(tmp_path, predictions.root)
    (tmp_path / "figures" / "mine.png").touch()
    with pytest.raises(OutputError) as caught:
        check_report_folder(tmp_path, predictions.root)
    assert caught.value.code == "not-ours"


@pytest.mark.parametrize("inside", [".", "report"])
def test_a_report_among_the_photos_is_refused(predictions, run, inside):
    before = sorted(predictions.root.rglob("*"))
    with pytest.raises(OutputError) as caught:
        write_report(predictions.root / inside, predictions, run)
    assert caught.value.code == "output-inside-photos"
    assert sorted(predictions.root.rglob("*")) == before


def test_a_report_that_fails_leaves_the_older_one_and_no_draft(
    folder, predictions, run, tmp_path, monkeypatch
):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    older = shutil.copytree(folder, tmp_path / "older")
    monkeypatch.setattr("shutterless.evaluation.report.plots.write_png", full)
    with pytest.raises(OutputError) as caught:
        write_report(older, predictions, run)
    assert caught.value.code == "cannot-write"
    assert {file.name for file in older.iterdir()} == {file.name for file in folder.iterdir()}
    assert (older / "report.html").read_bytes() == (folder / "report.html").read_bytes()
    with pytest.raises(OutputError):
        write_report(tmp_path / "new", predictions, run)
    assert [file.name for file in tmp_path.iterdir()] == ["older"]


def test_a_bundle_is_measured_with_its_own_temperature_and_threshold(predictions, colour_bundle, tmp_path):
    served = predict(predictions.root, predictions.photos, wrong=0, threshold=0.9)
    page = Page(write_report(tmp_path, served, colour_bundle).read_text("utf-8"))
    assert "the bundle's own temperature (1.0" in page.text
    assert "a threshold of 0.90" in page.text
    assert "Worst mistakes" not in page.text
    assert not (tmp_path / "figures" / "mistakes.png").exists()


def test_a_poor_models_page_shows_no_more_photos_than_a_browser_bears(root, run, tmp_path, monkeypatch):
    monkeypatch.setattr("shutterless.evaluation.report.images.MAX_MISTAKES", 6)
    photos = tuple(
        Photo(file.relative_to(root).as_posix(), file.parent.name, "test") for file in root.rglob("*.png")
    )
    photos = tuple(sorted(photos, key=lambda photo: LABELS.index(photo.label)))
    page = Page(write_report(tmp_path, predict(root, photos, wrong=10), run).read_text("utf-8"))
    assert page.tags.count("img") == 3 + MAX_WORST + 6 < MAX_MISTAKES
    assert "10, the 2 most confident shown" in page.text


def points(page):
    """Return what the threshold's slider shows: (accepted, right) at each threshold from 0 to 1."""
    (text,) = page.values("data-points")
    return json.loads(text)


def test_the_slider_knows_what_each_threshold_accepts(predictions, colour_bundle, tmp_path):
    served = predict(predictions.root, predictions.photos, wrong=2, threshold=0.8)
    shown = points(Page(write_report(tmp_path, served, colour_bundle).read_text("utf-8")))
    confidence, right = served.probabilities.max(axis=1), served.probabilities.argmax(axis=1) == served.truth
    assert len(shown) == 1001
    assert shown[0] == [30, 24] and shown[-1] == [0, 0]
    assert shown[800] == [(confidence >= 0.8).sum(), (right & (confidence >= 0.8)).sum()]


def test_a_run_measured_on_two_splits_shows_both(predictions, run, tmp_path):
    own = shutil.copytree(run, tmp_path / "run")
    figures = {"validation": {"right": 24, "photos": 30}, "test": {"right": 333, "photos": 500}}
    (own / "metrics.json").write_text(json.dumps({"made_with": {}, **figures}))
    text = " ".join(Page(write_report(own, predictions, own).read_text("utf-8")).text.split())
    assert text.count("accuracy (validation)") == 1
    assert re.search(r"accuracy \(test\) ?67 % ?333 of 500 photos", text)


def test_a_heat_map_that_shows_nothing_says_so(predictions, run, tmp_path):
    def heat_map(pixels, label):
        return np.full((2, 2), label == 0, np.float32)

    page = Page(write_report(tmp_path, predictions, run, heat_map=heat_map).read_text("utf-8"))
    assert 0 < page.text.count(NO_HEAT) < 8


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Predictions of 1,000 labels with two photos each, of which nine in ten are wrong."""
    root = tmp_path_factory.mktemp("many")
    Image.new("RGB", (8, 8), "red").save(root / "0.png")
    labels = tuple(f"label {number:03}" for number in range(1000))
    photos = tuple(Photo("0.png", label, "test") for label in labels for _ in range(2))
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.full(1000, 0.01), len(photos)).astype(np.float32)
    truth = np.repeat(np.arange(1000), 2)
    probabilities[::10] = 0.1 / 999
    probabilities[np.arange(0, len(photos), 10), truth[::10]] = 0.9
    return Predictions(root, photos, labels, InputSpec(32, 32), probabilities)


def test_the_report_of_a_thousand_labels_is_bounded(many, run, tmp_path):
    assert len(many.labels) > MAX_NAMED
    file = write_report(tmp_path, many, run)
    page = Page(file.read_text("utf-8"))
    assert page.tags.count("img") <= MAX_SAMPLES + MAX_WORST + MAX_MISTAKES
    assert page.tags.count("tr") < 2 * len(many.labels) + MAX_LISTED + 50
    assert page.text.count("label 999") >= 1
    assert file.stat().st_size < 3_000_000
    for figure in (tmp_path / "figures").glob("*.png"):
        with Image.open(figure) as picture:
            assert max(picture.size) <= 4000, figure.name
    assert {address[1:] for address in page.values("href")} <= {*page.values("id")}


@pytest.mark.parametrize(
    ("splits", "option"),
    [(["test"], "--split test"), (["test", "new"], ""), (["train", "test"], "--split all")],
)
def test_the_command_measures_the_same_photos_again(splits, option, tmp_path):
    photos = tuple(Photo(f"{split}.png", "a", split) for split in splits)
    scores = np.full((len(photos), 2), 0.5, np.float32)
    predictions = Predictions(tmp_path, photos, ("a", "b"), InputSpec(8, 8), scores)
    (command,) = _commands(tmp_path / "report", predictions, tmp_path / "run", Provenance("run", {}, {}))
    assert command.partition("--split")[2].partition("--report")[0].strip() == option[8:]
    assert ("--split" in command) == bool(option)


def test_the_command_maps_and_leaves_out_the_same_labels(tmp_path):
    photos = (Photo("1.png", "a", "test"),)
    scores = np.full((1, 2), 0.5, np.float32)
    predictions = Predictions(
        tmp_path,
        photos,
        ("a", "b"),
        InputSpec(8, 8),
        scores,
        label_map={"an a": "a", "x": "b"},
        skip_unknown_labels=True,
    )
    (command,) = _commands(tmp_path / "report", predictions, tmp_path / "run", Provenance("run", {}, {}))
    assert " --label-map 'an a=a,x=b' --skip-unknown-labels --report " in command
