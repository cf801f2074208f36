"""Every error has a stable code, and its class is offered to those who catch it."""

import re
from pathlib import Path

import pytest

import shutterless
from error_codes import describe_errors, find_raises

SOURCE = Path(shutterless.__file__).parent
# What passes on the code of another error: of another process, of an API, of a table, or its own.
PASSED_ON = {
    "api_answers.py",
    "deploy/aws/errors.py",
    "deploy/environments.py",
    "packaging/docker.py",
    "runtime/fetch/fetcher.py",
    "runtime/image/isolation.py",
    "runtime/model/check.py",
}


@pytest.mark.parametrize("each", find_raises(SOURCE), ids=lambda each: f"{each.module}:{each.line}")
def test_a_code_is_a_literal_in_kebab_case(each):
    if each.code is None:
        assert each.module in PASSED_ON
    else:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each.code)


@pytest.mark.parametrize("name", describe_errors(SOURCE))
def test_an_error_class_is_offered_by_the_package(name):
    assert name in shutterless.__all__


def test_a_code_that_is_computed_or_misspelt_is_noticed(tmp_path):
    (tmp_path / "errors.py").write_text("class ShutterlessError(Exception): ...\n", "utf-8")
    (tmp_path / "bad.py").write_text(
        'ShutterlessError(code, f"{a.b} is {c()}")\nShutterlessError("Bad_code", "x")\n'
    )
    assert [(each.code, each.message) for each in find_raises(tmp_path)] == [
        (None, "{b} is {…}"),
        ("Bad_code", "x"),
    ]
