import os
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shutterless.batch_jobs.inputs import list_uris
from shutterless.batch_jobs.worker.reading import local_path
from shutterless.errors import ShutterlessError

URL = "https://example.org/a.jpg"


def listed(*inputs: object, column: str = "") -> list[str]:
    return sorted(list_uris([str(each) for each in inputs], column))


def test_a_folder_is_searched_and_paths_are_absolute(photos, monkeypatch):
    monkeypatch.chdir(photos.parent)
    assert listed("photos") == listed("./photos/../photos/") == sorted(map(str, photos.rglob("*.png")))


def test_a_list_has_a_path_or_url_per_line_relative_to_its_folder(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text(f"a.jpg\n\n  b/../c.jpg  \r\n/d.jpg\n{URL}\ns3://bucket/e.jpg\n", "utf-8")
    names = ["/d.jpg", str(tmp_path / "a.jpg"), str(tmp_path / "c.jpg"), URL, "s3://bucket/e.jpg"]
    assert listed(file) == sorted(names)


@pytest.mark.parametrize("column", ["path", "uri", "url"])
def test_a_table_has_its_photos_in_a_column_of_a_usual_name(column, tmp_path):
    (tmp_path / "table.csv").write_text(f"id,{column}\n1,a.jpg\n2,{URL}\n", "utf-8")
    assert listed(tmp_path / "table.csv") == sorted([str(tmp_path / "a.jpg"), URL])


def test_the_column_of_a_table_can_be_named(tmp_path):
    pq.write_table(pa.table({"path": ["x"], "image": ["a.jpg"]}), tmp_path / "table.parquet")
    assert listed(tmp_path / "table.parquet", column="image") == [str(tmp_path / "a.jpg")]


def test_a_photo_and_a_url_are_inputs_too(photos):
    photo = photos / "red" / "00.png"
    assert listed(photo, URL) == sorted([str(photo), URL])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_name_that_is_not_utf_8_becomes_a_file_url_that_leads_to_it(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes(b"x")
    (uri,) = listed(tmp_path)
    assert uri == f"file://{tmp_path}/caf%E9.png"
    assert local_path(uri) == tmp_path / name


def make_folder(path: Path) -> None:
    path.mkdir()


HOSTILE = {
    "missing": ("x", None, "not-found"),
    "empty folder": ("x", make_folder, "no-pictures"),
    "empty list": ("x.txt", b"\n\n", "no-pictures"),
    "binary list": ("x.txt", bytes(range(256)) * 10, "unreadable-list"),
    "endless line": ("x.txt", b"a" * 10_000, "unreadable-list"),
    "no table": ("x.parquet", b"PAR1 nothing PAR1", "unreadable-table"),
    "a table without the column": ("x.csv", b"a,b\n1,2\n", "missing-column"),
    "a table with unequal rows": ("x.csv", b"path\na,b\n", "unreadable-table"),
}


@pytest.mark.parametrize(("name", "content", "code"), HOSTILE.values(), ids=HOSTILE)
def test_an_input_that_cannot_be_used_is_one_clear_error(name, content, code, tmp_path):
    if callable(content):
        content(tmp_path / name)
    elif content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ShutterlessError) as error:
        listed(tmp_path / name)
    assert error.value.code == code
    assert name in error.value.message


def test_an_empty_name_is_not_the_current_folder():
    with pytest.raises(ShutterlessError) as error:
        listed("")
    assert error.value.code == "not-found"
