"""From a folder of labelled photos to a serverless image-classification API.

Everything the command line does is a function here, imported when it is first asked for:

    import shutterless
    run = shutterless.train(Path("photos"), Path("run"), recipe="quick")
    conversion = shutterless.convert(Path("run"), Path("bundle"))
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# What the package offers, and the part that each name lives in. TensorFlow takes seconds to import, so
# nothing is imported before it is used.
_HOME = {
    "ShutterlessError": "errors",
    "CallError": "client",
    "Classifier": "runtime.classifier",
    "read_bundle": "runtime.bundle",
    "serve": "runtime.server",
    "draw_sample": "dataset",
    "load_dataset": "dataset",
    "inspect_dataset": "dataset.inspection",
    "write_inspection": "dataset.report",
    "download_dataset": "dataset.download",
    "evaluate": "models",
    "load_model": "models",
    "calibrate": "evaluation",
    "predict_folder": "evaluation",
    "write_report": "evaluation.report",
    "load_run": "training",
    "train": "training",
    "cross_validate": "training",
    "convert": "conversion",
    "call": "client",
    "estimate_cost": "deploy",
    "read_status": "deploy",
    "read_logs": "deploy",
    "package": "packaging",
    "build_image": "packaging",
    "run_image": "packaging",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    return load(__name__, _HOME, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load(package: str, homes: dict[str, str], name: str) -> Any:
    """Return what `package` offers as `name` from its module in `homes`; raises AttributeError."""
    if name not in homes:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
