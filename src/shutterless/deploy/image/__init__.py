"""The image of a deployment: where it comes from, what it is made from, and which ones are still needed."""

from shutterless.deploy.image.build import Publisher, publish_image
from shutterless.deploy.image.fingerprint import image_fingerprint, is_same_image
from shutterless.deploy.image.live import LiveImage, read_live_image
from shutterless.deploy.image.unused import delete_unused, image_exists

__all__ = [
    "LiveImage",
    "Publisher",
    "delete_unused",
    "image_exists",
    "image_fingerprint",
    "is_same_image",
    "publish_image",
    "read_live_image",
]
