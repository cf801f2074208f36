"""Collect what a source says about its photos: one label, split and group for each."""

from pathlib import Path

from shutterless.dataset.layout import Listing, split_of
from shutterless.dataset.split import join_groups
from shutterless.dataset.types import NEW, OTHER, SPLITS, Photo
from shutterless.errors import DatasetError
from shutterless.utils.messages import quoted

# Why photos are left out.
NO_LABEL = "no label"
TWO_LABELS = "under more than one label"


class Records:
    """The photos of a source; a photo may be named several times.

    Attributes:
        listing: The listing that is being made: what is left out is recorded in it at once.
    """

    def __init__(self, root: Path) -> None:
        self.listing = Listing(root)
        self._photos: dict[str, Photo] = {}
        self._conflicts: set[str] = set()

    def add(self, path: str, label: str, split: str = "", group: str = "", *, where: str = "") -> None:
        """Add a photo.

        Args:
            path: Path below the root, from `relative_path`.
            label: The label; `_other` for a photo that fits none, empty for one without a label.
            split: Any name of a split; empty if the source gives none.
            group: Name of the group that must stay in one split; empty for a photo on its own.
            where: The place in the source, for messages.

        Raises:
            DatasetError: The split has no such name (`unknown-split`), or the photo is in two splits or two
                groups (`contradictory-rows`).
        """
        if not label:
            self.skip(NO_LABEL, path)
            return
        part = split_of(split) if split else NEW
        if not part:
            raise DatasetError(
                "unknown-split",
                f"{where} has the split {split[:80]!r}",
                f"Write {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, or leave the cell empty.",
            )
        photo = Photo(path, "" if label == OTHER else label, part, group)
        earlier = self._photos.setdefault(path, photo)
        if (earlier.split, earlier.group) != (photo.split, photo.group):
            raise DatasetError(
                "contradictory-rows",
                f"{where} gives {path} another split or group than an earlier one",
                "Keep one row for each photo.",
            )
        if earlier.label != photo.label:
            self._conflicts.add(path)

    def skip(self, reason: str, path: str) -> None:
        """Record a photo as left out."""
        self.listing.skipped.setdefault(reason, []).append(path)

    def to_listing(self, default_split: str = "train") -> Listing:
        """Return the photos as a listing, like one of folders.

        Photos without a split get that of their group. Photos under more than one label are left out.

        Args:
            default_split: The split of all photos if the source gives none.
        """
        for path in sorted(self._conflicts):
            self.skip(TWO_LABELS, path)
        photos = join_groups(photo for path, photo in self._photos.items() if path not in self._conflicts)
        listing = self.listing
        splits = {photo.split for photo in photos} - {NEW}
        listing.split_folders = {split: listing.root for split in SPLITS if split in splits}
        listing.groups = {photo.path: photo.group for photo in photos if photo.group}
        for photo in photos:
            split = photo.split if splits else default_split
            record = Photo(photo.path, photo.label, split)
            (listing.photos if photo.label else listing.other).append(record)
            if photo.label:
                # Photos without a split may all be needed for training.
                listing.labels.setdefault("train" if split == NEW else split, set()).add(photo.label)
        return listing


def require_whole_groups(listing: Listing) -> None:
    """Refuse splits that divide a group, because then a measurement on them would be too good.

    Raises:
        DatasetError: They do (`divided-group`); the message names the groups.
    """
    splits: dict[str, set[str]] = {}
    for photo in (*listing.photos, *listing.other):
        if listing.split_folders and photo.path in listing.groups:
            splits.setdefault(listing.groups[photo.path], set()).add(photo.split)
    divided = sorted(group for group, parts in splits.items() if len(parts & set(SPLITS)) > 1)
    if divided:
        raise DatasetError(
            "divided-group",
            f"{listing.table or listing.root} divides {quoted(divided)} over more than one split",
            "Give each group one split, or leave their splits empty; "
            "`train --group-by none` ignores the groups.",
        )
