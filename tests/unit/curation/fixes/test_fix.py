import errno
import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shutterless.artifacts.lock import locked
from shutterless.curation.fixes.fix import fix_dataset, undo_fixes
from shutterless.curation.fixes.journal import FOLDER, REMOVED, Journal, read_journal
from shutterless.curation.fixes.problems import FixRefusedError
from shutterless.dataset.groups.grouping import read_groups
from shutterless.dataset.inspect.inspection import inspect_dataset
from shutterless.dataset.layout import find_pictures
from shutterless.dataset.scan import load_dataset
from shutterless.errors import ShutterlessError
from tests.fix_trees import (
    PHOTOS,
    StoppedError,
    machine,
    make_photos,
    tree,
    write_findings,
)

ACTIONS = st.one_of(
    st.tuples(st.just("move"), st.sampled_from(["hat", "shirt", "_other"])),
    st.tuples(st.just("rename"), st.sampled_from(["1.jpg", "2.jpg", "3.jpg", "A.jpg", "a.JPG"])),
    st.tuples(st.just("remove"), st.just("")),
)
FIXES = st.lists(st.dictionaries(st.integers(0, 11), ACTIONS, min_size=1, max_size=5), min_size=1, max_size=3)


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos")


@pytest.fixture
def fix(photos, tmp_path):
    """Return a function that applies rows to the photos."""

    def apply(*rows, **options):
        return fix_dataset(photos, write_findings(tmp_path / "findings.csv", *rows), **options)

    return apply


def choose_rows(root, choices):
    """Return rows for the photos that are there now, those that would be refused left out."""
    photos = sorted(path for path in tree(root) if path.endswith((".jpg", ".JPG")))
    rows = []
    for index, (action, target) in choices.items():
        path = photos[index % len(photos)]
        is_same = action == "move" and target in path.split("/")
        is_same |= action == "rename" and Path(path).name.casefold() == target.casefold()
        if not is_same and path not in [row[1] for row in rows]:
            rows.append((action, path, target))
    return rows


def moved(before, result):
    """Return what a tree's files are after the steps of a fix."""
    files = {path: content for path, content in before.items() if path.endswith((".jpg", ".JPG"))}
    for step in result.steps:
        content = files.pop(step.path)
        if not step.new_path.startswith(FOLDER):
            assert step.new_path not in files
            files[step.new_path] = content
    return files


def files(entries):
    return {path: content for path, content in entries.items() if path.endswith((".jpg", ".JPG"))}


def stop_twice(root, file_system, stops, function):
    """Call a function on a machine that stops after some steps, and again later, until it is through."""
    for steps in stops:
        try:
            with machine(root, file_system, steps):
                return function()
        except StoppedError:
            pass
    with machine(root, file_system):
        return function()


def undo_to(root, count):
    """Undo the last fix if there are more than `count`, or finish that."""
    journal = read_journal(root)
    if len(journal.fixes) > count or journal.unfinished:
        undo_fixes(root)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    fixes=FIXES,
    stops=st.lists(st.integers(0, 40), max_size=2),
    file_system=st.sampled_from(["links", "no links", "disks"]),
    is_undone=st.booleans(),
)
def test_an_interrupted_fix_is_finished_or_undone_exactly(fixes, stops, file_system, is_undone):
    with tempfile.TemporaryDirectory() as folder:
        root, table = make_photos(Path(folder) / "photos"), Path(folder) / "findings.csv"
        trees = []
        for choices in fixes:
            if rows := choose_rows(root, choices):
                write_findings(table, *rows)
                trees.append(tree(root))
                expected = moved(trees[-1], fix_dataset(root, table, dry_run=True))
                assert tree(root) == trees[-1]
                stop_twice(
                    root, file_system, stops[:1] if is_undone else stops, lambda: fix_dataset(root, table)
                )
                assert files(tree(root)) == expected
        if is_undone and trees:
            undo_to(root, len(trees) - 1)
            with suppress(StoppedError), machine(root, file_system, *stops[:1]):
                fix_dataset(root, table)
        while trees:
            stop_twice(root, file_system, stops, lambda: undo_to(root, len(trees) - 1))
            assert tree(root) == trees.pop()
        assert error_code(undo_fixes, root) == "nothing-to-undo"


def error_code(function, *arguments, **options):
    with pytest.raises(ShutterlessError) as caught:
        function(*arguments, **options)
    return caught.value.code


def test_photos_keep_their_split_and_their_folders_and_no_name_is_taken_twice(photos, fix):
    result = fix(
        ("move", "train/hat/1.jpg", "shirt"),
        ("move", "validation/hat/more/1.jpg", "_other"),
        ("rename", "train/shirt/2.jpg", "1.JPG"),
        ("remove", "train/shirt/1.jpg", ""),
    )
    assert {step.path: step.new_path for step in result.steps} == {
        "train/hat/1.jpg": "train/shirt/1-from-hat.jpg",
        "validation/hat/more/1.jpg": "validation/_other/more/1.jpg",
        "train/shirt/2.jpg": "train/shirt/1-2.JPG",
        "train/shirt/1.jpg": f"{REMOVED}/train/shirt/1.jpg",
    }
    assert (photos / "train/shirt/1-from-hat.jpg").read_bytes() == b"photo 0"
    assert (photos / REMOVED / "train/shirt/1.jpg").read_bytes() == b"photo 3"
    assert (result.number, result.fixes_left, result.resumed) == (1, 1, None)


def test_a_photo_that_is_there_already_is_named(photos, fix):
    shutil.copyfile(photos / "train/hat/1.jpg", photos / "train/shirt/1.jpg")
    (step,) = fix(("move", "train/hat/1.jpg", "shirt")).steps
    assert (step.new_path, step.identical_to) == ("train/shirt/1-from-hat.jpg", "train/shirt/1.jpg")


def test_names_on_every_file_system_are_told_apart(photos, fix):
    for name in ("caf\N{LATIN SMALL LETTER E WITH ACUTE}.jpg", "x.jpg"):
        (photos / "train/shirt" / name).write_bytes(b"first")
    for name in ("cafe\N{COMBINING ACUTE ACCENT}.jpg", "X.JPG"):
        (photos / "train/hat" / name).write_bytes(b"second")
    result = fix(
        ("move", "train/hat/cafe\N{COMBINING ACUTE ACCENT}.jpg", "shirt"),
        ("move", "train/hat/X.JPG", "shirt"),
    )
    names = [Path(step.new_path).stem for step in result.steps]
    assert names == ["cafe\N{COMBINING ACUTE ACCENT}-from-hat", "X-from-hat"]


def test_a_dry_run_changes_nothing(photos, fix):
    before = tree(photos)
    result = fix(("remove", "train/hat/1.jpg", ""), dry_run=True)
    assert (len(result.steps), result.number, result.is_dry_run) == (1, None, True)
    assert tree(photos) == before
    assert not (photos / FOLDER).exists()


def test_rows_that_were_applied_before_are_left_out(photos, fix):
    first = ("remove", "train/hat/1.jpg", "")
    assert fix(first).already_applied == 0
    result = fix(first, ("move", "train/hat/2.jpg", "shirt"), first)
    assert ([step.path for step in result.steps], result.already_applied) == (["train/hat/2.jpg"], 1)
    result = fix(first)
    assert (result.steps, result.number, result.already_applied) == ((), None, 1)
    assert len(read_journal(photos).fixes) == 2


def test_a_finding_that_was_undone_can_be_applied_again(photos, fix):
    row = ("remove", "train/hat/1.jpg", "")
    fix(row)
    undo_fixes(photos)
    assert fix(row).already_applied == 0
    assert not (photos / "train/hat/1.jpg").exists()


def test_undo_goes_back_step_by_step(photos, fix):
    before = tree(photos)
    fix(("move", "train/hat/1.jpg", "shirt"))
    between = tree(photos)
    fix(("rename", "train/shirt/1-from-hat.jpg", "new.jpg"), ("remove", "train/shirt/1.jpg", ""))
    preview = undo_fixes(photos, dry_run=True)
    result = undo_fixes(photos)
    assert (preview.steps, preview.fixes_left) == (result.steps, result.fixes_left)
    assert (result.is_undo, result.number, result.fixes_left) == (True, 2, 1)
    assert tree(photos) == between
    assert undo_fixes(photos).number == 1
    assert tree(photos) == before
    assert [path.name for path in (photos / FOLDER).iterdir()] == ["fixes.jsonl"]


HOSTILE = {
    "../secret.jpg": "not-a-photo",
    "/etc/passwd": "not-a-photo",
    "train/hat/../hat/1.jpg": "not-a-photo",
    "train\\hat\\1.jpg": "not-a-photo",
    "train/hat": "not-a-photo",
    "train/hat/notes.txt": "not-a-photo",
    "train/hat/gone.jpg": "not-a-photo",
    "train/hat/1.jpg\n": "not-a-photo",
    "\x1b[2J": "not-a-photo",
    "": "not-a-photo",
    f"{REMOVED}/1.jpg": "not-a-photo",
    "train/hat/link.jpg": "linked-photo",
    "train/hat/folder/1.jpg": "linked-photo",
    "train/hat/pipe.jpg": "unreadable-photo",
}


def test_only_photos_of_the_data_set_are_moved(photos, fix, tmp_path):
    outside = make_photos(tmp_path / "outside", ("1.jpg",))
    (tmp_path / "secret.jpg").touch()
    (photos / "train/hat/notes.txt").write_text("my notes")
    (photos / "train/hat/link.jpg").symlink_to(outside / "1.jpg")
    (photos / "train/hat/folder").symlink_to(outside)
    os.mkfifo(photos / "train/hat/pipe.jpg")
    make_photos(photos / REMOVED, ("1.jpg",))
    assert problems(fix, *(("remove", path, "") for path in HOSTILE)) == list(HOSTILE.items())
    assert tree(outside) == tree(make_photos(tmp_path / "same", ("1.jpg",)))


TARGETS = {
    ("move", "shirts"): "unknown-label",
    ("move", "../hat"): "unknown-label",
    ("move", ""): "unknown-label",
    ("move", "hat"): "same-label",
    ("rename", ""): "invalid-name",
    ("rename", "../3.jpg"): "invalid-name",
    ("rename", "C:3.jpg"): "invalid-name",
    ("rename", ".3.jpg"): "invalid-name",
    ("rename", "3\n.jpg"): "invalid-name",
    ("rename", "3.png"): "invalid-name",
    ("rename", "1.JPG"): "invalid-name",
    ("rename", "3" * 252 + ".jpg"): "invalid-name",
    ("delete", ""): "unknown-action",
}


@pytest.mark.parametrize(("action", "target"), TARGETS)
def test_a_target_that_cannot_be_is_refused(fix, action, target):
    expected = [("train/hat/1.jpg", TARGETS[action, target])]
    assert problems(fix, (action, "train/hat/1.jpg", target)) == expected


def test_all_problems_are_listed_and_nothing_is_done(photos, fix):
    before = tree(photos)
    rows = [
        ("remove", "train/hat/1.jpg", ""),
        ("move", "train/hat/2.jpg", "shirt"),
        ("remove", "train/hat/2.jpg", ""),
        ("move", "train/shirt/1.jpg", "shoe"),
    ]
    with pytest.raises(FixRefusedError) as caught:
        fix(*rows)
    assert [(problem.row, problem.code) for problem in caught.value.problems] == [
        (3, "contradiction"),
        (4, "contradiction"),
        (5, "unknown-label"),
    ]
    assert tree(photos) == before
    assert not (photos / FOLDER).exists()


def test_a_photo_that_was_replaced_since_the_inspection_is_refused(photos, tmp_path):
    table = tmp_path / "findings.csv"
    digests = {name: hashlib.sha256((photos / name).read_bytes()).hexdigest() for name in PHOTOS[:2]}
    rows = "".join(f"yes,remove,{name},,{digest.upper()}\n" for name, digest in digests.items())
    table.write_text(f"accept,action,path,target,sha256\n{rows}")
    (photos / PHOTOS[1]).write_bytes(b"another photo")
    with pytest.raises(FixRefusedError) as caught:
        fix_dataset(photos, table)
    assert [(each.path, each.code) for each in caught.value.problems] == [(PHOTOS[1], "changed-photo")]


def test_folders_that_cannot_be_changed_are_refused_before_anything_is_moved(
    photos, fix, tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != photos / "train/hat")
    rows = [("remove", "train/shirt/1.jpg", ""), ("move", "train/shirt/2.jpg", "hat")]
    assert problems(fix, *rows) == [("train/shirt/2.jpg", "unwritable-folder")]
    (photos / "validation/_other").symlink_to(tmp_path)
    assert problems(fix, ("move", "validation/hat/1.jpg", "_other")) == [
        ("validation/hat/1.jpg", "unwritable-folder")
    ]


def test_a_photo_outside_the_splits_can_only_be_removed(photos, fix):
    make_photos(photos / "_other", ("1.jpg",))
    assert problems(fix, ("move", "_other/1.jpg", "hat")) == [("_other/1.jpg", "no-split")]
    assert fix(("remove", "_other/1.jpg", "")).steps[0].new_path == f"{REMOVED}/_other/1.jpg"


def test_a_photo_that_fits_no_label_can_get_one(tmp_path):
    root = make_photos(tmp_path / "photos", ("hat/1.jpg", "shirt/1.jpg", "_other/more/1.jpg"))
    table = write_findings(tmp_path / "findings.csv", ("move", "_other/more/1.jpg", "hat"))
    assert fix_dataset(root, table).steps[0].new_path == "hat/more/1.jpg"


def problems(fix, *rows):
    with pytest.raises(FixRefusedError) as caught:
        fix(*rows)
    assert caught.value.code == "findings-refused"
    return [(problem.path, problem.code) for problem in caught.value.problems]


def edit(photo):
    photo.write_bytes(b"edited")


CHANGES = {
    "edited": (lambda photos: edit(photos / "train/shirt/1-from-hat.jpg"), "changed-photo"),
    "removed": (lambda photos: (photos / "train/shirt/1-from-hat.jpg").unlink(), "missing-photo"),
    "replaced": (lambda photos: edit(photos / "train/hat/1.jpg"), "photo-exists"),
    "put back": (
        lambda photos: shutil.copy2(photos / "train/shirt/1-from-hat.jpg", photos / "train/hat/1.jpg"),
        "photo-exists",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_undo_refuses_what_has_changed_since_and_can_leave_it(photos, fix, change):
    before = tree(photos)
    fix(("remove", "train/hat/2.jpg", ""), ("move", "train/hat/1.jpg", "shirt"))
    alter, code = CHANGES[change]
    alter(photos)
    changed = tree(photos)
    with pytest.raises(FixRefusedError) as caught:
        undo_fixes(photos)
    assert caught.value.code == "undo-refused"
    assert [problem.code for problem in caught.value.problems] == [code]
    assert tree(photos) == changed
    result = undo_fixes(photos, skip_changed=True)
    assert ([step.new_path for step in result.steps], len(result.skipped)) == (["train/hat/2.jpg"], 1)
    assert tree(photos) == changed | {"train/hat/2.jpg": before["train/hat/2.jpg"]}
    assert error_code(undo_fixes, photos) == "nothing-to-undo"


def test_an_interrupted_fix_whose_photos_have_changed_is_neither_finished_nor_in_the_way(photos, fix):
    rows = [("remove", "train/hat/1.jpg", ""), ("remove", "train/hat/2.jpg", "")]
    with suppress(StoppedError), machine(photos, steps=9):
        fix(*rows)
    assert read_journal(photos).unfinished
    assert fix(*rows, dry_run=True).resumed == 1
    edit(photos / "train/hat/2.jpg")
    assert error_code(fix, *rows) == "unfinished-fix"
    assert error_code(undo_fixes, photos) == "undo-refused"
    assert len(undo_fixes(photos, skip_changed=True).skipped) == 1
    assert fix(*rows).resumed is None


def test_a_photo_that_appears_in_the_middle_is_not_replaced(photos, fix, monkeypatch):
    begin = Journal.begin

    def begin_late(*arguments, **options):
        record = begin(*arguments, **options)
        edit(photos / "train/shirt/1-from-hat.jpg")
        return record

    monkeypatch.setattr(Journal, "begin", begin_late)
    assert error_code(fix, ("move", "train/hat/1.jpg", "shirt")) == "fix-interrupted"
    assert (photos / "train/shirt/1-from-hat.jpg").read_bytes() == b"edited"
    assert (photos / "train/hat/1.jpg").read_bytes() == b"photo 0"


def test_a_full_disk_leaves_the_photos_as_they_are(photos, fix, monkeypatch):
    before = tree(photos)

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert error_code(fix, ("remove", "train/hat/1.jpg", "")) == "cannot-write"
    assert tree(photos) == before
    fix(("remove", "train/hat/1.jpg", ""))
    undo_fixes(photos)
    assert tree(photos) == before


def test_one_fix_at_a_time(photos, fix):
    with locked(photos / FOLDER):
        assert error_code(fix, ("remove", "train/hat/1.jpg", "")) == "fix-in-progress"
        assert error_code(undo_fixes, photos) == "fix-in-progress"


def test_only_a_folder_of_photos_can_be_fixed(tmp_path, fix):
    table = write_findings(tmp_path / "findings.csv")
    assert error_code(fix_dataset, tmp_path / "nowhere", table) == "not-found"
    assert error_code(undo_fixes, tmp_path / "nowhere") == "not-found"
    assert not (tmp_path / "nowhere").exists()
    assert error_code(fix_dataset, tmp_path, tmp_path / "nowhere.csv") == "unreadable-findings"


def test_what_was_removed_is_no_longer_part_of_the_data_set(colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos, tmp_path / "photos")
    shutil.copy(photos / "train/red/00.png", photos / "train/red/copy.png")
    (photos / "train/green/00.png").rename(photos / "train/blue/wrong.png")
    assert {"exact-duplicates"} <= {finding.kind for finding in inspect_dataset(photos).findings}
    rows = [("remove", "train/red/copy.png", ""), ("move", "train/blue/wrong.png", "green")]
    fix_dataset(photos, write_findings(tmp_path / "findings.csv", *rows))
    (photos / "train/green/wrong.png").rename(photos / "train/green/00.png")
    inspection, original = inspect_dataset(photos), inspect_dataset(colour_photos)
    assert inspection.findings == original.findings
    assert inspection.dataset.fingerprint == original.dataset.fingerprint
    assert load_dataset(photos).skipped == ()
    assert len(find_pictures(photos)[0]) == len(inspection.dataset.photos)


@pytest.mark.parametrize(("encoding", "line_end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n")])
def test_photos_keep_their_groups(photos, fix, encoding, line_end):
    names = ["train/hat/1.jpg", "train/hat/2.jpg", "train/shirt/1.jpg"]
    lines = ["path,group", *(f"{name},a" for name in names), ""]
    (photos / "groups.csv").write_bytes(line_end.join(lines).encode(encoding))
    original = tree(photos)
    fix(("move", names[0], "shirt"), ("remove", names[1], ""), ("rename", names[2], "=3.jpg"))
    assert read_groups(photos / "groups.csv") == {
        "train/shirt/1-from-hat.jpg": "a",
        names[1]: "a",
        "train/shirt/=3.jpg": "a",
    }
    undo_fixes(photos)
    assert without_times(tree(photos)) == without_times(original)


def test_groups_that_cannot_be_read_are_found_before_anything_is_moved(photos, fix):
    (photos / "groups.csv").write_text("path\n")
    before = tree(photos)
    assert error_code(fix, ("remove", "train/hat/1.jpg", "")) == "missing-column"
    assert tree(photos) == before


def without_times(entries):
    return {path: content for path, (content, _) in entries.items()}
