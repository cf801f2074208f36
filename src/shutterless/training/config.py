"""What a training is to do, once the recipe and the options that override it are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shutterless.artifacts.settings import Settings
from shutterless.dataset import Dataset
from shutterless.dataset.groups.grouping import AUTO
from shutterless.errors import InputError, RunError
from shutterless.runtime.image.decoder import InputSpec
from shutterless.training.backbones.builder import find_backbone
from shutterless.training.backbones.catalogue import Backbone
from shutterless.training.recipe import PHASES, Phase, Recipe, Trunk, load_recipe, validate_recipe
from shutterless.training.run import Run

SEED = 42
MAX_SEED = 2**32 - 1  # what NumPy's and Keras's generators take


@dataclass(frozen=True)
class Plan:
    """A recipe in which everything is decided, and what a recipe does not fix."""

    recipe: Recipe
    backbone: Backbone
    weights: str
    seed: int
    group_by: str = AUTO

    @property
    def weights_source(self) -> str:
        """Where the weights come from, a file by its whole path."""
        return self.weights if self.weights in ("imagenet", "none") else str(Path(self.weights).resolve())

    @property
    def image_size(self) -> int:
        """The side of the network's input, in pixels."""
        return self.recipe.image.size or self.backbone.image_size

    @property
    def input(self) -> InputSpec:
        """How a photo becomes the network's input."""
        image, size = self.recipe.image, self.image_size
        return InputSpec(size, size, image.resize, image.interpolation)

    @property
    def phases(self) -> dict[str, Phase]:
        """The phases in their order, by the names of their tables."""
        return self.recipe.phases(pretrained=self.weights != "none")

    def settings(self, dataset: Dataset) -> Settings:
        """Return what recipe.toml records beside the recipe."""
        return Settings(
            photos=dataset.root.resolve(),
            dataset_fingerprint=dataset.fingerprint,
            backbone=self.backbone.name,
            weights=self.weights_source,
            cut=self.recipe.backbone.cut,
            image_size=self.image_size,
            seed=self.seed,
            group_by=self.group_by,
        )


def make_plan(
    recipe: str | Path | None,
    backbone: str | None = None,
    weights: str | Path | None = None,
    cut: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    group_by: str | Path | None = None,
    *,
    earlier: Run | None = None,
) -> Plan:
    """Let the options override the recipe; what is not given is as it was in the run `earlier`.

    Raises ShutterlessError for an unknown recipe or backbone, or an option out of its range.
    """
    chosen = _recorded(earlier).recipe if recipe is None and earlier else load_recipe(recipe or "quick")
    entry = find_backbone(backbone or chosen.backbone.name)
    # Another backbone has other layers and was trained on other pixels.
    trunk = chosen.backbone if entry.name == chosen.backbone.name.lower() else Trunk(name=entry.name)
    size = next(side for side in (image_size, chosen.image.size, entry.image_size) if side is not None)
    changes: dict[str, dict[str, Any]] = {
        "backbone": {"name": entry.name, "cut": cut or trunk.cut, "scaling": trunk.scaling},
        "image": {"size": size},
        **_phases(chosen, {"epochs": epochs, "batch_size": batch_size}),
    }
    given = weights or (earlier.settings.weights if earlier else None)
    return Plan(
        _changed(chosen, changes),
        entry,
        str(given or ("imagenet" if entry.pretrained else "none")),
        _seed(seed if seed is not None else (earlier.settings.seed if earlier else SEED)),
        str(group_by or (earlier.settings.group_by if earlier else AUTO)),
    )


def _changed(recipe: Recipe, changes: dict[str, dict[str, Any]]) -> Recipe:
    """Return the recipe with `changes`, table by table, validated like one that was read from a file."""
    document = recipe.model_dump()
    for table, fields in changes.items():
        document[table] |= fields
    return validate_recipe(document, f"{recipe.name} (with the given options)")


def _seed(seed: int) -> int:
    if not 0 <= seed <= MAX_SEED:
        raise InputError("invalid-seed", f"{seed} is no seed", f"Choose a seed from 0 to {MAX_SEED}.")
    return seed


def require_same(plan: Plan, earlier: Run) -> None:
    """Raise ShutterlessError, naming the option, if `plan` is not what `earlier` was started with."""
    before, now = _flat(_recorded(earlier)), _flat(plan)
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            raise RunError(
                "changed-settings",
                f"{earlier.path} was started with {name} {before.get(name)}, not {now.get(name)}",
                "Leave that option out to resume it, or train into another folder.",
            )


def _recorded(run: Run) -> Plan:
    """Return the plan that a run was started with."""
    settings = run.settings
    trunk = run.recipe.backbone.model_copy(update={"name": settings.backbone, "cut": settings.cut})
    image = run.recipe.image.model_copy(update={"size": settings.image_size})
    recipe = run.recipe.model_copy(update={"backbone": trunk, "image": image})
    return Plan(recipe, find_backbone(settings.backbone), settings.weights, settings.seed, settings.group_by)


def _phases(recipe: Recipe, figures: dict[str, int | None]) -> dict[str, dict[str, Any]]:
    """Return the caller's figures for the phases that decide: the last one and that from scratch."""
    changes = {name: figure for name, figure in figures.items() if figure is not None}
    last = next(name for name in reversed(PHASES) if getattr(recipe, name) is not None)
    return {name: changes for name in (last, "from_scratch") if getattr(recipe, name) is not None}


def _flat(plan: Plan) -> dict[str, Any]:
    """Return every field of a plan under its dotted name."""
    flat: dict[str, Any] = {"weights": plan.weights_source, "seed": plan.seed, "group_by": plan.group_by}
    tables: list[tuple[str, dict[str, Any]]] = [("", plan.recipe.model_dump(exclude_none=True))]
    for prefix, table in tables:
        for name, value in table.items():
            if isinstance(value, dict):
                tables.append((f"{prefix}{name}.", value))
            else:
                flat[f"{prefix}{name}"] = value
    return flat
