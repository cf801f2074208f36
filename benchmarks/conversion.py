"""Our conversion beside the plain one, of the same network and of the tutorial's: how long, how large.

    python benchmarks/conversion.py [--run RUN] [--photos DATASET] [--rounds N]

Ours loads the run, converts, and proves the file on the validation photos: accuracy of both, agreement,
calibration. The plain one is `TFLiteConverter.from_keras_model(model).convert()` on a loaded network, which
the tutorial uses, and proves nothing. Each is a new process; the imports do not count.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from measuring import Figures, Results, beside, in_new_process, in_turn
from preparing import Prepared
from reporting import main

TIME = "time to a file"
UNITS = {TIME: "s", "file": "MB"}
PRECISIONS = ("float16", "int8")
PLAIN = {"plain": "plain converter", "tutorial": "tutorial's network and converter"}
ROUNDS = 2


def rows(prepared: Prepared) -> Results:
    """Convert in turn; yield our two usual precisions beside the plain conversion of either network."""
    folder, run = prepared.out / "converted", str(prepared.run)
    folder.mkdir(parents=True, exist_ok=True)
    sides = {
        precision: partial(
            _convert, "ours", {"run": run, "file": str(folder / precision), "precision": precision}
        )
        for precision in PRECISIONS
    }
    models = {"plain": prepared.run / "model.keras", "tutorial": prepared.tutorial / "model.keras"}
    for name, model in models.items():
        sides[name] = partial(
            _convert, "plain", {"model": str(model), "file": str(folder / f"{name}.tflite")}
        )
    rounds = in_turn(prepared.rounds(ROUNDS), sides)
    for other, name in PLAIN.items():
        for precision in PRECISIONS:
            yield from beside(rounds, precision, other, UNITS, name=name, of=precision)


def _convert(side: str, job: dict[str, Any]) -> Figures:
    return in_new_process("conversion", side, job, cores=2)


def ours(job: dict[str, str]) -> Figures:
    """Convert and prove a run; whatever it loses, because time is what is asked here."""
    from shutterless import convert

    bundle = Path(job["file"])
    started = time.perf_counter()
    convert(Path(job["run"]), bundle, precision=job["precision"], max_drop=1.0)
    return _figures(started, bundle / "model.tflite")


def plain(job: dict[str, str]) -> Figures:
    """Load a Keras network, convert it, write it."""
    import keras
    import tensorflow as tf

    started = time.perf_counter()
    model = keras.models.load_model(job["model"], compile=False)
    Path(job["file"]).write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return _figures(started, Path(job["file"]))


def _figures(started: float, file: Path) -> Figures:
    return {TIME: time.perf_counter() - started, "file": file.stat().st_size / 1e6}


if __name__ == "__main__":
    main({"conversion": rows}, __doc__)
