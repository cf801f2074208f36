"""The examples in the docstrings of what `import shutterless` offers are run, each in a folder of its own."""

import doctest
import inspect
import shutil
from pathlib import Path

import pytest

import shutterless
from shutterless.tuning import engine

FUNCTIONS = [name for name in shutterless.__all__ if inspect.isfunction(getattr(shutterless, name))]
SHOWN_URL = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Return a folder with what the examples begin with: photos, run, bundle and photo.jpg."""
    folder = tmp_path_factory.mktemp("results")
    photos = shutterless.draw_sample(folder / "photos", per_label=10, size=32)
    run = shutterless.train(photos, folder / "run", backbone="tiny", image_size=32, epochs=1, report=False)
    shutterless.convert(run.path, folder / "bundle", precision="float16", max_drop=0.5)
    shutil.copy(next(photos.glob("test/*/*.jpg")), folder / "photo.jpg")
    (folder / "search.toml").write_text("trials = 1\n[search]\n'backbone.name' = 'tiny'\n")
    with pytest.MonkeyPatch.context() as patch:  # a search that is finished; starting Ray takes a while
        patch.setattr(engine, "run_trials", finish_trials)
        shutterless.tune(photos, folder / "search.toml", folder / "tuned")
    return folder


def finish_trials(study, trials, earlier, *, on_result, **options) -> None:
    for trial in trials:
        on_result(shutterless.TrialResult(trial.number, trial.values, "finished", 0.5, None, 0.8))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_function_works(name, results, serve, tmp_path, monkeypatch):
    function = getattr(shutterless, name)
    (test,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    source = "".join(example.source for example in test.examples)
    assert source
    if "draw_sample" not in source:
        shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    if SHOWN_URL in source:
        url = serve(results / "bundle")
        for example in test.examples:
            example.source = example.source.replace(SHOWN_URL, url)
    monkeypatch.chdir(tmp_path)
    output: list[str] = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=output.append).failed == 0, (
        output
    )
