import math

import keras
import pytest

from shutterless.errors import ShutterlessError
from shutterless.training.backbones.builder import find_backbone
from shutterless.training.callbacks.checkpoint import CHECKPOINT, read_checkpoint
from shutterless.training.callbacks.journal import Journal
from shutterless.training.loop import compile_for
from shutterless.training.model import build_network
from shutterless.training.recipe import Head, NetworkPhase
from shutterless.utils.progress import silent


@pytest.fixture
def network():
    made = build_network(find_backbone("tiny"), Head(), labels=2, image_size=32, weights="none", cut=None)
    compile_for(made.whole, NetworkPhase(epochs=5, learning_rate=0.1), photos=10)
    return made


@pytest.fixture
def journal(network, tmp_path):
    made = Journal(network, tmp_path, silent, lambda epoch: None)
    made.set_model(network.whole)
    return made


def end(journal, epoch, val_accuracy, val_loss=1.0, loss=1.0):
    journal.on_epoch_begin(epoch)
    logs = {"loss": loss, "accuracy": 1, "val_loss": val_loss, "val_accuracy": val_accuracy}
    logs |= {"log_loss": 0.5, "val_log_loss": 0.4}
    journal.on_epoch_end(epoch, logs)


def test_it_keeps_the_best_by_accuracy_and_then_by_loss(journal):
    journal.begin("network", 2, 5)
    for number, (accuracy, loss) in enumerate(((0.5, 1.0), (0.8, 1.0), (0.8, 1.1), (0.7, 0.1), (0.8, 0.9))):
        end(journal, number, accuracy, loss)
    assert [epoch.best for epoch in journal.epochs] == [True, True, False, False, True]
    assert journal.best == journal.epochs[-1]


def test_every_epoch_is_in_the_checkpoint_and_in_the_history(journal, tmp_path):
    journal.begin("network", 2, 5)
    end(journal, 0, 0.5)
    end(journal, 1, 0.4)
    assert read_checkpoint(tmp_path / CHECKPOINT).epochs == tuple(journal.epochs)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 3


def test_patience_counts_the_epochs_of_its_phase_since_its_best_one(journal):
    journal.begin("head", 2, 5)
    end(journal, 0, 0.9)
    journal.begin("network", 2, 5, patience=2)
    stops = []
    for number, accuracy in enumerate((0.5, 0.6, 0.6, 0.5)):
        end(journal, number, accuracy)
        stops.append(journal.model.stop_training)
    assert stops == [False, False, False, True]


@pytest.mark.parametrize("lost", [{"loss": math.nan}, {"val_loss": math.nan}, {"val_loss": math.inf}])
def test_a_loss_that_is_not_finite_is_not_written_down(lost, journal, tmp_path):
    journal.begin("network", 2, 5)
    with pytest.raises(ShutterlessError, match="finite number"):
        end(journal, 0, 0.5, **lost)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_of_a_run_taken_up_again_mends_its_history_and_its_best_network(network, journal, tmp_path):
    journal.begin("network", 2, 5)
    end(journal, 0, 0.5)
    (tmp_path / "history.csv").write_text("torn")
    (tmp_path / "model.keras").unlink()
    again = Journal(network, tmp_path, silent, lambda epoch: None, tuple(journal.epochs))
    again.mend(network.whole)
    assert again.best == journal.best
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2
    assert keras.models.load_model(tmp_path / "model.keras", compile=False).count_params() > 0
