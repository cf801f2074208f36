"""Served pixels are offline pixels: over HTTP a photo gets the very scores that it gets without."""

import http.client
import json
from pathlib import Path

import pytest

from shutterless.runtime.bundle import read_bundle
from shutterless.runtime.classifier import Classifier
from shutterless.runtime.pixels import decode

PHOTOS = Path(__file__).parents[3] / "shared" / "datasets" / "clothing" / "validation"


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
