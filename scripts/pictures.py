"""Take the screenshots of the documentation's start page: the web page with an answer, and a report.

    python scripts/pictures.py BUNDLE PHOTO REPORT

REPORT is the folder that `shutterless evaluate … --report` wrote. It needs Chromium:
`playwright install chromium`, or set CHROMIUM to the path of an installed one. The committed pictures show
photos of the CC0 data set "Clothing dataset (small)".
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
MAX_BYTES = 150_000  # bytes: the start page shall be there at once


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
    """Take a screenshot of a report's section on confidence."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto((report / "report.html").absolute().as_uri() + "#confidence")
    page.screenshot(path=shot)


def save(shot: Path, name: str) -> None:
    """Write a screenshot as WebP, small enough for a start page."""
    picture = PICTURES / f"{name}.webp"
    Image.open(shot).save(picture, quality=80, method=6)
    if picture.stat().st_size > MAX_BYTES:
        sys.exit(f"{picture} has more than {MAX_BYTES:,} bytes")


def main(bundle: Path, photo: Path, report: Path) -> None:
    """Take both screenshots."""
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shot = Path(folder) / "shot.png"
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=flags)
        with serving(bundle) as url:
            shoot_page(browser, url, photo, shot)
        save(shot, "page")
        shoot_report(browser, report, shot)
        save(shot, "report")
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
