"""Transfer learning: from labelled photos to a run folder."""

from shutterless.training.run import MODEL, Run, is_run, load_run
from shutterless.training.trainer import train

__all__ = ["MODEL", "Run", "is_run", "load_run", "train"]
