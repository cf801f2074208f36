"""Pictures of other things, asked of a bundle that knows three colours."""

import numpy as np
import pytest
from PIL import Image

from shutterless.errors import BundleError, InputError
from shutterless.models import evaluate
from shutterless.runtime.model.bundle import read_bundle, write_bundle


@pytest.fixture
def foreign(tmp_path):
    """Return a folder with two grey pictures, a red one, and a file that is no picture."""
    folder = tmp_path / "foreign"
    (folder / "deep").mkdir(parents=True)
    colours = {"deep/white.png": (255, 255, 255), "black.png": (0, 0, 0), "red.png": (220, 40, 40)}
    for name, colour in colours.items():
        Image.fromarray(np.full((40, 40, 3), colour, np.uint8)).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    return folder


def test_foreign_pictures_are_counted_and_the_most_familiar_named(familiar_bundle, colour_photos, foreign):
    warnings = []
    metrics = evaluate(
        familiar_bundle,
        colour_photos,
        split="validation",
        robustness=False,
        foreign=foreign,
        on_warning=warnings.append,
    ).foreign
    assert metrics.photos == 3
    assert metrics.most_familiar[0].path == "red.png"
    assert metrics.most_familiar[0].label == "red"
    assert {each.path for each in metrics.most_familiar} == {"red.png", "black.png", "deep/white.png"}
    assert metrics.noticed == sum(not each.familiar for each in metrics.most_familiar)
    assert metrics.share == metrics.noticed / 3
    assert metrics.share_interval[0] <= metrics.share <= metrics.share_interval[1]
    assert metrics.auroc >= 2 / 3  # both greys are stranger than every validation photo
    assert sum("broken.jpg" in warning for warning in warnings) == 1


def test_the_report_names_them(familiar_bundle, colour_photos, foreign, tmp_path):
    report = tmp_path / "report"
    evaluate(
        familiar_bundle,
        colour_photos,
        split="validation",
        robustness=False,
        foreign=foreign,
        report=report,
    )
    page = (report / "report.html").read_text("utf-8")
    assert 'id="foreign"' in page
    assert "deep/white.png" in page


def test_a_run_cannot_notice_them(colour_run, foreign):
    with pytest.raises(BundleError) as caught:
        evaluate(colour_run, robustness=False, foreign=foreign)
    assert caught.value.code == "no-novelty"


def test_without_pictures_there_is_nothing_to_measure(familiar_bundle, colour_photos, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        evaluate(familiar_bundle, colour_photos, robustness=False, foreign=tmp_path / "empty")
    assert caught.value.code == "no-pictures"


def test_the_report_shows_each_label_that_was_left_out(familiar_bundle, colour_photos, tmp_path):
    bundle = read_bundle(familiar_bundle)
    figures = {"red": {"auroc": 0.875, "noticed": 0.25, "photos": 6}}
    familiar = {**bundle.familiar, "measured": {"left_out": {"labels": figures}}}
    write_bundle(tmp_path / "bundle", bundle.model, bundle.replace(familiar=familiar))
    report = tmp_path / "report"
    evaluate(tmp_path / "bundle", colour_photos, split="validation", robustness=False, report=report)
    page = (report / "report.html").read_text("utf-8")
    section = page.partition('id="left-out"')[2].partition("</section>")[0]
    assert all(cell in section for cell in (">red<", ">25 %<", ">0.875<", ">6<", "6 % false alarms"))
