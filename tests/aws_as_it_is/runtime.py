"""What runs in the functions of an account: a model that a test gives, behind this project's own handler."""

import contextlib
import io
import json
import math
import os
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

from moto.logs.models import logs_backends

from shutterless.runtime import access_log
from shutterless.runtime.adapters.lambda_function import handle
from shutterless.runtime.http_messages import Request, Response
from shutterless.runtime.responses import error_response
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account
    from tests.aws_as_it_is.functions import Function, Version


@dataclass(frozen=True)
class Answer:
    """What a model answers.

    Attributes:
        label: The label.
        confidence: Its score, 0 to 1.
        accepted: Whether it is sure enough.
        duration_ms: How long it takes.
    """

    label: str = "pants"
    confidence: float = 0.9
    accepted: bool = True
    duration_ms: float = 12.0


# Answers a request. An exception becomes the answer 500; `Crash` ends the process.
Model = Callable[[Random], Answer]


class Crash(Exception):
    """The process ends without an answer, as when memory runs out."""


@dataclass(frozen=True)
class Result:
    """The outcome of an invocation."""

    document: Any
    is_error: bool


class Runtime:
    """Runs models and keeps their logs and metrics.

    A zip that contains a bundle runs it. All other code runs the model that a test gives.

    Attributes:
        models: The model in each image or zip, by digest.
        default: The model in all others.
    """

    def __init__(self, account: "Account") -> None:
        self.account = account
        self.models: dict[str, Model] = {}
        self.default: Model = lambda _: Answer()
        self.service: Service | None = None
        self._services: dict[str, Service] = {}

    def serve(self, bundle: Path) -> None:
        """Let all functions without a bundle run this one."""
        self.service = Service.load(Settings(bundle))

    def run(self, function: "Function", version: "Version", qualifier: str, event: Any) -> Result:
        """Run a version on an event; its lines go to the log and its metrics to CloudWatch."""
        service = self._find_service(version)
        output, request_id, start = io.StringIO(), str(uuid.uuid4()), time.perf_counter()
        variables = {
            **version.config.get("Environment", {}).get("Variables", {}),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version.number,
            "SHUTTERLESS_BUNDLE": "/bundle",
        }
        is_error = False
        with mock.patch.dict(os.environ, variables), contextlib.redirect_stdout(output):
            log = access_log.choose_log(Settings.from_env(os.environ))
            try:
                document = handle(service, event, None, log)  # type: ignore[arg-type]
            except Exception as error:
                document = {"errorType": type(error).__name__, "errorMessage": str(error)}
                is_error = True
        real_ms = (time.perf_counter() - start) * 1000
        duration_ms = service.duration_ms if isinstance(service, _Service) else real_ms
        lines = output.getvalue().splitlines()
        report = self._report(version, request_id, duration_ms)
        self._write_log(
            version, [f"START RequestId: {request_id}", *lines, f"END RequestId: {request_id}", report]
        )
        self._count(function, version, qualifier, duration_ms, is_error)
        for line in lines:
            self._count_embedded(line)
        return Result(document, is_error)

    def _find_service(self, version: "Version") -> "Service | _Service":
        """Return what runs in a version."""
        code = version.code
        if code.digest not in self.models and code.body and code.digest not in self._services:
            with zipfile.ZipFile(io.BytesIO(code.body)) as archive, tempfile.TemporaryDirectory() as folder:
                if "bundle/bundle.json" in archive.namelist():
                    archive.extractall(folder)
                    self._services[code.digest] = Service.load(Settings(Path(folder, "bundle")))
        model = self.models.get(code.digest, self.default)
        return self._services.get(code.digest) or self.service or _Service(model, self.account.random)

    def _report(self, version: "Version", request_id: str, duration_ms: float) -> str:
        """Return the line that Lambda writes after a call, with the initialization of a cold start."""
        behaviour, now = self.account.behaviour, self.account.clock.time_s
        is_cold = now - version.last_run > behaviour.warm_s
        version.last_run = now
        billed_ms = math.ceil(duration_ms + (behaviour.start_ms if is_cold else 0))
        parts = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {billed_ms} ms",
            f"Memory Size: {version.config['MemorySize']} MB",
            "Max Memory Used: 200 MB",
            *([f"Init Duration: {behaviour.start_ms:.2f} ms"] if is_cold else []),
        ]
        return "\t".join(parts) + "\t"

    def _write_log(self, version: "Version", lines: list[str]) -> None:
        account = self.account
        group = logs_backends[account.id][account.region].groups.get(
            version.config["LoggingConfig"]["LogGroup"]
        )
        if group is None:
            return
        stream = f"[{version.number}]"
        if stream not in group.streams:
            group.create_log_stream(stream)
        timestamp = round(account.outside(account.clock.time_s) * 1000)
        group.streams[stream].put_log_events([{"timestamp": timestamp, "message": line} for line in lines])

    def _count(
        self, function: "Function", version: "Version", qualifier: str, duration_ms: float, is_error: bool
    ) -> None:
        """Count Lambda's own metrics; by `ExecutedVersion` only for an alias with weights."""
        resource = f"{function.name}:{qualifier}" if qualifier else function.name
        sets = [{"FunctionName": function.name}, {"FunctionName": function.name, "Resource": resource}]
        alias = function.aliases.get(qualifier)
        if alias and alias.weights:
            sets.append({**sets[1], "ExecutedVersion": version.number})
        values = {"Invocations": 1, "Errors": int(is_error), "Duration": duration_ms, "Throttles": 0}
        for dimensions in sets:
            for name, value in values.items():
                self.account.metrics.record("AWS/Lambda", name, dimensions, value)

    def _count_embedded(self, line: str) -> None:
        """Count the metrics in a line of CloudWatch's embedded metric format."""
        try:
            record = json.loads(line)
            directives = record["_aws"]["CloudWatchMetrics"]
        except (ValueError, KeyError, TypeError):
            return
        for directive in directives:
            for names in directive["Dimensions"]:
                dimensions = {name: str(record[name]) for name in names}
                for metric in directive["Metrics"]:
                    values = record.get(metric["Name"], [])
                    for value in values if isinstance(values, list) else [values]:
                        self.account.metrics.record(directive["Namespace"], metric["Name"], dimensions, value)


class _Service:
    """Stands for the project's service, whose classifier needs a real model."""

    model_version = "0123456789ab"

    def __init__(self, model: Model, random: Random) -> None:
        self.model, self.random, self.duration_ms = model, random, 12.0

    def find_route(self, request: Request) -> str:
        return f"{request.method} {request.path}"

    def respond(self, request: Request) -> Response:
        try:
            document = self._predict()
        except Crash:
            raise
        except Exception as error:
            return error_response(error, request.id)
        headers = {"Content-Type": "application/json"}
        return Response(200, headers, json.dumps(document).encode(), document)

    def predict_one(self, payload: object) -> dict[str, Any]:
        return self._predict()

    def _predict(self) -> dict[str, Any]:
        answer = self.model(self.random)
        self.duration_ms = answer.duration_ms
        return {
            "label": answer.label,
            "confidence": answer.confidence,
            "accepted": answer.accepted,
            "scores": {answer.label: answer.confidence},
        }
