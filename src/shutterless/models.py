"""Load a trained model from the folder of its run or bundle, evaluate it, and compare two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shutterless.errors import InputError
from shutterless.model_check import open_bundle
from shutterless.runtime.model.bundle import DESCRIPTION
from shutterless.runtime.model.classifier import Classifier
from shutterless.utils.progress import Progress, automatic

if TYPE_CHECKING:
    from shutterless.evaluation import Metrics, Predictor
    from shutterless.evaluation.comparison.comparison import ModelComparison


def load_model(path: str | Path) -> Predictor:
    """Load the model of a run or of a bundle.

    Args:
        path: A run folder, as `train` writes it, or a bundle, as `convert` writes it.

    Returns:
        A `training.Run` or a `runtime.model.classifier.Classifier`. To classify pictures, use `load`.

    Raises:
        RunError: The folder is neither, or the run is damaged.
        BundleError: The bundle does not verify, or its model cannot be run safely.

    Example:
        >>> import shutterless
        >>> labels = shutterless.load_model("bundle").labels
    """
    folder = Path(path)
    if (folder / DESCRIPTION).is_file():
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
    report: str | Path | None = None,
    robustness: bool = True,
    foreign: str | Path | None = None,
    progress: Progress = automatic,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Metrics:
    """Measure a model on labelled photos that it was not trained on.

    Args:
        model: The folder of a run or a bundle, or what `load_model` returned.
        photos: A folder of labelled photos; by default those of the run.
        split: train, validation, test, new or all. By default test photos of the model's run and photos
            that were not part of it; validation photos if there are neither.
        label_map: Label in the folder → label of the model, for renamed labels.
        skip_unknown_labels: Leave out photos whose label the model does not know.
        report: Folder in which to also write report.html and its figures, see `write_report`.
        robustness: Whether to also measure the accuracy on blurred, noisy, dark, compressed, rotated and
            cropped copies of some photos: `Metrics.robustness`.
        foreign: A folder of pictures that fit no label, at any depth, to also measure how many of them a
            bundle notices: `Metrics.foreign`.
        progress: Called with what is being done, the steps done so far, and how many there are.
        on_warning: Called with each problem of the photos.

    Returns:
        Accuracy with its interval, log loss, calibration error, confusion matrix, and metrics of each label.

    Raises:
        RunError: The run is damaged, or its photos are gone.
        BundleError: The bundle does not verify, or `photos` is not given for a bundle; `no-novelty` if
            `foreign` is given for a run or a bundle of format 1.
        DatasetError: The photos cannot be used; see `predict_folder`.
        OutputError: The report cannot be written there.

    Example:
        >>> import shutterless
        >>> metrics = shutterless.evaluate("bundle", "photos")
        >>> mistakes = metrics.confusions()
    """
    from shutterless.evaluation import predict_folder  # imports SciPy, which loading a bundle does not need
    from shutterless.evaluation.foreign import measure_foreign, require_novelty
    from shutterless.evaluation.predict import own_photos
    from shutterless.evaluation.robustness import measure_robustness

    if report and photos:
        _check_report(report, photos)  # before the model is loaded, which takes a while
    loaded_model = load_model(model) if isinstance(model, str | Path) else model
    if report and not photos:
        _check_report(report, own_photos(loaded_model))
    if foreign is not None:
        require_novelty(loaded_model)  # before the photos are measured, which takes minutes
    writer = _report_writer(loaded_model) if report else None
    predictions = predict_folder(
        loaded_model,
        photos,
        split=split,
        label_map=label_map,
        skip_unknown_labels=skip_unknown_labels,
        progress=progress,
        on_warning=on_warning,
    )
    metrics = predictions.measure()
    if robustness:
        conditions = measure_robustness(loaded_model, predictions, progress=progress)
        metrics = replace(metrics, robustness=conditions)
    if foreign is not None:
        strangers = measure_foreign(
            loaded_model, predictions, foreign, progress=progress, on_warning=on_warning
        )
        metrics = replace(metrics, foreign=strangers)
    if writer and report:
        writer(report, predictions, robustness=metrics.robustness, foreign=metrics.foreign)
    return metrics


def compare(
    a: str | Path | Predictor,
    b: str | Path | Predictor,
    photos: str | Path | None = None,
    *,
    split: str | None = None,
    label_map: Mapping[str, str] | None = None,
    skip_unknown_labels: bool = False,
    report: str | Path | None = None,
    progress: Progress = automatic,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> ModelComparison:
    """Compare two models photo by photo, on labelled photos that neither was trained on.

    Args:
        a: The first model: the folder of a run or a bundle, or what `load_model` returned.
        b: The second model, likewise.
        photos: A folder of labelled photos, or a table; by default the photos of a run among the two.
        split: train, validation, test, new or all. A photo that either model was trained on counts as
            train. By default test photos and photos that no run had; validation photos if there are neither.
        label_map: Label in the folder → label of the models, for renamed labels.
        skip_unknown_labels: Leave out photos whose label neither model knows.
        report: A page to also write: a file that ends in .html, or a folder for comparison.html.
        progress: Called with what is being done, the steps done so far, and how many there are.
        on_warning: Called with each problem of the photos.

    Returns:
        Which answers changed, McNemar's test, and the metrics, size and time of both models.

    Raises:
        RunError: A run is damaged, or its photos are gone.
        BundleError: A bundle does not verify, or `photos` is not given for two bundles.
        DatasetError: The photos cannot be used, or the models have no label in common
            (`no-shared-labels`).
        InputError: `split` or `label_map` is wrong.
        OutputError: The page cannot be written there.

    Example:
        >>> import shutterless
        >>> comparison = shutterless.compare("run", "bundle", "photos")
        >>> worse = [change.path for change in comparison.changes if change.effect == "worse"]
    """
    from shutterless.evaluation.comparison.measurement import compare_models, find_photos
    from shutterless.evaluation.comparison.report import check_page, write_comparison

    models = [load_model(each) if isinstance(each, str | Path) else each for each in (a, b)]
    source = Path(photos) if photos else find_photos(models)
    if report:
        check_page(Path(report), source)
    comparison = compare_models(
        (models[0], models[1]),
        source,
        split=split,
        label_map=label_map,
        skip_unknown_labels=skip_unknown_labels,
        progress=progress,
        on_warning=on_warning,
    )
    if report:
        write_comparison(report, comparison)
    return comparison


def _check_report(folder: str | Path, photos: str | Path) -> None:
    from shutterless.evaluation.report.report import check_report_folder  # imports Jinja

    check_report_folder(Path(folder), Path(photos))


def _report_writer(model: Predictor) -> Callable[..., Path]:
    """Return the function that writes a report on this model into a folder."""
    if isinstance(model, Classifier) and model.bundle.path:
        from shutterless.evaluation.report.report import write_report

        return partial(write_report, model=model.bundle.path)
    from shutterless.training.report import write_run_report
    from shutterless.training.run import Run

    if not isinstance(model, Run):
        raise InputError(
            "not-a-model",
            f"A report needs a run or a bundle, not a {type(model).__name__}",
            "Use predict_folder and write_report, and give the folder that describes the model.",
        )
    return partial(write_run_report, run=model)
