import re
from dataclasses import asdict

import pytest

from shutterless.deploy.options import Options, check_name
from shutterless.errors import ShutterlessError


@pytest.mark.parametrize("name", ["clothes", "c", "my-shop-2", "a" * 40])
def test_a_name_that_every_service_takes_is_taken(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Clothes", "2clothes", "my--shop", "shop-", "my_shop", "a" * 41, "a/b", "é"]
)
def test_a_name_that_one_of_the_services_refuses_is_refused_at_once(name):
    with pytest.raises(ShutterlessError, match="cannot be a deployment's name") as caught:
        check_name(name)
    assert "small letters" in caught.value.hint


@pytest.mark.parametrize(
    ("wrong", "permitted"),
    [
        ({"memory": 127}, "128 to 10240"),
        ({"timeout": 29}, "1 to 28"),
        ({"auth": "password"}, "api-key, none, iam"),
        ({"platform": "linux/riscv64"}, "linux/amd64, linux/arm64"),
        ({"log_days": 31}, "30, 60"),
        ({"stage": "a/b"}, "letters, digits"),
        ({"urls": "some"}, "public, any, off"),
        ({"url_hosts": "https://example.com/"}, "photos.example.com,cdn.example.com"),
        ({"alarm_topic": "me@example.com"}, "ARN of an SNS topic"),
        ({"rate": 0}, "1 to 10000"),
        ({"snapstart": True, "provisioned_concurrency": 1}, "--no-snapstart"),
    ],
)
def test_a_value_that_aws_would_refuse_names_the_permitted_ones(wrong, permitted):
    with pytest.raises(ShutterlessError) as caught:
        Options(**wrong)
    assert permitted in caught.value.hint


def test_what_is_not_given_stays():
    deployed = Options(memory=3008, auth="none")
    assert deployed.changed({"memory": None, "auth": "iam"}) == Options(memory=3008, auth="iam")


def test_an_unknown_option_lists_the_known_ones():
    with pytest.raises(ShutterlessError, match="no option mem") as caught:
        Options().changed({"mem": 1})
    assert re.findall(r"\w+", caught.value.hint.removeprefix("Known are: ")) == sorted(asdict(Options()))
