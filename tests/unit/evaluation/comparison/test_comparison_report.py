from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from shutterless.dataset import Photo
from shutterless.errors import OutputError
from shutterless.evaluation.comparison.answers import Answers
from shutterless.evaluation.comparison.comparison import compare_answers
from shutterless.evaluation.comparison.report import MAX_SHOWN, check_page, write_comparison
from shutterless.evaluation.report.plots import MAX_NAMED

HOSTILE = ('<img src=x onerror="alert(1)">', "$\\frac{a}{$ 猫", "</script><script>alert(2)</script>")


class Elements(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def comparison_of(root, labels, photos):
    """Return a comparison in which A is always right and B answers with the next label."""
    truth = np.array([labels.index(photo.label) for photo in photos])
    scores = [np.eye(len(labels), dtype=np.float32)[(truth + step) % len(labels)] for step in (0, 1)]
    result = compare_answers(photos, *(Answers(tuple(labels), each) for each in scores))
    return type(result)(**{**vars(result), "root": str(root)})


@pytest.fixture
def hostile(tmp_path):
    """Return a comparison of photos with hostile labels and file names."""
    photos = []
    for number, label in enumerate(HOSTILE):
        photo = Photo(f'"><svg onload=alert({number})>.png', label, "test")
        Image.fromarray(np.full((20, 40, 3), 60 * number, np.uint8)).save(tmp_path / photo.path)
        photos.append(photo)
    return comparison_of(tmp_path, HOSTILE, photos)


def test_the_page_shows_the_photos_and_runs_nothing_of_theirs(hostile, tmp_path):
    page = write_comparison(tmp_path.with_name("page") / "all.html", hostile)
    text = page.read_text("utf-8")
    assert text.count("data:image/jpeg;base64,") == 3
    elements = Elements(text)
    assert elements.tags.count("script") == 1
    assert elements.tags.count("img") == 3
    assert [name for name, _ in elements.attributes if name.startswith("on")] == []
    links = {value for name, value in elements.attributes if name in ("src", "href", "xlink:href")}
    assert [link for link in links if not link.startswith(("data:image/jpeg", "#"))] == []
    assert "default-src 'none'" in text


def test_an_earlier_page_is_replaced_and_a_file_of_somebody_else_is_not(hostile, tmp_path):
    folder = tmp_path.with_name("report")
    assert (
        write_comparison(folder, hostile) == write_comparison(folder, hostile) == folder / "comparison.html"
    )
    mine = tmp_path.with_name("mine.html")
    mine.write_text("mine")
    with pytest.raises(OutputError) as refusal:
        write_comparison(mine, hostile)
    assert (refusal.value.code, mine.read_text()) == ("not-ours", "mine")


def test_a_page_is_not_written_among_the_photos(tmp_path):
    with pytest.raises(OutputError) as refusal:
        check_page(tmp_path / "page.html", tmp_path)
    assert refusal.value.code == "output-inside-photos"


def test_the_page_of_many_changes_and_labels_still_opens(tmp_path):
    labels = [f"label {number}" for number in range(MAX_NAMED + 1)]
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")
    photos = [Photo("one.png", labels[number % len(labels)], "test") for number in range(MAX_SHOWN + 30)]
    text = write_comparison(
        tmp_path.with_name("many.html"), comparison_of(tmp_path, labels, photos)
    ).read_text("utf-8")
    assert text.count("<img") == MAX_SHOWN
    assert "<svg" not in text
