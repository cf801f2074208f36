"""The code of a function: an image in a registry, or a zip that Lambda has copied from a bucket."""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.aws_as_it_is.errors import AwsError

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

MAX_UNZIPPED_BYTES = 262_144_000


@dataclass(frozen=True)
class Code:
    """What a function runs.

    Attributes:
        digest: `sha256:…` of the image or the zip.
        sha256: What Lambda calls `CodeSha256`: in hexadecimal for an image, in base64 for a zip.
        image: `uri@sha256:…`; empty for a zip.
        body: Lambda's copy of the zip; empty for an image.
    """

    digest: str
    sha256: str
    image: str = ""
    body: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> int:
        """The code storage that it takes, in bytes; none for an image."""
        return len(self.body)


def read_code(account: "Account", config: dict[str, Any]) -> Code:
    """Return the code that the properties of a function name, as Lambda reads it when they are set.

    Raises:
        AwsError: They do not belong together, or Lambda cannot read the code.
    """
    code, package = config["Code"], config.get("PackageType", "Zip")
    _check_properties(config, package)
    if package == "Image":
        image = code["ImageUri"]
        if not account.registry.has(image):
            raise _invalid(f"Source image {image} does not exist. Provide a valid source image.")
        return Code(image.partition("@")[2], hashlib.sha256(image.encode()).hexdigest(), image=image)
    body = _read_object(account, code["S3Bucket"], code["S3Key"], code.get("S3ObjectVersion", ""))
    _check_zip(body)
    digest = hashlib.sha256(body)
    return Code(f"sha256:{digest.hexdigest()}", base64.b64encode(digest.digest()).decode(), body=body)


def _check_properties(config: dict[str, Any], package: str) -> None:
    names = {"Handler", "Runtime", "Layers"} & set(config)
    if package == "Image" and names:
        raise _invalid(
            "Please don't provide Handler or Runtime or Layer when the intended function PackageType is "
            "Image."
        )
    if package == "Zip" and not {"Handler", "Runtime"} <= names:
        raise _invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages."
        )
    if ("ImageUri" in config["Code"]) != (package == "Image"):
        raise _invalid(f"Please provide a source for function code that fits PackageType {package}.")


def _read_object(account: "Account", bucket: str, key: str, version_id: str) -> bytes:
    """Return an object, which Lambda reads with the credentials of whoever creates the function."""
    actions = ["s3:GetObjectVersion" if version_id else "s3:GetObject"]
    try:
        version = account.s3.read(account.s3.find(bucket), key, version_id)
    except AwsError as error:
        raise _as_lambda(error, bucket, key) from error
    if version.kms_key:
        actions.append("kms:Decrypt")
    for action in actions:
        resource = version.kms_key if action.startswith("kms:") else f"arn:aws:s3:::{bucket}/{key}"
        if not account.permissions.allows(action, resource):
            raise _as_lambda(AwsError("AccessDenied", "Access Denied", 403), bucket, key)
    assert version.body is not None
    return version.body


def _as_lambda(error: AwsError, bucket: str, key: str) -> AwsError:
    """Return Lambda's error for one of S3."""
    reason = f"S3 Error Code: {error.code}. S3 Error Message: {error.message}"
    if error.code == "AccessDenied":
        return AwsError(
            "AccessDeniedException",
            "Your access has been denied by S3, please make sure your request credentials have permission to "
            f"GetObject for {bucket}/{key}. {reason}",
            403,
        )
    return _invalid(f"Error occurred while GetObject. {reason}")


def _check_zip(body: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            size = sum(each.file_size for each in archive.infolist())
    except zipfile.BadZipFile:
        raise _invalid(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from None
    if size > MAX_UNZIPPED_BYTES:
        raise _invalid(f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes")


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)
