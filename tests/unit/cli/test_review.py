import json

import pytest

from shutterless.review.labels_file import Choice
from shutterless.review.review import open_review
from tests.unit.review.conftest import live, make_live, photos  # noqa: F401


def test_answers_are_applied_and_listed(shutterless, live, photos):  # noqa: F811
    open_review(live).answer("id-0", Choice.LABEL, "hat")
    dry = shutterless("review", live, "--apply", photos, "--dry-run", "--json")
    assert json.loads(dry.stdout)["dry_run"] is True
    done = shutterless("review", live, "--apply", photos)
    assert done.exit_code == 0
    assert done.stdout.startswith("add\t")
    again = shutterless("review", live, "--apply", photos, "--json")
    assert json.loads(again.stdout)["steps"] == []


def test_tasks_are_exported_and_answers_imported(shutterless, live, tmp_path):  # noqa: F811
    file = tmp_path / "tasks.json"
    done = shutterless("review", live, "--export", file, "--count", 5, "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert (document["kind"], document["chosen"], document["photos"]) == ("live", 5, 20)
    assert len(json.loads(file.read_text())) == 5
    file.write_text("[]")
    done = shutterless("review", live, "--import", file)
    assert done.stdout == "0 of 20 photos labelled\n"


@pytest.mark.parametrize(
    "options", [["--dry-run"], ["--apply", "x", "--export", "y"], ["--count", "0"], ["--port", "70000"]]
)
def test_options_that_make_no_sense_are_refused(shutterless, live, options):  # noqa: F811
    assert shutterless("review", live, *options).exit_code == 2


def test_a_photo_that_is_gone_is_named(shutterless, live, photos):  # noqa: F811
    review = open_review(live)
    review.answer("id-0", Choice.LABEL, "hat")
    file = review.items["id-0"].file
    file.unlink()
    done = shutterless("review", live, "--apply", photos)
    assert done.exit_code == 1
    assert file.name in done.stdout
