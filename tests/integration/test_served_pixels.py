"""Served pixels are offline pixels: over HTTP a photo gets the very scores that it gets without."""

import http.client
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from shutterless.packaging.layers import DROPPED
from shutterless.runtime.image.decoder import decode
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
# Decode every picture of a folder where the modules named in the first argument cannot be imported.
DECODE = """
import hashlib, pathlib, sys, warnings
missing = sys.argv[1].split()
for name in missing:
    sys.modules[name] = None
warnings.filterwarnings("ignore", module="PIL")
from shutterless.runtime.image.decoder import InputSpec, decode
from shutterless.runtime.problems import Problem
for file in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    if file.suffix != ".json":
        try:
            result = hashlib.sha256(decode(file.read_bytes(), InputSpec(24, 24)).tobytes()).hexdigest()
        except Problem as problem:
            result = problem.code
        print(file.name, result)
"""
PHOTOS = Path(__file__).parents[3] / "shared" / "datasets" / "clothing" / "validation"


def modules_that_the_image_lacks() -> list[str]:
    places = [pattern.removesuffix(".*").removesuffix("/*") for pattern in DROPPED]
    return [place.replace("/", ".") for place in places if place.startswith("PIL/") and "*" not in place]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Return a folder of the corpus and one picture more, in LAB colours."""
    folder = tmp_path_factory.mktemp("corpus")
    for file in CORPUS.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    Image.new("LAB", (20, 14), (136, 208, 195)).save(folder / "lab.tif")
    return folder


def test_every_picture_of_the_corpus_is_decoded_alike_without_what_the_image_leaves_out(corpus):
    def results(missing: list[str]) -> list[str]:
        command = [sys.executable, "-c", DECODE, " ".join(missing), str(corpus)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    missing = modules_that_the_image_lacks()
    assert "PIL._imagingcms" in missing
    installed = results([])
    assert installed == results([*missing, "numpy", "pillow_heif"])
    assert len(installed) > 60
    assert [line for line in installed if not line.endswith(tuple("0123456789abcdef"))] == [
        "lab.tif unsupported-format"
    ]


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the photos of ../shared")
def test_every_validation_photo_gets_the_same_scores_served_and_offline(serve, colour_bundle):
    classifier = Classifier(read_bundle(colour_bundle))
    connection = http.client.HTTPConnection(serve(colour_bundle).removeprefix("http://"), timeout=60)
    photos = [file.read_bytes() for file in sorted(PHOTOS.glob("*/*.jpg"))]
    seen = set()
    for photo in photos:
        connection.request("POST", "/predict", photo, {"Content-Type": "image/jpeg"})
        served = json.load(connection.getresponse())["scores"]
        assert served == classifier.classify(decode(photo, classifier.input)).scores
        seen.add(tuple(served.values()))
    connection.close()
    assert len(photos) == 341
    assert len(seen) > 300  # so that it is not one answer for everything
