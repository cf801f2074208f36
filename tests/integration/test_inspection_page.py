"""The page of an inspection in a real browser: suggestions are accepted by keyboard, and saved as a file."""

import csv
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from shutterless.curation.inspection import add_feature_findings
from shutterless.curation.networks import backbone_network
from shutterless.dataset.inspect.inspection import inspect_dataset
from shutterless.dataset.inspect.report import write_inspection
from shutterless.dataset.synthetic.render import draw_sample

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Return the report of a drawn sample with one dress among the hats, by a network with random weights."""
    folder = tmp_path_factory.mktemp("inspection")
    photos = draw_sample(folder / "photos", per_label=10, size=64)
    dress = sorted((photos / "train" / "dress").iterdir())[0]
    (photos / "train" / "hat" / "dress.jpg").write_bytes(dress.read_bytes())
    inspection = inspect_dataset(photos)
    network = backbone_network("tiny", "none")
    return write_inspection(add_feature_findings(inspection, network), folder / "report")


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_suggestions_are_accepted_and_saved_without_a_network(report, width, tmp_path):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.get_by_role("checkbox").first
        box.focus()
        page.keyboard.press("Space")
        expect(page.get_by_role("status")).to_contain_text("1 of ")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save findings.csv").click()
        download.value.save_as(tmp_path / "findings.csv")
        circle = page.locator(".map circle").first
        circle.dispatch_event("pointerover")
        expect(page.locator(".map figcaption")).to_contain_text("/dress/")
        browser.close()
    before, after = (
        list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
        for file in (report.parent / "findings.csv", tmp_path / "findings.csv")
    )
    assert problems == []
    assert [row["accept"] for row in after].count("yes") == 1
    assert [{**row, "accept": ""} for row in after] == before
