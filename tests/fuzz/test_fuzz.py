"""Whatever bytes come in, the answer is 200 or a 4xx, soon, and in bounded memory.

The suite sends the kept corpus and a fixed number of mutations of it through the Lambda handler. By hand:

    PYTHONPATH=src python tests/fuzz/test_fuzz.py BUNDLE --minutes 10 [--seed N]

stops at the first input that breaks something and keeps its event in the corpus, as `found-*.json`, which
the suite then sends for ever.
"""

import argparse
import base64
import faulthandler
import functools
import json
import os
import random
import resource
import socket
import struct
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.image import isolation
from shutterless.runtime.image.decoder import decode
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.problems import Problem
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

CORPUS = Path(__file__).with_name("corpus")
EVENTS = sorted(CORPUS.glob("found-*.json"))
PICTURES = sorted(set(CORPUS.iterdir()) - set(EVENTS))
# What one input may take; 50 megapixels take up to 2 s and, as WebP, 0.8 GB.
SECONDS = 10.0
MEGABYTES = 1000
# Characters of a header: our server takes 64 KiB of all headers together, API Gateway 10 KiB.
HEADER = 65_536

NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 7071, 32767, 32768, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
TEXTS = (
    "",
    "http://127.0.0.1/",
    "http://[::ffff:169.254.169.254]:80/a.png",
    "https://8.8.8.8/a.png?x=1#y",
    "http://user:pass@10.1/",
    "http://0x7f.1:443/%2e%2e/",
    "file:///etc/passwd",
    "data:image/png;base64,iVBORw0KGgo=",
    "data:,",
    "AAAA",
    "é\0\r\n\ud800\U0001f576",
    "photos.example",
)
# Parts of events and of JSON bodies.
VALUES: tuple[Any, ...] = (None, True, 0, -1, 1e308, [], [[]], {}, {"url": {}}, "x", *TEXTS)
NAMES = ("url", "image", "images", "body", "headers", "httpMethod", "path", "rawPath", "isBase64Encoded", "")


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with a few things done to them, of the kinds that parsers trip over."""
    changed = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 4, 16))):
        rng.choice(CHANGES)(changed, rng)
    return mend_png(bytes(changed)) if rng.random() < 0.7 else bytes(changed)


def flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 0xFF, rng.randrange(256)))


def put_number(data: bytearray, rng: random.Random) -> None:
    number = struct.pack(rng.choice("<>") + "Q", rng.choice(NUMBERS))
    size = rng.choice((2, 3, 4, 8))
    # Headers come first, and numbers there tell sizes and places.
    at = rng.randrange(min(len(data), rng.choice((64, 256, 10**9))) + 1)
    data[at : at + size] = number[:size] if rng.random() < 0.5 else number[-size:]


def cut(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : rng.choice((at + rng.randrange(64), len(data)))]


def repeat(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    part = data[at : at + rng.choice((1, 4, 12, 64, 1000))]
    data[at:at] = part * min(rng.choice((1, 2, 50, 5000)), 200_000 // (len(part) + 1))


def splice(data: bytearray, rng: random.Random) -> None:
    other = rng.choice(PICTURES).read_bytes()
    at = rng.randrange(len(data) + 1)
    data[at:] = other[rng.randrange(len(other) + 1) :]


def insert_noise(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.randbytes(rng.choice((1, 3, 40, 3000)))


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip,
    flip,
    put_number,
    put_number,
    cut,
    repeat,
    splice,
    insert_noise,
)


def mend_png(data: bytes) -> bytes:
    """Make a PNG's checksums right, so that what was changed is also read."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    mended, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            break
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(mended)


def http_event(body: bytes, kind: str, rng: random.Random) -> dict[str, Any]:
    """Return an event of one of the things that speak HTTP, with this body."""
    event: dict[str, Any] = {
        "headers": {"content-type": kind},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
    if rng.random() < 0.5:
        http = {"method": "POST", "path": "/predict"}
        return {**event, "version": "2.0", "rawPath": "/predict", "requestContext": {"http": http}}
    context = rng.choice(({}, {"elb": {"targetGroupArn": "arn"}}))
    return {**event, "httpMethod": "POST", "path": "/predict", "requestContext": context}


def form(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return a multipart form with this picture, itself mutated now and then, and its content type."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + data + b"\r\n--x--\r\n"
    )
    kind = "multipart/form-data; boundary=x"
    if rng.random() < 0.3:
        body = mutate(body, rng)
        kind = mutate(kind.encode(), rng).decode("latin-1")[:HEADER]
    return body, kind


def document(data: bytes, rng: random.Random) -> Any:
    """Return a JSON value as a client might send it, or one that nobody should."""
    image = {"image": base64.b64encode(data).decode()}
    text = mutate(rng.choice(TEXTS).encode(errors="surrogatepass"), rng).decode("utf-8", "surrogateescape")
    return rng.choice(
        (
            image,
            {"images": [image, {"url": text}]},
            {"url": text},
            {"image": text},
            {rng.choice(NAMES): rng.choice(VALUES), rng.choice(NAMES): rng.choice(VALUES)},
            [rng.choice(VALUES)],
        )
    )


def event_of(data: bytes, rng: random.Random) -> Any:
    """Return an event that carries these bytes in one of the ways that there are."""
    way = rng.randrange(6)
    if way < 2:
        return http_event(data, rng.choice(("image/png", "application/octet-stream")), rng)
    if way == 2:
        return http_event(*form(data, rng), rng)
    content = document(data, rng)
    if way == 3:
        return content
    body = json.dumps(content).encode()
    return http_event(mutate(body, rng) if rng.random() < 0.3 else body, "application/json", rng)


def answer(service: Service, event: Any) -> str:
    """Return the status or the code of the answer; raises AssertionError if it is none of the permitted.

    A plain event's failure raises, which for a `Problem` is right.
    """
    try:
        answered = handle(service, event, write=lambda entry: None)
    except Problem as problem:
        assert 400 <= problem.status < 500, problem
        return problem.code
    document = json.loads(json.dumps(answered))
    if "statusCode" not in document:
        assert set(document) == set(service._classifier.bundle.labels)
        return "scores"
    status = document["statusCode"]
    assert status == 200 or 400 <= status < 500, document
    assert status == 200 or len(document["body"]) < 1000, document
    return str(status) if status == 200 else json.loads(document["body"])["code"]


@contextmanager
def without_network() -> Iterator[None]:
    """Let numbers be addresses, and no name be known; nothing can be connected to."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("there is no network")

    with pytest.MonkeyPatch.context() as patch:
        numeric = functools.partial(socket.getaddrinfo, flags=socket.AI_NUMERICHOST)
        patch.setattr(socket, "getaddrinfo", numeric)
        patch.setattr(socket, "create_connection", refuse)
        yield


def peak() -> int:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.fixture(scope="module")
def service(colour_bundle) -> Iterator[Service]:
    """A service that decodes unusual pictures itself, as a child process would: thousands take a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isolation, "decode_isolated", lambda data, spec, budget: decode(data, spec))
        yield Service(Classifier(read_bundle(colour_bundle)), Settings(colour_bundle))


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.name)
def test_every_picture_of_the_corpus_is_classified(file, service):
    assert answer(service, http_event(file.read_bytes(), "image/png", random.Random(1))) == "200"


@pytest.mark.parametrize("file", EVENTS, ids=lambda file: file.name)
def test_what_once_broke_something_breaks_it_no_more(file, service):
    with without_network():
        answer(service, json.loads(file.read_text("utf-8")))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(8))
def test_any_bytes_are_answered_with_200_or_a_4xx_in_bounded_memory(seed, service):
    rng = random.Random(seed)
    before = peak()
    with without_network():
        answers = Counter(
            answer(service, event_of(mutate(rng.choice(PICTURES).read_bytes(), rng), rng)) for _ in range(250)
        )
    assert {"200", "unreadable-image", "invalid-request"} <= set(answers)
    assert peak() - before < MEGABYTES


def fuzz(service: Service, minutes: float, seed: int) -> int:
    """Send mutations until the time is over or one breaks something; return the exit code."""
    rng, answers, slowest = random.Random(seed), Counter[str](), 0.0
    end, told = time.monotonic() + 60 * minutes, time.monotonic()
    before = peak()
    while time.monotonic() < end:
        event = event_of(mutate(rng.choice(PICTURES).read_bytes(), rng), rng)
        faulthandler.dump_traceback_later(6 * SECONDS, exit=True)  # a hang in C, too
        started, above = time.process_time(), peak()
        try:
            answers[answer(service, event)] += 1
            took = time.process_time() - started
            assert took < SECONDS, f"it took {took:.1f} s"
            assert peak() - above < MEGABYTES, f"it took {peak() - above} MB"
        except Exception:
            text = json.dumps(event)
            kept = CORPUS / f"found-{zlib.crc32(text.encode()):08x}.json"
            kept.write_text(text, "utf-8")
            print(f"what broke it is kept as {kept}", file=sys.stderr)
            raise
        slowest = max(slowest, took)
        if time.monotonic() - told > 30 or time.monotonic() >= end:
            told = time.monotonic()
            text = ", ".join(f"{name} {count:,}" for name, count in answers.most_common())
            print(
                f"{answers.total():,} inputs: {text}; slowest {slowest:.2f} s, peak +{peak() - before} MB",
                flush=True,
            )
    faulthandler.cancel_dump_traceback_later()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Send mutated pictures, forms, JSON and events to a bundle.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"seed {given.seed}")
    with without_network():
        service = Service(Classifier(read_bundle(given.bundle)), Settings(given.bundle))
        return fuzz(service, given.minutes, given.seed)


if __name__ == "__main__":
    sys.exit(main())
