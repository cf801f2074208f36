"""The way from boto3 to an account within one process: no HTTP, so that hundreds of deploys take seconds."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, tzinfo
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import botocore.handlers
import botocore.session
import moto.ecr.models
from moto import mock_aws

from tests.aws_as_it_is.account import Account
from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.faults import Call

KEY = "aws_as_it_is"
# Both take longest of all. Sessions need no handlers, because they share clients.
_create_client = botocore.session.Session.create_client
_register_handlers = botocore.session.Session._register_builtin_handlers


class _Http(NamedTuple):
    status_code: int


@contextmanager
def connected(account: Account) -> Iterator[None]:
    """Let every boto3 client that is made meanwhile talk to the account.

    Clients are shared between sessions.
    """

    def keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[KEY] = params

    def answer(model: Any, context: dict[str, Any], **_: Any) -> tuple[_Http, dict[str, Any]] | None:
        service = model.service_model.service_name
        params = context[KEY]
        call = Call(service, model.name, params)
        account.faults.begin(call)
        if account.faults.is_repeated and account.offers(service, model.name):
            _answer(account, call)
        answer = _answer(account, call)
        return answer and (_Http(answer[0]), answer[1])

    def finish(**_: Any) -> None:
        account.faults.end()

    hooks = [("before-parameter-build", keep), ("before-call", answer), ("after-call", finish)]
    handlers = [*botocore.handlers.BUILTIN_HANDLERS, *hooks]

    @functools.cache
    def client(service: str, region: str | None) -> Any:
        session = botocore.session.Session()
        _register_handlers(session, session._events)
        return _create_client(session, service, region, aws_access_key_id="a", aws_secret_access_key="b")

    def create_client(session: Any, service: str, region_name: str | None = None, **_: Any) -> Any:
        return client(service, region_name or session.get_config_variable("region"))

    with (
        mock_aws(),
        mock.patch.object(moto.ecr.models, "datetime", simulated_datetime(account)),
        mock.patch.object(botocore.handlers, "BUILTIN_HANDLERS", handlers),
        mock.patch.object(botocore.session.Session, "create_client", create_client),
        mock.patch.object(botocore.session.Session, "_register_builtin_handlers"),
    ):
        yield


def _answer(account: Account, call: Call) -> tuple[int, dict[str, Any]] | None:
    """Return status and answer of a call, None if moto has to answer it."""
    metadata = {"RequestId": "", "HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
    try:
        account.permissions.check(call)
        if not account.offers(call.service, call.operation):
            return None
        answer = account.call(call.service, call.operation, call.params)
        return HTTPStatus.OK, {**answer, "ResponseMetadata": metadata}
    except AwsError as error:
        details = {"Code": error.code, "Message": error.message}
        if call.operation.startswith("Head"):  # it has no body
            details = {"Code": str(error.status), "Message": HTTPStatus(error.status).phrase}
        return error.status, {
            "Error": details,
            "ResponseMetadata": {**metadata, "HTTPStatusCode": error.status, "RequestId": "0"},
        }


def simulated_time(account: Account) -> SimpleNamespace:
    """Return what stands for the module `time`, on the account's clock."""
    return SimpleNamespace(
        time=lambda: account.clock.time_s,
        monotonic=lambda: account.clock.time_s,
        perf_counter=lambda: account.clock.time_s,
        sleep=lambda seconds: account.clock.advance(seconds),
        strftime=__import__("time").strftime,
        gmtime=__import__("time").gmtime,
    )


def simulated_datetime(account: Account) -> type[datetime]:
    """Return what stands for the class `datetime`, on the account's clock."""

    class SimulatedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return account.clock.now.astimezone(tz)

    return SimulatedDatetime
