"""Run the zip for arm64 under emulation, and compare its scores with those of this machine's model.

    scripts/stand-in-base trixie shutterless-base:arm64 arm64
    python scripts/try_arm64.py BUNDLE PHOTO... [--base-image shutterless-base:arm64]

Needs a Docker engine and `qemu-aarch64-static` (Debian: qemu-user-static). It prints the label, and the
largest difference of a score, for each photo. It says nothing about speed: emulation takes some fifteen
seconds for a photo.
"""

import argparse
import base64
import contextlib
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from shutterless.packaging.zip_package import TASK_ROOT, build_zip
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

EMULATOR = ("qemu-aarch64-static", "-cpu", "neoverse-n1")
# LiteRT looks the processor up here, and would otherwise see the emulator's host.
CPU_INFO = """\
processor\t: 0
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""
# Runs there: events come in, scores go out.
CALLER = """
import json, sys
from lambda_function import lambda_handler
print(json.dumps([lambda_handler(event) for event in json.load(sys.stdin)]))
"""


def main() -> None:
    """Build the zip, run it on each photo, print what it answers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--base-image", default="shutterless-base:arm64", help="with Python 3.13, for arm64")
    arguments = parser.parse_args()
    with unpack_image(arguments.base_image) as root:
        task = root / TASK_ROOT
        package = build_zip(arguments.bundle, root / "function.zip", platform="linux/arm64")
        zipfile.ZipFile(package.path).extractall(task)
        emulated_scores = ask_emulated(root, task, arguments.photos)
    service = Service.load(Settings(bundle=arguments.bundle))
    differences = []
    for photo, scores in zip(arguments.photos, emulated_scores, strict=True):
        expected = service.classify(photo.read_bytes())["scores"]
        differences.append(max(abs(scores[label] - score) for label, score in expected.items()))
        print(photo, max(scores, key=lambda label: scores[label]), f"{differences[-1]:.2g}")
    print(f"{package.bytes:,} bytes, {len(differences)} photos, largest difference {max(differences):.2g}")


@contextlib.contextmanager
def unpack_image(tag: str) -> Iterator[Path]:
    """Give a folder with an image's files, as long as it is needed."""
    create = ["docker", "create", tag, "true"]
    container = subprocess.run(create, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            export = subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE)
            subprocess.run(["tar", "-x", "-C", folder], stdin=export.stdout, check=True)
            Path(folder, "proc/cpuinfo").write_text(CPU_INFO)
            yield Path(folder)
    finally:
        subprocess.run(["docker", "rm", container], check=True, stdout=subprocess.DEVNULL)


def ask_emulated(root: Path, task: Path, photos: Sequence[Path]) -> list[dict[str, float]]:
    """Return the scores of photos by the function unpacked in `task`."""
    events = [{"image": base64.b64encode(photo.read_bytes()).decode()} for photo in photos]
    command = [*EMULATOR, "-L", root, "-E", f"PYTHONPATH={task}", root / "usr/bin/python3.13", "-c", CALLER]
    answer = subprocess.run(command, input=json.dumps(events), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(answer.stdout)


if __name__ == "__main__":
    sys.exit(main())
