from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
from moto import mock_aws

from shutterless.deploy.aws import session as session_module
from shutterless.deploy.aws.session import MAX_AGE_S, connect
from shutterless.errors import DeployError

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

ROLE = """
[profile admin]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/admin
source_profile = base
"""


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def code_of(action):
    """Return the code of the error that an action raises."""
    with pytest.raises(DeployError) as error:
        action()
    return error.value.code


def test_a_session_that_aws_has_answered_is_returned(key):
    with mock_aws():
        assert connect(region="eu-central-1").region_name == "eu-central-1"


def test_region_and_key_of_a_profile_are_found(home):
    (home / "config").write_text("[profile shop]\nregion = eu-west-1\n")
    (home / "credentials").write_text("[shop]\naws_access_key_id = a\naws_secret_access_key = b\n")
    with mock_aws():
        assert connect("shop").region_name == "eu-west-1"


def test_the_region_given_comes_before_the_environment_s(key, monkeypatch):
    """AWS_REGION comes before AWS_DEFAULT_REGION, as in AWS's own command line."""
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        assert connect().region_name == "eu-west-1"
        monkeypatch.setenv("AWS_REGION", "eu-west-3")
        assert connect().region_name == "eu-west-3"
        assert connect(region="eu-central-1").region_name == "eu-central-1"


def test_without_credentials_there_is_no_session():
    assert code_of(lambda: connect(region="eu-central-1")) == "no-credentials"


def test_a_session_without_a_region_is_refused(key):
    assert code_of(connect) == "no-region"


def test_a_profile_that_is_not_there_is_named():
    with pytest.raises(DeployError) as error:
        connect("wrok", "eu-central-1")
    assert error.value.code == "unknown-profile"
    assert "wrok" in error.value.message


def test_a_profile_that_never_signed_in_is_shown_the_command(home):
    (home / "config").write_text(SSO)
    with pytest.raises(DeployError) as error:
        connect("work")
    assert error.value.code == "expired-credentials"
    assert "aws sso login --profile work" in error.value.hint


def test_a_region_that_is_misspelt_is_refused(key):
    assert code_of(lambda: connect(region="eu central")) == "invalid-region"


def test_an_endpoint_of_one_s_own_is_asked_and_named(key, monkeypatch, free_tcp_port):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_tcp_port}")
    with pytest.raises(DeployError) as error:
        connect(region="eu-central-1")
    assert error.value.code == "aws-unreachable"
    assert f"http://127.0.0.1:{free_tcp_port}" in error.value.message


def test_an_endpoint_that_is_no_url_is_refused(key, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    with pytest.raises(DeployError) as error:
        connect(region="eu-central-1")
    assert error.value.code == "invalid-endpoint"
    assert "nonsense" in error.value.message


def test_what_answers_in_place_of_aws_is_not_taken_for_it(key, monkeypatch):
    """As a hotel's network does with its page to log in at."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!doctype html><p>Welcome & log in")

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.handle_request).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        assert code_of(lambda: connect(region="eu-central-1")) == "not-aws"


def test_all_calls_share_one_session(key, monkeypatch):
    with mock_aws():
        first = connect(region="eu-central-1")
        assert connect(region="eu-central-1") is first
        assert connect(region="eu-west-1") is not first
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
        assert connect(region="eu-central-1") is not first


def test_a_later_call_reads_the_credentials_again(key, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(session_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with mock_aws():
        first = connect(region="eu-central-1")
        now[0] = MAX_AGE_S
        assert connect(region="eu-central-1") is first
        now[0] += 1
        assert connect(region="eu-central-1") is not first


def test_the_credentials_of_an_assumed_role_are_kept_between_commands(home):
    """Else each command would ask for the code of an MFA device, which works once in 30 seconds."""
    (home / "config").write_text(ROLE)
    (home / "credentials").write_text("[base]\naws_access_key_id = a\naws_secret_access_key = b\n")

    def access_key():
        session_module._sessions.clear()  # as in another process
        return connect("admin").get_credentials().access_key

    with mock_aws():  # which gives another key for each AssumeRole
        assert access_key() == access_key()
    (file,) = (home / "cli/cache").iterdir()
    assert file.stat().st_mode & 0o077 == 0
