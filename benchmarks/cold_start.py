"""Where the time from import to first answer goes, part by part.

    python -m benchmarks.cold_start BUNDLE PHOTO [--runs 9]

Each run is a process of its own; the first one, which warms the file cache, is not counted. The table has the
fastest run of each part, because background load only adds time. No program that predicts with LiteRT and
Pillow avoids the parts marked unavoidable.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

PARTS = {
    "import Pillow and its JPEG decoder": ("from PIL import Image, JpegImagePlugin", True),
    "load LiteRT's C library": (
        "from shutterless.runtime.model.litert import load_library; load_library()",
        True,
    ),
    "import our decoder": ("import shutterless.runtime.image.decoder", False),
    "import the rest of the handler": (
        "from shutterless.runtime.adapters import lambda_function as handler",
        False,
    ),
    "read and verify the bundle": (
        "from pathlib import Path; from shutterless.runtime.model.bundle import read_bundle;"
        "bundle = read_bundle(Path(sys.argv[1]))",
        False,
    ),
    "load the model": (
        "from shutterless.runtime.model.classifier import Classifier; classifier = Classifier(bundle)",
        True,
    ),
    "run it once": ("classifier.warm_up()", False),
    "first answer": (
        "from shutterless.runtime.service import Service; from shutterless.runtime.settings import Settings;"
        "handler.handle(Service(classifier, Settings(bundle.path)), event, None, lambda entry: None)",
        True,
    ),
    "second answer": (
        "handler.handle(Service(classifier, Settings(bundle.path)), event, None, lambda entry: None)",
        False,
    ),
}
PROGRAM = """
import base64, json, sys, time
event = {"image": base64.b64encode(open(sys.argv[2], "rb").read()).decode()}
parts, times = json.loads(sys.argv[3]), []
for part in parts:
    start_time = time.perf_counter()
    exec(part)
    times.append((time.perf_counter() - start_time) * 1000)
print(json.dumps(times))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    parts = json.dumps([code for code, _ in PARTS.values()])
    command = [sys.executable, "-c", PROGRAM, str(options.bundle), str(options.photo), parts]
    runs = [run(command) for _ in range(options.runs + 1)][1:]
    print("| part | ms | unavoidable |\n| --- | ---: | --- |")
    for (name, (_, is_unavoidable)), times in zip(PARTS.items(), zip(*runs, strict=True), strict=True):
        print(f"| {name} | {min(times):.1f} | {'yes' if is_unavoidable else ''} |")


def run(command: list[str]) -> list[float]:
    process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(process.stdout)


if __name__ == "__main__":
    main()
