"""A trained model by the path of its folder, a training run's or a bundle's, and how good it is."""

from collections.abc import Callable, Mapping
from pathlib import Path

from shutterless.evaluation import Metrics, Predictor, predict_folder
from shutterless.runtime.model.bundle import DESCRIPTION
from shutterless.utils.progress import Progress, automatic


def load_model(path: str | Path) -> Predictor:
    """Load the network of a run or the model of a bundle.

    Args:
        path: A run folder, as `train` writes it, or a bundle, as `convert` writes it.

    Returns:
        A `training.Run` or a `runtime.classifier.Classifier`.

    Raises:
        ShutterlessError: The folder is neither, or was damaged, or the bundle's model cannot be run safely.
    """
    folder = Path(path)
    if (folder / DESCRIPTION).is_file():
        from shutterless.model_check import open_bundle
        from shutterless.runtime.model.classifier import Classifier

        return Classifier(open_bundle(folder))
    from shutterless.training import load_run  # imports TensorFlow, which a bundle does not need

    return load_run(folder)


def evaluate(
    model: str | Path | Predictor,
    photos: str | Path | None = None,
    *,
    split: str | None = None,
    label_map: Mapping[str, str] | None = None,
    skip_unknown_labels: bool = False,
    progress: Progress = automatic,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Metrics:
    """Measure a model on labelled photos that it was not trained on.

    Args:
        model: The folder of a run or a bundle, or a loaded one.
        photos: A folder of labelled photos; by default those of the run.
        split: train, validation, test, new or all; by default the test photos of the model's run and
            photos that it did not have, or its validation photos if there are neither.
        label_map: Label in the folder → label of the model, for labels that were renamed.
        skip_unknown_labels: Leave out photos whose label the model does not know.
        progress: Called as the work goes on.
        on_warning: Called with what is odd about the photos.

    Returns:
        Accuracy with its interval, log loss, calibration error, and figures by label.

    Raises:
        ShutterlessError: The model or the photos cannot be used; see `evaluation.predict_folder`.
    """
    loaded = load_model(model) if isinstance(model, str | Path) else model
    return predict_folder(
        loaded,
        photos,
        split=split,
        label_map=label_map,
        skip_unknown_labels=skip_unknown_labels,
        progress=progress,
        on_warning=on_warning,
    ).measure()
