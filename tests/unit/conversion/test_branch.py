import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from scipy.stats import spearmanr

from shutterless.conversion.branch import with_novelty
from shutterless.conversion.features import END, feature_model
from shutterless.export import Exporter, Precision
from shutterless.novelty import fit_novelty
from shutterless.training import load_run

pytestmark = pytest.mark.slow
FITTED = 20  # of the pictures; as each of them is a prototype, its own distance is nothing but rounding


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(5)
    colours = rng.integers(0, 256, (60, 1, 1, 3))
    return np.clip(colours + rng.normal(0, 20, (60, 32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted(colour_run, pictures):
    """Return a model with the branch, and the distances that NumPy computes of its features."""
    run = load_run(colour_run)
    features = feature_model(run.model, (END, "stage2")).predict(pictures, verbose=0)
    training = {layer: each[:FITTED] for layer, each in features.items()}
    novelty = fit_novelty(training, np.arange(FITTED) % 3)
    return with_novelty(run.model, novelty), novelty, features


def run_file(content, pictures):
    runner = Interpreter(model_content=content).get_signature_runner()
    answers = [runner(pixels=picture[np.newaxis]) for picture in pictures]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def test_the_branch_computes_what_was_fitted(fitted, colour_run, pictures):
    model, novelty, features = fitted
    outputs = model.predict(pictures, verbose=0)
    np.testing.assert_allclose(outputs["novelty"], novelty.distances(features), rtol=1e-3, atol=1e-2)
    first = novelty.projections[0]
    np.testing.assert_allclose(outputs["embedding"], first.embed(features[first.layer]), atol=1e-2)
    expected = load_run(colour_run).model.predict(pictures, verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)


@pytest.mark.parametrize("precision", [*Precision])
def test_every_precision_has_the_outputs_by_name_and_ranks_pictures_alike(precision, fitted, pictures):
    model, novelty, features = fitted
    with Exporter(model, pictures[:20]) as exporter:
        outputs = run_file(exporter.export(precision), pictures)
    assert {name: (values.dtype, values.shape) for name, values in outputs.items()} == {
        "probabilities": (np.float32, (60, 3)),
        "embedding": (np.float32, (60, novelty.projections[0].matrix.shape[1])),
        "novelty": (np.float32, (60, 2)),
    }
    for column, distances in zip(outputs["novelty"].T, novelty.distances(features).T, strict=True):
        assert spearmanr(column[FITTED:], distances[FITTED:]).statistic > 0.98


def test_a_picture_of_nothing_has_finite_distances(fitted):
    model, _, _ = fitted
    outputs = model.predict(np.zeros((1, 32, 32, 3), np.uint8), verbose=0)
    assert all(np.isfinite(values).all() for values in outputs.values())
