"""Check that an image answers as its bundle does."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

from shutterless.dataset.synthetic.render import draw_garment
from shutterless.errors import PackagingError
from shutterless.packaging.container import ask, lambda_limits, running
from shutterless.packaging.docker import WrongProcessorError
from shutterless.packaging.platforms import Platform
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.service import Service, load_classifier
from shutterless.runtime.settings import Settings

# Scores of one picture on two processors differ a little, because they add in another order.
TOLERANCE = 0.01


@dataclass(frozen=True)
class CheckResult:
    """How an image answered one photo.

    Attributes:
        difference: The largest difference of a score from the bundle's own.
    """

    difference: float


def check_image(tag: str, bundle: Bundle, platform: Platform) -> CheckResult | None:
    """Start an image under Lambda's limits, without a network, and compare its answer for a drawn photo.

    Args:
        tag: The image.
        bundle: The bundle that is in it.
        platform: The platform that it was built for.

    Returns:
        The comparison, or None if this machine cannot run the platform's programs.

    Raises:
        PackagingError: If the image does not start, or `different-answers` if its scores differ.
    """
    file = io.BytesIO()
    draw_garment("shirt", 256, Random(0)).save(file, "PNG")
    photo = file.getvalue()
    settings = Settings(Path(bundle.folder))
    bundle_scores = Service(load_classifier(bundle, settings), settings).classify(photo)["scores"]
    try:
        with running(tag, ["--network", "none", "--platform", platform, *lambda_limits()]) as container:
            answer = ask(container, "/predict", photo)
    except WrongProcessorError:
        return None
    scores = json.loads(answer)["scores"]
    difference = max(abs(bundle_scores[label] - scores[label]) for label in bundle_scores)
    if difference > TOLERANCE:
        raise PackagingError(
            "different-answers",
            f"The image {tag} gives scores that differ from the bundle's own by up to {difference:.3f}",
            "Do not deploy it: use the default base image, or report this.",
        )
    return CheckResult(difference)
