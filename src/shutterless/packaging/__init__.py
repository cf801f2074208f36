"""From a bundle to what runs it: a zip for Lambda, or the build context, the image and its check."""

from shutterless.packaging.check import CheckResult
from shutterless.packaging.context import Context, package
from shutterless.packaging.image import Image, Layer, build_image
from shutterless.packaging.run import run_image
from shutterless.packaging.zip_package import ZipPackage, build_zip

__all__ = [
    "CheckResult",
    "Context",
    "Image",
    "Layer",
    "ZipPackage",
    "build_image",
    "build_zip",
    "package",
    "run_image",
]
