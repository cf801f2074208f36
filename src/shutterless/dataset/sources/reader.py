"""Recognise what a source of photos is, and read it."""

from pathlib import Path

from shutterless.dataset.layout import Listing
from shutterless.dataset.sources.coco import read_coco
from shutterless.dataset.sources.image_folder import read_image_folder
from shutterless.dataset.sources.label_studio import read_label_studio
from shutterless.dataset.sources.rows import is_table
from shutterless.dataset.sources.table import photos_root, read_table
from shutterless.dataset.sources.teachable_machine import read_teachable_machine
from shutterless.errors import DatasetError, InputError
from shutterless.text_files import HEAD_BYTES, read_head
from shutterless.utils.messages import did_you_mean

AUTO = "auto"
TABLE, IMAGE_FOLDER, COCO = "table", "imagefolder", "coco"
LABEL_STUDIO, TEACHABLE_MACHINE = "label-studio", "teachable-machine"
FORMATS = (TABLE, IMAGE_FOLDER, COCO, LABEL_STUDIO, TEACHABLE_MACHINE)
ZIP_MAGIC = b"PK\x03\x04"


def recognise_format(source: Path) -> str:
    """Return which of `FORMATS` a source is, by its suffix and its first bytes.

    Raises:
        DatasetError: It is not there (`not-found`), cannot be read (`unreadable-export`) or is none of them
            (`unknown-source`).
    """
    if source.is_dir():
        return IMAGE_FOLDER
    try:
        head = read_head(source, HEAD_BYTES)
    except FileNotFoundError as error:
        raise DatasetError("not-found", f"There is no file or folder {source}", "Check the path.") from error
    except OSError as error:
        raise DatasetError(
            "unreadable-export", f"Cannot read {source}: {error.strerror or error}", "Check its permissions."
        ) from error
    if head.startswith(ZIP_MAGIC):
        return TEACHABLE_MACHINE
    if is_table(source):
        return TABLE
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        return COCO if text.startswith(b"{") else LABEL_STUDIO
    raise DatasetError(
        "unknown-source",
        f"{source} is not in a format that can be imported",
        f"Give a table (.csv, .tsv, .jsonl, .parquet), a folder, or an export; or say which with --format: "
        f"{', '.join(FORMATS)}.",
    )


def read_source(source: Path, format: str, root: Path | None, scratch: Path) -> tuple[str, Listing]:
    """Return the format of a source, and its photos by their names.

    Args:
        source: The file or folder.
        format: One of `FORMATS`, or `auto`.
        root: The folder that paths are relative to; by default that of the file.
        scratch: An empty folder for the pictures of an archive.

    Raises:
        InputError: There is no such format (`unknown-format`), or the source has no paths that could be
            relative to `root` (`useless-root`).
        DatasetError: The source cannot be read; see the reader of each format.
    """
    if format not in (AUTO, *FORMATS):
        raise InputError(
            "unknown-format",
            f"There is no format {format!r}",
            f"{did_you_mean(format, FORMATS)}Choose one of: {', '.join((AUTO, *FORMATS))}.",
        )
    name = recognise_format(source) if format == AUTO else format
    if root is not None and name in (IMAGE_FOLDER, TEACHABLE_MACHINE):
        raise InputError(
            "useless-root", f"--root does not apply to the format {name}", "Leave it out: it names no paths."
        )
    folder = root or source.parent
    if name == IMAGE_FOLDER:
        return name, read_image_folder(source)
    if name == TEACHABLE_MACHINE:
        return name, read_teachable_machine(source, scratch).to_listing()
    if name == TABLE:
        return name, read_table(source, root or photos_root(source)).to_listing()
    return name, (read_coco if name == COCO else read_label_studio)(source, folder).to_listing()
