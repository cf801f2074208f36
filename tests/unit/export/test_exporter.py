import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from shutterless.export import Exporter, Precision
from shutterless.training import load_run

pytestmark = pytest.mark.slow

SMALLER = (Precision.FLOAT32, Precision.FLOAT16, Precision.INT8)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(5)
    colours = rng.integers(0, 256, (24, 1, 1, 3))
    return np.clip(colours + rng.normal(0, 20, (24, 32, 32, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [
        (Precision.FLOAT32, 1e-5),
        (Precision.FLOAT16, 0.02),
        (Precision.DYNAMIC, 0.1),
        (Precision.INT8, 0.3),
        (Precision.INT8_MIXED, 0.3),
    ],
)
def test_the_file_takes_bytes_and_says_what_keras_says(precision, tolerance, colour_run, pictures):
    model = load_run(colour_run).model
    with Exporter(model, pictures) as exporter:
        interpreter = Interpreter(model_content=exporter.export(precision))
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (source["shape"].tolist(), source["dtype"]) == ([1, 32, 32, 3], np.uint8)
    assert (target["shape"].tolist(), target["dtype"]) == ([1, 3], np.float32)
    expected = model.predict(pictures, verbose=0)
    for picture, probabilities in zip(pictures, expected, strict=True):
        interpreter.set_tensor(source["index"], picture[np.newaxis])
        interpreter.invoke()
        np.testing.assert_allclose(interpreter.get_tensor(target["index"])[0], probabilities, atol=tolerance)


def test_lower_precision_makes_a_smaller_file(colour_run, pictures):
    model = load_run(colour_run).model
    with Exporter(model, pictures) as exporter:
        sizes = [len(exporter.export(precision)) for precision in SMALLER]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] < 0.6 * sizes[0]
