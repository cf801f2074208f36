import json

from shutterless.dataset.public import download


def test_sample_draws_photos_and_says_how_many(shutterless, tmp_path):
    done = shutterless("dataset", "sample", tmp_path / "photos", "--per-label", 10, "--size", 32)
    assert done.exit_code == 0
    assert len(list((tmp_path / "photos" / "train").glob("*/*.jpg"))) == 100
    assert "t-shirt\t" in done.stdout
    assert f"Next: shutterless train {tmp_path / 'photos'}" in done.stderr


def test_sample_does_not_draw_into_a_folder_in_use(error_of, tmp_path):
    (tmp_path / "mine.txt").touch()
    assert error_of("dataset", "sample", tmp_path).code == "not-empty"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_inspect_prints_counts_and_findings(shutterless, colour_photos):
    done = shutterless("dataset", "inspect", colour_photos)
    assert done.exit_code == 0
    assert "total\t36\t18\t9\t63\n" in done.stdout
    assert "low: 63 photos whose shorter side is below 112 pixels" in done.stdout
    assert "and 58 more" in done.stdout
    assert "Findings: 2" in done.stdout


def test_inspect_prints_one_json_document_and_writes_its_report(shutterless, colour_photos, tmp_path):
    report = tmp_path / "report"
    done = shutterless("dataset", "inspect", colour_photos, "--json", "--report", report)
    assert json.loads(done.stdout)["totals"] == {"train": 36, "validation": 18, "test": 9}
    assert f"Report: {report / 'index.html'}" in done.stderr
    assert (report / "index.html").is_file()


def test_inspect_fails_on_findings_only_if_it_is_strict(shutterless, colour_photos):
    assert shutterless("dataset", "inspect", colour_photos, "--json", "--strict").exit_code == 1


def test_inspect_refuses_a_report_folder_in_use_before_it_looks_at_a_photo(error_of, tmp_path):
    (tmp_path / "mine.txt").touch()
    assert error_of("dataset", "inspect", tmp_path / "nowhere", "--report", tmp_path).code == "not-ours"


def test_download_says_what_came_and_what_to_do_next(shutterless, colour_photos, monkeypatch):
    monkeypatch.setattr(download, "download_dataset", lambda name, folder, progress: folder)
    done = shutterless("dataset", "download", "clothing", colour_photos)
    assert done.exit_code == 0
    assert f"Next: shutterless dataset inspect {colour_photos}" in done.stderr


def test_download_of_an_unknown_data_set_lists_the_known_ones(error_of, tmp_path):
    error = error_of("dataset", "download", "shoes", tmp_path / "photos")
    assert error.code == "unknown-dataset"
    assert "clothing" in error.hint


def test_inspect_with_features_draws_a_map(shutterless, colour_run, colour_photos, tmp_path):
    report = tmp_path / "report"
    done = shutterless(
        "dataset", "inspect", colour_photos, "--features", "--model", colour_run, "--report", report
    )
    assert done.exit_code == 0
    assert "<circle" in (report / "index.html").read_text("utf-8")


def test_inspect_wants_features_for_a_model(error_of, colour_photos):
    assert error_of("dataset", "inspect", colour_photos, "--model", "tiny").code == "conflicting-options"


def test_inspect_refuses_an_unknown_backbone(error_of, colour_photos):
    error = error_of("dataset", "inspect", colour_photos, "--features", "--model", "mobilenetv4")
    assert error.code == "unknown-backbone"


def test_import_says_what_it_made_and_what_it_left_out(shutterless, colour_photos, tmp_path):
    paths = [file.relative_to(colour_photos) for file in sorted(colour_photos.rglob("*.png"))]
    rows = "".join(f"{path.as_posix()},{path.parts[1]}/x,{path.parts[0]},\n" for path in paths)
    (tmp_path / "photos.csv").write_text(f"path,label,split,group\n{rows}gone.png,red/x,train,g\n")
    done = shutterless(
        *("dataset", "import", tmp_path / "photos.csv", "--root", colour_photos, "-o", tmp_path / "photos")
    )
    assert done.exit_code == 0
    assert "total\t36\t18\t9\t63\n" in done.stdout
    assert "red-x" in done.stdout
    assert "gone.png" in done.stdout
    assert len(list((tmp_path / "photos/train/red-x").iterdir())) == 12


def test_import_writes_into_no_folder_in_use(error_of, colour_photos, tmp_path):
    (tmp_path / "mine.txt").touch()
    assert error_of("dataset", "import", colour_photos, "-o", tmp_path).code == "not-empty"
