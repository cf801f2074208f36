"""Read a table of photos: one row each, with path, label and, optionally, split and group."""

import posixpath
from pathlib import Path

from shutterless.dataset.groups.grouping import read_groups
from shutterless.dataset.layout import Listing, find_photos, split_of
from shutterless.dataset.sources.paths import relative_path
from shutterless.dataset.sources.records import Records
from shutterless.dataset.sources.rows import is_table, read_rows

PATHS = ("path", "file_name")
COLUMNS = (*PATHS, "label", "split", "group")
# In a folder of photos: the photos that belong together.
GROUPS = "groups.csv"


def list_photos(source: Path, default_split: str = "train") -> Listing:
    """Return the photos of a data set by their names: a table, or a folder of labels.

    Args:
        source: A CSV, JSON Lines or Parquet file with the columns path (or file_name), label and, optionally,
            split and group; or a folder of labels, or of splits with labels below, in which `groups.csv`
            may have the groups.
        default_split: The split of all photos if the source gives none.

    Raises:
        DatasetError: The source cannot be read, or contradicts itself; see `read_rows`, `Records.add`,
            `find_photos` and `read_groups`.
    """
    if is_table(source):
        listing = read_table(source, photos_root(source)).to_listing(default_split)
        listing.table = source
    else:
        listing = find_photos(source, default_split)
        if (source / GROUPS).is_file():
            listing.groups = read_groups(source / GROUPS)
    return listing


def photos_root(source: Path) -> Path:
    """Return the folder that the photos' paths are relative to: a data set's folder, or its table's."""
    return source.parent if is_table(source) else source


def read_table(
    table: Path, root: Path, records: Records | None = None, *, splits_from_folders: bool = False
) -> Records:
    """Return what a table says about its photos.

    Args:
        table: The table.
        root: The folder that its paths are relative to.
        records: Where to add the photos; their paths are relative to its listing's root.
        splits_from_folders: Whether a row without a split has that of a folder in its path, as `train/`.

    Raises:
        DatasetError: The table cannot be read (see `read_rows`), contradicts itself (see `Records.add`), or
            names photos outside the folder (see `relative_path`).
    """
    records = records or Records(root)
    prefix = root.relative_to(records.listing.root).as_posix().removeprefix(".")
    for number, row in enumerate(read_rows(table, COLUMNS, (PATHS, ("label",))), start=1):
        where = f"row {number:,} of {table}"
        if path := row.get("path") or row.get("file_name"):
            path = posixpath.join(prefix, relative_path(path, root, where))
            folders = map(split_of, path.split("/")[:-1] if splits_from_folders else ())
            split = row.get("split") or next(filter(None, folders), "")
            records.add(path, row.get("label", ""), split, row.get("group", ""), where=where)
    return records
