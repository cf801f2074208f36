import shutil
import sys

import numpy as np
import pytest

from shutterless.curation.inspection import add_feature_findings, inspect_features
from shutterless.dataset.inspect.inspection import inspect_dataset
from shutterless.dataset.inspect.report import write_inspection
from shutterless.dataset.types import OTHER
from shutterless.errors import InputError
from shutterless.runtime.image.decoder import InputSpec


class Colour:
    """An embedder whose features are the mean colour and the noise of the picture."""

    name, identity, input = "colour", "colour", InputSpec(8, 8)

    def features(self, pixels):
        means = pixels.mean(axis=(1, 2))
        noise = pixels.reshape(len(pixels), -1) - np.tile(means, 64)
        return np.concatenate([means, 2 * noise], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def spoilt(colour_photos, tmp_path_factory):
    """Return photos of which one is under the wrong label, one under two labels, and one is green and red."""
    root = shutil.copytree(colour_photos, tmp_path_factory.mktemp("spoilt") / "photos")
    (root / "train/red/03.png").rename(root / "train/blue/wrong.png")
    shutil.copy(root / "train/green/05.png", root / "train/red/twice.png")
    return root


@pytest.fixture(scope="module")
def inspection(spoilt):
    return add_feature_findings(inspect_dataset(spoilt), Colour())


def test_label_errors_are_listed_with_photos_of_both_labels(inspection):
    (finding,) = (each for each in inspection.findings if each.kind == "label-errors")
    first, second = finding.suggestions[:2]
    assert finding.files[:2] == (("train/red/twice.png",), ("train/blue/wrong.png",))
    assert (first.action, first.target) == ("remove", "")
    assert (second.action, second.target) == ("move", "red")
    assert 0.5 < second.confidence <= 1
    assert list(second.examples) == ["blue", "red"]
    assert all(len(paths) == 3 for paths in second.examples.values())
    assert all(f"/{label}/" in path for label, paths in second.examples.items() for path in paths)


def test_every_photo_is_on_the_map_and_in_the_document(inspection):
    assert set(inspection.places) == {photo.path for photo in inspection.dataset.photos}
    document = inspection.to_json()
    assert len(document["places"]) == 64
    assert {each["kind"] for each in document["findings"]} >= {"label-conflict", "label-errors"}


def test_the_page_shows_what_the_features_found_without_the_network(inspection, tmp_path):
    page = write_inspection(inspection, tmp_path / "report").read_text("utf-8")
    assert page.count("<circle") == 64
    assert page.count('type="checkbox"') >= 2
    assert "filed as blue, looks like red" in page
    assert "://" not in page
    assert page.count("<script") == 1


def test_an_accepted_suggestion_stays_accepted_in_the_next_report(inspection, tmp_path):
    folder = tmp_path / "report"
    write_inspection(inspection, folder)
    text = (folder / "findings.csv").read_text("utf-8-sig")
    (line,) = (line for line in text.splitlines() if "wrong.png" in line and "label-errors" in line)
    columns = line.rsplit(",", 2)
    (folder / "findings.csv").write_text(text.replace(line, f"{columns[0]},yes,{columns[2]}"), "utf-8-sig")
    page = write_inspection(inspection, folder).read_text("utf-8")
    assert f"{columns[0]},yes,{columns[2]}" in (folder / "findings.csv").read_text("utf-8")
    assert f'data-id="{line.split(",")[0]}" checked' in page


def test_a_photo_unlike_all_others_is_suggested_for_the_folder_of_such_photos(spoilt, tmp_path):
    class Stranger(Colour):
        identity = "stranger"

        def features(self, pixels):
            features = np.zeros((len(pixels), 128), np.float32)
            features[:, :64] = 1 + 0.2 * np.random.default_rng(0).normal(size=(len(pixels), 64))
            features[7, :64], features[7, 100] = 0, 9
            return features

    inspection = add_feature_findings(inspect_dataset(spoilt), Stranger())
    photo = inspection.dataset.photos[7]
    (finding,) = (each for each in inspection.findings if each.kind == "outliers")
    assert finding.suggestions[0].path == photo.path
    assert (finding.suggestions[0].action, finding.suggestions[0].target) == ("move", OTHER)


@pytest.mark.parametrize("counts", [{"red": 1}, {"red": 2}, {"red": 1, "blue": 1}, {"red": 6, "blue": 1}])
def test_tiny_data_sets_are_inspected(colour_photos, counts, tmp_path):
    for label, count in counts.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(count):
            name = f"{number:02}.png"
            shutil.copy(colour_photos / "train" / label / name, tmp_path / "photos" / label / name)
    inspection = add_feature_findings(inspect_dataset(tmp_path / "photos"), Colour())
    assert len(inspection.places) == sum(counts.values())
    assert write_inspection(inspection, tmp_path / "report").is_file()


def test_without_the_extra_the_error_says_what_to_install(colour_photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(InputError) as caught:
        inspect_features(colour_photos)
    assert caught.value.code == "missing-extra"
    assert "cleanlab" in caught.value.message
    assert "train" in caught.value.hint


def test_a_run_and_a_backbone_give_features(colour_run, colour_photos, colour_bundle):
    from shutterless.curation.networks import backbone_network, load_network
    from shutterless.training import load_run

    network, run = load_network(colour_run), load_run(colour_run)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    features = network.features(pixels)
    assert network.input == run.input
    head = run.model.layers[-1]
    assert np.asarray(head(features)) == pytest.approx(run.probabilities(pixels), abs=1e-5)
    assert load_network(colour_run).identity == network.identity
    tiny = backbone_network("tiny", "none")
    assert tiny.features(np.zeros((2, 96, 96, 3), np.uint8)).shape == (2, 128)
    assert tiny.identity != backbone_network("tiny", "none").identity  # other random weights
