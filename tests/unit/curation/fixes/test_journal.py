import json
import shutil

import pytest

from shutterless.curation.fixes.fix import fix_dataset, undo_fixes
from shutterless.curation.fixes.journal import FOLDER, JOURNAL, FixStep, read_journal
from shutterless.errors import ShutterlessError
from tests.fix_trees import make_photos, tree, write_findings

STEP = {
    "action": "move",
    "path": "hat/1.jpg",
    "new_path": "shirt/1.jpg",
    "sha256": "0" * 64,
    "target": "shirt",
    "identical_to": "",
}
BEGIN = {"begin": 1, "time": "2026-01-01T00:00:00+00:00", "undoes": None, "folders": [], "steps": [STEP]}


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos", ("hat/1.jpg", "hat/2.jpg", "shirt/1.jpg"))


@pytest.fixture
def table(tmp_path):
    return write_findings(tmp_path / "findings.csv", ("move", "hat/1.jpg", "shirt"))


def write(photos, *documents):
    (photos / FOLDER).mkdir()
    lines = (each if isinstance(each, str) else json.dumps(each) for each in documents)
    (photos / JOURNAL).write_text("".join(f"{line}\n" for line in lines))


def code_of(function, *arguments):
    with pytest.raises(ShutterlessError) as caught:
        function(*arguments)
    return caught.value.code


BAD_STEPS = [
    {"path": "../secret"},
    {"new_path": "/etc/passwd"},
    {"path": "C:\\secret"},
    {"path": "hat\\..\\..\\secret"},
    {"path": ""},
    {"path": "hat/1.jpg\0"},
    {"sha256": "1"},
    {"more": 1},
]
BAD_JOURNALS = [
    *[({**BEGIN, "steps": [STEP | change]},) for change in BAD_STEPS],
    ({**BEGIN, "folders": ["../.."]},),
    ({**BEGIN, "begin": 2},),
    ({**BEGIN, "undoes": 7},),
    ({"end": 1},),
    (BEGIN, {"end": 1}, BEGIN),
    ("[]",),
    ("not JSON",),
    ("[" * 100_000,),
    ({"begin": 1},),
]


@pytest.mark.parametrize("documents", BAD_JOURNALS)
def test_a_journal_that_is_not_ours_is_refused(photos, table, documents):
    write(photos, *documents)
    before = tree(photos)
    assert code_of(fix_dataset, photos, table) == "unreadable-journal"
    assert code_of(undo_fixes, photos) == "unreadable-journal"
    assert tree(photos) == before


def test_a_journal_of_a_stranger_cannot_reach_outside_through_a_link(photos, table, tmp_path):
    outside = make_photos(tmp_path / "outside", ("1.jpg",))
    (photos / "shirt/link").symlink_to(outside)
    write(photos, {**BEGIN, "steps": [STEP | {"path": "shirt/link/1.jpg", "new_path": "hat/3.jpg"}]})
    assert code_of(fix_dataset, photos, table) == "unfinished-fix"
    assert code_of(undo_fixes, photos) == "undo-refused"
    assert (outside / "1.jpg").exists()


def test_nothing_is_written_through_a_link(photos, table, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("keep me")
    (photos / FOLDER).mkdir()
    (photos / FOLDER / ".lock").symlink_to(secret)
    assert code_of(fix_dataset, photos, table) == "cannot-write"
    (photos / FOLDER / ".lock").unlink()
    (photos / JOURNAL).symlink_to(secret)
    assert code_of(fix_dataset, photos, table) == "unreadable-journal"
    shutil.rmtree(photos / FOLDER)
    (photos / FOLDER).symlink_to(tmp_path)
    assert code_of(fix_dataset, photos, table) == "unreadable-journal"
    assert secret.read_text() == "keep me"


def test_a_line_that_was_cut_off_does_not_count(photos, table):
    fix_dataset(photos, table)
    fixed, begin = tree(photos), (photos / JOURNAL).read_bytes().splitlines(keepends=True)[0]
    undo_fixes(photos)
    original = tree(photos)
    for length in (0, 1, len(begin) // 2, len(begin) - 1):
        (photos / JOURNAL).write_bytes(begin[:length])
        assert read_journal(photos).records == {}
        fix_dataset(photos, table)
        assert tree(photos) == fixed
        assert [record.is_complete for record in read_journal(photos).records.values()] == [True]
        undo_fixes(photos)
        assert tree(photos) == original
    (photos / JOURNAL).write_bytes(begin)
    assert read_journal(photos).unfinished.number == 1


def test_a_step_and_its_reverse():
    step = FixStep(**STEP)
    assert (step.reversed().path, step.reversed().new_path) == (step.new_path, step.path)
    assert step.reversed().reversed() == step
