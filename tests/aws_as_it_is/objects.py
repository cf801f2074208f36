"""Amazon S3's objects: versions, checksums, conditional writes, and what lifecycle rules delete."""

import base64
import hashlib
import io
from datetime import UTC, datetime
from typing import Any

from tests.aws_as_it_is.buckets import Bucket, Buckets, ObjectVersion
from tests.aws_as_it_is.errors import AwsError

PAGE = 1000
DAY_S = 86_400
NO_SUCH_VERSION = ("NoSuchVersion", "The specified version does not exist.", 404)


class S3(Buckets):
    """Amazon S3 as an account sees it."""

    def put_object(
        self,
        Bucket: str,
        Key: str,
        Body: Any = b"",
        IfNoneMatch: str = "",
        ChecksumSHA256: str = "",
        SSEKMSKeyId: str = "",
        Metadata: dict[str, str] | None = None,
        ExpectedBucketOwner: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        bucket = self.find(Bucket, ExpectedBucketOwner)
        body = Body.read() if hasattr(Body, "read") else Body
        sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
        if ChecksumSHA256 not in ("", sha256):
            raise AwsError("BadDigest", "The SHA256 you specified did not match the calculated checksum.")
        current = bucket.current(Key)
        if IfNoneMatch == "*" and current and current.body is not None:
            raise AwsError(
                "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412
            )
        version = ObjectVersion(
            Key,
            self._version_id(bucket),
            body,
            self.account.clock.time_s,
            sha256,
            ChecksumSHA256,
            SSEKMSKeyId,
            {name.lower(): text for name, text in (Metadata or {}).items()},
        )
        self._add(bucket, version)
        return {"VersionId": version.id, **self._description(version, with_checksum=True)}

    def _add(self, bucket: Bucket, version: ObjectVersion) -> None:
        """Add a version; without versioning it replaces the one before."""
        same = (version.key, version.id)
        bucket.versions = [each for each in bucket.versions if (each.key, each.id) != same]
        bucket.versions.append(version)

    def _version_id(self, bucket: Bucket) -> str:
        return self.account.token(32) if bucket.is_versioned else "null"

    def head_object(
        self,
        Bucket: str,
        Key: str,
        VersionId: str = "",
        ChecksumMode: str = "",
        ExpectedBucketOwner: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        version = self.read(self.find(Bucket, ExpectedBucketOwner), Key, VersionId)
        assert version.body is not None
        return {
            "ContentLength": len(version.body),
            "LastModified": datetime.fromtimestamp(version.modified_at, UTC),
            "VersionId": version.id,
            "Metadata": dict(version.metadata),
            **self._description(version, with_checksum=ChecksumMode == "ENABLED"),
        }

    def get_object(self, **params: Any) -> dict[str, Any]:
        version = self.read(
            self.find(params["Bucket"], params.get("ExpectedBucketOwner")),
            params["Key"],
            params.get("VersionId", ""),
        )
        return {**self.head_object(**params), "Body": io.BytesIO(version.body or b"")}

    def _description(self, version: ObjectVersion, *, with_checksum: bool) -> dict[str, Any]:
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": version.kms_key}
            if version.kms_key
            else {"ServerSideEncryption": "AES256"}
        )
        checksum = {"ChecksumSHA256": version.given_sha256, "ChecksumType": "FULL_OBJECT"}
        etag = hashlib.md5(version.body or b"", usedforsecurity=False).hexdigest()
        return {
            "ETag": f'"{etag}"',
            **encryption,
            **(checksum if with_checksum and version.given_sha256 else {}),
        }

    def read(self, bucket: Bucket, key: str, version_id: str = "") -> ObjectVersion:
        """Return a version of an object, which has a body; the latest one by default."""
        version = bucket.current(key)
        if version_id:
            matches = [each for each in bucket.versions if (each.key, each.id) == (key, version_id)]
            if not matches:
                raise AwsError(*NO_SUCH_VERSION)
            version = matches[0]
            if version.body is None:
                raise AwsError(
                    "MethodNotAllowed", "The specified method is not allowed against this resource.", 405
                )
        if version is None or version.body is None or self._is_propagating(bucket, version):
            # Whoever may not list a bucket does not learn that an object is missing.
            if not self.account.permissions.allows("s3:ListBucket", f"arn:aws:s3:::{bucket.name}"):
                raise AwsError("AccessDenied", "Access Denied", 403)
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404)
        return version

    def _is_propagating(self, bucket: Bucket, version: ObjectVersion) -> bool:
        """Tell whether versioning was enabled so recently that new objects cannot be read yet."""
        enabled_at = bucket.versioned_at
        delay = self.account.behaviour.versioning_s
        return (
            enabled_at is not None
            and version.modified_at >= enabled_at
            and self.account.clock.time_s < enabled_at + delay
        )

    def delete_object(
        self,
        Bucket: str,
        Key: str,
        VersionId: str = "",
        ExpectedBucketOwner: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        bucket = self.find(Bucket, ExpectedBucketOwner)
        if VersionId or not bucket.is_versioned:
            same = (Key, VersionId or "null")
            bucket.versions = [each for each in bucket.versions if (each.key, each.id) != same]
            return {"VersionId": VersionId} if VersionId else {}
        marker = ObjectVersion(Key, self._version_id(bucket), None, self.account.clock.time_s)
        self._add(bucket, marker)
        return {"DeleteMarker": True, "VersionId": marker.id}

    def delete_objects(
        self, Bucket: str, Delete: dict[str, Any], ExpectedBucketOwner: str | None = None, **_: Any
    ) -> dict[str, Any]:
        if len(Delete["Objects"]) > PAGE:
            raise AwsError("MalformedXML", "The XML you provided was not well-formed")
        for each in Delete["Objects"]:
            self.delete_object(Bucket, each["Key"], each.get("VersionId", ""), ExpectedBucketOwner)
        return {"Deleted": [] if Delete.get("Quiet") else Delete["Objects"]}

    def list_objects_v2(
        self,
        Bucket: str,
        Prefix: str = "",
        ContinuationToken: str = "0",
        ExpectedBucketOwner: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        bucket = self.find(Bucket, ExpectedBucketOwner)
        keys = sorted({each.key for each in bucket.versions if each.key.startswith(Prefix)})
        versions = [version for key in keys if (version := bucket.current(key)) and version.body is not None]
        start = int(ContinuationToken)
        contents = [
            {
                "Key": each.key,
                "Size": len(each.body or b""),
                "LastModified": datetime.fromtimestamp(each.modified_at, UTC),
            }
            for each in versions[start : start + PAGE]
        ]
        answer: dict[str, Any] = {"KeyCount": len(contents), "IsTruncated": len(versions) > start + PAGE}
        if contents:
            answer["Contents"] = contents
        if answer["IsTruncated"]:
            answer["NextContinuationToken"] = str(start + PAGE)
        return answer

    def list_object_versions(
        self,
        Bucket: str,
        Prefix: str = "",
        KeyMarker: str = "",
        VersionIdMarker: str = "",
        MaxKeys: int = PAGE,
        ExpectedBucketOwner: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        bucket = self.find(Bucket, ExpectedBucketOwner)
        newest_first = [each for each in reversed(bucket.versions) if each.key.startswith(Prefix)]
        versions = sorted(newest_first, key=lambda each: each.key)
        places = [(each.key, each.id) for each in versions]
        start = places.index((KeyMarker, VersionIdMarker)) + 1 if KeyMarker else 0
        members = versions[start : start + MaxKeys]
        rows = [
            {
                "Key": each.key,
                "VersionId": each.id,
                "IsLatest": bucket.current(each.key) is each,
                "LastModified": datetime.fromtimestamp(each.modified_at, UTC),
                **({} if each.body is None else {"Size": len(each.body)}),
            }
            for each in members
        ]
        is_truncated = len(versions) > start + MaxKeys
        answer: dict[str, Any] = {"IsTruncated": is_truncated, "Name": Bucket}
        for name, has_size in (("Versions", True), ("DeleteMarkers", False)):
            if rows_of_kind := [row for row in rows if ("Size" in row) is has_size]:
                answer[name] = rows_of_kind
        if is_truncated:
            answer["NextKeyMarker"], answer["NextVersionIdMarker"] = members[-1].key, members[-1].id
        return answer

    def expire(self) -> None:
        """Delete the versions that lifecycle rules expire."""
        for bucket, rule in self.rules():
            prefix = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
            days = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
            age = rule.get("Expiration", {}).get("Days")
            bucket.versions = [
                each
                for each in bucket.versions
                if not (
                    each.key.startswith(prefix)
                    and (self._is_older(bucket, each, days) or self._is_lone_marker(bucket, rule, each))
                )
            ]
            for key in {each.key for each in bucket.versions if each.key.startswith(prefix)}:
                current = bucket.current(key)
                if age and current and current.body is not None and self._age(current.modified_at) > age:
                    self.delete_object(bucket.name, key)

    def _age(self, since_s: float) -> float:
        """Return the days since a time."""
        return (self.account.clock.time_s - since_s) / DAY_S

    def _is_older(self, bucket: Bucket, version: ObjectVersion, days: int | None) -> bool:
        """Tell whether a version has not been the current one for so many days."""
        later = [each for each in bucket.versions if each.key == version.key]
        position = next(index for index, each in enumerate(later) if each is version)
        is_noncurrent = position + 1 < len(later)
        return bool(days and is_noncurrent and self._age(later[position + 1].modified_at) > days)

    def _is_lone_marker(self, bucket: Bucket, rule: dict[str, Any], version: ObjectVersion) -> bool:
        """Tell whether a delete marker hides nothing any more, and the rule removes such markers."""
        others = [each for each in bucket.versions if each.key == version.key and each is not version]
        return bool(
            rule.get("Expiration", {}).get("ExpiredObjectDeleteMarker")
            and version.body is None
            and not others
        )
