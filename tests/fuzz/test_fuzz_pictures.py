"""Pictures that are well-formed but made to cost as much as possible are answered within a request's budget.

The suite sends some of each format. By hand, a search for the costliest:

    PYTHONPATH=src:. python -m tests.fuzz.test_fuzz_pictures BUNDLE --minutes 30 [--seed N] [--unlimited]

With `--formats JPEG,PNG`, it searches these alone. It breeds the genes of `picture_grammar.py` by CPU time
and memory, each file in a process of its own, and prints the worst of each format. With `--unlimited`, Pillow
decodes them with a limit on pixels alone: what is found then is what the other limits are for.
"""

import argparse
import base64
import io
import os
import random
import resource
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.image.limits import MAX_PIXELS
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings
from tests.fuzz.picture_grammar import BUILDERS, GENES, Genes, build_jpeg, draw_genes, mutate_genes

PER_FORMAT = 6
SURVIVORS = 8  # of each format, whose genes are mutated
MAX_SECONDS, MAX_MEMORY = 20, 4 << 30  # of a search without limits
COPIES = 16  # of a small picture, in one request
ERRORS = {"unreadable-image", "unsupported-format", "too-large", "unusual-image"}


class Cost(NamedTuple):
    """What a picture took: CPU seconds, megabytes of the largest process, how it ended, and its bytes."""

    seconds: float
    megabytes: int
    outcome: str
    size: int

    @property
    def score(self) -> float:
        """How bad it is: a second counts as much as 200 MB."""
        return self.seconds + self.megabytes / 200


def classify(service: Service, data: bytes) -> str:
    """Return `200`, or the code of the error, for a plain event with a picture."""
    event = {"image": base64.b64encode(data).decode()}
    try:
        handle(service, event, write=lambda entry: None)
    except Problem as problem:
        assert 400 <= problem.status < 500, problem
        return problem.code
    return "200"


@pytest.fixture(scope="module")
def service(colour_bundle) -> Service:
    return Service(Classifier(read_bundle(colour_bundle)), Settings(colour_bundle))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", GENES)
def test_any_picture_of_the_grammar_is_answered_with_200_or_a_problem(kind, service):
    rng = random.Random(kind)
    pictures = [BUILDERS[kind](draw_genes(kind, rng)) for _ in range(PER_FORMAT)]
    assert {classify(service, data) for data in pictures} <= {"200", *ERRORS}


VALID: dict[str, Genes] = {
    "JPEG": {"width": 255, "height": 16, "precision": 8, "factor": 0x22, "frame": 0xC2, "restart": 0},
    "PNG": {"width": 255, "height": 16, "depth": 8, "colour": 2, "interlace": 0, "rows": 100, "chunks": 0},
    "TIFF": {"width": 16, "height": 16, "bits": 8, "samples": 1, "photometric": 1, "compression": 32773}
    | {"tile": 0, "rows_per_strip": 16, "pieces": 1, "piece_bytes": 100, "tags": 10},
    "WEBP": {"width": 224, "height": 224, "kind": 1},
    "GIF": {"width": 16, "height": 16, "frame_width": 16, "frame_height": 16}
    | {"code_size": 8, "data_bytes": 5000},
    "BMP": {"width": 2, "height": 2, "bits": 24, "compression": 0, "runs": 100},
    "AVIF": {"width": 0, "boxes": 1},
}


@pytest.mark.parametrize("kind", GENES)
def test_the_grammar_makes_pictures_that_pillow_reads(kind):
    data = BUILDERS[kind](draw_genes(kind, random.Random(1)) | VALID[kind])
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.format == kind


def test_a_jpeg_of_the_grammar_has_as_many_scans_as_its_genes_say():
    genes = {"scans": 64, "scan_bytes": 10}
    data = build_jpeg(draw_genes("JPEG", random.Random(1)) | VALID["JPEG"] | genes)
    assert data.count(b"\xff\xda") == 64


def measure(act: Callable[[], str], size: int) -> Cost:
    """Run something in a forked process with limits; return what it took."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        try:
            os.write(writer, act().encode())
        except BaseException as error:  # whatever it is, it is the outcome
            os.write(writer, f"{type(error).__name__}: {error}"[:80].encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        outcome = stream.read().decode("utf-8", "replace")
    _, status, usage = os.wait4(pid, 0)
    if os.WIFSIGNALED(status):
        outcome = signal.Signals(os.WTERMSIG(status)).name
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, outcome, size)


def decode_unlimited(pictures: list[bytes]) -> str:
    """Decode pictures as a program does that limits nothing but their pixels."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # from twice of it on, Pillow raises an error
    for data in pictures:
        with Image.open(io.BytesIO(data)) as picture:
            picture.getexif()
            picture.convert("RGB").resize((224, 224))
    return "decoded"


def classify_all(service: Service, pictures: list[bytes]) -> str:
    """Return the codes of the answers to several pictures in one request."""
    images = [{"image": base64.b64encode(data).decode()} for data in pictures]
    predictions = service.predict({"images": images})["predictions"]  # type: ignore[typeddict-item]
    return ", ".join(sorted({str(prediction.get("code", "200")) for prediction in predictions}))


def search(act: Callable[[list[bytes]], str], formats: list[str], minutes: float, seed: int) -> None:
    """Breed the costliest pictures of some formats until the time is over, and print them."""
    rng, outcomes = random.Random(seed), Counter[str]()
    worst: dict[str, list[tuple[float, Cost, Genes]]] = {kind: [] for kind in formats}
    end, next_report = time.monotonic() + 60 * minutes, time.monotonic() + 60
    while time.monotonic() < end:
        kind = rng.choice(formats)
        survivors = worst[kind]
        is_new = not survivors or rng.random() < 0.3
        genes = draw_genes(kind, rng) if is_new else mutate_genes(kind, rng.choice(survivors)[2], rng)
        data = BUILDERS[kind](genes)
        copies = COPIES if len(data) < 5_000_000 // COPIES and rng.random() < 0.3 else 1
        cost = measure(lambda data=data, copies=copies: act([data] * copies), len(data) * copies)
        outcomes[cost.outcome.partition(":")[0]] += 1
        if all(genes != other for _, _, other in survivors):
            survivors.append((cost.score, cost, genes))
            survivors.sort(key=lambda entry: -entry[0])
            del survivors[SURVIVORS:]
        if time.monotonic() > next_report:
            next_report += 60
            print(f"{outcomes.total():,} pictures", flush=True)
    print(", ".join(f"{name} {count:,}" for name, count in outcomes.most_common()))
    for kind, survivors in worst.items():
        for _, cost, genes in survivors[:3]:
            figures = f"{cost.seconds:.2f} s, {cost.megabytes} MB, {cost.size:,} bytes"
            print(f"{kind}: {figures}, {cost.outcome}: {genes}")


def main() -> int:
    """Search as the command line says."""
    parser = argparse.ArgumentParser(description="Search for the pictures that cost most.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--formats", default=",".join(GENES))
    parser.add_argument("--unlimited", action="store_true", help="limit nothing but pixels")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    service = Service(Classifier(read_bundle(arguments.bundle)), Settings(arguments.bundle))
    act = decode_unlimited if arguments.unlimited else lambda pictures: classify_all(service, pictures)
    search(act, arguments.formats.split(","), arguments.minutes, arguments.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
