"""Search files: which fields of a recipe to vary, within which limits, and how often."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shutterless.errors import InputError, RecipeError
from shutterless.runtime.json_types import Json, JsonObject
from shutterless.text_files import parse_toml, read_text
from shutterless.training.backbones.registry import find_backbone
from shutterless.training.config import MAX_SEED, SEED, TrainingConfig
from shutterless.training.recipe import Recipe, load_recipe, recipe_names, validate_recipe
from shutterless.tuning.study import Scalar, Trial, Values
from shutterless.utils.messages import did_you_mean

MAX_TRIALS, MAX_FILE_BYTES = 10_000, 1_000_000


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Range(_Table):
    """All numbers from `min` to `max`; whole numbers if both limits are.

    Attributes:
        min: The smallest number.
        max: The largest number.
        log: Whether numbers are drawn evenly on a logarithmic scale.
    """

    min: int | float
    max: int | float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.min < self.max:
            raise ValueError("min must be below max")
        if self.log and self.min <= 0:
            raise ValueError("log needs a min above 0")
        return self

    def at(self, share: float) -> Scalar:
        """Return the number at this share, 0 to 1, of the way from `min` to `max`."""
        if isinstance(self.min, int) and isinstance(self.max, int):
            whole = self._between(self.min, self.max + 1, share)
            return min(self.max, int(whole))
        number = float(f"{self._between(self.min, self.max, share):.3g}")
        return min(max(number, self.min), self.max)

    def _between(self, low: float, high: float, share: float) -> float:
        if self.log:
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
        return low + share * (high - low)


class Search(_Table):
    """A search file.

    Attributes:
        recipe: The recipe to start from: a shipped one, or a TOML file.
        trials: Number of trials. The first is the recipe with the fixed values only.
        folds: Folds of the cross-validation in each trial; 0 for the validation split.
        seeds: Seeds with which each trial is trained.
        seed: For the values that are drawn.
        early_stopping: Whether trials that fall behind the others are stopped.
        search: Field of the recipe → its range, its choices, or a fixed value.
    """

    recipe: str = "quick"
    trials: int = Field(20, ge=1, le=MAX_TRIALS)
    folds: int = Field(0, ge=0, le=100)
    seeds: list[int] = Field([42], min_length=1)
    seed: int = Field(42, ge=0, le=MAX_SEED)
    early_stopping: bool = True
    search: dict[str, Range | list[Scalar] | Scalar] = Field(min_length=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.folds == 1:
            raise ValueError("folds must be 0, or 2 or more")
        if len({*self.seeds}) < len(self.seeds) or not all(0 <= seed <= MAX_SEED for seed in self.seeds):
            raise ValueError(f"seeds must be different numbers from 0 to {MAX_SEED}")
        if any(isinstance(space, list) and not space for space in self.search.values()):
            raise ValueError("a list of choices is empty")
        return self


def load_search(file: Path) -> Search:
    """Read a search file.

    Raises:
        InputError: It cannot be read (`unreadable-search`), or a line or a field is wrong
            (`invalid-search`).
        RecipeError: There is no such recipe, or it is wrong.
    """
    try:
        document = parse_toml(read_text(file, MAX_FILE_BYTES))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            "unreadable-search", f"{file} cannot be read: {reason}", "Check the path."
        ) from error
    except ValueError as error:
        raise _invalid(file, f"is not valid TOML: {error}") from error
    if isinstance(spaces := document.get("search"), Mapping):
        document["search"] = dict(_flatten(spaces))
    try:
        search = Search.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][:2]) or "field"
        raise _invalid(file, f"has a wrong {place}: {first['msg'].removeprefix('Value error, ')}") from error
    _require_fields(file, search)
    if search.recipe in recipe_names():
        return search
    return search.model_copy(update={"recipe": str(file.absolute().parent / search.recipe)})


def make_trials(search: Search) -> list[Trial]:
    """Return the trials of a search: the same ones whenever it is called.

    The first trial is the recipe with the fixed values. If the choices have no more combinations than there
    are trials, all are tried. Otherwise, values are drawn by Latin hypercube sampling (McKay, Beckman and
    Conover 1979), so each part of a range, and each choice, comes equally often.

    Raises:
        RecipeError: The recipe is wrong, or the values of no trial are possible (`invalid-recipe`).
    """
    base = load_recipe(search.recipe)
    constants: Values = {
        field: space for field, space in search.search.items() if not isinstance(space, Range | list)
    }
    spaces = {field: space for field, space in search.search.items() if isinstance(space, Range | list)}
    samples = [constants | values for values in _draw(spaces, search.trials - 1, search.seed)]
    trials = [
        _make_trial(base, number, values)
        for number, values in enumerate(_without_repeats([constants, *samples]), start=1)
    ]
    if not any(trial.recipe for trial in trials):
        raise RecipeError(
            "invalid-recipe", trials[-1].problem, "Correct that field of the search or of its recipe."
        )
    return trials


def recipe_fields(model: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every field of a recipe that has a value of its own."""
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        tables = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if tables:
            yield from recipe_fields(tables[0], f"{prefix}{name}.")
        else:
            yield prefix + name


def _draw(spaces: Mapping[str, Range | list[Scalar]], count: int, seed: int) -> Iterator[Values]:
    choices = [space for space in spaces.values() if isinstance(space, list)]
    if len(choices) == len(spaces) and math.prod(map(len, choices)) <= count:
        for values in itertools.product(*choices):
            yield dict(zip(spaces, values, strict=True))
        return
    rng = random.Random(seed)
    columns = []
    for space in spaces.values():
        shares = [(number + rng.random()) / count for number in range(count)]
        rng.shuffle(shares)
        at = (
            space.at
            if isinstance(space, Range)
            else lambda share, space=space: space[int(share * len(space))]
        )
        columns.append([at(share) for share in shares])
    for row in zip(*columns, strict=True):
        yield dict(zip(spaces, row, strict=True))


def _without_repeats(rows: list[Values]) -> list[Values]:
    return list({repr(row): row for row in rows}.values())


def _make_trial(base: Recipe, number: int, values: Values) -> Trial:
    document = base.model_dump(exclude_none=True)
    if values.get("backbone.name", base.backbone.name) != base.backbone.name:
        document["backbone"] = {}  # another backbone has other layers and was trained on other pixels
    for field, value in values.items():
        *tables, name = field.split(".")
        table: dict[str, Json] = document
        for each in tables:
            table = table.setdefault(each, {})  # type: ignore[assignment]
        table[name] = value
    document["name"] = f"{base.name.removesuffix('-tuned')}-tuned"
    try:
        recipe = validate_recipe(document, f"of trial {number}")
        backbone = find_backbone(recipe.backbone.name)
    except RecipeError as error:
        return Trial(number, values, problem=error.message)
    text = tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True))
    return Trial(number, values, text, TrainingConfig(recipe, backbone, "none", SEED).input)


def _flatten(tables: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted name of each field and its space; tables that are no ranges hold other fields."""
    for name, value in tables.items():
        if isinstance(value, Mapping) and not {*value} & {"min", "max", "log"}:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _require_fields(file: Path, search: Search) -> None:
    names = {*recipe_fields()} - {"name", "description"}
    for field in search.search:
        if field not in names:
            raise InputError(
                "unknown-field",
                f"{file} varies {field}, which no recipe has",
                did_you_mean(field, sorted(names))
                + 'The documentation\'s page "Recipe fields" lists them all.',
            )


def _invalid(file: Path, reason: str) -> InputError:
    hint = 'Correct it; the documentation\'s page "Find a better recipe" shows one.'
    return InputError("invalid-search", f"The search file {file} {reason}", hint)


def to_document(search: Search) -> JsonObject:
    """Return a search as a JSON object, by which it is recognised."""
    return search.model_dump(mode="json")
