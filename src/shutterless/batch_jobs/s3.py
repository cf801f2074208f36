"""Photos and outputs in S3, through s3fs, with the credentials that every AWS tool finds."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

from shutterless.dataset.formats import SUFFIXES
from shutterless.errors import InputError
from shutterless.sources import S3

PIECE = 1 << 20


@functools.cache
def file_system() -> Any:
    """Return s3fs's file system; one for the process."""
    import s3fs

    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)


def split_url(url: str) -> tuple[str, str]:
    """Return the bucket and the key or prefix of an S3 URL.

    Raises:
        InputError: It has no bucket.
    """
    bucket, _, key = url.removeprefix(S3).partition("/")
    if not bucket:
        raise InputError("invalid-s3-url", f"{url} names no bucket", "Give s3://bucket/prefix.")
    return bucket, key


@contextmanager
def s3_errors(url: str) -> Iterator[None]:
    """Turn what S3 and its client raise into one error with a hint."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except PermissionError as error:
        raise InputError(
            "access-denied",
            f"S3 denies the access to {url}: {error}",
            "Check the credentials, and the permissions s3:ListBucket, s3:GetObject and s3:PutObject.",
        ) from error
    except FileNotFoundError as error:
        raise InputError(
            "not-found", f"There is no {url}", "Check the names of bucket and prefix."
        ) from error
    except (OSError, BotoCoreError, ClientError) as error:
        raise InputError(
            "s3-failed",
            f"S3 cannot be used for {url}: {error}",
            "Check the credentials, the region and the network.",
        ) from error


def list_pages(url: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the objects whose keys begin with that of an S3 URL, a thousand at a time.

    s3fs's own listing would hold all of them in memory.
    """
    bucket, prefix = split_url(url)
    token: dict[str, str] = {}
    while True:
        with s3_errors(url):
            page = file_system().call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, **token)
        yield page.get("Contents", [])
        if not page.get("IsTruncated"):
            return
        token = {"ContinuationToken": page["NextContinuationToken"]}


def list_objects(url: str) -> Iterator[str]:
    """Yield the S3 URLs of all pictures below a prefix, or of the one that it names."""
    bucket, prefix = split_url(url)
    is_picture = PurePosixPath(prefix).suffix.lower() in SUFFIXES
    folder = url if is_picture or not prefix or prefix.endswith("/") else f"{url}/"
    for page in list_pages(folder):
        for entry in page:
            if PurePosixPath(entry["Key"]).suffix.lower() in SUFFIXES:
                yield f"{S3}{bucket}/{entry['Key']}"


def read_object(url: str, max_bytes: int) -> bytes:
    """Return the content of an object; of one that is too large only what shows that.

    Raises:
        OSError: As for a file: it is not there, or the access to it is denied.
    """
    from fsspec.asyn import sync

    bucket, key = split_url(url)
    files = file_system()

    async def read() -> bytes:
        stream = (await files._call_s3("get_object", Bucket=bucket, Key=key))["Body"]
        content = bytearray()
        try:
            while len(content) <= max_bytes and (piece := await stream.read(PIECE)):
                content += piece
        finally:
            stream.close()
        return bytes(content)

    return bytes(sync(files.loop, read))
