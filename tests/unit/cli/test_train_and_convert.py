import json

import pytest

from shutterless import training
from shutterless.runtime.bundle import read_bundle


@pytest.fixture(scope="module")
def tiny(colour_photos):
    """Return the arguments of the smallest training that learns the colours."""
    return (
        "train",
        colour_photos,
        "--backbone",
        "tiny",
        "--image-size",
        32,
        "--batch-size",
        6,
        "--epochs",
        8,
    )


def test_train_writes_a_run_and_convert_makes_a_bundle_of_it(shutterless, tiny, tmp_path):
    trained = shutterless(*tiny, "-o", tmp_path / "run")
    assert (trained.exit_code, trained.stdout) == (0, "")
    assert "Validation accuracy " in trained.stderr
    assert f"Next: shutterless convert {tmp_path / 'run'} -o bundle" in trained.stderr

    converted = shutterless("convert", tmp_path / "run", "-o", tmp_path / "bundle")
    assert converted.exit_code == 0
    assert "same best label" in converted.stderr
    assert read_bundle(tmp_path / "bundle").name == "bundle"


def test_convert_prints_its_figures_as_json(shutterless, colour_run, tmp_path):
    document = json.loads(shutterless("convert", colour_run, "-o", tmp_path / "bundle", "--json").stdout)
    assert document["bundle"]["version"] == read_bundle(tmp_path / "bundle").version
    assert document["comparison"]["agreement"] == 1


def test_a_refused_conversion_shows_the_figures_and_exits_with_1(
    shutterless, colour_run, tmp_path, monkeypatch
):
    from shutterless.conversion import gate

    honest = gate.predict_photos
    monkeypatch.setattr(gate, "predict_photos", lambda *given: honest(*given)[:, ::-1])
    done = shutterless("convert", colour_run, "-o", tmp_path / "bundle")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error: The float16 file loses 66.67% accuracy" in done.stderr
    assert "largest score difference" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_ctrl_c_says_that_the_best_network_is_kept(shutterless, tiny, tmp_path, monkeypatch):
    def interrupted(photos, run, **options):
        (run / training.MODEL).parent.mkdir()
        (run / training.MODEL).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    done = shutterless(*tiny, "-o", tmp_path / "run")
    assert done.exit_code == 130
    assert f"The best network so far is in {tmp_path / 'run'}" in done.stderr


def test_a_wrong_cut_lists_where_to_cut_and_leaves_nothing(shutterless, tiny, tmp_path):
    done = shutterless(*tiny, "-o", tmp_path / "run", "--cut", "mixed7")
    assert done.exit_code == 1
    assert "Cut at stage3 or stage4, the usual places, or at any of these:\n" in done.stderr
    assert "  stage4  2×2×128\n" in done.stderr
    assert list(tmp_path.iterdir()) == []
