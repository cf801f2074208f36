import json
import shutil

import pyarrow.parquet as pq
import pytest


@pytest.fixture
def photos(colour_photos, tmp_path):
    return shutil.copytree(colour_photos / "test", tmp_path / "photos")


def test_a_folder_becomes_parts_and_the_errors_are_counted(shutterless, familiar_bundle, photos, tmp_path):
    (photos / "text.jpg").write_text("no picture")
    done = shutterless("batch", familiar_bundle, photos, "-o", tmp_path / "out", "--top-k", 2)
    assert done.exit_code == 0
    first, speed, errors = done.stdout.splitlines()
    assert first.startswith("10 photos in 1 part of ")
    assert "photos/s" in speed
    assert errors == "unsupported-format: 1 photo"
    assert pq.read_table(tmp_path / "out").num_rows == 10


def test_json_has_the_counts(shutterless, familiar_bundle, photos, tmp_path):
    done = shutterless("batch", familiar_bundle, photos, "-o", tmp_path / "out", "--json", "--workers", 1)
    document = json.loads(done.stdout)
    assert (document["photos"], document["errors"], document["chunks"]) == (9, {}, 1)


def test_a_plan_writes_nothing(shutterless, familiar_bundle, photos, tmp_path):
    done = shutterless("batch", familiar_bundle, photos, "-o", tmp_path / "out", "--plan", "--workers", 2)
    assert done.exit_code == 0
    assert done.stdout.startswith("9 photos in 1 chunk of up to 10\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--address", "head:6379"], "conflicting-options"),
        (["--top-k", "-1"], "invalid-option"),
        (["--embedding"], "no-embedding"),
    ],
)
def test_options_that_are_not_possible_are_refused(options, code, error_of, plain_bundle, photos, tmp_path):
    assert error_of("batch", plain_bundle, photos, "-o", tmp_path / "out", *options).code == code
    assert not (tmp_path / "out").exists()


def test_a_run_is_no_bundle(error_of, colour_run, photos, tmp_path):
    assert error_of("batch", colour_run, photos, "-o", tmp_path / "out").code == "not-a-bundle"
