"""The picture in a multipart form (RFC 7578).

It reads as much of the format as a picture's field needs. Python's own parser of mail takes half a minute
over what strangers can write there, or ends in a RecursionError.
"""

import re
from collections.abc import Iterator

from shutterless.runtime.problems import Problem

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^";,\s]{1,70}))', re.IGNORECASE)
_DISPOSITION = rb"^content-disposition:[^\r\n]*[;\s]"
_IMAGE_FIELD = re.compile(_DISPOSITION + rb'name="?image"?\s*(?:;|$)', re.IGNORECASE | re.MULTILINE)
_FILE_FIELD = re.compile(_DISPOSITION + rb"filename\*?=", re.IGNORECASE | re.MULTILINE)
MAX_HEADER_BYTES, MAX_FIELDS = 8192, 1000


def extract_image(content_type: str, body: bytes) -> bytes:
    """Return the picture in a multipart form: the field `image`, or else the only file of the form.

    Args:
        content_type: The request's header, which names the boundary between the fields.
        body: The form.

    Raises:
        Problem: `invalid-request` if the form has several pictures, or none, or too many fields.
    """
    images, files = [], []
    for headers, content in _fields(content_type, body):
        if _IMAGE_FIELD.search(headers):
            images.append(content)
        elif _FILE_FIELD.search(headers):
            files.append(content)
    if len(images) > 1:
        raise Problem(
            "invalid-request",
            f"the form has {len(images)} fields named image; send one, or send several pictures as JSON",
        )
    if images:
        return images[0]
    if len(files) == 1:
        return files[0]
    raise Problem("invalid-request", f"the form has {len(files)} files and no field named image")


def _fields(content_type: str, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the headers and the content of each field."""
    match = _BOUNDARY.search(content_type[:MAX_HEADER_BYTES])
    if not match:
        return
    delimiter = b"\r\n--" + (match[1] or match[2]).encode("latin-1", "replace")
    parts = (b"\r\n" + body).split(delimiter, MAX_FIELDS + 1)  # the last is what follows the last field
    if len(parts) > MAX_FIELDS + 1 and delimiter in parts.pop():
        raise Problem("invalid-request", f"the form has more than {MAX_FIELDS} fields")
    for part in parts[1:]:
        headers, blank_line, content = part.partition(b"\r\n\r\n")
        if blank_line and len(headers) <= MAX_HEADER_BYTES:
            yield headers.replace(b"\r\n", b"\n"), content
