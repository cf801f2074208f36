import inspect
from dataclasses import fields
from typing import get_type_hints

import pytest

from shutterless import deploy
from shutterless.deploy.options import OptionChanges, Options, check_name
from shutterless.errors import InputError


@pytest.mark.parametrize("name", ["clothes", "c", "my-shop-2", "a" * 40])
def test_a_name_that_every_service_takes_is_taken(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Clothes", "2clothes", "my--shop", "shop-", "my_shop", "a" * 41, "a/b", "é"]
)
def test_a_name_that_one_of_the_services_refuses_is_refused_at_once(name):
    with pytest.raises(InputError) as error:
        check_name(name)
    assert error.value.code == "invalid-name"


@pytest.mark.parametrize(
    ("wrong", "code", "choices"),
    [
        ({"memory": 127}, "invalid-option", "128 to 10240"),
        ({"timeout": 901}, "invalid-option", "1 to 900"),
        ({"front": "alb"}, "invalid-option", "rest, url"),
        ({"page": "maybe"}, "invalid-option", "on, off"),
        ({"auth": "password"}, "invalid-option", "api-key, none, iam"),
        ({"platform": "linux/riscv64"}, "invalid-option", "linux/amd64, linux/arm64"),
        ({"log_days": 31}, "invalid-option", "30, 60"),
        ({"stage": "a/b"}, "invalid-option", "letters, digits"),
        ({"urls": "some"}, "invalid-setting", "public, any, off"),
        ({"url_hosts": "https://example.com/"}, "invalid-setting", "photos.example.com,cdn.example.com"),
        ({"alarm_topic": "me@example.com"}, "invalid-option", "ARN"),
        ({"rate": 0}, "invalid-option", "1 to 10000"),
        ({"snapstart": True, "provisioned_concurrency": 1}, "conflicting-options", "--no-snapstart"),
    ],
)
def test_a_value_that_aws_would_refuse_is_refused_with_those_that_it_accepts(wrong, code, choices):
    with pytest.raises(InputError) as error:
        Options(**wrong)
    assert error.value.code == code
    assert choices in error.value.hint
    assert all(name.replace("_", "-") in f"{error.value.message} {error.value.hint}" for name in wrong)


def test_none_changes_nothing():
    deployed = Options(memory=3008, auth="none")
    assert deployed.with_changes({"memory": None, "auth": "iam"}) == Options(memory=3008, auth="iam")


def test_an_unknown_option_is_refused_with_the_likeliest_and_all_others():
    with pytest.raises(InputError) as error:
        Options().with_changes({"memroy": 1})
    assert error.value.code == "unknown-option"
    assert "memory?" in error.value.hint
    assert all(field.name in error.value.hint for field in fields(Options))


def test_every_option_can_be_changed():
    options, changes = get_type_hints(Options), get_type_hints(OptionChanges)
    assert changes == {name: kind | None for name, kind in options.items()}


@pytest.mark.parametrize("function", [deploy.plan, deploy.deploy])
def test_help_and_notebooks_list_the_options(function):
    parameters = inspect.signature(function).parameters
    assert {"bundle", "name", "canary", *get_type_hints(OptionChanges)} <= parameters.keys()
    assert "options" not in parameters
