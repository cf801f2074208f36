"""The table `run` of recipe.toml: the settings of a run that are not part of its recipe."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shutterless.dataset.groups.grouping import NONE
from shutterless.dataset.sources.table import photos_root


class Settings(BaseModel):
    """The settings of a run that are not part of its recipe.

    Attributes:
        photos: Folder of the photos, or the table that lists them.
        dataset_fingerprint: SHA-256 of all photos, labels and splits, see `Dataset.fingerprint`.
        backbone: Name of the network.
        weights: `imagenet`, `none` or a file.
        cut: Layer that the features are taken from; None for the last one.
        image_size: Width and height of the model's input, in pixels.
        seed: Seed of the split and of the training.
        group_by: Rule for photos of the same thing, see `parse_group_by`.
        from_run: The run that this one continues; None if it was trained from the start.
        plan: Phase → fields of the recipe that were planned differently for these photos and this machine.
        minutes: How long the training may take.
        estimated_seconds: Phase → how long it was estimated to take; empty for a short training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    photos: Path
    dataset_fingerprint: str
    backbone: str
    weights: str
    cut: str | None = None
    image_size: int
    seed: int
    group_by: str = NONE  # the default is for runs made before there were groups
    from_run: Path | None = None
    plan: dict[str, dict[str, int]] = {}
    minutes: float | None = None
    estimated_seconds: dict[str, float] = {}

    @property
    def root(self) -> Path:
        """The folder that the paths of the photos are relative to."""
        return photos_root(self.photos)
