import os
import shutil

import pytest

from shutterless.errors import InputError, OutputError
from shutterless.sources import expand_sources

URL = "HTTPS://example.com/photo.jpg"


@pytest.fixture
def photo(colour_photos):
    return colour_photos / "test" / "red" / "00.png"


def test_folders_are_searched_at_any_depth_and_the_order_is_kept(photo, tmp_path):
    names = ["b/a/1.png", "a/2.png", "10.png", "a/1.PNG"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    notes = []
    expected = [URL, *(str(tmp_path / name) for name in sorted(names)), str(photo)]
    assert expand_sources([URL, tmp_path, photo], on_note=notes.append) == expected
    assert len(notes) == 1 and "notes.txt" in notes[0]


def test_one_source_need_not_be_in_a_list(photo):
    assert expand_sources(str(photo)) == expand_sources(photo) == [str(photo)]
    assert expand_sources(URL) == [URL]


def test_a_name_that_is_not_unicode_is_kept(photo, tmp_path):
    shutil.copy(photo, os.fsencode(tmp_path) + b"/\xff\x1b[31m.png")
    assert expand_sources(tmp_path) == [f"{tmp_path}/\udcff\x1b[31m.png"]


@pytest.mark.parametrize(
    ("name", "code"), [("", "empty-name"), ("gone.jpg", "not-found"), ("a\0b", "not-found")]
)
def test_a_missing_file_is_refused_before_any_work(name, code, photo):
    with pytest.raises(InputError) as caught:
        expand_sources([photo, name])
    assert caught.value.code == code
    assert name in caught.value.message


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        expand_sources(tmp_path)
    assert caught.value.code == "no-pictures"
    assert str(tmp_path) in caught.value.message


def test_an_iterator_is_read_step_by_step_and_may_name_missing_files(photo):
    names = iter([str(photo.parent), "gone.jpg", URL])
    sources = expand_sources(names)
    assert next(sources) == str(photo)
    assert list(names) == ["gone.jpg", URL]
    assert list(expand_sources(iter(["gone.jpg", URL]))) == ["gone.jpg", URL]


@pytest.mark.parametrize("name", ["answers.csv", "red/answers.csv"])
def test_an_output_in_a_folder_of_the_pictures_is_refused(name, photo):
    folder = photo.parent.parent
    with pytest.raises(OutputError) as caught:
        expand_sources(folder, folder / name)
    assert caught.value.code == "output-inside-photos"
    assert expand_sources(photo, photo.with_name("answers.csv")) == [str(photo)]
