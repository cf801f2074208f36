import pytest
from moto import mock_aws

from shutterless.deploy.session import connect
from shutterless.errors import ShutterlessError

SSO = """
[profile work]
region = eu-west-1
sso_session = company
sso_account_id = 123456789012
sso_role_name = dev
[sso-session company]
sso_region = eu-west-1
sso_start_url = https://company.awsapps.com/start
"""


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_a_session_that_aws_has_answered_is_returned(key):
    with mock_aws():
        assert connect(region="eu-central-1").region_name == "eu-central-1"


def test_region_and_key_of_a_profile_are_found(home):
    (home / "config").write_text("[profile shop]\nregion = eu-west-1\n")
    (home / "credentials").write_text("[shop]\naws_access_key_id = a\naws_secret_access_key = b\n")
    with mock_aws():
        assert connect("shop").region_name == "eu-west-1"


def test_nobody_is_told_to_sign_in():
    with pytest.raises(ShutterlessError, match="There are no AWS credentials"):
        connect(region="eu-central-1")


def test_a_session_without_a_region_is_refused(key):
    with pytest.raises(ShutterlessError, match="No AWS region is set") as error:
        connect()
    assert "--region" in error.value.hint


def test_a_profile_that_is_not_there_is_named():
    with pytest.raises(ShutterlessError, match="There is no AWS profile wrok"):
        connect("wrok", "eu-central-1")


def test_a_profile_that_was_never_signed_in_is_told_how(home):
    (home / "config").write_text(SSO)
    with pytest.raises(ShutterlessError, match="sign-in has expired") as error:
        connect("work")
    assert "aws sso login --profile work" in error.value.hint


def test_a_region_that_is_misspelt_is_refused(key):
    with pytest.raises(ShutterlessError, match="eu central is no AWS region"):
        connect(region="eu central")


def test_an_endpoint_of_one_s_own_is_asked_and_named(key, monkeypatch, free_tcp_port):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_tcp_port}")
    with pytest.raises(ShutterlessError, match=f"AWS cannot be reached at http://127.0.0.1:{free_tcp_port}"):
        connect(region="eu-central-1")
