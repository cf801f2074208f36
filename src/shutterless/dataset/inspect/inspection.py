"""Inspect a data set before training: count its photos, and find its problems."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from shutterless.dataset.groups.duplicates import Duplicates
from shutterless.dataset.groups.grouping import AUTO
from shutterless.dataset.inspect.findings import Finding, find_problems
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.scan import scan_photos, split_gaps
from shutterless.dataset.sources.table import list_photos
from shutterless.dataset.types import (
    NOT_A_PICTURE,
    Dataset,
    Photo,
    Unreadable,
    count_photos,
    printable,
    totals,
)
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.progress import Progress, automatic


@dataclass(frozen=True, repr=False)
class Inspection:
    """The result of `inspect_dataset`.

    Attributes:
        dataset: Every readable photo, with its split in a training, and every label, whether it has photos
            to train on or not.
        has_split_folders: Whether folders decide the splits; if not, the seed does.
        stats: The measurements of every photo with a label, in the order of the photos.
        duplicates: Photos that are the same, the closest first.
        findings: Problems, the worst first.
        places: Photo path → where it is on a map of the photos, (x, y) within 0 and 1; empty if the photos
            were not compared by features. Of many photos only some are on the map.
    """

    dataset: Dataset
    has_split_folders: bool
    stats: Mapping[Photo, PhotoStats]
    duplicates: tuple[Duplicates, ...]
    findings: tuple[Finding, ...]
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def totals(self) -> dict[str, int]:
        """Return split → number of photos."""
        return totals(self.dataset.counts())

    @property
    def other(self) -> dict[str, int]:
        """Return split → number of photos in `_other`."""
        return totals(count_photos(self.dataset.other, ()))

    @property
    def formats(self) -> dict[str, int]:
        """Return file format → number of photos, the most frequent first."""
        return dict(Counter(each.format for each in self.stats.values()).most_common())

    @property
    def sides(self) -> dict[str, dict[str, float]]:
        """Return the smallest, median and largest width and height, in pixels."""
        widths, heights = zip(*((each.width, each.height) for each in self.stats.values()), strict=True)
        return {
            name: {"smallest": min(sides), "median": median(sides), "largest": max(sides)}
            for name, sides in (("width", widths), ("height", heights))
        }

    def __repr__(self) -> str:
        """Return the data set and the number of findings on one line."""
        return f"Inspection({self.dataset!r}: {len(self.findings):,} findings)"

    def to_json(self) -> JsonObject:
        """Return a JSON object; photos are named by their paths below the data set's folder."""
        return {
            "path": printable(str(self.dataset.source)),
            "photos": len(self.stats),
            "bytes": sum(each.size for each in self.stats.values()),
            "splits_from": "folders" if self.has_split_folders else "seed",
            "counts": self.dataset.counts(),
            "totals": self.totals,
            "other": self.other,
            "formats": self.formats,
            "sides": self.sides,
            "skipped": [asdict(each) for each in self.dataset.skipped],
            "unreadable": [{"path": file.path, "reason": file.reason} for file in self.dataset.unreadable],
            "duplicates": [group.to_json() for group in self.duplicates],
            "groups": [group.to_json() for group in self.dataset.groups],
            "findings": [finding.to_json() for finding in self.findings],
            "places": {path: list(place) for path, place in self.places.items()},
        }


def inspect_dataset(
    root: str | Path, *, seed: int = 42, group_by: str | Path = AUTO, progress: Progress = automatic
) -> Inspection:
    """Decode every photo of a labelled folder once, and report what it contains and its problems.

    Args:
        root: The folder of photos, or a table of them, as for `load_dataset`.
        seed: Training's seed: it decides the splits where no folders do.
        group_by: Which photos show the same thing; see `parse_group_by`.
        progress: Called while photos are read.

    Raises:
        DatasetError: There is no folder, its layout is unclear, or it has no readable photo. Whatever else
            would stop a training is a finding.
        InputError: `group_by` is not a valid rule (`invalid-group-by`).

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("inspect-dataset", per_label=10, size=32)
        >>> inspection = shutterless.inspect_dataset(photos)
        >>> [finding.kind for finding in inspection.findings]
        ['few-photos', 'small']
    """
    listing = list_photos(Path(root))
    scan = scan_photos(listing, seed=seed, group_by=group_by, progress=progress, what="inspecting photos")
    dataset = Dataset(
        listing.root,
        labels=tuple(sorted({printable(label) for labels in listing.labels.values() for label in labels})),
        photos=scan.photos,
        unreadable=tuple(Unreadable(printable(file.path), file.reason) for file in scan.unreadable),
        warnings=(),
        groups=scan.groups,
        skipped=listing.summary(),
        other=scan.other,
        table=listing.table,
    )
    outside_layout = (str(each) for each in dataset.skipped if each.reason != NOT_A_PICTURE)
    warnings = tuple(map(printable, (*outside_layout, *split_gaps(dataset))))
    stats = {photo: scan.stats[photo.path] for photo in scan.photos}
    findings = find_problems(dataset, stats, scan.duplicates, warnings)
    return Inspection(dataset, bool(listing.split_folders), stats, scan.duplicates, findings)
