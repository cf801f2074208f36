"""The paths that tables and exports give: below one folder, whatever they are."""

import os
import posixpath
import re
from pathlib import Path

from shutterless.errors import DatasetError

# http://, s3://, gs:// … and the photo itself in the text.
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|data:")
DRIVE = re.compile("[A-Za-z]:")


def relative_path(text: str, root: Path, where: str) -> str:
    """Return a path that a table gives, relative to `root` and with slashes.

    Args:
        text: A relative path, or an absolute one below `root`.
        root: The folder that paths are relative to.
        where: The place in the table, for messages: "row 2 of photos.csv".

    Raises:
        DatasetError: It is a URL (`remote-photo`) or outside `root` (`path-outside-root`).
    """
    if URL.match(text):
        raise DatasetError(
            "remote-photo",
            f"{where} names a URL: {text[:200]}",
            "Photos are only imported from files: download them first, and give their paths.",
        )
    path = text.replace("\\", "/") if "/" not in text else text
    if posixpath.isabs(path):
        path = os.path.relpath(path, root.absolute()).replace(os.sep, "/")
    path = posixpath.normpath(path)
    if path.split("/")[0] == ".." or "\0" in path or posixpath.isabs(path) or DRIVE.match(path):
        raise DatasetError(
            "path-outside-root",
            f"{where} names a photo outside {root}: {text[:200]}",
            "Paths are relative to the table's folder; `dataset import --root DIR` sets another one.",
        )
    return path
