"""From a bundle to a container image: the build context, the image, the check that it answers."""

from shutterless.packaging.check import CheckResult
from shutterless.packaging.context import Context, package
from shutterless.packaging.image import Image, Layer, build_image
from shutterless.packaging.run import run_image

__all__ = ["CheckResult", "Context", "Image", "Layer", "build_image", "package", "run_image"]
