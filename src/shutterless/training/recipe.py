"""How a classifier is trained: recipes as validated TOML, shipped with the package or written by users."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shutterless.errors import RecipeError
from shutterless.files import read_text
from shutterless.training.backbones.scaling import Scaling
from shutterless.utils.messages import did_you_mean

# Beyond every training there is, and small enough to be counted in steps without overflow.
MAX_EPOCHS, MAX_BATCH_SIZE, MAX_HIDDEN_UNITS, MAX_FILE_BYTES = 1_000_000, 65_536, 65_536, 1_000_000


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Image(_Table):
    """How a photo becomes the network's input, in training and in serving."""

    size: int | None = Field(
        None, ge=32, le=1024, description="side in pixels; the backbone's own if not given"
    )
    resize: Literal["stretch", "crop", "pad"] = Field("stretch", description="how a photo becomes a square")
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = Field(
        "bilinear", description="how pixels are computed; all but `nearest` with antialiasing"
    )


class Trunk(_Table):
    """Which backbone the network stands on, where it is cut, and how its pixels are scaled."""

    name: str = Field("mobilenetv2", description="as `shutterless train --backbone list` names it")
    cut: str | None = Field(None, description="the layer to cut at; its end if not given")
    scaling: Scaling | None = Field(
        None,
        description="`unit`: 0 … 1; `tf`: -1 … 1; `torch`: less ImageNet's mean, by its deviation; `caffe`: "
        "BGR less its mean; what the backbone's weights were trained on if not given",
    )


class Augmentation(_Table):
    """Random changes of a training photo; each range is symmetric about no change."""

    flip: bool = Field(False, description="left to right")
    rotation: float = Field(0.0, ge=0, le=180, description="degrees")
    zoom: float = Field(0.0, ge=0, lt=1, description="share of the side")
    aspect: float = Field(
        0.0, ge=0, lt=1, description="share of width over height; `like_keras` zooms the two apart instead"
    )
    shift: float = Field(0.0, ge=0, lt=1, description="share of the side")
    shear: float = Field(0.0, ge=0, lt=90, description="degrees")
    brightness: float = Field(0.0, ge=0, lt=1, description="share of each pixel's value")
    contrast: float = Field(0.0, ge=0, lt=1, description="share of the distance from the photo's mean grey")
    saturation: float = Field(0.0, ge=0, le=1, description="share of the distance from grey")
    hue: float = Field(0.0, ge=0, le=180, description="degrees")
    like_keras: bool = Field(
        False,
        description="as Keras's ImageDataGenerator: height and width are zoomed apart, a photo is shifted "
        "before it is turned, and its edge is drawn out where it ends; else mirrored",
    )

    @model_validator(mode="after")
    def _one_way_to_change_proportions(self) -> Self:
        if self.like_keras and self.aspect:
            raise ValueError(
                "aspect and like_keras exclude each other: like_keras changes proportions by zoom"
            )
        return self


class Head(_Table):
    """What stands on the backbone's feature map: pooling, perhaps a hidden layer, dropout, softmax."""

    pooling: Literal["average", "flatten"] | None = Field(None, description="the backbone's own if not given")
    hidden: int = Field(0, ge=0, le=MAX_HIDDEN_UNITS, description="units of a hidden ReLU layer; 0 for none")
    dropout: float = Field(0.2, ge=0, lt=1, description="in front of the last layer")
    dropout_before_hidden: float | None = Field(
        None, ge=0, lt=1, description="in front of the hidden layer; as `dropout` if not given"
    )


class Phase(_Table):
    """What every phase of training sets."""

    epochs: int = Field(ge=1, le=MAX_EPOCHS, description="passes over the photos")
    batch_size: int = Field(32, ge=1, le=MAX_BATCH_SIZE, description="photos in one step")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="what changes the weights")
    learning_rate: float = Field(gt=0, description="size of a step, at its highest")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="`cosine`: the learning rate falls to 0 over the phase"
    )
    weight_decay: float = Field(0.0, ge=0, description="of the optimizer")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target that goes to all labels alike, in the loss"
    )
    warmup_epochs: float = Field(
        0.0,
        ge=0,
        le=MAX_EPOCHS,
        description="epochs in which the learning rate rises from 0; with `cosine` only",
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="epochs without a better validation accuracy before an early stop; none if not given",
    )

    @model_validator(mode="after")
    def _warm_up_before_a_decay_only(self) -> Self:
        if self.schedule == "constant" and self.warmup_epochs:
            raise ValueError('warmup_epochs goes with schedule = "cosine"')
        return self


class HeadPhase(Phase):
    """Training of the head alone, on features that the frozen backbone gives once."""

    mirrored: bool = Field(True, description="also learn from each photo's mirror image")


class NetworkPhase(Phase):
    """Training on photos that are augmented anew in every epoch."""

    frozen_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the backbone's layers, from the pixels on, that keep their weights: 0.35 of "
        "MobileNetV2 makes a step two and a half times as quick",
    )
    batch_norm_momentum: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="momentum of the moving averages; the backbone's own if not given, of which that of "
        "Keras's MobileNets, 0.999, is too slow for a few thousand photos",
    )
    mixup: float = Field(0.0, ge=0, description="alpha of mixup: photos laid over each other; 0 for none")
    cutmix: float = Field(0.0, ge=0, description="alpha of cutmix: a patch of another photo; 0 for none")
    weight_average: float | None = Field(
        None, gt=0, lt=1, description="momentum of a moving average of the weights, which is what is kept"
    )
    sharpness_radius: float = Field(
        0.0,
        ge=0,
        description="how far uphill each step of sharpness-aware minimization (SAM) takes its gradient; it "
        "takes twice the time; 0 for none",
    )
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _one_kind_of_mixing(self) -> Self:
        if self.mixup and self.cutmix:
            raise ValueError("mixup and cutmix exclude each other")
        return self


PHASES = ("head_training", "frozen_training", "fine_tuning")


class Recipe(_Table):
    """A whole recipe.

    Its phases follow each other: the head on features that the frozen backbone gives once, the head on
    augmented photos behind the frozen backbone, the whole network. A backbone that starts from nothing
    has no features worth freezing: it is trained by `from_scratch` alone, if there is such a phase.
    """

    name: str = Field(description="what it is called")
    description: str = Field(description="what it is for, in a line")
    class_weights: Literal["balanced"] | None = Field(
        None,
        description="let rare labels count as much as common ones; every photo counts alike if not given",
    )
    backbone: Trunk = Trunk()
    image: Image = Image()
    head: Head = Head()
    head_training: HeadPhase | None = None
    frozen_training: NetworkPhase | None = None
    fine_tuning: NetworkPhase | None = None
    from_scratch: NetworkPhase | None = None

    @model_validator(mode="after")
    def _some_phase(self) -> Self:
        if not self.phases(pretrained=True):
            raise ValueError(f"one of {', '.join(PHASES)} must be there")
        return self

    def phases(self, *, pretrained: bool) -> dict[str, Phase]:
        """Return the phases, in their order, of a backbone with or without pretrained weights."""
        if not pretrained and self.from_scratch is not None:
            return {"from_scratch": self.from_scratch}
        return {name: phase for name in PHASES if (phase := getattr(self, name)) is not None}


def recipe_names() -> list[str]:
    """Return the names of the recipes that the package ships."""
    return sorted(Path(entry.name).stem for entry in _shipped().iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_file: str | Path) -> Recipe:
    """Read a shipped recipe by its name or a user's by its path.

    Raises `ShutterlessError` that names the unknown recipe, the broken line or the wrong field.
    """
    return parse_recipe(recipe_text(name_or_file), str(name_or_file))


def recipe_text(name_or_file: str | Path) -> str:
    """Return the TOML of a shipped recipe or of a user's; raises `ShutterlessError` if there is none."""
    name = str(name_or_file)
    if name in recipe_names():
        return _shipped().joinpath(f"{name}.toml").read_text("utf-8")
    if not Path(name).exists():
        raise RecipeError(
            "unknown-recipe",
            f"There is no recipe {name!r}",
            did_you_mean(name, recipe_names())
            + f"Choose one of {', '.join(recipe_names())}, or give the path of a .toml file.",
        )
    try:
        return read_text(Path(name), MAX_FILE_BYTES)
    except UnicodeDecodeError as error:
        raise RecipeError(
            "unreadable-recipe", f"The recipe {name} is not UTF-8 text", "Give a .toml file."
        ) from error
    except OSError as error:
        raise RecipeError(
            "unreadable-recipe", f"The recipe {name} cannot be read: {error.strerror}", "Give a .toml file."
        ) from error


def parse_recipe(text: str, source: str) -> Recipe:
    """Validate the TOML `text` of a recipe; `source` names it in the error."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        raise RecipeError(
            "invalid-recipe", f"The recipe {source} is not valid TOML: {error}", "Correct that line."
        ) from error
    return validate_recipe(document, source)


def validate_recipe(document: dict[str, Any], source: str) -> Recipe:
    """Return the recipe of a parsed `document`.

    Raises:
        ShutterlessError: A field is wrong; the message names it and the recipe, `source`.
    """
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "field"
        raise RecipeError(
            "invalid-recipe",
            f"The recipe {source} has a wrong {field}: {first['msg'].removeprefix('Value error, ')}",
            'Correct that field or option; the documentation\'s page "Recipe fields" lists them all.',
        ) from error


def _shipped() -> "resources.abc.Traversable":
    return resources.files("shutterless.training") / "recipes"
