"""Inspect a data set with the features of a network: each photo runs through it once, for all findings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from shutterless.curation.label_errors import LabelError, find_label_errors
from shutterless.curation.neighbours import Vectors, center, find_outliers, nearest, with_similar_photos
from shutterless.curation.photo_map import arrange
from shutterless.dataset import Photo
from shutterless.dataset.groups.grouping import AUTO
from shutterless.dataset.inspect.findings import Finding, duplicate_findings, worst_first
from shutterless.dataset.inspect.inspection import Inspection, inspect_dataset
from shutterless.dataset.inspect.suggestions import Suggestion
from shutterless.dataset.types import OTHER
from shutterless.errors import InputError
from shutterless.features.embedding import DEFAULT_MODEL, Embedder, embed
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, automatic

EXAMPLES = 3  # photos of each label that a doubtful photo is shown with
MAX_PHOTOS_ON_MAP = 4000


def inspect_features(
    root: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    seed: int = 42,
    group_by: str | Path = AUTO,
    progress: Progress = automatic,
) -> Inspection:
    """Inspect a data set as `inspect_dataset` does, and also with the features of a network.

    This finds probably mislabelled photos, near duplicates and leakage that no hash detects, and photos that
    are unlike all others of their label; it also arranges the photos on a map. The features are cached: an
    inspection after ten new photos runs the network ten times.

    Args:
        root: The folder of photos.
        model: The name of a backbone, whose ImageNet weights are downloaded once, or the folder of a run or
            of a bundle of format 2.
        seed: Training's seed: it decides the splits where no folders do, and the folds of the
            cross-validation.
        group_by: Which photos show the same thing; see `parse_group_by`.
        progress: Called while photos are read and run through the network.

    Returns:
        The inspection. Findings with something to do have `suggestions`.

    Raises:
        InputError: A library of the extra `train` is missing (`missing-extra`), or `group_by` is not a valid
            rule (`invalid-group-by`).
        RecipeError: There is no such backbone, or its weights cannot be loaded, as without a network.
        RunError: The run is damaged or unfinished.
        BundleError: The bundle does not verify, or has no embedding (`no-embedding`).
        DatasetError: The photos cannot be used; see `inspect_dataset`.

    Example:
        >>> import shutterless
        >>> inspection = shutterless.inspect_features("photos", model="run")
        >>> suggestions = [each for finding in inspection.findings for each in finding.suggestions]
    """
    network = _load_network(model)
    inspection = inspect_dataset(root, seed=seed, group_by=group_by, progress=progress)
    return add_feature_findings(inspection, network, seed=seed, progress=progress)


def add_feature_findings(
    inspection: Inspection,
    embedder: Embedder,
    *,
    seed: int = 42,
    cache_file: Path | None = None,
    progress: Progress = automatic,
) -> Inspection:
    """Return an inspection with the findings that the features of a network add.

    Args:
        inspection: What `inspect_dataset` returned.
        embedder: The network.
        seed: Decides the folds of the cross-validation.
        cache_file: File of the cache; by default in the user's cache folder.
        progress: Called while photos run through the network.
    """
    from threadpoolctl import threadpool_limits

    dataset, photos = inspection.dataset, inspection.dataset.photos
    features = embed(dataset.root, photos, embedder, cache_file=cache_file, progress=progress)
    vectors = center(features)
    with threadpool_limits(1):  # sums by several threads differ in their last digits
        progress("comparing photos", 0, 3)
        duplicates = with_similar_photos(inspection.duplicates, inspection.stats, vectors)
        progress("comparing photos", 1, 3)
        index_of = {photo: index for index, photo in enumerate(photos)}
        same = [[index_of[photo] for photo in group.photos] for group in duplicates]
        errors = find_label_errors(vectors, photos, duplicates=same, seed=seed)
        outliers = find_outliers(features, photos)
        progress("comparing photos", 2, 3)
        on_map = slice(None, None, -(-len(photos) // MAX_PHOTOS_ON_MAP))
        places = arrange(vectors[on_map])
        progress("comparing photos", 3, 3)
    same_photo = duplicate_findings(dataset, inspection.stats, duplicates)
    recomputed_kinds = {"leakage", "label-conflict", "exact-duplicates", "near-duplicates"}
    findings = (
        *(finding for finding in inspection.findings if finding.kind not in recomputed_kinds),
        *same_photo,
        *_label_error_findings(errors, photos, vectors),
        *_outlier_findings(outliers, photos),
    )
    return replace(
        inspection,
        duplicates=duplicates,
        findings=worst_first(findings),
        places={photo.path: (x, y) for photo, (x, y) in zip(photos[on_map], places.tolist(), strict=True)},
    )


def _label_error_findings(
    errors: Sequence[LabelError], photos: Sequence[Photo], vectors: Vectors
) -> Iterator[Finding]:
    if not errors:
        return
    indices_by_label: dict[str, list[int]] = {}
    for index, photo in enumerate(photos):
        indices_by_label.setdefault(photo.label, []).append(index)
    yield Finding(
        "label-errors",
        "medium",
        f"{plural(len(errors), 'photo')} that may be under the wrong label",
        "Compare each with photos of both labels, the most probable errors first. Some are hard photos under "
        "the right label, which a model needs: move only those that are wrong.",
        tuple((photos[error.index].path,) for error in errors),
        tuple(_suggest_label(error, photos, vectors, indices_by_label) for error in errors),
    )


def _suggest_label(
    error: LabelError, photos: Sequence[Photo], vectors: Vectors, indices_by_label: Mapping[str, list[int]]
) -> Suggestion:
    photo = photos[error.index]
    examples = {
        label: tuple(
            photos[index].path
            for index in nearest(vectors, [error.index], indices_by_label[label], EXAMPLES)[0]
        )
        for label in (photo.label, error.label)
    }
    reason = f"filed as {photo.label}, looks like {error.label}"
    suggestion = Suggestion(
        "label-errors", photo.path, reason, "move", error.label, error.confidence, photo.sha256, examples
    )
    if error.same_as is None:
        return suggestion
    reason += f", and the same photo is {photos[error.same_as].path}"
    return replace(suggestion, action="remove", target="", reason=reason)


def _outlier_findings(outliers: Sequence[tuple[int, float]], photos: Sequence[Photo]) -> Iterator[Finding]:
    if outliers:
        yield Finding(
            "outliers",
            "low",
            f"{plural(len(outliers), 'photo')} unlike all others",
            f"Look at them. Move photos that show none of your labels to a folder {OTHER} beside the labels, "
            "where they teach a model what it does not know; keep unusual photos of the label.",
            tuple((photos[index].path,) for index, _ in outliers),
            tuple(
                Suggestion(
                    "outliers",
                    photos[index].path,
                    f"{strangeness:.1f} deviations farther from other photos than usual",
                    "move",
                    OTHER,
                    sha256=photos[index].sha256,
                )
                for index, strangeness in outliers
            ),
        )


def _load_network(model: str | Path) -> Embedder:
    """Import and load a network.

    Raises:
        InputError: A library of the extra `train` is missing (`missing-extra`).
    """
    try:
        import cleanlab  # noqa: F401
        import sklearn  # noqa: F401

        from shutterless.curation.networks import load_network
    except ModuleNotFoundError as error:
        raise InputError(
            "missing-extra",
            f"Features need {error.name}, which is not installed",
            "In a clone of shutterless: pip install '.[train]'",
        ) from error
    return load_network(model)
