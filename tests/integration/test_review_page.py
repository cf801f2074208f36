"""The page of a review in a real browser: photos are labelled by keyboard alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from shutterless.review.labels_file import Choice, read_labels
from tests.unit.review.conftest import make_live  # noqa: F401

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
needs_chromium = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}")
COMMAND = "from shutterless.cli import main; main()"


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run the command, and yield the address that it prints."""
    words = [sys.executable, "-c", COMMAND, "review", str(folder), "--no-browser", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    assert process.returncode == 130


@contextmanager
def browsing(address: str, problems: list[str], width: int = 1280) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark")
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        origin = address.partition("/?")[0]
        page.on("request", lambda each: each.url.startswith((origin, "data:")) or problems.append(each.url))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.goto(address)
        expect(page.locator("#labels button").first).to_be_visible()
        yield page
        browser.close()


@needs_chromium
def test_photos_are_labelled_by_keyboard_on_a_small_screen(make_live):  # noqa: F811
    live, problems = make_live(40), []
    with serving(live, "--count", "31") as address, browsing(address, problems, width=390) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("document.cookie") == ""
        assert "key" not in page.url
        for _ in range(10):
            for key in ("1", "n", "Enter"):
                page.keyboard.press(key)
        page.keyboard.press("s")
        expect(page.locator("#end")).to_be_visible()
        expect(page.locator("#progress")).to_have_text("31 of 31 photos")
        expect(page.locator("#accuracy")).to_contain_text("of 4 answers")
        page.wait_for_function("() => sending.then(() => true)")
    answers = read_labels(live / "labels.csv").values()
    choices = [answer.choice for answer in answers]
    assert problems == []
    assert [choices.count(choice) for choice in Choice] == [20, 10, 1]


@needs_chromium
def test_undo_a_reload_and_two_tabs(make_live):  # noqa: F811
    live, problems = make_live(10), []
    with serving(live) as address, browsing(address, problems) as page:
        progress = page.locator("#progress")
        page.keyboard.press("1")
        page.keyboard.press("2")
        expect(progress).to_have_text("2 of 10 photos")
        page.keyboard.press("u")
        expect(progress).to_have_text("1 of 10 photos")
        page.keyboard.press("3")
        page.wait_for_function("() => sending.then(() => true)")
        answers = read_labels(live / "labels.csv").values()
        assert sorted(answer.label for answer in answers) == ["hat", "shoes"]
        page.reload()
        expect(progress).to_have_text("2 of 10 photos")
        page.keyboard.press("u")
        expect(progress).to_have_text("1 of 10 photos")
        other = page.context.new_page()
        other.goto(address)
        expect(other.locator("#labels button").first).to_be_visible()
        other.keyboard.press("n")
        expect(other.locator("#progress")).to_have_text("2 of 10 photos")
        page.keyboard.press("s")  # to the photo that the other tab has just answered
        expect(page.locator("#error")).not_to_be_empty()
        expect(progress).to_have_text("2 of 10 photos")
        page.keyboard.press("s")
        expect(progress).to_have_text("3 of 10 photos")
        assert [each.choice for each in read_labels(live / "labels.csv").values()].count(Choice.NONE) == 1
        page.keyboard.press("+")
        page.keyboard.type("rain coat")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="rain coat")).to_be_visible()
    assert problems == []


@needs_chromium
def test_a_label_and_a_file_called_script_do_no_harm(make_live):  # noqa: F811
    script = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    live, problems = make_live(4, label=[script] * 4), []
    for number, file in enumerate(sorted((live / "photos").iterdir())):
        file.rename(live / "photos" / f"<img src=x onerror=alert({number})>.jpg")
    names = sorted(f"photos/{file.name}" for file in (live / "photos").iterdir())
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(live / "records.parquet")
    table = table.set_column(table.column_names.index("photo"), "photo", pa.array(names))
    pq.write_table(table, live / "records.parquet")
    with serving(live) as address, browsing(address, problems) as page:
        expect(page.locator("#guess")).to_contain_text(script)
        page.keyboard.press("+")
        page.keyboard.type(script)
        page.keyboard.press("Enter")
        expect(page.locator("#error")).not_to_be_empty()
        page.keyboard.press("1")
        expect(page.locator("#progress")).to_have_text("1 of 4 photos")
    assert problems == []
