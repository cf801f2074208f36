import json
import shutil


def test_figures_labels_and_changes_are_printed(
    shutterless, familiar_bundle, plain_bundle, colour_photos, tmp_path
):
    photos = shutil.copytree(colour_photos / "test", tmp_path / "photos")
    done = shutterless("compare", familiar_bundle, plain_bundle, photos, "--report", tmp_path / "page.html")
    assert done.exit_code == 0
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in done.stdout.splitlines()}
    assert rows["accuracy"][:2] == ["100 % (9 of 9)"] * 2
    assert rows["accepted"][1] == "100 % (9 of 9)"
    assert rows["taken for none of the labels"][1] == "–"
    assert rows["blue"] == ["3", "100 %", "100 %", "0", "0"]
    assert done.stderr.count("does not record its training photos") == 2
    assert str(tmp_path / "page.html") in done.stderr
    assert (tmp_path / "page.html").is_file()


def test_json_lists_every_change(shutterless, familiar_bundle, plain_bundle, colour_photos, tmp_path):
    photos = shutil.copytree(colour_photos / "test", tmp_path / "photos")
    (photos / "red").rename(photos / "rot")
    done = shutterless(
        "compare", familiar_bundle, plain_bundle, photos, "--label-map", "rot=red", "--json", "--split", "all"
    )
    document = json.loads(done.stdout)
    assert (document["photos"], document["agreement"], document["changes"]) == (9, 1.0, [])
    assert document["test"] == {"better": 0, "worse": 0, "p_value": 1.0}


def test_wrong_input_is_refused(error_of, plain_bundle, colour_photos):
    assert error_of("compare", plain_bundle, plain_bundle).code == "no-photos-recorded"
    assert (
        error_of("compare", plain_bundle, plain_bundle, colour_photos, "--split", "tset").code
        == "unknown-split"
    )
