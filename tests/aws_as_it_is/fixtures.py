"""Fixtures of tests that deploy to the double."""

import datetime
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account


class Forgetful(dict[object, object]):
    """A cache that keeps nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        """Forget it."""


@pytest.fixture(scope="module")
def connected_account() -> Iterator["Account"]:
    """Give an account that the boto3 clients of a module share."""
    from tests.aws_as_it_is.account import Account
    from tests.aws_as_it_is.in_process import connected

    account = Account()
    with connected(account):
        yield account


@pytest.fixture
def account(connected_account: "Account", monkeypatch: pytest.MonkeyPatch) -> "Account":
    """Give an empty account, to which every boto3 client talks, and whose clock the deploy stage reads."""
    account = connected_account
    account.__init__()  # type: ignore[misc]
    set_environment(account, monkeypatch)
    use_clock(account, monkeypatch)
    # The simulated models do not look at the photo of a smoke test, which takes 60 ms to draw.
    monkeypatch.setattr(
        "shutterless.dataset.synthetic.render.draw_garment", lambda *_: Image.new("RGB", (32, 32))
    )
    # As if each call were a command of its own, which starts without a session.
    monkeypatch.setattr("shutterless.deploy.aws.session._sessions", Forgetful())
    return account


def set_environment(account: "Account", monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables by which boto3 finds the account."""
    for key, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": account.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(key, value)


def use_clock(account: "Account", monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the modules of `shutterless.deploy` read the account's clock, and sleep by it."""
    from tests.aws_as_it_is.in_process import simulated_datetime, simulated_time

    for name, module in list(sys.modules.items()):
        if name.startswith("shutterless.deploy"):
            if vars(module).get("time") is time:
                monkeypatch.setattr(module, "time", simulated_time(account))
            if vars(module).get("datetime") is datetime.datetime:
                monkeypatch.setattr(module, "datetime", simulated_datetime(account))
