"""The configuration of a training: a recipe, and the options that override it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shutterless.artifacts.settings import Settings
from shutterless.dataset import Dataset
from shutterless.dataset.groups.grouping import AUTO
from shutterless.errors import InputError, RunError
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.json_types import Json
from shutterless.training.backbones.catalogue import Backbone
from shutterless.training.backbones.registry import find_backbone, import_backbone
from shutterless.training.recipe import (
    PHASES,
    BackboneConfig,
    Phase,
    Recipe,
    load_recipe,
    validate_recipe,
)
from shutterless.training.run import Run
from shutterless.training.selection.budget import is_auto, parse_budget, require_budget_options
from shutterless.training.selection.selection import Selection, select_backbone
from shutterless.training.warm_start.recipe import (
    require_same_network,
    with_fewer_epochs,
    with_network_of,
)
from shutterless.utils.progress import Progress, silent

SEED = 42
# Phase → fields of it that are planned for these photos and this machine, in place of the recipe's.
Plan = dict[str, dict[str, int]]
Paths = str | Path | Sequence[str | Path]
MAX_SEED = 2**32 - 1  # what NumPy's and Keras's generators take


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that is decided before a training starts.

    Attributes:
        recipe: The recipe, with the options that override it and no size left open.
        backbone: Entry of the catalogue.
        weights: `imagenet`, `none` or a file.
        seed: For the split, the order of the photos, augmentation and the first weights.
        group_by: Which photos show one thing, see `load_dataset`.
        from_run: The run to continue from.
        selection: How the backbone was chosen, if it was chosen for a budget.
        plan: Where the training differs from the recipe. A phase of 0 epochs is left out.
        minutes: How long the training may take; None for no limit.
        estimated_seconds: Phase → how long it will take; empty if that was not estimated.
    """

    recipe: Recipe
    backbone: Backbone
    weights: str
    seed: int
    group_by: str = AUTO
    from_run: Path | None = None
    plan: Plan = field(default_factory=dict)
    selection: Selection | None = None
    minutes: float | None = None
    estimated_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def weights_source(self) -> str:
        """The weights, with the absolute path of a file."""
        return self.weights if self.weights in ("imagenet", "none") else str(Path(self.weights).resolve())

    @property
    def image_size(self) -> int:
        """Side of the model's input, in pixels."""
        return self.recipe.image.size or self.backbone.image_size

    @property
    def input(self) -> InputSpec:
        """How a photo becomes the model's input."""
        image, size = self.recipe.image, self.image_size
        return InputSpec(size, size, image.resize, image.interpolation)

    @property
    def phases(self) -> dict[str, Phase]:
        """The phases in order as they are planned, by their names in the recipe."""
        phases = self.recipe.phases(pretrained=self.weights != "none")
        plans = {name: phase.model_copy(update=self.plan.get(name)) for name, phase in phases.items()}
        return {name: phase for name, phase in plans.items() if phase.epochs}

    def settings(self, dataset: Dataset) -> Settings:
        """Return what recipe.toml records in addition to the recipe."""
        return Settings(
            photos=dataset.source.resolve(),
            dataset_fingerprint=dataset.fingerprint,
            backbone=self.backbone.name,
            weights=self.weights_source,
            cut=self.recipe.backbone.cut,
            image_size=self.image_size,
            seed=self.seed,
            group_by=self.group_by,
            from_run=self.from_run,
            plan=self.plan,
            minutes=self.minutes,
            estimated_seconds=self.estimated_seconds,
        )


def make_config(
    recipe: str | Path | None = None,
    *,
    backbone: str | None = None,
    weights: str | Path | None = None,
    cut: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    group_by: str | Path | None = None,
    minutes: float | None = None,
    teacher: Paths = (),
    earlier: Run | None = None,
    from_run: Run | None = None,
    budget: str | None = None,
    progress: Progress = silent,
) -> TrainingConfig:
    """Let options override a recipe.

    Args:
        recipe: Name or file; that of `earlier` or `quick` by default.
        backbone: Name in the catalogue, or `MODULE:VARIABLE`. Another backbone than the recipe's is not cut,
            and its pixels are scaled as it was trained. `auto` is the most accurate one within `budget`, or
            that of `earlier` or `from_run`.
        weights: `imagenet`, `none` or a file; `imagenet` by default if the backbone has such weights.
        cut: Name of the layer that the backbone ends at.
        image_size: Side of the model's input, in pixels.
        epochs: Epochs of the recipe's last phase.
        batch_size: Photos in a step of the recipe's last phase.
        seed: From 0 to `MAX_SEED`.
        group_by: Which photos show one thing.
        minutes: How long the training may take.
        teacher: Runs or files to learn from; the recipe's by default.
        earlier: The run to resume; its settings are the defaults.
        from_run: The run to continue from. Its network is used, and a quarter of the epochs of fine-tuning.
        budget: With the backbone `auto`: a time or a size, see `parse_budget`.
        progress: Called while backbones are measured.

    Returns:
        The configuration, with a valid recipe.

    Raises:
        RecipeError: The recipe or the backbone is unknown, or an option is out of range.
        InputError: The seed is out of range, an option asks for another network than that of `from_run`, or
            the backbone and the budget do not go together, see `require_budget_options`.
    """
    if is_auto(backbone) and (known := earlier or from_run):
        backbone, budget = known.settings.backbone, None
    require_budget_options(backbone, budget, weights, cut)
    # May register that of the earlier run.
    choice = import_backbone(backbone) if backbone and budget is None else None
    if from_run is not None:
        name = choice.name if choice else None
        require_same_network(from_run, backbone=name, weights=weights, cut=cut, image_size=image_size)
    base = _base_recipe(recipe, earlier, from_run)
    selection = None
    if budget is not None:
        selection = select_backbone(
            parse_budget(budget),
            base,
            weights=str(weights or "imagenet"),
            image_size=image_size,
            progress=progress,
        )
        choice = selection.taken.backbone
    entry = choice or find_backbone(base.backbone.name)
    # Another backbone has other layers and was trained on other pixels.
    is_recipes = entry.name == base.backbone.name.lower() and selection is None
    settings = base.backbone if is_recipes else BackboneConfig(name=entry.name)
    size = next(side for side in (image_size, base.image.size, entry.image_size) if side is not None)
    changes: dict[str, dict[str, Json]] = {
        "backbone": {"name": entry.name, "cut": cut or settings.cut, "scaling": settings.scaling},
        "image": {"size": size},
        **_phase_changes(base, {"epochs": epochs, "batch_size": batch_size}),
    }
    document = base.model_dump()
    teachers = (teacher,) if isinstance(teacher, str | Path) else teacher
    if sources := teachers or (base.teacher.sources if base.teacher else ()):
        absolute = [str(Path(source).resolve()) for source in sources]
        document["teacher"] = (document["teacher"] or {}) | {"sources": absolute}
    for table, fields in changes.items():
        document[table] |= fields
    if default := earlier or from_run:
        weights, group_by = weights or default.settings.weights, group_by or default.settings.group_by
        seed = default.settings.seed if seed is None else seed
    if earlier is not None and minutes is None:
        minutes = earlier.settings.minutes
    seed = SEED if seed is None else seed
    if not 0 <= seed <= MAX_SEED:
        raise InputError("invalid-seed", f"{seed} is no valid seed", f"Choose a seed from 0 to {MAX_SEED}.")
    return TrainingConfig(
        validate_recipe(document, f"{base.name} (with the given options)"),
        entry,
        str(weights or ("imagenet" if entry.pretrained else "none")),
        seed,
        str(group_by or AUTO),
        from_run.path.resolve() if from_run else None,
        selection=selection,
        minutes=minutes,
    )


def _base_recipe(recipe: str | Path | None, earlier: Run | None, from_run: Run | None) -> Recipe:
    """Return the recipe before options override it, that of `earlier` or `from_run` by default."""
    if recipe is None and earlier is not None:
        return _recorded(earlier).recipe
    if from_run is None:
        return load_recipe(recipe or "quick")
    # The earlier run's teacher does not know the labels that are added.
    recorded = _recorded(from_run).recipe.model_copy(update={"teacher": None})
    if recipe is None and from_run.settings.from_run:
        return recorded  # which has fewer epochs already
    return with_fewer_epochs(with_network_of(load_recipe(recipe), recorded) if recipe else recorded)


def _phase_changes(recipe: Recipe, values: Mapping[str, int | None]) -> dict[str, dict[str, Json]]:
    """Return the options for the phases that they apply to: the last one, and the one from scratch."""
    changes = {name: value for name, value in values.items() if value is not None}
    last = next(name for name in reversed(PHASES) if getattr(recipe, name) is not None)
    return {name: dict(changes) for name in (last, "from_scratch") if getattr(recipe, name) is not None}


def require_same(config: TrainingConfig, earlier: Run) -> None:
    """Refuse to resume a run with other settings than it was started with.

    Raises:
        RunError: A setting differs; the message names it (`changed-settings`).
    """
    before, now = _flatten(_recorded(earlier)), _flatten(config)
    for name in before | now:
        if before.get(name) != now.get(name):
            raise RunError(
                "changed-settings",
                f"{earlier.path} was started with {name} {before.get(name)}, not {now.get(name)}",
                "Leave that option out to resume it, or train into another folder.",
            )


def _recorded(run: Run) -> TrainingConfig:
    """Return the configuration that a run was started with."""
    settings = run.settings
    backbone = run.recipe.backbone.model_copy(update={"name": settings.backbone, "cut": settings.cut})
    image = run.recipe.image.model_copy(update={"size": settings.image_size})
    recipe = run.recipe.model_copy(update={"backbone": backbone, "image": image})
    return TrainingConfig(
        recipe,
        find_backbone(settings.backbone),
        settings.weights,
        settings.seed,
        settings.group_by,
        settings.from_run,
        minutes=settings.minutes,
    )


def _flatten(config: TrainingConfig) -> dict[str, Json]:
    """Return every setting by its dotted name, the recipe's name first."""
    values: dict[str, Json] = {
        "recipe": config.recipe.name,
        "weights": config.weights_source,
        "seed": config.seed,
        "group_by": config.group_by,
        "minutes": config.minutes,
        "from_run": str(config.from_run) if config.from_run else None,
    }
    recipe = config.recipe.model_dump(exclude_none=True, exclude={"name", "description"})
    tables: list[tuple[str, Mapping[str, Json]]] = [("", recipe)]
    for prefix, table in tables:
        for name, value in table.items():
            if isinstance(value, Mapping):
                tables.append((f"{prefix}{name}.", value))
            else:
                values[f"{prefix}{name}"] = value
    return values
