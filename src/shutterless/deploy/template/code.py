"""The code of a release: a container image in Amazon ECR, or a zip in Amazon S3."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from shutterless.deploy.option_values import Package
from shutterless.runtime.json_types import JsonObject

ZIP_TEXT = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>[^?]+)\?versionId=(?P<version_id>.+)")


@dataclass(frozen=True)
class ImageCode:
    """A container image.

    Attributes:
        uri: Registry host, slash, repository.
        digest: The image's digest, `sha256:…`.
    """

    package: ClassVar[Package] = "image"
    uri: str
    digest: str

    def __str__(self) -> str:
        return f"{self.uri}@{self.digest}"

    @property
    def repository(self) -> str:
        """The name of its repository."""
        return self.uri.partition("/")[2]

    def properties(self) -> JsonObject:
        """Return the properties that a function has because of it."""
        return {"PackageType": "Image", "Code": {"ImageUri": str(self)}}


@dataclass(frozen=True)
class ZipCode:
    """A version of an object in a bucket.

    Attributes:
        bucket: The bucket's name.
        key: The object's key, the SHA-256 of its content before `.zip`, see `zip_key`.
        version_id: The id of the object's version.
        uploaded_bytes: What was uploaded to store it now; 0 if it was stored already.
        is_compiled: Whether it has its modules' bytecode, as far as is known.
    """

    package: ClassVar[Package] = "zip"
    bucket: str
    key: str
    version_id: str
    uploaded_bytes: int = field(default=0, compare=False)
    is_compiled: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}?versionId={self.version_id}"

    @property
    def digest(self) -> str:
        """The hash of its content, `sha256:…`."""
        return f"sha256:{self.key.rpartition('/')[2].removesuffix('.zip')}"

    def properties(self) -> JsonObject:
        """Return the properties that a function has because of it."""
        from shutterless.packaging.zip_package import ZIP_HANDLER, ZIP_RUNTIME

        place: JsonObject = {
            "S3Bucket": self.bucket,
            "S3Key": self.key,
            "S3ObjectVersion": self.version_id,
        }
        return {"PackageType": "Zip", "Code": place, "Runtime": ZIP_RUNTIME, "Handler": ZIP_HANDLER}


Code: TypeAlias = ImageCode | ZipCode


def parse_code(text: str) -> Code:
    """Return the code that a text names, as `str` writes it: `uri@sha256:…` or `s3://…?versionId=…`."""
    if match := ZIP_TEXT.fullmatch(text):
        return ZipCode(match["bucket"], match["key"], match["version_id"])
    uri, _, digest = text.partition("@")
    return ImageCode(uri, digest)


def zip_key(name: str, sha256: str) -> str:
    """Return the key of a zip of the deployment `name`.

    Args:
        name: The deployment's name.
        sha256: The SHA-256 of the zip, in hex.
    """
    return f"{name}/{sha256}.zip"


def bucket_name(account: str, region: str) -> str:
    """Return the name of the bucket for the zips of all deployments of an account in a region.

    It is in the account's own namespace:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html
    """
    return f"shutterless-{account}-{region}-an"
