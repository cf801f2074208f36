"""Write a drift as one HTML page, with the unusual pictures that were kept.

Labels, ids and the bundle's name are untrusted: the template escapes everything.
"""

import datetime
from pathlib import Path

from shutterless import __version__
from shutterless.dataset import Photo
from shutterless.errors import DatasetError, OutputError
from shutterless.evaluation.report.thumbnails import data_uri, read_thumbnails
from shutterless.files import DRIFT_MARK, atomic_file, ensure_writable
from shutterless.monitoring import text
from shutterless.monitoring.types import Drift, UnusualPicture
from shutterless.text_files import has_mark
from shutterless.utils.html import render_page
from shutterless.utils.messages import plural

PAGE = "drift.html"


def write_drift(report: str | Path, drift: Drift) -> Path:
    """Write a drift as a page, whole or not at all. It replaces an earlier one.

    Args:
        report: A file that ends in .html, or a folder, in which the page is called drift.html.
        drift: What `drift` returned.

    Returns:
        The path of the page.

    Raises:
        OutputError: The page cannot be written, or would replace a file that `drift` did not write.

    Example:
        >>> import shutterless
        >>> result = shutterless.drift("bundle", "live")  # doctest: +SKIP
        >>> shutterless.write_drift("drift.html", result).name  # doctest: +SKIP
        'drift.html'
    """
    page = check_page(Path(report))
    context = {
        "drift": drift,
        "conclusion": text.conclusion(drift),
        "accuracy": text.accuracy_text(drift),
        "notes": [*text.notes(drift)],
        "rows": text.figure_rows(drift),
        "labels": text.by_change(drift),
        "signs": [(sign, *text.MEANINGS[sign.name]) for sign in drift.signs],
        "pictures": [(picture, _thumbnail(picture)) for picture in drift.unusual],
        "p_text": text.p_text,
        "plural": plural,
        "mark": DRIFT_MARK.decode(),
        "version": __version__,
        "today": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    with atomic_file(page) as draft:
        draft.write_text(render_page("shutterless.monitoring", "drift.html.j2", context), "utf-8")
    return page


def page_path(report: Path) -> Path:
    """Return the page for a file that ends in .html, or for a folder."""
    return report if report.suffix.lower() in (".html", ".htm") else report / PAGE


def check_page(report: Path) -> Path:
    """Return the page that `write_drift` would write; raise the error with which it would refuse.

    Raises:
        OutputError: See `write_drift`.
    """
    page = page_path(report)
    ensure_writable(page)
    if page.is_dir() or (page.exists() and not has_mark(page, DRIFT_MARK)):
        raise OutputError("not-ours", f"{page} was not written by shutterless drift", "Choose another name.")
    return page


def _thumbnail(picture: UnusualPicture) -> str:
    """Return the picture as a data: URI, empty if none was kept or it cannot be read any more."""
    if picture.photo is None:
        return ""
    try:
        (pixels,) = read_thumbnails(picture.photo.parent, [Photo(picture.photo.name, picture.label, "")])
    except DatasetError:
        return ""
    return data_uri(pixels)
