"""Real photos, real ImageNet weights, from folder to bundle; where ../shared has them."""

import shutil
from pathlib import Path

import pytest

from shutterless.conversion import convert
from shutterless.training import load_run, train

SHARED = Path(__file__).parents[3] / "shared"
CLOTHING = SHARED / "datasets" / "clothing"
WEIGHTS = SHARED / "keras" / "models" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
LABELS = ("dress", "hat", "pants", "shoes")

pytestmark = pytest.mark.skipif(
    not (CLOTHING.is_dir() and WEIGHTS.is_file()), reason="needs the photos and weights of ../shared"
)


@pytest.fixture(scope="module")
def few_photos(tmp_path_factory):
    """Return 20 photos for training and up to 10 for validation of each of four labels."""
    root = tmp_path_factory.mktemp("clothing")
    for split, count in (("train", 20), ("validation", 10)):
        for label in LABELS:
            (root / split / label).mkdir(parents=True)
            for photo in sorted((CLOTHING / split / label).iterdir())[:count]:
                shutil.copy(photo, root / split / label)
    return root


@pytest.fixture(scope="module")
def run(few_photos, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    train(few_photos, run, backbone="mobilenetv2", weights=str(WEIGHTS), image_size=128)
    return run


def test_a_few_photos_of_each_label_teach_a_pretrained_network(run, few_photos):
    validation = load_run(run).metrics["validation"]
    assert validation["photos"] == len(list((few_photos / "validation").glob("*/*")))
    assert validation["accuracy"] > 0.7  # guessing gives 0.25


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 0.001), ("float16", 0.1)])
def test_what_is_served_is_what_was_trained(run, tmp_path, precision, tolerance):
    comparison = convert(run, tmp_path / "bundle", precision=precision).comparison
    assert comparison.largest_difference < tolerance
    assert comparison.agreement >= 0.95  # of 40 photos two may lie on the border
