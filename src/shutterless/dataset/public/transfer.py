"""Download a large file over HTTP, and resume after a lost connection."""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shutterless.errors import DatasetError

TIMEOUT = 60  # seconds without a byte
CHUNK = 1 << 18  # bytes
# RFC 9110, 8.8.3, without the bytes beyond ASCII that it permits for old servers.
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')

BUSY_HINT = "The server is busy or broken: run it again later."
MOVED_HINT = "It may have moved: look for a newer version of shutterless, or download the photos by hand."

# Called with the bytes that are there and, if known, the bytes of the whole file.
Report = Callable[[int, int | None], None]


def download_file(url: str, part: Path, *, max_bytes: int, report: Report) -> None:
    """Download the file at `url` into `part`, continuing what an earlier attempt left there.

    An earlier attempt is continued if the server gave it a strong ETag, still has the same one and supports
    ranges (RFC 9110, If-Range); otherwise the download starts over.

    Args:
        url: Where the file is.
        part: Where it is written. Its ETag is kept next to it, in <part>.etag.
        max_bytes: Larger files are refused.
        report: Called after each chunk.

    Raises:
        DatasetError: The server cannot be reached or refuses (`download-failed`), the connection is lost
            (`download-interrupted`), or the file is too large (`download-too-large`).
        OSError: `part` cannot be written.
    """
    etag = _etag_file(part)
    size = part.stat().st_size if part.exists() and etag.exists() else 0
    headers = {"User-Agent": "shutterless", "Accept-Encoding": "identity"}
    if size:
        headers |= {"Range": f"bytes={size}-", "If-Range": etag.read_text("ascii")}
    with _open(urllib.request.Request(url, headers=headers)) as response:
        content_range = response.headers.get("Content-Range", "")
        if size and content_range == f"bytes */{size}":
            return  # 416: the connection was lost after the last byte
        if response.status not in (http.client.PARTIAL_CONTENT, http.client.REQUESTED_RANGE_NOT_SATISFIABLE):
            size = 0
        elif not content_range.startswith(f"bytes {size}-"):
            discard(part)
            raise DatasetError(
                "download-interrupted",
                "The server does not continue where the last attempt ended",
                "Run it again: it starts over.",
            )
        _remember(response.headers.get("ETag"), etag)
        _receive(response, part, size, max_bytes, report)


def discard(part: Path) -> None:
    """Remove what `download_file` left, so that the next attempt starts over."""
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)


def _etag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


@contextmanager
def _open(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    """Give the answer if it is one of success or 416; raise DatasetError for any other, or none."""
    url = request.full_url
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            is_busy = error.code == http.client.TOO_MANY_REQUESTS or error.code >= 500
            raise DatasetError(
                "download-failed",
                f"{url} answers {error.code} {error.reason}",
                BUSY_HINT if is_busy else MOVED_HINT,
            ) from error
        response = error
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: a redirect to no URL
        raise DatasetError(
            "download-failed",
            f"Cannot reach {url}: {getattr(error, 'reason', None) or error}",
            "Check the network and its proxy, then run it again.",
        ) from error
    with response:
        yield response


def _remember(etag: str | None, file: Path) -> None:
    """Keep a strong ETag; a weak one does not promise equal bytes, so it cannot join two parts."""
    if etag and STRONG_ETAG.fullmatch(etag):
        file.write_text(etag, "ascii")
    else:
        file.unlink(missing_ok=True)


def _receive(
    response: http.client.HTTPResponse, part: Path, size: int, max_bytes: int, report: Report
) -> None:
    """Write the answer's body to `part`, from `size` on."""
    length = response.headers.get("Content-Length", "")
    total = size + int(length) if re.fullmatch("[0-9]{1,15}", length) else None
    with part.open("r+b" if size else "wb") as stream:
        stream.seek(size)
        stream.truncate()
        while max(size, total or 0) <= max_bytes and (chunk := _read(response, size)):
            size += len(chunk)
            stream.write(chunk)
            report(size, total)
    if max(size, total or 0) > max_bytes:
        discard(part)  # resuming would only end here again
        raise DatasetError(
            "download-too-large",
            f"The server sends more than {max_bytes:,} bytes",
            "It is not what was published, and nothing was kept: look for a newer version of shutterless.",
        )
    if total is not None and size < total:
        raise _interrupted(size)


def _read(response: http.client.HTTPResponse, size: int) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _interrupted(size) from error


def _interrupted(size: int) -> DatasetError:
    return DatasetError(
        "download-interrupted",
        f"The connection was lost after {size:,} bytes",
        "Run the same command again: it continues from there if the server supports it.",
    )
