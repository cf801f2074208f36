"""A model with the outputs `embedding` and `novelty`, compared with the same model without them.

    python -m benchmarks.novelty [--run RUN] [--photos DATASET] [--rounds N]

In every precision: time of a photo on one core, what is added to the file, and whether the distances rank the
validation photos as those of the float32 file do. The models take turns, and processor time is measured.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.materials import Materials
from benchmarks.report import main
from benchmarks.rounds import Results, Row, run_in_process

RIVAL = "the same model without novelty"
ROUNDS = 5  # of up to 30 photos each
MAX_RATIO, MAX_KILOBYTES = 1.02, 400


def rows(materials: Materials) -> Results:
    """Convert a run in every precision with and without the branch; yield its time, size and ranks."""
    job = {"run": str(materials.run), "rounds": materials.rounds(ROUNDS)}
    for precision, result in run_in_process("benchmarks.novelty", "measure", job, cores=2).items():
        yield Row(f"{precision}, a photo", "ms", RIVAL, tuple(map(tuple, result["times"])), goal=MAX_RATIO)
        added = (result["added"], MAX_KILOBYTES)
        yield Row(f"{precision}, added to the file", "KB", "400 KB", (added,), goal=1.0)
        ranks = " and ".join(f"{correlation:.4f}" for correlation in result["ranks"])
        yield f"{precision}: rank correlation with the distances of float32: {ranks}"


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Return times in ms of both models, kilobytes added, and a rank correlation for each distance."""
    import numpy as np
    from scipy.stats import spearmanr

    from shutterless.conversion.branch import with_novelty
    from shutterless.conversion.converter import CALIBRATION_PHOTOS, spread
    from shutterless.conversion.novelty import fit_run
    from shutterless.dataset import decode_once, read_pixels
    from shutterless.evaluation.timing import time_models
    from shutterless.export import Exporter, Precision
    from shutterless.training import load_run
    from shutterless.utils.progress import silent

    run = load_run(job["run"])
    root, validation = run.settings.root, run.of("validation")
    decoded = decode_once(root, validation, run.input)
    model = with_novelty(run.model, fit_run(run, root, decoded, silent)[0])
    pixels = read_pixels(root, validation, run.input)
    typical = read_pixels(root, spread(run.of("train"), CALIBRATION_PHOTOS), run.input)
    results, reference = {}, None
    with Exporter(model, typical) as exporter, Exporter(run.model, typical) as plain_exporter:
        for precision in Precision:
            files = exporter.export(precision), plain_exporter.export(precision)
            classifiers = [_classifier(run, content) for content in files]
            distances = classifiers[0].distances(pixels)
            reference = distances if reference is None else reference
            results[precision.value] = {
                "times": np.concatenate(
                    [time_models(classifiers, [pixels[:1]] * 2) for _ in range(job["rounds"])]
                ).tolist(),
                "added": (len(files[0]) - len(files[1])) / 1000,
                "ranks": [
                    float(spearmanr(*pair).statistic)
                    for pair in zip(np.transpose(distances), np.transpose(reference), strict=True)
                ],
            }
    return results


def _classifier(run: Any, content: bytes) -> Any:
    from shutterless.runtime.image.decoder import InputSpec
    from shutterless.runtime.model.bundle import Bundle, write_bundle
    from shutterless.runtime.model.classifier import Classifier

    side = run.settings.image_size
    description = Bundle(
        name="benchmark",
        labels=run.labels,
        input=InputSpec(side, side),
        precision="",
        backbone="",
        recipe="",
        dataset_fingerprint="",
        created="",
    )
    with tempfile.TemporaryDirectory() as folder:
        return Classifier(write_bundle(Path(folder) / "bundle", content, description), threads=1)


if __name__ == "__main__":
    main({"novelty": rows}, __doc__)
