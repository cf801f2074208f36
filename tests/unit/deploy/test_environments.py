import sys

import pytest

from shutterless.deploy.environments import read_environment
from shutterless.deploy.options import Options
from shutterless.errors import InputError

TEXT = """
region = "eu-central-1"
memory = 1024

[dev]
name = "clothes-dev"
auth = "none"

[stage]
name = "clothes-stage"
stage = "v1"

[prod]
name = "clothes"
profile = "production"
memory = 3008
snapstart = false
canary = 0.1
canary_minutes = 30
"""


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "shutterless.toml"
    file.write_text(TEXT)
    return file


def refusal(file, text, environment="prod"):
    """Return the error for a file with this text."""
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_environment(file, environment)
    return caught.value


def test_an_environment_has_a_place_and_options(file):
    prod = read_environment(file, "prod")
    assert (prod.name, prod.region, prod.profile) == ("clothes", "eu-central-1", "production")
    assert (prod.canary, prod.canary_minutes) == (0.1, 30)
    assert prod.options == {"memory": 3008, "snapstart": False}


def test_keys_above_the_first_table_apply_to_every_environment(file):
    dev = read_environment(file, "dev")
    assert (dev.region, dev.options) == ("eu-central-1", {"memory": 1024, "auth": "none"})


def test_an_environment_may_be_called_like_an_option(file):
    stage = read_environment(file, "stage")
    assert (stage.name, stage.options) == ("clothes-stage", {"memory": 1024, "stage": "v1"})


def test_tags_are_a_table(file):
    file.write_text('[prod.tags]\nteam = "vision"\n')
    assert read_environment(file, "prod").options == {"tags": {"team": "vision"}}
    assert refusal(file, "[prod.tags]\nteam = 1").code == "invalid-config"


def test_what_environments_share_may_need_what_each_of_them_has(file):
    file.write_text('budget = 50\n[prod]\nalarm_email = "vision@example.com"\n')
    assert read_environment(file, "prod").options["budget"] == 50


def test_everything_that_it_sets_is_listed(file):
    assert read_environment(file, "dev").settings() == {
        "name": "clothes-dev",
        "region": "eu-central-1",
        "memory": 1024,
        "auth": "none",
    }


def test_every_option_can_be_set(file):
    """Whichever options there are: their defaults, as TOML has them."""
    texts = {str: repr, int: str, float: str, bool: lambda value: str(value).lower()}
    values = {key: value for key, value in vars(Options()).items() if type(value) in texts}
    file.write_text("[prod]\n" + "".join(f"{key} = {texts[type(v)](v)}\n" for key, v in values.items()))
    assert read_environment(file, "prod").options == values


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[prod]\nmemry = 1024", "memory"),
        ("[prod]\nlog-days = 7", "log_days"),
        ("memry = 1024\n[prod]", "memory"),
        ("[dev]\nmemry = 1024\n[prod]", "memory"),
        ("[prod]\nnam = 'clothes'", "name"),
        ("[prod.dev]\nmemory = 1024", "keys"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(file, text, word):
    error = refusal(file, text)
    assert error.code == "invalid-config"
    assert word in error.hint


@pytest.mark.parametrize(
    "line",
    [
        *("memory = '1024'", "memory = 1024.5", "memory = true", "memory = [1024]", "memory = {}"),
        *("snapstart = 1", "auth = 1", "name = 5", "canary = '10%'", "canary_minutes = 1.5"),
        *("memory = nan", "auth = 2026-11-26"),
    ],
)
def test_a_value_of_another_type_is_an_error(file, line):
    error = refusal(file, f"[prod]\n{line}")
    assert error.code == "invalid-config"
    assert line.partition(" ")[0] in error.message


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("memory = 64", "invalid-option"),
        ("auth = 'everybody'", "invalid-option"),
        ("urls = 'all'", "invalid-setting"),
        ("name = 'Not A Name'", "invalid-name"),
        ("snapstart = true\nprovisioned_concurrency = 1", "conflicting-options"),
    ],
)
def test_a_value_is_checked_as_on_the_command_line(file, line, code):
    error = refusal(file, f"[prod]\n{line}")
    assert error.code == code
    assert "[prod]" in error.message


@pytest.mark.parametrize(
    "text",
    [
        *("[prod", "a = = 1", "[prod]\n[prod]", "x = " + "[" * 5000),
        pytest.param(f"memory = {'9' * (sys.get_int_max_str_digits() + 1)}", id="a number without end"),
    ],
)
def test_what_is_no_toml_is_an_error(file, text):
    assert refusal(file, text).code == "invalid-config"


def test_a_file_is_data_and_nothing_in_it_is_expanded(file, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    file.write_text("[prod]\nregion = '${SECRET} $(id) {name}'\nprofile = '~/x'")
    prod = read_environment(file, "prod")
    assert (prod.region, prod.profile) == ("${SECRET} $(id) {name}", "~/x")


def test_an_unknown_environment_is_an_error_with_a_suggestion(file):
    error = refusal(file, TEXT, "prd")
    assert error.code == "unknown-environment"
    assert "prod" in error.hint


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * 1_000_001])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path, content):
    file = tmp_path / "shutterless.toml"
    if content:
        file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_environment(file, "prod")
    assert caught.value.code == "unreadable-config"
    assert str(file) in caught.value.message


def test_a_folder_or_a_device_is_an_error(tmp_path):
    for path in (tmp_path, "/dev/zero"):
        with pytest.raises(InputError) as caught:
            read_environment(path, "prod")
        assert caught.value.code == "unreadable-config"
