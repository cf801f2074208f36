"""Read Hugging Face's imagefolder: folders of labels, or metadata files beside the photos."""

from collections.abc import Iterator
from pathlib import Path

from shutterless.dataset.layout import Listing, subfolders
from shutterless.dataset.sources.records import Records
from shutterless.dataset.sources.table import list_photos, read_table

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
# Metadata files are in the folder itself, in its splits, or in data/train and so on.
MAX_DEPTH = 2


def read_image_folder(folder: Path) -> Listing:
    """Return the photos of a folder that Hugging Face's `datasets` loads as an imagefolder.

    With metadata files, their column label has the labels. The split of a photo is in the column split, or
    is the name of a folder that it is in.

    Raises:
        DatasetError: A metadata file cannot be read or has no column label (see `read_table`), or the folders
            are no labels (see `find_photos`).
    """
    files = list(find_metadata(folder))
    if not files:
        return list_photos(folder)
    records = Records(folder)
    for file in files:
        read_table(file, file.parent, records, splits_from_folders=True)
    return records.to_listing()


def find_metadata(folder: Path, depth: int = 0) -> Iterator[Path]:
    """Yield the metadata files in a folder and its folders of splits."""
    yield from (folder / name for name in METADATA if (folder / name).is_file())
    if depth < MAX_DEPTH:
        for inner in subfolders(folder):
            yield from find_metadata(inner, depth + 1)
