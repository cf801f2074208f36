import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from shutterless.dataset.inspect import report
from shutterless.dataset.inspect.inspection import inspect_dataset
from shutterless.dataset.inspect.plots import draw_counts, draw_samples
from shutterless.dataset.inspect.report import require_report_folder, write_inspection
from shutterless.dataset.types import REASONS
from shutterless.errors import DatasetError, OutputError

FILES = ["counts.png", "findings.csv", "index.html", "samples.png"]


@pytest.fixture
def photos(colour_photos, tmp_path) -> Path:
    """Return photos of the colours with a leak, a broken file and a label that is HTML."""
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    shutil.copy(photos / "train" / "red" / "00.png", photos / "test" / "red" / "leak.png")
    (photos / "train" / "red" / "<script>broken.jpg").touch()
    shutil.copytree(photos / "train" / "blue", photos / "train" / "<b>bold")
    return photos


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_page_shows_counts_findings_and_samples(photos, tmp_path):
    inspection = inspect_dataset(photos)
    page = write_inspection(inspection, tmp_path / "report").read_text("utf-8")
    assert names(tmp_path / "report") == FILES
    assert names(tmp_path) == ["photos", "report"]
    row = re.search(r"<tr><th>red</th>(.*?)<td class=\"bar\">", page).group(1)
    assert re.findall(r">(\d+)</td>", row) == ["12", "6", "4", "22"]
    assert inspection.findings[0].title in page
    assert page.count("test/red/leak.png") >= 1
    assert "prefers-color-scheme: dark" in page


def test_the_page_asks_nothing_of_the_network_and_escapes_every_name(photos, tmp_path):
    inspection = inspect_dataset(photos)
    page = write_inspection(inspection, tmp_path / "report").read_text("utf-8")
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(([^)]*)\)""", page)
    assert addresses
    assert all(source.startswith("data:image/jpeg;base64,") for source, _ in addresses)
    assert "://" not in page
    assert page.count("<script") == 1  # the page's own
    assert "<b>" not in page
    (broken,) = inspection.dataset.unreadable
    assert f"&lt;script&gt;broken.jpg: {broken.reason}" in page


def test_the_figures_are_pictures(photos, tmp_path):
    write_inspection(inspect_dataset(photos), tmp_path / "report")
    for name in ("counts.png", "samples.png"):
        with Image.open(tmp_path / "report" / name) as figure:
            assert (figure.format, figure.mode) == ("PNG", "RGB")
            assert len(figure.getcolors(2**20)) > 1


def test_an_earlier_report_and_an_empty_folder_are_written_over(photos, tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    inspection = inspect_dataset(photos)
    write_inspection(inspection, folder)
    (folder / "counts.png").unlink()
    write_inspection(inspection, folder)
    assert names(folder) == FILES


@pytest.mark.parametrize("content", ["mine.txt", "index.html"])
def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / content).write_text("mine")
    with pytest.raises(OutputError) as caught:
        require_report_folder(tmp_path / "mine", tmp_path / "photos")
    assert caught.value.code == "not-ours"
    assert (tmp_path / "mine" / content).read_text() == "mine"


def test_a_file_is_no_folder_for_a_report(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        require_report_folder(tmp_path / "file", tmp_path / "photos")
    assert caught.value.code == "not-ours"


@pytest.mark.parametrize("inside", [".", "report"])
def test_a_report_among_the_photos_is_refused(tmp_path, inside):
    with pytest.raises(OutputError) as caught:
        require_report_folder(tmp_path / inside, tmp_path)
    assert caught.value.code == "output-inside-photos"


def test_a_photo_that_broke_since_it_was_inspected_is_named_and_nothing_is_left(photos, tmp_path):
    inspection = inspect_dataset(photos)
    (photos / "test" / "red" / "leak.png").write_bytes(b"broken")
    with pytest.raises(DatasetError) as caught:
        write_inspection(inspection, tmp_path / "report")
    assert caught.value.code == "unreadable-photo"
    assert "leak.png" in caught.value.message
    assert names(tmp_path) == ["photos"]


def test_a_full_disk_leaves_nothing(photos, tmp_path, monkeypatch):
    def disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "_page", disk_full)
    with pytest.raises(OutputError) as caught:
        write_inspection(inspect_dataset(photos), tmp_path / "report")
    assert caught.value.code == "cannot-write"
    assert names(tmp_path) == ["photos"]


def test_the_page_lists_photos_of_one_thing_with_how_they_were_found(photos, tmp_path):
    page = write_inspection(inspect_dataset(photos), tmp_path / "report").read_text("utf-8")
    listing = page[page.index('id="groups"') : page.index('id="samples"')]
    assert "test/red/leak.png" in listing
    assert REASONS["content"] in listing
    without = write_inspection(inspect_dataset(photos, group_by="none"), tmp_path / "other").read_text(
        "utf-8"
    )
    assert 'id="groups"' not in without


def test_many_labels_are_folded_and_their_pictures_bounded(photos, tmp_path, monkeypatch):
    for name, value in (("MAX_LABELS", 2), ("MAX_SAMPLES", 6), ("MAX_OPEN", 1)):
        monkeypatch.setattr(report, name, value)
    page = write_inspection(inspect_dataset(photos), tmp_path / "report").read_text("utf-8")
    samples = page[page.index('id="samples"') :]
    assert samples.count("<details") == 2
    assert samples.count("<img") == 6
    assert "<details open" not in page
    assert "2 of the 4 labels" in samples


def test_figures_of_many_labels_are_bounded_and_count_every_photo():
    counts = {f"label {number}": {"train": number, "test": 1} for number in range(1000)}
    table = draw_counts(counts)
    grid = draw_samples({label: [Image.new("RGB", (160, 160), "red")] for label in counts})
    assert table.height < 2000
    assert grid.height < 8000
    assert draw_counts(dict(list(counts.items())[:40])).height == table.height
