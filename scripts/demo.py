"""Run every step on drawn photos: sample, train, evaluate, convert, serve, and one request.

`make demo` runs this. It only runs commands that a user would type, and shows them.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.table import Table

SHUTTERLESS = Path(sys.executable).with_name("shutterless")
COMMAND = os.path.relpath(SHUTTERLESS)  # as one would type it here
console = Console(highlight=False)


def run(*arguments: object) -> None:
    """Show a command and run it; exit if it fails."""
    console.print(f"\n[bold]$ shutterless {' '.join(map(str, arguments))}[/]")
    status = subprocess.run([SHUTTERLESS, *map(str, arguments)]).returncode
    if status:
        sys.exit(status)


def post(url: str, photo: Path) -> dict:
    """Send a photo and return the answer."""
    request = urllib.request.Request(
        url, data=photo.read_bytes(), headers={"Content-Type": "image/jpeg"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def ask(bundle: Path, photo: Path) -> None:
    """Serve the bundle on a free port, post one photo and show the scores."""
    console.print(f"\n[bold]$ shutterless serve {bundle} --port 0[/]")
    with subprocess.Popen(
        [SHUTTERLESS, "serve", bundle, "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            url = server.stdout.readline().strip()
            if not url:
                sys.exit("the server did not start")
            command = f"curl --data-binary @{photo} -H 'Content-Type: image/jpeg' {url}/predict"
            console.print(f"\n[bold]$ {command}[/]", soft_wrap=True)
            answer = post(f"{url}/predict", photo)
        finally:
            server.terminate()
    console.print(f"\n{photo.name}, a photo that was not used in training: [bold]{answer['label']}[/]")
    scores = Table("label", "score")
    for label, score in sorted(answer["scores"].items(), key=lambda item: -item[1]):
        scores.add_row(label, f"{score:.4f}")
    console.print(scores)


def main(folder: Path) -> None:
    """Run every step in `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    photos, model_run, bundle = folder / "photos", folder / "run", folder / "bundle"
    run("dataset", "sample", photos)
    run("train", photos, "-o", model_run, "--backbone", "tiny")
    run("evaluate", model_run, photos)
    run("convert", model_run, "-o", bundle)
    ask(bundle, sorted((photos / "test").glob("*/*.jpg"))[0])
    console.print(
        f"\nThe photos are in {photos}, the run in {model_run}, the bundle in {bundle}.\n"
        "With photos of your own, one folder for each label:\n\n"
        f"  {COMMAND} train PHOTOS -o run\n"
        f"  {COMMAND} convert run -o bundle\n"
        f"  {COMMAND} serve bundle\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
