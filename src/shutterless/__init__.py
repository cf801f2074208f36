"""From a folder of labelled photos to a serverless image-classification API.

Everything the command line does is a function here. Importing `shutterless` imports nothing else: each name
is imported when it is first used, because TensorFlow takes seconds.

    import shutterless

    shutterless.train("photos", "run", recipe="quick")
    shutterless.convert("run", "bundle")
    shutterless.load("bundle").predict("photo.jpg")
"""

__version__ = "0.1.0"

# module: the names that it defines. Their types are in __init__.pyi, which a test compares with this table.
_EXPORTS = {
    "errors": (
        "BundleError",
        "CallError",
        "ConversionError",
        "DatasetError",
        "DeployError",
        "InputError",
        "OutputError",
        "PackagingError",
        "RecipeError",
        "RunError",
        "ShutterlessError",
    ),
    "runtime.problems": ("ImageError", "Problem"),
    "dataset.types": ("Dataset", "Photo"),
    "dataset.importer": ("ImportedDataset", "import_dataset"),
    "dataset.scan": ("load_dataset",),
    "dataset.synthetic.render": ("draw_sample",),
    "dataset.public.download": ("download_dataset",),
    "dataset.inspect.findings": ("Finding",),
    "dataset.inspect.suggestions": ("Suggestion",),
    "dataset.inspect.inspection": ("Inspection", "inspect_dataset"),
    "dataset.inspect.report": ("write_inspection",),
    "artifacts.history": ("Epoch",),
    "novelty.conformal": ("Familiarity",),
    "novelty.measurement": ("Noticed", "NoveltyMeasurement"),
    "training.backbones.catalogue": ("Backbone",),
    "training.backbones.registry": ("register_backbone",),
    "training.trainer": ("train",),
    "curation.inspection": ("inspect_features",),
    "training.run": ("Run", "load_run"),
    "training.series.cross_validation": ("CrossValidation", "Fold", "cross_validate"),
    "training.series.series": ("train_series",),
    "evaluation.metrics": (
        "ConditionMetrics",
        "Confusion",
        "ForeignMetrics",
        "ForeignPhoto",
        "LabelMetrics",
        "Metrics",
    ),
    "evaluation.runs": ("RunGroup", "RunSummary", "group_runs", "list_runs"),
    "evaluation.learning_curves": ("draw_curves",),
    "evaluation.predict": ("Predictions", "Predictor", "predict_folder"),
    "evaluation.calibration": ("Calibration", "calibrate"),
    "evaluation.report.report": ("write_report",),
    "evaluation.comparison.comparison": (
        "AnswerChange",
        "ComparedModel",
        "LabelChange",
        "ModelAnswer",
        "ModelComparison",
        "UnsharedLabel",
    ),
    "evaluation.comparison.paired": ("Difference", "McNemar"),
    "evaluation.comparison.report": ("write_comparison",),
    "curation.fixes.problems": ("FixProblem", "FixRefusedError"),
    "curation.fixes.fix": ("DatasetFix", "fix_dataset", "undo_fixes"),
    "curation.fixes.journal": ("FixStep",),
    "models": ("compare", "evaluate", "load_model"),
    "conversion.compare": ("Comparison",),
    "conversion.converter": ("Conversion", "convert"),
    "conversion.selection": ("Candidate", "ConversionRefusedError"),
    "runtime.model.bundle": ("Bundle", "read_bundle"),
    "runtime.model.prediction": ("Prediction",),
    "answers": ("Answer",),
    "inference": ("Classifier", "load", "predict", "predict_many"),
    "batch_jobs.job": ("BatchResult", "batch"),
    "batch_jobs.plan": ("BatchPlan", "plan_batch"),
    "live.collect": ("Collected", "collect"),
    "live.schedule": ("schedule",),
    "review.review": ("apply_review", "open_review", "serve_review"),
    "review.session": ("Review",),
    "tuning.results": ("TrialResult",),
    "tuning.tuner": ("TuneResult", "tune"),
    "runtime.settings": ("Settings",),
    "serving": ("serve",),
    "api_answers": ("ApiPrediction",),
    "client": ("call", "call_many"),
    "monitoring.estimates": ("ShareEstimate",),
    "monitoring.signs": ("DriftSign",),
    "monitoring.types": ("Drift", "DriftFigures", "LabelDrift", "UnusualPicture"),
    "monitoring.drift": ("drift",),
    "monitoring.report": ("write_drift",),
    "packaging.docker": ("DockerError", "WrongProcessorError"),
    "packaging.context": ("Context", "package"),
    "packaging.check": ("CheckResult",),
    "packaging.image": ("Image", "build_image"),
    "packaging.run": ("run_image",),
    "packaging.zip_package": ("ZipPackage", "build_zip"),
    "deploy": ("deploy",),  # the module itself: `shutterless.deploy.plan(…)`
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> object:
    from shutterless.utils.lazy import import_name

    return import_name(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
