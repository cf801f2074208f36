"""Whether an image answers as its bundle does."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

from shutterless.dataset.synthetic.render import draw_garment
from shutterless.errors import PackagingError
from shutterless.packaging.container import ask, running, terms
from shutterless.packaging.docker import WrongProcessorError
from shutterless.packaging.platforms import Platform
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

# Scores of one picture on two processors: they add in another order.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Trial:
    """How an image answered one photo: the largest difference of a score from the bundle's own."""

    difference: float


def try_image(tag: str, bundle: Path, platform: Platform) -> Trial | None:
    """Start an image on Lambda's terms, without a network, and ask it about a drawn photo.

    Returns None if this machine cannot run the platform's programs. Raises `ShutterlessError` if the
    image does not start, or answers otherwise than the bundle does here.
    """
    photo = _photo()
    own = Service.load(Settings(bundle)).classify(photo)["scores"]
    try:
        with running(tag, ["--network", "none", "--platform", platform, *terms()]) as container:
            answered = ask(container, "/predict", photo)
    except WrongProcessorError:
        return None
    scores = json.loads(answered)["scores"]
    difference = max(abs(own[label] - scores[label]) for label in own)
    if difference > TOLERANCE:
        raise PackagingError(
            "different-answers",
            f"The image {tag} gives scores that differ from the bundle's own by up to {difference:.3f}",
            "Do not deploy it: use the default base image, or report this.",
        )
    return Trial(difference)


def _photo() -> bytes:
    stream = io.BytesIO()
    draw_garment("shirt", 256, Random(0)).save(stream, "PNG")
    return stream.getvalue()
