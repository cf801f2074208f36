"""Names of the files in a run folder."""

from pathlib import Path

from shutterless.files import RUN

MODEL = "model.keras"
RECIPE = "recipe.toml"
SPLIT = "split.csv"
HISTORY = "history.csv"
METRICS = "metrics.json"
LOGS = "logs"
TEACHER = "teacher.npz"
# In the folder of a cross-validation, and in that of a series, above their runs.
FOLDS, CURVES = "folds.json", "curves.svg"


def is_run(path: str | Path) -> bool:
    """Tell whether `path` is a run folder."""
    return RUN.matches(Path(path))


def suggest_run(path: str | Path) -> str:
    """Return the hint for a folder that is not a run; for a cross-validation, it names one of its runs."""
    fold = Path(path) / "fold-1"
    if is_run(fold):
        return f"It holds the runs of a cross-validation: give one of them, such as {fold}."
    return "Give the folder that `shutterless train -o` wrote."
