import keras

from shutterless.artifacts.history import Epoch
from shutterless.training.callbacks.early_stopping import EarlyStopping


def epoch(phase, number, val_accuracy):
    return Epoch(phase, number, 0.5, 0.1, 1.0, 0.5, 1.0, val_accuracy, best=False)


def stops(epochs, accuracies, patience):
    """Return whether the training stops after each of these epochs of fine-tuning."""
    callback = EarlyStopping(epochs, "fine_tuning", patience)
    callback.set_model(keras.Sequential())
    results = []
    for accuracy in accuracies:
        epochs.append(epoch("fine_tuning", len(epochs), accuracy))
        callback.on_epoch_end(len(epochs))
        results.append(callback.model.stop_training)
    return results


def test_patience_counts_the_epochs_of_its_phase_since_the_best_one():
    epochs = [epoch("head_training", 1, 0.9)]
    assert stops(epochs, (0.5, 0.6, 0.6, 0.5), patience=2) == [False, False, False, True]


def test_it_counts_the_epochs_before_a_resume():
    assert stops([epoch("fine_tuning", 1, 0.6)], (0.5, 0.6), patience=2) == [False, True]


def test_without_patience_it_never_stops():
    assert stops([], (0.6, 0.5, 0.4, 0.3), patience=None) == [False] * 4
