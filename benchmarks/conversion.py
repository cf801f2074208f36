"""Our conversion compared with the plain one, of the same network and of the tutorial's: time and size.

    python -m benchmarks.conversion [--run RUN] [--photos DATASET] [--rounds N]

Ours loads the run, converts, and checks the file on the validation photos: accuracy of both, agreement,
calibration. The plain converter is `TFLiteConverter.from_keras_model(model).convert()` on a loaded network,
as in the tutorial, without any check. Each is a new process; imports are not counted.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.materials import Materials
from benchmarks.report import main
from benchmarks.rounds import Figures, Results, compare, interleave, run_in_process

TIME = "time to a file"
UNITS = {TIME: "s", "file": "MB"}
PRECISIONS = ("float16", "int8")
PLAIN = {"plain": "plain converter", "tutorial": "tutorial's network and converter"}
ROUNDS = 2


def rows(materials: Materials) -> Results:
    """Convert interleaved; yield two of our precisions compared with the plain converter."""
    folder, run = materials.out / "converted", str(materials.run)
    folder.mkdir(parents=True, exist_ok=True)
    contenders = {
        precision: partial(
            _convert, "ours", {"run": run, "file": str(folder / precision), "precision": precision}
        )
        for precision in PRECISIONS
    }
    models = {"plain": materials.run / "model.keras", "tutorial": materials.tutorial / "model.keras"}
    for name, model in models.items():
        contenders[name] = partial(
            _convert, "plain", {"model": str(model), "file": str(folder / f"{name}.tflite")}
        )
    rounds = interleave(materials.rounds(ROUNDS), contenders)
    for other, name in PLAIN.items():
        for precision in PRECISIONS:
            yield from compare(rounds, precision, other, UNITS, rival=name, prefix=precision)


def _convert(function: str, job: dict[str, Any]) -> Figures:
    return run_in_process("benchmarks.conversion", function, job, cores=2)


def ours(job: dict[str, str]) -> Figures:
    """Convert and check a run, whatever accuracy it loses."""
    from shutterless import convert

    bundle = Path(job["file"])
    start_time = time.perf_counter()
    convert(Path(job["run"]), bundle, precision=job["precision"], max_drop=1.0)
    return _figures(start_time, bundle / "model.tflite")


def plain(job: dict[str, str]) -> Figures:
    """Load a Keras network, convert it, write it."""
    import keras
    import tensorflow as tf

    start_time = time.perf_counter()
    model = keras.models.load_model(job["model"], compile=False)
    Path(job["file"]).write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return _figures(start_time, Path(job["file"]))


def _figures(start_time: float, file: Path) -> Figures:
    return {TIME: time.perf_counter() - start_time, "file": file.stat().st_size / 1e6}


if __name__ == "__main__":
    main({"conversion": rows}, __doc__)
