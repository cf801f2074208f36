"""Whatever a model or a bundle contains, `predict` and `serve` answer or refuse it with an error of ours.

The suite tries a fixed sample, and the models that once broke something. By hand, for 900 models and 300
bundles made of a real one, see scripts/try_models.py; for as long as you like, with a tiny model:

    PYTHONPATH=src:scripts python tests/fuzz/test_models.py --minutes 10 [--seed N]

stops at the first model that breaks something and keeps it in the corpus, as `found-*.tflite`.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
from PIL import Image

from damage_models import damage_model, write_damaged_bundle
from shutterless.errors import BundleError
from shutterless.model_check import check_model
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.model.bundle import Bundle, read_bundle, write_bundle

CORPUS = Path(__file__).with_name("models")
BASE = CORPUS / "base.tflite"
FOUND = sorted(set(CORPUS.glob("*.tflite")) - {BASE})
SCRIPT = Path(__file__).parents[2] / "scripts" / "try_models.py"


def make_bundle(folder: Path, model: bytes) -> Bundle:
    """Write a bundle for a model that takes 4 × 4 pixels and has two labels."""
    members = dict.fromkeys(("precision", "backbone", "recipe", "dataset_fingerprint", "created"), "x")
    bundle = Bundle(name="tiny", labels=("blue", "red"), input=InputSpec(4, 4), **members)
    return write_bundle(folder, model, bundle)


def draw_photo(file: Path) -> Path:
    """Draw a red photo."""
    Image.new("RGB", (8, 8), "red").save(file)
    return file


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("tiny") / "bundle", BASE.read_bytes()).path


def test_damaged_models_and_bundles_are_answered_or_refused_by_predict_and_serve(tiny_bundle, tmp_path):
    command = [sys.executable, SCRIPT, tiny_bundle, draw_photo(tmp_path / "red.png")]
    process = subprocess.run(
        [*command, "--models", "6", "--bundles", "8", "--first", "1"], capture_output=True, text=True
    )
    assert (process.returncode, process.stderr) == (0, "")
    models, bundles = process.stdout.split("}\n}\n{")[0], process.stdout
    assert "answered" in models
    assert "refused: corrupt-bundle" in bundles


def test_a_damaged_bundle_is_read_or_refused(tiny_bundle, tmp_path):
    outcomes = Counter()
    for seed in range(48):
        folder = tmp_path / str(seed)
        write_damaged_bundle(tiny_bundle, folder, seed)
        try:
            read_bundle(folder)
            outcomes["read"] += 1
        except BundleError as error:
            assert len(error.message) < 1500
            outcomes[error.code] += 1
    assert outcomes.keys() == {"read", "corrupt-bundle", "not-a-bundle", "unsupported-bundle-format"}


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.name)
def test_what_once_broke_something_breaks_it_no_more(file, tmp_path):
    with pytest.raises(BundleError):
        check_model(make_bundle(tmp_path / "bundle", file.read_bytes()))


def fuzz(minutes: float, seed: int) -> int:
    """Try damaged models until the time is over or one breaks something; return the exit code."""
    from try_models import is_allowed, predict

    outcomes, end = Counter[str](), time.monotonic() + 60 * minutes
    bases = [file.read_bytes() for file in (BASE, *FOUND)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = name
        photo = draw_photo(folder / "red.png")
        for number in count(seed):
            if time.monotonic() > end:
                break
            model = damage_model(random.Random(number).choice(bases), number)
            outcome = predict(make_bundle(folder / "bundle", model).path, photo)
            outcomes[outcome] += 1
            if not is_allowed(outcome):
                kept = CORPUS / f"found-{zlib.crc32(model):08x}.tflite"
                kept.write_bytes(model)
                print(f"{outcome}; what broke it is kept as {kept}", file=sys.stderr)
                return 1
    print(json.dumps(outcomes, indent=2))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Classify a photo with damaged models.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    return fuzz(options.minutes, options.seed)


if __name__ == "__main__":
    sys.exit(main())
