"""The table `run` of recipe.toml: what was trained on what."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shutterless.dataset.groups.grouping import NONE


class Settings(BaseModel):
    """What was trained on what: the part of recipe.toml that a recipe file does not fix."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    photos: Path
    dataset_fingerprint: str
    backbone: str
    weights: str
    cut: str | None = None
    image_size: int
    seed: int
    group_by: str = NONE  # of a run of before there were groups
