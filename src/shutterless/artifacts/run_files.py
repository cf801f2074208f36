"""Names of the files in a run folder."""

from pathlib import Path

MODEL = "model.keras"
RECIPE = "recipe.toml"
SPLIT = "split.csv"
HISTORY = "history.csv"
METRICS = "metrics.json"
LOGS = "logs"
# In the folder of a cross-validation, above its runs.
FOLDS = "folds.json"


def is_run(path: str | Path) -> bool:
    """Tell whether `path` is a run folder."""
    path = Path(path)
    return (path / RECIPE).is_file() and (path / SPLIT).is_file()
