"""From a folder of labelled photos to a serverless image-classification API.

Everything the command line does is a function here, imported when it is first asked for:

    import shutterless
    shutterless.train("photos", "run", recipe="quick")
    shutterless.convert("run", "bundle")
    shutterless.load("bundle").predict("photo.jpg")
"""

from typing import Any

__version__ = "0.1.0"

# What the package offers, and the part that each name lives in. TensorFlow takes seconds to import, so
# nothing is imported before it is used.
_HOME = {
    **dict.fromkeys(
        (
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
        "errors",
    ),
    "ImageError": "runtime.problems",
    "Classifier": "inference",
    "Prediction": "runtime.model.prediction",
    "load": "inference",
    "predict": "inference",
    "read_bundle": "runtime.model.bundle",
    "serve": "serving",
    "draw_sample": "dataset",
    "load_dataset": "dataset",
    "inspect_dataset": "dataset.inspect.inspection",
    "write_inspection": "dataset.inspect.report",
    "download_dataset": "dataset.public.download",
    "evaluate": "models",
    "load_model": "models",
    "calibrate": "evaluation",
    "predict_folder": "evaluation",
    "write_report": "evaluation.report.report",
    "load_run": "training",
    "train": "training",
    "cross_validate": "training",
    "convert": "conversion",
    "call": "client",
    "call_many": "client",
    "estimate_cost": "deploy",
    "read_status": "deploy",
    "read_logs": "deploy",
    "package": "packaging",
    "build_image": "packaging",
    "run_image": "packaging",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    from shutterless.utils.lazy import attribute

    return attribute(__name__, _HOME, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
