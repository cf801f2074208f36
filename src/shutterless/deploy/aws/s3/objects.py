"""The zips in a bucket: upload and download them, and delete what nothing needs."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from shutterless.deploy.aws.errors import aws_errors, error_code
from shutterless.deploy.aws.s3.bucket import POLL_INTERVAL_S, READY_TIMEOUT_S, Bucket, find_bucket
from shutterless.deploy.aws.waiting import poll
from shutterless.deploy.template.code import ZipCode
from shutterless.errors import DeployError
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress

# HEAD requests are answered without a text, so that the status is all there is.
MISSING = ("404", "405", "NoSuchBucket", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed")
# How S3 refuses to write an object that is there, or is being written.
ALREADY_STORED = ("PreconditionFailed", "ConditionalRequestConflict")
# A deploy that has uploaded a zip but not used it yet takes minutes.
MIN_AGE = timedelta(days=1)
MAX_DELETED_AT_ONCE = 1_000  # the limit of DeleteObjects


@dataclass(frozen=True)
class StoredObject:
    """An object as S3 describes it.

    Attributes:
        version_id: The id of its version.
        sha256: The SHA-256 of its content, in hex; empty if S3 does not know it.
        time: When it was uploaded.
    """

    version_id: str
    sha256: str
    time: datetime


def read_object(bucket: Bucket, key: str, version_id: str = "") -> StoredObject | None:
    """Return the description of an object, None if it is not stored.

    Args:
        bucket: The bucket.
        key: The object's key.
        version_id: The id of one of its versions; empty for the current one.
    """
    version = {"VersionId": version_id} if version_id else {}
    try:
        answer = bucket.client.head_object(**bucket.place, Key=key, ChecksumMode="ENABLED", **version)
    except ClientError as error:
        if error_code(error) in MISSING:
            return None
        raise
    sha256 = base64.b64decode(answer.get("ChecksumSHA256", "")).hex()
    # Without versioning there is no id, or the text `null`.
    return StoredObject(answer.get("VersionId", "null"), sha256, answer["LastModified"])


def upload(bucket: Bucket, key: str, file: Path, sha256: str, progress: Progress) -> ZipCode:
    """Upload a zip unless it is stored already, and return it once it can be read.

    Args:
        bucket: The bucket.
        key: The object's key.
        file: The file to upload.
        sha256: Its SHA-256, in hex. S3 refuses other content.
        progress: Called with the kilobytes that are uploaded, and all of them.

    Raises:
        ShutterlessError: AWS refuses, or does not store a version of it within 180 s.
    """
    version_id = ""
    with aws_errors():
        for _ in poll(POLL_INTERVAL_S, READY_TIMEOUT_S):
            version = read_object(bucket, key, version_id)
            if not version_id and not _is_usable(version, sha256):
                version_id = _put(bucket, key, file, sha256, progress, is_new=version is None)
                version = read_object(bucket, key, version_id)
            if version and _is_usable(version, sha256):
                uploaded_bytes = file.stat().st_size if version_id else 0
                return ZipCode(bucket.name, key, version.version_id, uploaded_bytes)
    raise DeployError(
        "object-not-stored",
        f"S3 has stored no version of {key} in {bucket.name} within {READY_TIMEOUT_S} s",
        "Run the same command again. If that does not help, check that the bucket's versioning is enabled.",
    )


def _is_usable(version: StoredObject | None, sha256: str) -> bool:
    return version is not None and version.sha256 == sha256 and version.version_id != "null"


def _put(bucket: Bucket, key: str, file: Path, sha256: str, progress: Progress, *, is_new: bool) -> str:
    """Upload a file. A new object is written once, however often the request is repeated.

    Returns:
        The id of the version; empty if an earlier request wrote it, or if the bucket is not versioned yet.
    """
    checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
    condition = {"IfNoneMatch": "*"} if is_new else {}
    with _ReportingFile(file, progress) as body:
        try:
            answer = bucket.client.put_object(
                **bucket.place, Key=key, Body=body, ChecksumSHA256=checksum, **condition
            )
        except ClientError as error:
            if error_code(error) not in ALREADY_STORED:
                raise
            return ""
    version_id: str = answer.get("VersionId", "null")
    return "" if version_id == "null" else version_id


class _ReportingFile(FileIO):
    """A file that reports how much of it has been read; botocore may read it twice, to sign the request."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path)
        self._progress, self._size, self._farthest = progress, path.stat().st_size, 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(-1 if size is None else size)
        if self.tell() > self._farthest:
            self._farthest = self.tell()
            self._progress("uploading the zip (kB)", self._farthest // 1000, self._size // 1000)
        return content or b""


def download(session: boto3.Session, code: ZipCode, file: Path) -> None:
    """Download a zip and verify its SHA-256.

    Args:
        session: The AWS session of the account that has it.
        code: The zip.
        file: The file to write.

    Raises:
        ShutterlessError: It is no longer stored (`zip-not-in-bucket`), or not what it was
            (`digest-mismatch`).
    """
    with aws_errors():
        try:
            bucket = find_bucket(session)
            answer = bucket.client.get_object(**bucket.place, Key=code.key, VersionId=code.version_id)
        except ClientError as error:
            if error_code(error) not in MISSING:
                raise
            raise DeployError(
                "zip-not-in-bucket", f"{code} is no longer stored", "Deploy the bundle instead."
            ) from error
        digest = hashlib.sha256()
        with file.open("wb") as target:
            while chunk := answer["Body"].read(1_000_000):
                digest.update(chunk)
                target.write(chunk)
    if f"sha256:{digest.hexdigest()}" != code.digest:
        raise DeployError(
            "digest-mismatch", f"The content of {code} is not what its name says", "Deploy the bundle again."
        )


def delete_unused_zips(session: boto3.Session, name: str, text: str) -> tuple[str, ...]:
    """Delete the zips of a deployment that nothing needs.

    A version of a zip is kept if its id occurs in `text`, or if it was uploaded within the last day, since
    somebody else's deploy may be about to use it.

    Args:
        session: The AWS session.
        name: The deployment's name.
        text: The deployed template, which names what is needed.

    Returns:
        Why zips could not be deleted, one sentence for each reason; empty if all is well.
    """
    latest = datetime.now(UTC) - MIN_AGE
    try:
        with aws_errors():
            bucket = find_bucket(session)
            versions = [
                each
                for each in list_versions(bucket, name)
                if each.time is not None and each.time < latest and each.id not in text
            ]
            failures = _delete(bucket, versions)
    except DeployError as error:
        return (f"The old zips of {name} were not deleted: {error.message}",)
    return tuple(
        f"{plural(count, 'old zip')} of {name} could not be deleted: {reason}"
        for reason, count in failures.items()
    )


def delete_zips(session: boto3.Session, name: str) -> None:
    """Delete all zips of a deployment, and then the bucket if that is empty.

    Raises:
        ShutterlessError: AWS refuses.
    """
    with aws_errors():
        bucket = find_bucket(session)
        failures = _delete(bucket, [*list_versions(bucket, name)])
        if failures:
            reason, count = next(iter(failures.items()))
            raise DeployError(
                "zips-not-deleted",
                f"{plural(count, 'zip')} of {name} could not be deleted: {reason}",
                "Run the same command again.",
            )
        try:
            if not {"Versions", "DeleteMarkers"} & set(
                bucket.client.list_object_versions(**bucket.place, MaxKeys=1)
            ):
                bucket.client.delete_bucket(**bucket.place)
        except ClientError as error:
            if error_code(error) not in ("NoSuchBucket", "BucketNotEmpty"):
                raise


@dataclass(frozen=True)
class ObjectVersion:
    """A version of a zip, or a mark that it was deleted.

    Attributes:
        key: The object's key.
        id: The version's id.
        time: When it was uploaded; None for a mark.
    """

    key: str
    id: str
    time: datetime | None


def list_versions(bucket: Bucket, name: str) -> Iterator[ObjectVersion]:
    """Yield all versions of all zips of a deployment; none if there is no bucket."""
    pages = bucket.client.get_paginator("list_object_versions").paginate(**bucket.place, Prefix=f"{name}/")
    try:
        for page in pages:
            for each in page.get("Versions", []):
                yield ObjectVersion(each["Key"], each["VersionId"], each["LastModified"])
            for each in page.get("DeleteMarkers", []):
                yield ObjectVersion(each["Key"], each["VersionId"], None)
    except ClientError as error:
        if error_code(error) != "NoSuchBucket":
            raise


def _delete(bucket: Bucket, versions: list[ObjectVersion]) -> dict[str, int]:
    """Delete versions and return how many could not be deleted, by reason."""
    failures: dict[str, int] = {}
    for start in range(0, len(versions), MAX_DELETED_AT_ONCE):
        batch = versions[start : start + MAX_DELETED_AT_ONCE]
        objects = [{"Key": each.key, "VersionId": each.id} for each in batch]
        answer = bucket.client.delete_objects(**bucket.place, Delete={"Objects": objects, "Quiet": True})
        for failure in answer.get("Errors", []):
            reason = failure.get("Message", failure.get("Code", "no reason"))
            failures[reason] = failures.get(reason, 0) + 1
    return failures
