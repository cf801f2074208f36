"""Read a folder of labelled photos: check every file, share out the splits, refuse what cannot be used."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from shutterless.dataset.folders import LAYOUT_HINT, Found, find_photos, split_folders, subfolders
from shutterless.dataset.parallel import map_in_threads
from shutterless.dataset.records import SPLITS, Dataset, Photo, Unreadable
from shutterless.dataset.split import assign
from shutterless.errors import ShutterlessError
from shutterless.progress import Progress, silent
from shutterless.runtime import pixels
from shutterless.runtime.problem import Problem

__all__ = ["SPLITS", "Dataset", "Photo", "Unreadable", "load_dataset", "load_labelled"]

# What is held back of every label where the folders do not say it: the usual tenth.
HELD_BACK = 0.1


def load_dataset(root: Path, *, seed: int = 42, progress: Progress = silent) -> Dataset:
    """Return the data set for training: folders by split, or one folder of labels shared out 80/10/10.

    A `train` folder without a `validation` (or `val`, `valid`) one gives a tenth of every label to
    validation. Files that cannot be read are named in `unreadable` and left out.

    Raises ShutterlessError if there is nothing to train on: no folder, no photos, no labels or only
    one, a label without a readable photo, a label outside training that training lacks, or nothing
    for validation.
    """
    folders = split_folders(root)
    if folders and "train" not in folders:
        raise ShutterlessError(f"{root} has {_names(folders)} but no train folder", LAYOUT_HINT)
    found = find_photos(root, folders or {"train": root})
    checked = _check(root, found, progress)
    if not folders:
        shares = {"validation": HELD_BACK, "test": HELD_BACK}
        photos = assign(checked.photos, shares=shares, seed=seed)
    elif "validation" not in folders:
        shared = assign(checked.of("train"), shares={"validation": HELD_BACK}, seed=seed)
        photos = tuple(sorted((*shared, *checked.of("test")), key=lambda photo: photo.path))
    else:
        photos = checked.photos
    dataset = replace(checked, labels=tuple(sorted(found.labels["train"])), photos=photos)
    _require_trainable(dataset)
    warnings = (*_left_out(root, folders, found), *_gaps(dataset))
    return replace(dataset, warnings=warnings)


def load_labelled(
    root: Path, *, labels: Sequence[str], split: str | None = None, progress: Progress = silent
) -> Dataset:
    """Return labelled photos to measure a model on that knows `labels`, in the model's order of labels.

    Of a folder laid out by split: the one asked for, or every photo for "all"; if none is asked for,
    test, or validation where there is no test. A folder of labels has but the split "all".

    Raises ShutterlessError if there is no folder, no such split or no photo, or if a photo's label is
    not among `labels`.
    """
    folders = split_folders(root)
    choices = {name: {name: folder} for name, folder in folders.items()}
    choices["all"] = folders or {"all": root}
    usual = ("test", "validation") if folders else ("all",)
    chosen = split or next((name for name in usual if name in choices), "test or validation")
    if chosen not in choices:
        raise ShutterlessError(
            f"{root} has no {chosen} folder", f"Choose one of these splits: {_names(choices)}."
        )
    found = find_photos(root, choices[chosen])
    dataset = replace(_check(root, found, progress), labels=tuple(labels))
    unknown = {photo.label for photo in dataset.photos} - set(labels)
    if unknown:
        raise ShutterlessError(
            f"The model does not know the label {_names(unknown)} in {root}",
            f"It knows {_names(labels)}. Rename the folder or leave it out.",
        )
    return replace(dataset, warnings=(*_left_out(root, folders, found), *_gaps(dataset)))


def _check(root: Path, found: Found, progress: Progress) -> Dataset:
    """Return the photos that can be decoded, as found, with the others named; no labels, no warnings."""
    if not found.photos:
        problem = "photos, but none in a label's folder" if found.loose else "no photos"
        raise ShutterlessError(f"{root} has {problem}", LAYOUT_HINT)
    results = map_in_threads(
        lambda photo: _reason(root / photo.path), found.photos, progress=progress, what="checking photos"
    )
    reasons = dict(zip(found.photos, results, strict=True))
    unreadable = [Unreadable(photo.path, reason) for photo, reason in reasons.items() if reason]
    unreadable = sorted((*unreadable, *found.unreadable), key=lambda one: one.path)
    photos = sorted((photo for photo, reason in reasons.items() if not reason), key=lambda photo: photo.path)
    if not photos:
        raise ShutterlessError(
            f"None of the {len(found.photos)} photos in {root} can be read",
            f"The first: {unreadable[0].path}: {unreadable[0].reason}.",
        )
    return Dataset(root, (), tuple(photos), tuple(unreadable), ())


def _reason(path: Path) -> str | None:
    """Return why the file is no readable photo, or None if it is one."""
    try:
        str(path).encode()  # the name will stand in split.csv
        if not path.is_file():  # reading a pipe or a device might never end
            return "the link leads nowhere" if path.is_symlink() else "not a regular file"
        pixels.check(pixels.read(path))
    except Problem as problem:
        return problem.detail
    except UnicodeEncodeError:
        return "the name is not valid UTF-8"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _require_trainable(dataset: Dataset) -> None:
    root, labels = dataset.root, dataset.labels
    foreign = {photo.label for photo in dataset.photos} - set(labels)
    if foreign:
        raise ShutterlessError(
            f"Training lacks the label {_names(foreign)}, which validation or test has, in {root}",
            "Add such photos to train/, or remove the label's other folders.",
        )
    empty = set(labels) - {photo.label for photo in dataset.of("train")}
    if empty:
        raise ShutterlessError(
            f"No readable photo to train on for the label {_names(empty)} in {root}",
            "Add photos to the label's folder, or remove the folder.",
        )
    if len(labels) < 2:
        raise ShutterlessError(
            f"{root} has only the label {_names(labels)}", f"A classifier needs two or more. {LAYOUT_HINT}"
        )
    if not dataset.of("validation"):
        raise ShutterlessError(
            f"{root} leaves no readable photo for validation",
            "Give every label two photos or more; a validation/ folder needs some of its own.",
        )


def _gaps(dataset: Dataset) -> list[str]:
    """Return a warning for every split in use that has no photo of some labels."""
    counts = dataset.counts()
    splits = next(iter(counts.values()))
    missing = {split: [label for label in counts if not counts[label][split]] for split in splits}
    return [f"no photo of {_names(labels)} in {split}" for split, labels in missing.items() if labels]


def _left_out(root: Path, folders: dict[str, Path], found: Found) -> list[str]:
    """Return warnings about photos and folders that lie where none are looked for."""
    warnings = []
    if found.loose:
        warnings.append(
            f"{len(found.loose)} photos lie in no label's folder and are left out: {found.loose[0]} …"
        )
    used = {folder.name for folder in folders.values()}
    extra = [folder.name for folder in subfolders(root) if folder.name not in used] if folders else []
    if extra:
        warnings.append(f"folders that are none of {', '.join(SPLITS)} are left out: {_names(extra)}")
    return warnings


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
