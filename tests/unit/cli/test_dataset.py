def test_sample_draws_photos_and_says_how_many(shutterless, tmp_path):
    done = shutterless("dataset", "sample", tmp_path / "photos", "--per-label", 10, "--size", 32)
    assert done.exit_code == 0
    assert len(list((tmp_path / "photos" / "train").glob("*/*.jpg"))) == 100
    assert "t-shirt" in done.stderr
    assert f"Next: shutterless train {tmp_path / 'photos'}" in done.stderr


def test_sample_does_not_draw_into_a_folder_in_use(shutterless, tmp_path):
    (tmp_path / "mine.txt").touch()
    done = shutterless("dataset", "sample", tmp_path)
    assert (done.exit_code, done.stderr.splitlines()[1]) == (
        1,
        "Choose a new folder, or empty this one first.",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
