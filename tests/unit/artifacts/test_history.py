import csv

import pytest

from shutterless.artifacts.history import Epoch, best_of, read_history, write_history
from shutterless.errors import OutputError


def epoch(number, val_accuracy, val_loss):
    return Epoch("head_training", number, 0.5, 0.1, 1.5, 0.25, val_loss, val_accuracy, False)


def test_the_best_epoch_is_that_of_the_highest_accuracy_and_then_of_the_lowest_loss():
    epochs = [epoch(1, 0.5, 0.1), epoch(2, 0.8, 0.9), epoch(3, 0.8, 0.7), epoch(4, 0.8, 0.7)]
    assert best_of(epochs).epoch == 3
    assert best_of([]) is None


def test_every_epoch_is_a_line(tmp_path):
    write_history(tmp_path / "history.csv", [epoch(1, 0.5, 0.1), epoch(2, 0.8, 0.9)])
    with (tmp_path / "history.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["epoch"], line["val_accuracy"], line["best"]) for line in lines] == [
        ("1", "0.5", "False"),
        ("2", "0.8", "False"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        write_history(tmp_path / "file" / "history.csv", [epoch(1, 0.5, 0.1)])
    assert caught.value.code == "cannot-write"
    assert "history.csv" in caught.value.message


HEADER = "phase,epoch,seconds,learning_rate,loss,accuracy,val_loss,val_accuracy,best\n"


@pytest.mark.parametrize(
    "text",
    [
        "phase\nhead\n",
        HEADER + "head,1\n",
        HEADER + "x" * 200_000 + "\n",
        HEADER + f"head,{'9' * 5000},1,1,1,1,1,1,True\n",
        HEADER + "\0\n",
    ],
    ids=["columns", "short", "long", "huge", "nul"],
)
def test_a_history_of_strangers_is_read_or_refused_as_invalid(tmp_path, text):
    (tmp_path / "history.csv").write_text(text)
    with pytest.raises(ValueError):
        read_history(tmp_path / "history.csv")
