"""An environment without any AWS account, and an AWS that gives the answers of a test."""

import os
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber

from shutterless.deploy.aws import waiting

# Shared, because each one reads the descriptions of the services.
SERVICES = botocore.session.Session()


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """Make a home of its own for every test, in which nothing of AWS is set; return its .aws folder."""
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")  # no role of the machine either
    (tmp_path / ".aws").mkdir()
    return tmp_path / ".aws"


class Clock:
    """A clock for `waiting` that only goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return sum(self.pauses)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    """Let no test really wait."""
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


class StubbedSession(boto3.Session):
    """A session whose services give the answers that are queued for them, each checked by its model."""

    def __init__(self) -> None:
        super().__init__("key", "secret", region_name="us-east-1", botocore_session=SERVICES)
        self.stubs: dict[str, Stubber] = {}
        self.clients: dict[str, Any] = {}

    def client(self, service: str, **options: Any) -> Any:
        if service not in self.clients:
            self.clients[service] = super().client(service, **options)
            self.stubs[service] = Stubber(self.clients[service])
            self.stubs[service].activate()
        return self.clients[service]

    def answer(self, service: str, operation: str, answer: dict[str, Any], **request: Any) -> None:
        """Queue an answer; `request` is what must be asked, if given."""
        self.client(service)
        self.stubs[service].add_response(operation, answer, request or None)

    def fail(self, service: str, operation: str, code: str, text: str = "no", status: int = 400) -> None:
        """Queue a failure."""
        self.client(service)
        self.stubs[service].add_client_error(operation, code, text, http_status_code=status)


@pytest.fixture
def aws() -> Iterator[StubbedSession]:
    session = StubbedSession()
    yield session
    for stub in session.stubs.values():
        stub.assert_no_pending_responses()
