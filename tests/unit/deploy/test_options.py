import inspect
from dataclasses import fields
from typing import get_type_hints

import pytest

from shutterless import deploy
from shutterless.deploy.options import OptionChanges, Options, check_changes, check_name
from shutterless.errors import InputError

CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b-2c3d"


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
        ({"records": "yes"}, "invalid-setting", "on, off"),
        ({"records": "on", "keep_photos": "sample:2"}, "invalid-setting", "refused,sample:0.01"),
        ({"keep_photos": "refused"}, "conflicting-options", "--records on"),
        ({"alarm_topic": "me@example.com"}, "invalid-option", "ARN"),
        ({"rate": 0}, "invalid-option", "1 to 10000"),
        ({"rate": "10"}, "invalid-option", "1 to 10000"),
        ({"url_hosts": "a" * 701}, "invalid-option", "700"),
        ({"alarm_email": "vision@"}, "invalid-option", "e-mail"),
        ({"permissions_boundary": "developers"}, "invalid-option", "ARN"),
        ({"role_path": "teams/vision"}, "invalid-option", "/teams/vision/"),
        ({"log_kms_key": "arn:aws:kms:eu-central-1:123456789012:alias/logs"}, "invalid-option", "ARN"),
        ({"subnets": "subnet-1, subnet-2", "security_groups": "sg-0a1b2c3d"}, "invalid-option", "subnet-"),
        ({"domain": "*.example.com", "certificate": CERTIFICATE}, "invalid-option", "photos.example.com"),
        ({"snapstart": True, "provisioned_concurrency": 1}, "conflicting-options", "--no-snapstart"),
        ({"reserved_concurrency": 1, "provisioned_concurrency": 2}, "conflicting-options", "--reserved"),
        ({"subnets": "subnet-0a1b2c3d"}, "conflicting-options", "--security-groups"),
        ({"security_groups": "sg-0a1b2c3d"}, "conflicting-options", "--subnets"),
        ({"certificate": CERTIFICATE}, "conflicting-options", "--domain"),
        ({"hosted_zone": "Z0123456789ABC"}, "conflicting-options", "--domain"),
        ({"budget": 50}, "conflicting-options", "--alarm-email"),
    ],
)
def test_a_value_that_aws_would_refuse_is_refused_with_those_that_it_accepts(wrong, code, choices):
    with pytest.raises(InputError) as error:
        Options(**wrong)
    assert error.value.code == code
    assert choices in error.value.hint


@pytest.mark.parametrize(
    "tags",
    [
        {"shutterless": "x"},
        {"Shutterless": "x"},
        {"aws:team": "x"},
        {"AWS:team": "x"},
        {"": "x"},
        {"a" * 129: "x"},
        {"a": "x" * 257},
        {"a": "semi;colon"},
        {"Team": "x", "team": "y"},
        {str(number): "x" for number in range(50)},
        {str(number): "x" * 256 for number in range(20)},
        "team=x",
    ],
)
def test_tags_that_one_of_the_services_refuses_are_refused(tags):
    with pytest.raises(InputError) as error:
        Options(tags=tags)
    assert error.value.code == "invalid-option"


def test_tags_may_be_in_any_script():
    tags = {"équipe": "画像", "cost centre": "4711", "a/b:c=d+e-f@g.h_i": ""}
    assert Options(tags=tags).tags == tags


def test_a_change_is_only_judged_together_with_what_is_deployed():
    """On its own, a new certificate has no domain."""
    deployed = Options(domain="photos.example.com", certificate=CERTIFICATE)
    check_changes({"certificate": CERTIFICATE.replace("0a1b", "4e5f")})
    assert deployed.with_changes({"certificate": CERTIFICATE}) == deployed
    with pytest.raises(InputError) as error:
        deployed.with_changes({"domain": ""})
    assert error.value.code == "conflicting-options"


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
