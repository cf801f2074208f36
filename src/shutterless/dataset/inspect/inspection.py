"""Look at a whole data set before anything is learned from it: what is there, and what is wrong with it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from shutterless.dataset.groups.duplicates import Duplicates
from shutterless.dataset.groups.grouping import AUTO
from shutterless.dataset.inspect.findings import Finding, find_faults
from shutterless.dataset.layout import find_photos, split_folders
from shutterless.dataset.photo_stats import Look
from shutterless.dataset.scan import scan_photos, split_gaps
from shutterless.dataset.types import NOT_A_PICTURE, Dataset, Photo, Unreadable, printable, totals
from shutterless.utils.progress import Progress, automatic


@dataclass(frozen=True, repr=False)
class Inspection:
    """What a data set holds, and what was found.

    dataset: every readable photo, with the split that training gives it; its labels are all the labels
    there are. laid_out: whether the splits are folders; if not, they come of the seed. looks: in the
    order of the photos. duplicates: the closest first. findings: the worst first.
    """

    dataset: Dataset
    laid_out: bool
    looks: Mapping[Photo, Look]
    duplicates: tuple[Duplicates, ...]
    findings: tuple[Finding, ...]

    @property
    def totals(self) -> dict[str, int]:
        """Return split → number of photos."""
        return totals(self.dataset.counts())

    @property
    def formats(self) -> dict[str, int]:
        """Return format → number of photos, the commonest first."""
        return dict(Counter(seen.format for seen in self.looks.values()).most_common())

    @property
    def sides(self) -> dict[str, dict[str, float]]:
        """Return smallest, median and largest of the photos' widths and heights, in pixels."""
        widths, heights = zip(*((seen.width, seen.height) for seen in self.looks.values()), strict=True)
        return {
            name: {"smallest": min(sides), "median": median(sides), "largest": max(sides)}
            for name, sides in (("width", widths), ("height", heights))
        }

    def __repr__(self) -> str:
        """Return the data set and the number of findings on one line."""
        return f"Inspection({self.dataset!r}: {len(self.findings):,} findings)"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; photos are named by their paths below the data set's folder."""
        return {
            "path": printable(str(self.dataset.root)),
            "photos": len(self.looks),
            "bytes": sum(seen.size for seen in self.looks.values()),
            "splits_from": "folders" if self.laid_out else "seed",
            "counts": self.dataset.counts(),
            "totals": self.totals,
            "formats": self.formats,
            "sides": self.sides,
            "skipped": [asdict(one) for one in self.dataset.skipped],
            "unreadable": [{"path": one.path, "reason": one.reason} for one in self.dataset.unreadable],
            "duplicates": [group.to_json() for group in self.duplicates],
            "groups": [group.to_json() for group in self.dataset.groups],
            "findings": [finding.to_json() for finding in self.findings],
        }


def inspect_dataset(
    root: str | Path, *, seed: int = 42, group_by: str | Path = AUTO, progress: Progress = automatic
) -> Inspection:
    """Decode every photo below `root` once and return what is there and what is wrong.

    seed, group_by: share photos out to splits where the folders do not say it, as training does.

    Raises ShutterlessError if there is no folder, no photo or none that can be read. Whatever else
    would stop a training is a finding.
    """
    root = Path(root)
    folders = split_folders(root)
    found = find_photos(root, folders or {"train": root})
    scan = scan_photos(
        root, folders, found, seed=seed, group_by=group_by, progress=progress, what="inspecting photos"
    )
    dataset = Dataset(
        root,
        labels=tuple(sorted({printable(label) for labels in found.labels.values() for label in labels})),
        photos=scan.photos,
        unreadable=tuple(Unreadable(printable(one.path), one.reason) for one in scan.unreadable),
        warnings=(),
        groups=scan.groups,
        skipped=found.summary(),
    )
    misplaced = (str(one) for one in dataset.skipped if one.reason != NOT_A_PICTURE)
    warnings = (*misplaced, *split_gaps(dataset))
    looks = {photo: scan.looks[photo.path] for photo in scan.photos}
    findings = find_faults(dataset, looks, scan.duplicates, tuple(map(printable, warnings)))
    return Inspection(dataset, bool(folders), looks, scan.duplicates, findings)
