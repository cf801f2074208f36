"""From a bundle to a container image: the build context, the image, the trial."""

from shutterless.packaging.check import Trial
from shutterless.packaging.context import Context, package
from shutterless.packaging.image import Image, Layer, build_image
from shutterless.packaging.run import run_image

__all__ = ["Context", "Image", "Layer", "Trial", "build_image", "package", "run_image"]
