"""A training step of `standard` compared with one of the tutorial's, and the time to make its batch.

    python -m benchmarks.training_step [--photos DATASET] [--rounds N]

Ours is the fine-tuning of `standard`: MobileNetV2 at 224 px, the first 35 % of its layers frozen, photos
decoded once and augmented in memory. The tutorial's: InceptionV3 to mixed7 at 150 px, frozen, a head of 38
million weights trained, each photo read again and augmented by Keras's ImageDataGenerator. Random weights,
batches of 32, all cores, both interleaved in one process.
"""

import itertools
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.materials import Materials
from benchmarks.report import main
from benchmarks.rounds import CannotRunError, Figures, Results, compare, interleave, run_in_process

STEP, MAKING = "a step", "reading and augmenting its batch"
UNITS = {STEP: "ms", MAKING: "ms"}
BATCH, BATCHES = 32, 8
ROUNDS, STEPS, QUICK_STEPS = 5, 4, 1

Batches = Iterator[tuple[Any, Any]]


def rows(materials: Materials) -> Results:
    """Train both for a few steps, interleaved; yield milliseconds, and a remark with photos per second."""
    photos = materials.dataset
    if not (photos / "train").is_dir():
        raise CannotRunError(f"{photos.name} has no folder train/")
    steps = QUICK_STEPS if materials.quick else STEPS
    job = {"photos": str(photos), "rounds": materials.rounds(ROUNDS), "steps": steps}
    results = run_in_process("benchmarks.training_step", "measure", job, cores=os.cpu_count() or 1)
    step, making = compare(results["rounds"], "ours", "tutorial", UNITS, rival="tutorial's training")
    yield from (step, making)
    yield (
        f"ours trains on {BATCH * 1000 / step.ours:.0f} photos per second, the tutorial on "
        f"{BATCH * 1000 / step.theirs:.0f}; ours has read every photo once before, at "
        f"{results['reading']:.1f} ms each, which is in neither row"
    )


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Build both trainings, run a step of each to compile it, then measure more of them interleaved."""
    photos = Path(job["photos"])
    batches, reading = _our_batches(photos)
    labels = len(next(batches)[1][0])
    trainings = {
        "ours": (_our_model(labels), batches),
        "tutorial": (_tutorial_model(labels), _tutorial_batches(photos)),
    }
    for model, model_batches in trainings.values():
        model.train_on_batch(*next(model_batches))
    contenders = {name: partial(_figures, *each, job["steps"]) for name, each in trainings.items()}
    return {"reading": reading, "rounds": interleave(job["rounds"], contenders)}


def _figures(model: Any, batches: Batches, steps: int) -> Figures:
    """Return the milliseconds of a step and of making its batch, the mean of `steps` of them."""
    figures = {STEP: 0.0, MAKING: 0.0}
    for _ in range(steps):
        start_time = time.perf_counter()
        batch = next(batches)
        step_start = time.perf_counter()
        model.train_on_batch(*batch)
        figures[MAKING] += (step_start - start_time) * 1000 / steps
        figures[STEP] += (time.perf_counter() - step_start) * 1000 / steps
    return figures


def _our_model(labels: int) -> Any:
    from shutterless.training.backbones.registry import find_backbone
    from shutterless.training.loop import compile_for
    from shutterless.training.model import build_model, freeze_first, set_batch_norm_momentum
    from shutterless.training.recipe import load_recipe

    recipe = load_recipe("standard")
    backbone, phase = find_backbone(recipe.backbone.name), recipe.fine_tuning
    model = build_model(
        backbone, recipe.head, labels=labels, image_size=backbone.image_size, weights="none", cut=None
    )
    freeze_first(model.features, phase.frozen_share)
    set_batch_norm_momentum(model.features, phase.batch_norm_momentum)
    compile_for(model.full, phase, photos=BATCH * BATCHES)
    return model.full


def _our_batches(root: Path) -> tuple[Batches, float]:
    """Read some of the photos; return batches of them, and the milliseconds that reading one took."""
    import keras

    from shutterless import load_dataset
    from shutterless.dataset import PhotoReader, label_indices
    from shutterless.runtime.image.decoder import InputSpec
    from shutterless.training.data import Batches as Augmented
    from shutterless.training.data import pixels_of
    from shutterless.training.recipe import load_recipe

    dataset = load_dataset(root)
    train = dataset.of("train")
    photos = train[:: max(1, len(train) // (BATCH * BATCHES))][: BATCH * BATCHES]
    start_time = time.perf_counter()
    reader = PhotoReader(root, photos, InputSpec(224, 224))
    reading = (time.perf_counter() - start_time) * 1000 / len(photos)
    targets = keras.utils.to_categorical(label_indices(photos, dataset.labels), len(dataset.labels))
    phase = load_recipe("standard").fine_tuning
    read = pixels_of(reader, phase.augmentation)
    augmented = Augmented(read, targets, batch_size=BATCH, seed=1, phase=phase)
    return (augmented[number % len(augmented)] for number in itertools.count()), reading


def _tutorial_model(labels: int) -> Any:
    import keras

    from benchmarks.tutorial.model import build

    model = build(labels)
    model.compile(keras.optimizers.Adam(0.001), "categorical_crossentropy", metrics=["accuracy"])
    return model


def _tutorial_batches(root: Path) -> Batches:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    augmentation = {
        "rotation_range": 40,
        "width_shift_range": 0.2,
        "height_shift_range": 0.2,
        "shear_range": 0.2,
    }
    generator = ImageDataGenerator(rescale=1 / 255, zoom_range=0.2, horizontal_flip=True, **augmentation)
    return generator.flow_from_directory(
        str(root / "train"), target_size=(150, 150), batch_size=BATCH, class_mode="categorical", seed=1
    )


if __name__ == "__main__":
    main({"training": rows}, __doc__)
