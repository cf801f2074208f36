"""Recipes: how a classifier is trained, as validated TOML, shipped with the package or written by users."""

import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shutterless.errors import RecipeError
from shutterless.text_files import parse_toml, read_text
from shutterless.training.backbones.scaling import Scaling
from shutterless.utils.messages import did_you_mean

# More than any training needs, and small enough to be counted in steps without overflow.
MAX_EPOCHS, MAX_BATCH_SIZE, MAX_HIDDEN_UNITS, MAX_FILE_BYTES = 1_000_000, 65_536, 65_536, 1_000_000


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ImageConfig(_Table):
    """How a photo becomes the model's input, in training and in serving."""

    size: int | None = Field(
        None, ge=32, le=1024, description="side in pixels; by default that of the backbone"
    )
    resize: Literal["stretch", "crop", "pad"] = Field(
        "stretch",
        description="how a photo becomes square: `stretch` distorts it, `crop` keeps its middle, `pad` adds "
        "bars",
    )
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = Field(
        "bilinear", description="how photos are scaled; all except `nearest` use antialiasing"
    )


class BackboneConfig(_Table):
    """Which backbone the model is built on, where it is cut, and how its pixels are scaled."""

    name: str = Field("mobilenetv2", description="a name from `shutterless train --backbone list`")
    cut: str | None = Field(None, description="the layer to cut behind; by default nothing is cut off")
    scaling: Scaling | None = Field(
        None,
        description="`unit`: 0 to 1; `tf`: -1 to 1; `torch`: ImageNet's mean subtracted, divided by its "
        "standard deviation; `caffe`: BGR, mean subtracted; `lite`: 127 subtracted, divided by 128; `none`: "
        "0 to 255; by default as the backbone was trained",
    )


class Augmentation(_Table):
    """Random changes of a training photo, from minus to plus each value."""

    flip: bool = Field(False, description="mirror left and right, in half of the photos")
    rotation: float = Field(0.0, ge=0, le=180, description="degrees")
    zoom: float = Field(0.0, ge=0, lt=1, description="share by which the visible part grows or shrinks")
    aspect: float = Field(
        0.0, ge=0, lt=1, description="share of width / height; not with `like_keras`, whose zoom changes it"
    )
    shift: float = Field(0.0, ge=0, lt=1, description="share of the side")
    shear: float = Field(0.0, ge=0, lt=90, description="degrees")
    brightness: float = Field(0.0, ge=0, lt=1, description="share of each pixel's value")
    contrast: float = Field(0.0, ge=0, lt=1, description="share of the distance from the photo's mean grey")
    saturation: float = Field(0.0, ge=0, le=1, description="share of the distance from grey")
    hue: float = Field(0.0, ge=0, le=180, description="degrees")
    like_keras: bool = Field(
        False,
        description="as Keras's ImageDataGenerator: height and width are zoomed independently, the shift "
        "comes first, and the photo's edge is repeated outside it; by default the photo is mirrored there",
    )

    @model_validator(mode="after")
    def _one_way_to_change_proportions(self) -> Self:
        if self.like_keras and self.aspect:
            raise ValueError(
                "aspect and like_keras exclude each other: like_keras changes proportions by its zoom"
            )
        return self


class HeadConfig(_Table):
    """The layers after the backbone: pooling, an optional hidden layer, dropout, softmax."""

    features: Literal["last", "multi-level"] = Field(
        "last",
        description="what the head reads: `last`, the output of the last layer; `multi-level`, also the "
        "averages of the widest layers behind the first quarter of the backbone, all of them standardized",
    )
    pooling: Literal["average", "flatten"] | None = Field(None, description="by default that of the backbone")
    hidden: int = Field(
        0, ge=0, le=MAX_HIDDEN_UNITS, description="units of a hidden ReLU layer; 0: no such layer"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="share of inputs dropped before the last layer")
    dropout_before_hidden: float | None = Field(
        None, ge=0, lt=1, description="dropout before the hidden layer; by default as `dropout`"
    )


class Phase(_Table):
    """The fields of every phase of training."""

    epochs: int = Field(ge=1, le=MAX_EPOCHS, description="passes over the photos")
    batch_size: int = Field(32, ge=1, le=MAX_BATCH_SIZE, description="photos in one training step")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="the algorithm that updates the weights")
    learning_rate: float = Field(gt=0, description="at its highest")
    schedule: Literal["cosine", "constant"] = Field(
        "cosine", description="`cosine`: the learning rate decays to 0 over the phase"
    )
    weight_decay: float = Field(
        0.0, ge=0, description="share of each weight that a step subtracts, times the learning rate"
    )
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of the target that is spread evenly over all labels, in the loss"
    )
    warmup_epochs: float = Field(
        0.0,
        ge=0,
        le=MAX_EPOCHS,
        description="epochs in which the learning rate rises from 0; only with `cosine`",
    )
    patience: int | None = Field(
        None,
        ge=1,
        description="early stopping: epochs without a better validation accuracy; by default never",
    )

    @model_validator(mode="after")
    def _warm_up_before_a_decay_only(self) -> Self:
        if self.schedule == "constant" and self.warmup_epochs:
            raise ValueError('warmup_epochs needs schedule = "cosine"')
        return self


class HeadPhase(Phase):
    """Training of the head on features that the frozen backbone computes once for each photo."""

    mirrored: bool = Field(True, description="also train on the mirror image of each photo")
    min_steps: int = Field(
        1,
        ge=1,
        le=MAX_BATCH_SIZE,
        description="steps of an epoch at least, if there are as many photos: with few photos, batches are "
        "smaller than `batch_size`",
    )

    def for_photos(self, photos: int) -> Self:
        """Return the phase for a number of photos and mirror images, with batches of the size they allow."""
        batch_size = min(self.batch_size, math.ceil(photos / self.min_steps))
        return self.model_copy(update={"batch_size": batch_size})


class ModelPhase(Phase):
    """Training on photos that are augmented differently in every epoch."""

    frozen_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the backbone's layers, from the first on, that are not trained: 0.35 makes a "
        "step with MobileNetV2 2.5 times as fast. With `stored_copies`, up to the next layer that is "
        "not inside a residual block",
    )
    stored_copies: int = Field(
        0,
        ge=0,
        le=1000,
        description="augmented copies of each photo for which the output of the frozen layers is stored, so "
        "that each epoch only computes the other layers; 0: photos are augmented in every epoch",
    )
    batch_norm_momentum: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="momentum of the moving averages of batch normalization; by default the backbone's. That "
        "of Keras's MobileNets, 0.999, is too slow for a few thousand photos",
    )
    mixup: float = Field(
        0.0,
        ge=0,
        description="alpha of mixup, which blends two photos, or their stored activations; 0: no mixup",
    )
    cutmix: float = Field(
        0.0, ge=0, description="alpha of cutmix, which pastes in a part of another photo; 0: no cutmix"
    )
    weight_average: float | None = Field(
        None, gt=0, lt=1, description="momentum of a moving average of the weights, which is then saved"
    )
    sharpness_radius: float = Field(
        0.0,
        ge=0,
        description="radius of sharpness-aware minimization (SAM), which doubles the time of a step; 0: no "
        "SAM",
    )
    sharpness_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of each batch that SAM computes its first gradient on; with 0.5, SAM makes a step "
        "1.5 times as long instead of twice",
    )
    augmentation: Augmentation = Augmentation()

    @model_validator(mode="after")
    def _one_kind_of_mixing(self) -> Self:
        if self.mixup and self.cutmix:
            raise ValueError("mixup and cutmix exclude each other")
        return self


class TeacherConfig(_Table):
    """Other models whose scores and features the model learns from, besides the labels."""

    sources: tuple[str, ...] = Field(min_length=1, description="runs, or `.npz` files of scores")
    temperature: float = Field(2.0, gt=0, description="above 1: scores of unlikely labels count more")
    scores_weight: float = Field(0.7, ge=0, le=1, description="share of the teacher's scores in the loss")
    features_weight: float = Field(0.0, ge=0, description="weight of the distance from its features")


PHASES = ("head_training", "frozen_training", "fine_tuning")


class Recipe(_Table):
    """A whole recipe.

    Its phases run in this order: `head_training` trains the head on features that the frozen backbone
    computes once, `frozen_training` trains the head on augmented photos, `fine_tuning` trains head and
    backbone. Without pretrained weights, only `from_scratch` runs if the recipe has it.
    """

    name: str = Field(description="its name")
    description: str = Field(description="what it is for, on one line")
    class_weights: Literal["balanced"] | None = Field(
        None,
        description="`balanced`: rare labels have the same influence as common ones; by default each photo "
        "has the same",
    )
    backbone: BackboneConfig = BackboneConfig()
    image: ImageConfig = ImageConfig()
    head: HeadConfig = HeadConfig()
    teacher: TeacherConfig | None = None
    head_training: HeadPhase | None = None
    frozen_training: ModelPhase | None = None
    fine_tuning: ModelPhase | None = None
    from_scratch: ModelPhase | None = None

    @model_validator(mode="after")
    def _some_phase(self) -> Self:
        if not self.phases(pretrained=True):
            raise ValueError(f"it needs one of the phases {', '.join(PHASES)}")
        return self

    @model_validator(mode="after")
    def _only_frozen_layers_can_be_stored(self) -> Self:
        for phase in (self.fine_tuning, self.from_scratch):
            if phase is not None and phase.stored_copies and not phase.frozen_share:
                raise ValueError("stored_copies needs a frozen_share, the layers whose output is stored")
        return self

    def phases(self, *, pretrained: bool) -> dict[str, Phase]:
        """Return the phases that run, in order, with or without pretrained weights."""
        if not pretrained and self.from_scratch is not None:
            return {"from_scratch": self.from_scratch}
        return {name: phase for name in PHASES if (phase := getattr(self, name)) is not None}


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes, sorted."""
    return sorted(Path(entry.name).stem for entry in _shipped().iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_file: str | Path) -> Recipe:
    """Load a recipe.

    Args:
        name_or_file: Name of a shipped recipe, or path of a TOML file.

    Returns:
        The recipe.

    Raises:
        RecipeError: There is no such recipe (`unknown-recipe`), it cannot be read (`unreadable-recipe`), or
            a line or a field is wrong (`invalid-recipe`).
    """
    return parse_recipe(recipe_text(name_or_file), str(name_or_file))


def recipe_text(name_or_file: str | Path) -> str:
    """Return the TOML text of a recipe.

    Args:
        name_or_file: Name of a shipped recipe, or path of a TOML file.

    Raises:
        RecipeError: There is no such recipe, or it cannot be read.
    """
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
    """Parse and validate a recipe.

    Args:
        text: The recipe as TOML.
        source: Names the recipe in the error.

    Raises:
        RecipeError: A line or a field is wrong (`invalid-recipe`).
    """
    try:
        document = parse_toml(text)
    except ValueError as error:  # ValueError: also a number of thousands of digits
        raise RecipeError(
            "invalid-recipe", f"The recipe {source} is not valid TOML: {error}", "Correct that line."
        ) from error
    return validate_recipe(document, source)


def validate_recipe(document: Mapping[str, object], source: str) -> Recipe:
    """Validate a parsed recipe.

    Args:
        document: The recipe's fields.
        source: Names the recipe in the error.

    Raises:
        RecipeError: A field is wrong (`invalid-recipe`); the message names it.
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
