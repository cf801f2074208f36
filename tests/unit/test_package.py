"""What `import shutterless` offers: every name is there, documented, and typed as the stubs say."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import shutterless
from shutterless import deploy

ROOT = Path(__file__).parents[2]
PACKAGES = [shutterless, deploy]
USER_CODE = (ROOT / "tests/typing/user_code.py").read_text("utf-8")
# One mistake in each line: a keyword that is misspelt, or an argument of the wrong type.
MISTAKES = """
import shutterless
from shutterless import deploy

shutterless.draw_sample("photos", per_lable=20)
shutterless.load_dataset("photos", sead=1)
shutterless.train("photos", "run", recipy="quick")
shutterless.train("photos", "run", epochs="five")
shutterless.cross_validate("photos", "folds", epoch=5)
shutterless.evaluate("run", slit="test")
shutterless.convert("run", "bundle", max_dorp=0.02)
shutterless.load("bundle", url="any")
shutterless.call("https://api.example", "hat.jpg", apikey="secret")
shutterless.build_image("bundle", "clothes", base="python:3.13")
shutterless.batch("bundle", "photos", "answers", engine="spark")
shutterless.load("bundle").predict("hat.jpg").lable
shutterless.load("bundle").predict(["hat.jpg"]).label
shutterless.call("https://api.example", "hat.jpg")["lable"]
deploy.promote("clothes", regoin="eu-central-1")
deploy.deploy("bundle", "clothes", memroy=3008)
deploy.plan("bundle", "clothes", auth="password")
deploy.Workload(duration=40)
"""


@pytest.mark.parametrize(("package", "name"), [(each, name) for each in PACKAGES for name in each.__all__])
def test_everything_a_package_offers_is_there_and_documented(package, name):
    assert getattr(package, name).__doc__


@pytest.mark.parametrize(("package", "name"), [(each, name) for each in PACKAGES for name in each.__all__])
def test_every_function_has_an_example(package, name):
    function = getattr(package, name)
    assert not inspect.isfunction(function) or ">>> " in function.__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_what_it_does_not_offer_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


def test_dir_lists_what_it_offers():
    assert {"train", "convert", "ShutterlessError", "__version__"} <= set(dir(shutterless))
    assert {"deploy", "plan", "destroy"} <= set(dir(deploy))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_stub_imports_what_the_package_offers(package):
    names: dict[str, object] = {}
    exec(Path(package.__file__).with_suffix(".pyi").read_text("utf-8"), names)
    offered = {name: value for name, value in names.items() if not name.startswith("__")}
    assert offered == {name: getattr(package, name) for name in package.__all__}


@pytest.mark.parametrize(("package", "name"), [(each, name) for each in PACKAGES for name in each.__all__])
def test_the_user_code_that_mypy_checks_uses_everything(package, name):
    suffix = "(" if inspect.isfunction(getattr(package, name)) else ""
    assert f"{package.__name__.split('.')[-1]}.{name}{suffix}" in USER_CODE


@pytest.mark.slow
def test_a_mistake_in_a_call_is_a_type_error(tmp_path):
    file = tmp_path / "mistakes.py"
    file.write_text(MISTAKES, "utf-8")
    command = [sys.executable, "-m", "mypy", "--no-error-summary", "--cache-dir", tmp_path / "cache", file]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    lines = {int(line.split(":")[1]) for line in output.splitlines() if ": error: " in line}
    assert lines == set(range(5, len(MISTAKES.splitlines()) + 1)), output
