"""metrics.json: what a run measured when its training ended."""

import json
from pathlib import Path
from typing import Any

from shutterless.artifacts.run_files import METRICS
from shutterless.errors import RunError
from shutterless.files import MAX_TABLE_BYTES, atomic_file, read_text


def read_metrics(run: Path) -> dict[str, Any]:
    """Return what metrics.json of a run folder says.

    Raises:
        ShutterlessError: The training was interrupted before it wrote the file, or the file is broken.
    """
    file = run / METRICS
    if not file.is_file():
        raise RunError(
            "unfinished-run", f"{run} has no {METRICS}", "Its training was interrupted; evaluate it."
        )
    try:
        return dict(json.loads(read_text(file, MAX_TABLE_BYTES)))
    except (OSError, ValueError) as error:
        raise RunError(
            "unreadable-metrics", f"{file} cannot be read: {error}", "Evaluate the run."
        ) from error


def write_metrics(file: Path, metrics: dict[str, Any]) -> None:
    """Write metrics.json whole or not at all."""
    with atomic_file(file) as draft:
        draft.write_text(json.dumps(metrics, indent=2, ensure_ascii=False) + "\n", "utf-8")
