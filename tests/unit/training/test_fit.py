import keras
import numpy as np
import pytest

from shutterless.progress import silent
from shutterless.training.backbones import find_backbone
from shutterless.training.batches import Batches
from shutterless.training.fit import Journal, compile_for, fit_head, fit_network
from shutterless.training.network import build_network
from shutterless.training.recipe import Head, HeadPhase, NetworkPhase

PHASE = {"epochs": 5, "batch_size": 5, "learning_rate": 0.1}


@pytest.fixture
def network():
    keras.utils.set_random_seed(3)
    return build_network(find_backbone("tiny"), Head(), labels=2, image_size=32, weights="none", cut=None)


@pytest.fixture
def epochs():
    return []


@pytest.fixture
def journal(network, epochs, tmp_path):
    return Journal(network, tmp_path / "model.keras", tmp_path / "history.csv", silent, epochs.append)


@pytest.fixture
def batches():
    """Return ten pictures, dark ones of the first label and bright ones of the second."""
    bright = np.arange(10) % 2
    pixels = np.broadcast_to(50 + 150 * bright[:, None, None, None], (10, 32, 32, 3)).astype(np.uint8)
    return Batches(pixels, np.eye(2, dtype=np.float32)[bright], batch_size=5, seed=1)


def test_the_learning_rate_warms_up_and_decays_to_nothing(network):
    compile_for(network.head, NetworkPhase(**PHASE, warmup_epochs=1), photos=10)
    rate = network.head.optimizer._learning_rate
    assert [float(rate(step)) for step in (0, 1, 2, 10)] == pytest.approx([0, 0.05, 0.1, 0], abs=1e-6)
    assert 0 < float(rate(8)) < float(rate(4)) < 0.1


def test_without_a_warm_up_it_starts_at_its_highest(network):
    compile_for(network.head, HeadPhase(**PHASE), photos=10)
    assert float(network.head.optimizer._learning_rate(0)) == pytest.approx(0.1)


def test_the_phase_sets_the_momentum_of_batch_norm(network, batches, journal):
    fit_network(network, batches, batches, NetworkPhase(**PHASE, batch_norm_momentum=0.5), journal)
    layers = [
        layer
        for layer in network.features._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert {layer.momentum for layer in layers} == {0.5}


def test_training_ends_early_without_progress(network, batches, journal, epochs):
    phase = NetworkPhase(**{**PHASE, "epochs": 40}, patience=2)
    fit_network(network, batches, batches, phase, journal)
    best = max(epoch.epoch for epoch in epochs if epoch.best)
    first = min(epoch.epoch for epoch in epochs if epoch.val_accuracy == 1)
    assert len(epochs) == first + 2 < 40
    assert first <= best


def test_a_head_learns_mirror_images_too(network, batches, journal):
    steps = []
    fit_head(
        network,
        batches,
        batches,
        HeadPhase(**PHASE, mirrored=True),
        journal,
        lambda *step: steps.append(step),
    )
    assert ("computing features", 2, 2) in steps
    assert journal._batches == 4 * PHASE["epochs"]  # 20 features in batches of 5


def test_the_journal_keeps_the_best_by_accuracy_and_then_by_loss(network, journal, epochs):
    compile_for(network.whole, NetworkPhase(**PHASE), photos=10)
    journal.set_model(network.whole)
    journal.begin("network", 10)
    for accuracy, loss in ((0.5, 1.0), (0.8, 1.0), (0.8, 1.1), (0.7, 0.1), (0.8, 0.9)):
        journal.on_epoch_begin(0)
        journal.on_epoch_end(0, {"loss": 1, "accuracy": 1, "val_loss": loss, "val_accuracy": accuracy})
    assert [epoch.best for epoch in epochs] == [True, True, False, False, True]
    assert journal.best == epochs[-1]
