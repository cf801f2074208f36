"""How a classifier is trained: recipes as validated TOML, shipped with the package or written by users."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shutterless.errors import ShutterlessError


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Image(_Table):
    """How a photo becomes the network's input; the size is the backbone's own if it is not given."""

    size: int | None = Field(None, ge=32, le=1024)
    resize: Literal["stretch", "crop", "pad"] = "stretch"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"


class Augmentation(_Table):
    """Random changes of a training photo; each range is symmetric about no change."""

    flip: bool = False
    rotation: float = Field(0.0, ge=0, le=180, description="degrees")
    zoom: float = Field(0.0, ge=0, lt=1, description="share of the side")
    shift: float = Field(0.0, ge=0, lt=1, description="share of the side")


class Head(_Table):
    """What stands on the backbone's feature map: pooling, perhaps a hidden layer, dropout, softmax."""

    pooling: Literal["average", "flatten"] | None = Field(None, description="the backbone's own if not given")
    hidden: int = Field(0, ge=0, description="units of a hidden ReLU layer; 0 for none")
    dropout: float = Field(0.2, ge=0, lt=1)


class Phase(_Table):
    """What every phase of training sets."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(0.0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    warmup_epochs: float = Field(0.0, ge=0, description="epochs in which the learning rate rises from 0")
    patience: int | None = Field(None, ge=1, description="epochs without progress before an early stop")


class HeadPhase(Phase):
    """Training of the head alone, on features that the frozen backbone gives once."""

    mirrored: bool = Field(True, description="also learn from each photo's mirror image")


class NetworkPhase(Phase):
    """Training of the whole network on augmented photos."""

    batch_norm_momentum: float | None = Field(
        None, gt=0, lt=1, description="momentum of the moving averages; the backbone's own if not given"
    )
    augmentation: Augmentation = Augmentation()


class Recipe(_Table):
    """A whole recipe.

    With pretrained weights the head is trained first and then, if there is a `fine_tuning` phase, the
    whole network. A backbone that starts from nothing has no features worth freezing: it is trained
    by the phase `from_scratch` alone.
    """

    name: str
    description: str
    image: Image = Image()
    head: Head = Head()
    head_training: HeadPhase
    fine_tuning: NetworkPhase | None = None
    from_scratch: NetworkPhase


def recipe_names() -> list[str]:
    """Return the names of the recipes that the package ships."""
    return sorted(Path(entry.name).stem for entry in _shipped().iterdir() if entry.name.endswith(".toml"))


def load_recipe(name_or_file: str | Path) -> Recipe:
    """Read a shipped recipe by its name or a user's by its path.

    Raises `ShutterlessError` that names the unknown recipe, the broken line or the wrong field.
    """
    name = str(name_or_file)
    if name in recipe_names():
        return parse_recipe(_shipped().joinpath(f"{name}.toml").read_text("utf-8"), name)
    if not Path(name).is_file():
        raise ShutterlessError(
            f"There is no recipe {name!r}",
            f"Choose one of {', '.join(recipe_names())}, or give the path of a .toml file.",
        )
    return parse_recipe(Path(name).read_text("utf-8"), name)


def parse_recipe(text: str, source: str) -> Recipe:
    """Validate the TOML `text` of a recipe; `source` names it in the error."""
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ShutterlessError(
            f"The recipe {source} is not valid TOML: {error}", "Mend that line."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ShutterlessError(
            f"The recipe {source} has a wrong {field}: {first['msg']}",
            "Mend that field; docs/training.md lists them all.",
        ) from error


def _shipped() -> "resources.abc.Traversable":
    return resources.files("shutterless.training") / "recipes"
