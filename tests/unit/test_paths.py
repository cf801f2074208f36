"""Every function that people call takes a path as text, as they type it."""

import pytest

import shutterless
from shutterless.evaluation import predict_folder

pytestmark = pytest.mark.slow

PHOTOS, RUN, BUNDLE, NEW = "photos", "run", "bundle", "new"
CALLS = {
    "draw_sample": lambda: shutterless.draw_sample(NEW, per_label=10, size=32),
    "load_dataset": lambda: shutterless.load_dataset(PHOTOS),
    "inspect_dataset": lambda: shutterless.write_inspection(shutterless.inspect_dataset(PHOTOS), NEW),
    "load_run": lambda: shutterless.load_run(RUN),
    "read_bundle": lambda: shutterless.read_bundle(BUNDLE),
    "load_model": lambda: shutterless.load_model(BUNDLE),
    "evaluate": lambda: shutterless.evaluate(BUNDLE, PHOTOS),
    "write_report": lambda: shutterless.write_report(
        NEW, predict_folder(shutterless.load_model(BUNDLE), PHOTOS), BUNDLE
    ),
    "convert": lambda: shutterless.convert(RUN, NEW, photos=PHOTOS),
    "load": lambda: shutterless.load(BUNDLE),
    "predict": lambda: shutterless.predict(BUNDLE, "photos/test/red/00.png"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_path_may_be_text(call, colour_photos, colour_run, colour_bundle, tmp_path, monkeypatch):
    for name, folder in ((PHOTOS, colour_photos), (RUN, colour_run), (BUNDLE, colour_bundle)):
        (tmp_path / name).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert call() is not None
