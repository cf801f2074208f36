"""The pictures of the documentation's start page: the page with a photo answered, and a report.

    python scripts/pictures.py BUNDLE PHOTO REPORT

REPORT is what `shutterless evaluate … --report` wrote. Needs Chromium: `playwright install chromium`, or the
system's, whose path is in CHROMIUM. The committed ones show photos of the CC0 "Clothing dataset (small)".
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SHUTTERLESS = Path(sys.executable).with_name("shutterless")
WIDTH, HEIGHT = 1000, 750
LARGEST = 150_000  # bytes: the start page shall be there at once


@contextmanager
def serving(bundle: Path) -> Iterator[str]:
    """Serve a bundle on a free port and give its URL."""
    command = [SHUTTERLESS, "serve", bundle, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def shoot_page(browser: Browser, url: str, photo: Path, shot: Path) -> None:
    """Give the page a photo and take its picture once it has answered."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(url)
    page.set_input_files("#file", photo)
    page.wait_for_selector("#results .more tr")
    page.wait_for_timeout(1000)  # until the bars have grown
    page.screenshot(path=shot)


def shoot_report(browser: Browser, report: Path, shot: Path) -> None:
    """Take the picture of what a report says of confidence."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto((report / "report.html").absolute().as_uri() + "#confidence")
    page.screenshot(path=shot)


def keep(shot: Path, name: str) -> None:
    """Write a screenshot as WebP, small enough for a start page."""
    kept = PICTURES / f"{name}.webp"
    Image.open(shot).save(kept, quality=80, method=6)
    if kept.stat().st_size > LARGEST:
        sys.exit(f"{kept} has more than {LARGEST:,} bytes")


def main(bundle: Path, photo: Path, report: Path) -> None:
    """Take both pictures."""
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shot = Path(folder) / "shot.png"
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=flags)
        with serving(bundle) as url:
            shoot_page(browser, url, photo, shot)
        keep(shot, "page")
        shoot_report(browser, report, shot)
        keep(shot, "report")
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
