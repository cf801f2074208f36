import json

import pytest

from shutterless.curation.fixes import fix as fixes
from tests.fix_trees import StoppedError, machine, make_photos, tree, write_findings


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos", ("hat/1.jpg", "hat/2.jpg", "shirt/1.jpg"))


@pytest.fixture
def table(tmp_path):
    rows = [("move", "hat/1.jpg", "shirt"), ("remove", "hat/2.jpg", "")]
    return write_findings(tmp_path / "findings.csv", *rows)


def test_fix_shows_what_it_moves_and_undo_moves_it_back(shutterless, photos, table):
    before = tree(photos)
    preview = shutterless("dataset", "fix", photos, table, "--dry-run")
    assert tree(photos) == before
    done = shutterless("dataset", "fix", photos, table)
    assert (done.exit_code, done.stdout) == (0, preview.stdout)
    assert [line.split("\t") for line in done.stdout.splitlines()] == [
        ["move", "hat/1.jpg", "shirt/1-from-hat.jpg"],
        ["remove", "hat/2.jpg", ".shutterless/removed/hat/2.jpg"],
    ]
    assert f"shutterless dataset fix {photos} --undo" in done.stderr
    assert shutterless("dataset", "fix", photos, "--undo").exit_code == 0
    assert tree(photos) == before


def test_json_has_every_step(shutterless, photos, table):
    document = json.loads(shutterless("dataset", "fix", photos, table, "--json").stdout)
    assert (document["fix"], document["undo"], document["fixes_left"]) == (1, False, 1)
    assert [step["new_path"] for step in document["steps"]] == [
        "shirt/1-from-hat.jpg",
        ".shutterless/removed/hat/2.jpg",
    ]
    assert json.loads(shutterless("dataset", "fix", photos, "--undo", "--json").stdout)["undo"]


def test_every_problem_is_shown(shutterless, photos, tmp_path):
    table = write_findings(
        tmp_path / "findings.csv", ("move", "hat/1.jpg", "shoe"), ("remove", "../1.jpg", "")
    )
    done = shutterless("dataset", "fix", photos, table)
    assert done.exit_code == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "row 2, hat/1.jpg",
        "row 3, ../1.jpg",
    ]
    document = json.loads(shutterless("dataset", "fix", photos, table, "--json").stdout)
    assert document["code"] == "findings-refused"
    assert [problem["code"] for problem in document["problems"]] == ["unknown-label", "not-a-photo"]


def test_skipped_photos_are_named(shutterless, photos, table):
    shutterless("dataset", "fix", photos, table)
    (photos / "shirt/1-from-hat.jpg").write_bytes(b"edited")
    assert shutterless("dataset", "fix", photos, "--undo").exit_code == 1
    done = shutterless("dataset", "fix", photos, "--undo", "--skip-changed")
    assert done.exit_code == 0
    assert "shirt/1-from-hat.jpg" in done.stderr


def test_ctrl_c_in_the_middle_says_how_to_go_on(shutterless, photos, table, monkeypatch):
    def stop(*arguments, **options):
        with machine(photos, steps=6):
            try:
                fix(*arguments, **options)
            except StoppedError as error:
                raise KeyboardInterrupt from error

    fix = fixes.fix_dataset
    monkeypatch.setattr(fixes, "fix_dataset", stop)
    done = shutterless("dataset", "fix", photos, table)
    assert done.exit_code == 130
    assert "--undo" in done.stderr


@pytest.mark.parametrize("wrong", [[], ["findings.csv", "--undo"], ["findings.csv", "--skip-changed"]])
def test_findings_or_undo_but_not_both(shutterless, photos, wrong):
    assert shutterless("dataset", "fix", photos, *wrong).exit_code == 2
