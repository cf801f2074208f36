"""Fetch a large file over HTTP into a file beside its place, and go on with it after a cut."""

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shutterless.errors import DatasetError, ShutterlessError

# Seconds without a byte after which a server counts as gone.
PATIENCE = 60
CHUNK = 1 << 18
# RFC 9110, 8.8.3, without the bytes beyond ASCII that it permits for old servers.
STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')

Report = Callable[[int, int | None], None]


def fetch(address: str, part: Path, *, most: int, report: Report) -> None:
    """Bring the whole of what is at `address` into the file `part`.

    What is in `part` from an earlier try is kept if the server gave it a strong ETag, gives it the same
    one still and takes up in the middle (RFC 9110, If-Range); otherwise it is fetched from the start.
    most: bytes; what is larger is refused. report: is told the bytes that are there and, if known, all.

    Raises ShutterlessError if there is no network, if the server refuses, or if the connection is cut.
    OSError only if `part` cannot be written.
    """
    etag = part.with_name(f"{part.name}.etag")
    have = part.stat().st_size if part.exists() and etag.exists() else 0
    headers = {"User-Agent": "shutterless", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": etag.read_text("ascii")}
    with _open(urllib.request.Request(address, headers=headers)) as response:
        if response.status == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # cut after the last byte
            raise _forgotten(part)
        if response.status != http.client.PARTIAL_CONTENT:
            have = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise _forgotten(part)
        _remember(response.headers.get("ETag"), etag)
        _receive(response, part, have, most, report)


def forget(part: Path) -> None:
    """Remove what `fetch` left, so that the next one begins anew."""
    part.unlink(missing_ok=True)
    part.with_name(f"{part.name}.etag").unlink(missing_ok=True)


@contextmanager
def _open(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    """Give the answer, which is one of success or 416; raise ShutterlessError for any other, or none."""
    address = request.full_url
    try:
        response = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            raise DatasetError(
                "download-failed",
                f"{address} answers {error.code} {error.reason}",
                _after_refusal(error.code),
            ) from error
        response = error
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: a redirect to no URL
        reason = getattr(error, "reason", None) or error
        raise DatasetError(
            "download-failed",
            f"Cannot reach {address}: {reason}",
            "Check the network and its proxy, then run it again.",
        ) from error
    with response:
        yield response


def _after_refusal(code: int) -> str:
    if code == http.client.TOO_MANY_REQUESTS or code >= http.client.INTERNAL_SERVER_ERROR:
        return "The server is busy or broken: run it again later."
    return "It may have moved: look for a newer shutterless, or fetch the photos by hand."


def _remember(etag: str | None, file: Path) -> None:
    """Keep a strong ETag; a weak one does not promise equal bytes, so it cannot join two parts."""
    if etag and STRONG_ETAG.fullmatch(etag):
        file.write_text(etag, "ascii")
    else:
        file.unlink(missing_ok=True)


def _receive(response: http.client.HTTPResponse, part: Path, have: int, most: int, report: Report) -> None:
    length = response.headers.get("Content-Length", "")
    whole = have + int(length) if re.fullmatch("[0-9]{1,15}", length) else None
    if whole and whole > most:
        raise _too_large(part, most)
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        stream.truncate()
        while chunk := _read(response, have):
            have += len(chunk)
            if have > most:
                raise _too_large(part, most)
            stream.write(chunk)
            report(have, whole)
    if whole is not None and have < whole:
        raise _cut(have)


def _read(response: http.client.HTTPResponse, have: int) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _cut(have) from error


def _cut(have: int) -> ShutterlessError:
    return DatasetError(
        "download-interrupted",
        f"The connection was cut after {have:,} bytes",
        "Run the same command again: it goes on from there if the server permits.",
    )


def _too_large(part: Path, most: int) -> ShutterlessError:
    forget(part)  # going on with it would only end here again
    return DatasetError(
        "download-too-large",
        f"The server sends more than {most:,} bytes",
        "It is not what was published, and nothing was kept: look for a newer shutterless.",
    )


def _forgotten(part: Path) -> ShutterlessError:
    forget(part)
    return DatasetError(
        "download-interrupted",
        "The server does not go on where the last try was cut",
        "Run it again: it begins from the start.",
    )
