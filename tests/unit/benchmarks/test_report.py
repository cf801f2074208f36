import pytest
from PIL import Image

from benchmarks.chart import draw
from benchmarks.materials import Materials
from benchmarks.report import Report
from benchmarks.rounds import CannotRunError, Row

QUICK = Row("warm, p50", "ms", "tutorial's function", ((10.0, 100.0), (20.0, 100.0), (40.0, 100.0)), 0.15)
LARGE = Row("file", "MB", "plain converter", ((9.0, 4.5),), limit=10)


def good(materials):
    yield QUICK
    yield "ONNX Runtime: not run: onnxruntime is not installed"
    yield LARGE


def without_docker(materials):
    yield QUICK
    raise CannotRunError("no Docker engine")


@pytest.fixture
def report(tmp_path):
    report = Report("make bench", date="2026-01-02", machine="2 cores", materials=["photos: drawn ones"])
    report.run("handler", good, Materials(tmp_path))
    return report


def test_the_table_says_what_was_measured_on_and_gives_each_row_with_its_spread(report):
    first, _, second, *_ = report.markdown().splitlines()
    assert (first, second) == ("Measured on 2026-01-02 by `make bench`: 2 cores.", "- photos: drawn ones")
    (line,) = [line for line in report.markdown().splitlines() if "warm, p50" in line]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[2:] == [
        *("20.0 ms", "tutorial's function", "100.0 ms", "0.20", "0.10 … 0.40", "≤ 0.15, missed"),
    ]
    (line,) = [line for line in report.markdown().splitlines() if "plain converter" in line]
    assert [cell.strip() for cell in line.strip("|").split("|")][5:] == ["2.00", "", "≤ 10 MB, reached"]


def test_what_cannot_run_is_said_and_what_was_measured_before_is_kept(report, tmp_path):
    report.run("container", without_docker, Materials(tmp_path))
    assert "container: not run: no Docker engine" in report.remarks
    assert [name for name, _ in report.rows] == ["handler", "handler", "container"]


def test_the_json_has_every_round_beside_what_is_made_of_them(report):
    row = report.document()["rows"][0]
    assert row["pairs"] == QUICK.pairs
    assert (row["ratio"], row["min"], row["max"], row["missed"]) == (0.2, 0.1, 0.4, True)
    assert report.document()["remarks"] == ["handler: ONNX Runtime: not run: onnxruntime is not installed"]


def test_the_chart_is_a_picture(report, tmp_path):
    draw(report.rows, tmp_path / "bench.png")
    with Image.open(tmp_path / "bench.png") as picture:
        assert picture.width > 500
