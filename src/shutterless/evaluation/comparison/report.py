"""Write a comparison as one HTML page, with the photos whose answers changed.

Labels, paths and the texts in a model's folder are untrusted: the template escapes everything except the
chart, in which matplotlib escapes it.
"""

import datetime
import shlex
from dataclasses import dataclass
from pathlib import Path

from shutterless import __version__
from shutterless.dataset import Photo
from shutterless.errors import OutputError
from shutterless.evaluation import intervals
from shutterless.evaluation.comparison.comparison import AnswerChange, ComparedModel, ModelComparison
from shutterless.evaluation.comparison.plots import recalls
from shutterless.evaluation.comparison.text import conclusion, difference_text, figure_rows
from shutterless.evaluation.provenance import Provenance, read_provenance
from shutterless.evaluation.report.plots import MAX_NAMED, style, to_svg
from shutterless.evaluation.report.report import DEFAULT_SPLITS
from shutterless.evaluation.report.thumbnails import data_uri, read_thumbnails
from shutterless.files import COMPARISON_MARK, atomic_file, ensure_outside, ensure_writable
from shutterless.text_files import has_mark
from shutterless.utils.html import render_page
from shutterless.utils.messages import plural

PAGE = "comparison.html"
# Photos to show of those that got better, worse, or are wrong in another way, so that the page opens.
MAX_SHOWN = 120
HEADINGS = {
    "worse": ("Worse", "A is right and B is wrong. B's most confident answers come first."),
    "better": ("Better", "B is right and A is wrong. B's most confident answers come first."),
    "neither": ("Wrong in another way", "Both are wrong, with different answers."),
}


@dataclass(frozen=True)
class ChangedPhotos:
    """The photos of one section of the page.

    Attributes:
        effect: As in `AnswerChange`.
        heading: Of the section.
        text: Below the heading.
        count: Number of such photos.
        photos: A data: URI and the change, for those that are shown.
    """

    effect: str
    heading: str
    text: str
    count: int
    photos: tuple[tuple[str, AnswerChange], ...]


def write_comparison(report: str | Path, comparison: ModelComparison) -> Path:
    """Write a comparison as a page, whole or not at all. It replaces an earlier one.

    Args:
        report: A file that ends in .html, or a folder, in which the page is called comparison.html.
        comparison: What `compare` returned.

    Returns:
        The path of the page.

    Raises:
        DatasetError: A photo is gone or broken.
        OutputError: The page cannot be written, is inside the folder of photos, or would replace a file
            that no comparison wrote.

    Example:
        >>> import shutterless
        >>> comparison = shutterless.compare("run", "bundle", "photos")
        >>> shutterless.write_comparison("comparison.html", comparison).name
        'comparison.html'
    """
    page = check_page(Path(report), Path(comparison.root))
    by_change = sorted(comparison.per_label.items(), key=lambda item: item[1].better - item[1].worse)
    chart = ""
    if len(by_change) <= MAX_NAMED:
        with style():
            chart = to_svg(recalls(dict(by_change)), "recalls")
    context = {
        "comparison": comparison,
        "rows": figure_rows(comparison),
        "conclusion": conclusion(comparison),
        "accuracy": difference_text(comparison.accuracy, 100, "points"),
        "loss": difference_text(comparison.loss),
        "per_label": by_change,
        "chart": chart,
        "sections": _changed_photos(comparison),
        "models": {name: (model, _provenance(model)) for name, model in _models(comparison).items()},
        "command": _command(report, comparison),
        "notes": comparison.notes(),
        "percentage": intervals.percentage,
        "plural": plural,
        "max_open": 12,
        "mark": COMPARISON_MARK.decode(),
        "version": __version__,
        "today": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    with atomic_file(page) as draft:
        draft.write_text(
            render_page("shutterless.evaluation.comparison", "comparison.html.j2", context), "utf-8"
        )
    return page


def page_path(report: Path) -> Path:
    """Return the page for a file that ends in .html, or for a folder."""
    return report if report.suffix.lower() in (".html", ".htm") else report / PAGE


def check_page(report: Path, photos: Path) -> Path:
    """Return the page that `write_comparison` would write; raise the error with which it would refuse.

    Raises:
        OutputError: See `write_comparison`.
    """
    page = page_path(report)
    ensure_outside(page, photos)
    ensure_writable(page)
    if page.is_dir() or (page.exists() and not has_mark(page, COMPARISON_MARK)):
        raise OutputError(
            "not-ours", f"{page} was not written by shutterless compare", "Choose another name."
        )
    return page


def _changed_photos(comparison: ModelComparison) -> list[ChangedPhotos]:
    sections = []
    for effect, (heading, text) in HEADINGS.items():
        changes = [change for change in comparison.changes if change.effect == effect]
        shown = changes[:MAX_SHOWN]
        photos = [Photo(change.path, change.label, "") for change in shown]
        thumbnails = map(data_uri, read_thumbnails(Path(comparison.root), photos) if shown else [])
        pairs = tuple(zip(thumbnails, shown, strict=True))
        sections.append(ChangedPhotos(effect, heading, text, len(changes), pairs))
    return sections


def _models(comparison: ModelComparison) -> dict[str, ComparedModel]:
    return {"A": comparison.a, "B": comparison.b}


def _provenance(model: ComparedModel) -> Provenance:
    """Return how a model was made, as far as its folder tells."""
    if model.kind == "model":
        return Provenance(model.name, {}, {})
    return read_provenance(Path(model.name))


def _command(report: str | Path, comparison: ModelComparison) -> str:
    """Return the command that makes the page from photos whose labels need no map."""
    names = [model.name for model in _models(comparison).values()]
    words = ["shutterless", "compare", *names, comparison.root]
    if not comparison.splits.keys() <= {*DEFAULT_SPLITS}:
        words += ["--split", next(iter(comparison.splits)) if len(comparison.splits) == 1 else "all"]
    return shlex.join([*words, "--report", str(report)])
