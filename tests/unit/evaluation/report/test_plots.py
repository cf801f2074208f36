import matplotlib
import numpy as np
import pytest

from shutterless.evaluation import Acceptance, ConditionMetrics, measure
from shutterless.evaluation.provenance import Epoch
from shutterless.evaluation.report import plots
from shutterless.evaluation.report.plots import confusion, coverage, curve, grid, reliability, style, to_svg


@pytest.fixture(autouse=True)
def drawing():
    with style():
        yield


def heights(axes, label):
    return next(line for line in axes.get_lines() if line.get_label() == label).get_ydata()


def test_curves_show_training_and_validation_and_the_best_epoch():
    history = [
        Epoch("head_training", 1, 9.0, 0.1, 1.0, 0.5, 1.1, 0.4, best=True),
        Epoch("head_training", 2, 9.0, 0.1, 0.8, 0.6, 0.9, 0.7, best=True),
        Epoch("fine_tuning", 1, 9.0, 0.1, 0.7, 0.7, 0.95, 0.6, best=False),
    ]
    (axes,) = curve(history, "accuracy").axes
    np.testing.assert_array_equal(heights(axes, "training"), [0.5, 0.6, 0.7])
    np.testing.assert_array_equal(heights(axes, "validation"), [0.4, 0.7, 0.6])
    np.testing.assert_array_equal(heights(axes, "best epoch"), [0.7])


def test_the_share_that_is_right_falls_as_more_is_accepted():
    confidence, right = np.array([0.9, 0.5, 0.8, 0.6], np.float32), np.array([True, False, True, False])
    (axes,) = coverage(confidence, right, Acceptance(0.8, 0.5, 1.0, 2, 2), 0.95).axes
    line = axes.get_lines()[0]
    np.testing.assert_allclose(line.get_xdata(), [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(line.get_ydata(), [1, 1, 2 / 3, 0.5])
    assert heights(axes, "threshold 0.80") == 1.0


def test_reliability_sets_accuracy_against_confidence_in_bins():
    confidence = np.repeat(np.array([0.6, 0.9], np.float32), 20)
    right = np.repeat([True, False, True], [10, 10, 20])
    (axes,) = reliability(confidence, confidence, right).axes
    means, shares = axes.containers[0].lines[0].get_data()
    np.testing.assert_allclose(means, [0.6, 0.9], rtol=1e-6)
    np.testing.assert_allclose(shares, [0.5, 1.0])


def test_robustness_sets_each_condition_beside_the_unchanged_photos():
    conditions = {
        "unchanged": ConditionMetrics(10, 9, 0.9, (0.6, 0.98)),
        "blur": ConditionMetrics(10, 5, 0.5, (0.24, 0.76)),
    }
    (axes,) = plots.robustness(conditions).axes
    line, _, (bars,) = axes.containers[0].lines
    np.testing.assert_array_equal(line.get_data(), [[0.9, 0.5], [0, 1]])
    np.testing.assert_allclose([bar[:, 0] for bar in bars.get_segments()], [[0.6, 0.98], [0.24, 0.76]])
    assert [text.get_text() for text in axes.get_yticklabels()] == ["unchanged", "blur"]


def test_the_same_figure_gives_the_same_svg_and_two_share_no_id():
    def draw(name):
        return to_svg(
            coverage(np.ones(3, np.float32), np.ones(3, bool), Acceptance(0, 1, 1, 3, 3), None), name
        )

    assert draw("one") == draw("one")
    assert draw("one").replace("one-", "") == draw("two").replace("two-", "")
    assert 'id="one-figure_1"' in draw("one")


def test_a_long_title_is_cut_and_never_read_as_a_formula():
    figure = grid([np.zeros((4, 4, 3), np.uint8)], ["$\\broken{" + "x" * 50], columns=1)
    figure.canvas.draw()
    assert figure.axes[0].get_title() == "$\\broken{" + "x" * 12 + "…"


def test_the_style_is_the_reports_own_and_ends_with_it():
    inside = matplotlib.rcParams["svg.fonttype"]
    with matplotlib.rc_context({"text.usetex": True}), style():
        assert not matplotlib.rcParams["text.usetex"]
    assert inside == "none"
    assert matplotlib.rcParamsDefault["svg.fonttype"] == "path"


def test_the_overview_of_many_labels_loses_no_confusion_and_is_bounded():
    labels = [f"label {number}" for number in range(1100)]
    truth = np.arange(len(labels))
    guesses = truth.copy()
    guesses[[3, 700]] = 1000, 5
    metrics = measure(truth, np.eye(len(labels), dtype=np.float32)[guesses], labels)
    (axes,) = confusion(metrics).axes
    pixels = axes.images[0].get_array()
    assert pixels.shape == (367, 367)  # three labels a pixel
    assert pixels[1, 333] == 1 and pixels[233, 1] == 1
    assert pixels.sum() == 367 + 2
    figure = axes.figure
    assert max(figure.get_size_inches()) * 150 <= 1200
