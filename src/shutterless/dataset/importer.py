"""Import labelled photos from a table or another tool's export into folders of labels."""

import csv
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from shutterless.dataset.layout import Listing, split_of
from shutterless.dataset.scan import read_photos
from shutterless.dataset.sources.folder_names import file_names, label_folders
from shutterless.dataset.sources.reader import AUTO, read_source
from shutterless.dataset.sources.records import TWO_LABELS, require_whole_groups
from shutterless.dataset.sources.table import GROUPS
from shutterless.dataset.split import FRACTIONS, assign_new
from shutterless.dataset.types import NEW, SPLITS, Photo, Skipped, count_photos
from shutterless.errors import DatasetError
from shutterless.files import atomic_directory, ensure_empty, ensure_outside
from shutterless.runtime.image import decoder
from shutterless.utils.escaping import escape_formula
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, automatic

DUPLICATE = "identical to another photo"
# Of the split that photos get which the source leaves without one.
SEED = 42


@dataclass(frozen=True)
class ImportedDataset:
    """The result of `import_dataset`.

    Attributes:
        folder: The folder of labels that was written.
        format: The format of the source: table, imagefolder, coco, label-studio or teachable-machine.
        photos: The imported photos, with their paths below the folder, labels (empty for those in `_other`),
            splits (`new` if the source gives none) and groups.
        skipped: What was left out, by reason.
        renamed: Label in the source → name of its folder, where they differ.
    """

    folder: Path
    format: str
    photos: tuple[Photo, ...]
    skipped: tuple[Skipped, ...]
    renamed: Mapping[str, str]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return label → split → number of photos, without those in `_other`."""
        return count_photos([photo for photo in self.photos if photo.label], ())

    def __repr__(self) -> str:
        """Return folder, format and the numbers of photos and labels on one line."""
        photos, labels = plural(len(self.photos), "photo"), plural(len(self.counts()), "label")
        return f"ImportedDataset('{self.folder}': {photos} of {labels} from {self.format})"


def import_dataset(
    source: str | Path,
    folder: str | Path,
    *,
    format: str = AUTO,
    root: str | Path | None = None,
    link: bool = False,
    progress: Progress = automatic,
) -> ImportedDataset:
    """Copy labelled photos from a table or another tool's export into a folder for each label.

    Splits are kept, as folders called train, validation and test; photos without a split go with their
    group, or are split 80/10/10 if others have one. Groups are written to groups.csv, which training reads.
    Every photo is decoded once: what cannot be read, has no label or several, or repeats another photo is
    left out and listed. The folder appears complete or not at all.

    Args:
        source: A table of photos (see `load_dataset`), a Hugging Face imagefolder or any folder of labels,
            COCO annotations, Label Studio's export as JSON or JSON-MIN, or a Teachable Machine project (.tm).
        folder: The folder to write; it must be new or empty.
        format: table, imagefolder, coco, label-studio or teachable-machine; recognised by default.
        root: The folder that paths in the source are relative to; by default that of the source.
        link: Make hard links instead of copies where the file system can.
        progress: Called while photos are read and copied.

    Returns:
        What was imported, and what was left out.

    Raises:
        DatasetError: The source cannot be read (see `read_source`), has no photo to import (`no-photos`,
            `no-readable-photos`), divides a group over splits (`divided-group`), or has labels that cannot be
            folders (`unusable-label`, `label-clash`).
        InputError: There is no such format (`unknown-format`), or it has no paths (`useless-root`).
        OutputError: The folder is in use (`not-empty`), lies in the source (`output-inside-photos`) or cannot
            be written (`cannot-write`).

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("to-import", per_label=10, size=32)
        >>> result = shutterless.import_dataset(photos, "imported")
        >>> result.format, len(result.photos)
        ('imagefolder', 140)
    """
    source, folder = Path(source), Path(folder)
    ensure_empty(folder)
    if source.is_dir():
        ensure_outside(folder, source)
    with (
        atomic_directory(folder, "the photos") as draft,
        tempfile.TemporaryDirectory(dir=draft.parent) as scratch,
    ):
        name, listing = read_source(source, format, Path(root) if root else None, Path(scratch))
        require_whole_groups(listing)
        photos = _with_splits(listing, _readable(listing, progress))
        folders = label_folders({photo.label for photo in photos})
        targets = file_names(photos, folders, with_splits=photos[0].split != NEW)
        for number, photo in enumerate(photos, start=1):
            _place(listing.root / photo.path, draft / targets[photo.path], link)
            progress("copying photos", number, len(photos))
        imported = (replace(photo, path=targets[photo.path]) for photo in photos)
        result = tuple(sorted(imported, key=lambda photo: photo.path))
        _write_groups(result, draft / GROUPS)
    renamed = {label: name for label, name in folders.items() if label and label != name}
    return ImportedDataset(folder, name, result, listing.summary(), renamed)


def _readable(listing: Listing, progress: Progress) -> list[Photo]:
    """Return the photos that decode, each content once; record the others as left out."""
    everything = replace(listing, photos=[*listing.photos, *listing.other])
    readable, unreadable = read_photos(everything, decoder.check, progress=progress, what="checking photos")
    for file in unreadable:
        listing.skipped.setdefault(file.reason, []).append(file.path)
    by_content: dict[str, list[Photo]] = {}
    for photo in readable:
        by_content.setdefault(photo.sha256, []).append(photo)
    photos = []
    for copies in by_content.values():
        # The copy that stays is the one closest to training: the others would be leakage.
        first, *others = sorted(copies, key=lambda photo: ((*SPLITS, NEW).index(photo.split), photo.path))
        if len({photo.label for photo in copies}) > 1:
            listing.skipped.setdefault(TWO_LABELS, []).extend(photo.path for photo in copies)
            continue
        photos.append(first)
        if others:
            listing.skipped.setdefault(DUPLICATE, []).extend(photo.path for photo in others)
    if not any(photo.label for photo in photos):
        raise DatasetError(
            "no-photos",
            f"{listing.root} has no photo with one label",
            " ".join(f"{str(each).capitalize()}." for each in listing.summary()),
        )
    return photos


def _with_splits(listing: Listing, photos: list[Photo]) -> list[Photo]:
    """Return the photos with their groups and, if the source gives some a split, all with splits.

    Labels that are called like splits need them, too: their folders would not be recognised as labels.
    """
    photos = [replace(photo, group=listing.groups.get(photo.path, "")) for photo in photos]
    if not listing.split_folders:
        photos = [replace(photo, split=NEW) for photo in photos]
    if listing.split_folders or any(split_of(photo.label) for photo in photos):
        return assign_new(photos, FRACTIONS, seed=SEED)
    return photos


def _place(source: Path, target: Path, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(source.resolve(), target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(source, target)


def _write_groups(photos: tuple[Photo, ...], file: Path) -> None:
    """Write which photos belong together; no file if none do."""
    rows = [(escape_formula(photo.path), escape_formula(photo.group)) for photo in photos if photo.group]
    if rows:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows([("path", "group"), *rows])
