"""Transfer learning: from labelled photos to a run folder."""

from shutterless.utils.quiet import quiet_start

with quiet_start():  # TensorFlow's notes belong to nobody who types `import shutterless`
    from shutterless.artifacts.history import Epoch
    from shutterless.artifacts.run_files import CURVES, FOLDS, MODEL, is_run
    from shutterless.training.augmentation import augmented_copies
    from shutterless.training.recipe import load_recipe, recipe_text
    from shutterless.training.run import Run, load_run
    from shutterless.training.series.cross_validation import CrossValidation, Fold, cross_validate
    from shutterless.training.series.series import train_series
    from shutterless.training.trainer import train

__all__ = [
    "CURVES",
    "FOLDS",
    "MODEL",
    "CrossValidation",
    "Epoch",
    "Fold",
    "Run",
    "augmented_copies",
    "cross_validate",
    "is_run",
    "load_recipe",
    "load_run",
    "recipe_text",
    "train",
    "train_series",
]
