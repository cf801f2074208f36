"""The code of a release: where it comes from, what it is made from, and whether it is still needed."""

from shutterless.deploy.code.fingerprint import code_fingerprint, is_same_code
from shutterless.deploy.code.live import LiveRelease, read_live_release
from shutterless.deploy.code.publish import Publisher, publish_code
from shutterless.deploy.code.unused import delete_unused, read_upload_time
from shutterless.deploy.code.zip import fits_zip

__all__ = [
    "LiveRelease",
    "Publisher",
    "code_fingerprint",
    "delete_unused",
    "fits_zip",
    "is_same_code",
    "publish_code",
    "read_live_release",
    "read_upload_time",
]
