"""AWS Lambda's calls: reading functions, changing them by hand, and invoking them."""

import copy
import io
import json
from typing import Any

from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.functions import LATEST, Alias, Function, Functions, Version


class LambdaCalls(Functions):
    """The Lambda functions of an account, with Lambda's calls."""

    def get_function(self, FunctionName: str, Qualifier: str | None = None) -> dict[str, Any]:
        function, version, qualifier = self.resolve(FunctionName, Qualifier)
        code = {"RepositoryType": "S3", "Location": "https://awslambda-tasks.s3.amazonaws.com/snapshots"}
        if version.code.image:
            code = {"RepositoryType": "ECR", "ImageUri": version.code.image}
        answer = {"Configuration": self._configuration(function, version, qualifier), "Code": code}
        if "ReservedConcurrentExecutions" in function.config:
            reserved = function.config["ReservedConcurrentExecutions"]
            answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        return answer

    def get_function_configuration(self, FunctionName: str, Qualifier: str | None = None) -> dict[str, Any]:
        return self._configuration(*self.resolve(FunctionName, Qualifier))

    def _configuration(self, function: Function, version: Version, qualifier: str) -> dict[str, Any]:
        config = version.config
        arn = self.account.arn("lambda", f"function:{function.name}")
        state, code = self.state(version)
        names = ("Role", "MemorySize", "Timeout", "PackageType", "Runtime", "Handler", "Architectures",
                 "Environment", "VpcConfig")  # fmt: skip
        return {
            "FunctionName": function.name,
            "FunctionArn": f"{arn}:{qualifier}" if qualifier else arn,
            "Version": version.number,
            "Description": version.description or config.get("Description", ""),
            "State": state,
            **({"StateReasonCode": code, "StateReason": f"The function is {state}."} if code else {}),
            "LastUpdateStatus": "Successful",
            "CodeSha256": version.code.sha256,
            "CodeSize": version.code.size,
            "SnapStart": {"ApplyOn": config.get("SnapStart", {}).get("ApplyOn", "None")},
            "LoggingConfig": {"LogFormat": "Text", **config.get("LoggingConfig", {})},
            **{name: copy.deepcopy(config[name]) for name in names if name in config},
        }

    def list_versions_by_function(self, FunctionName: str, **_: Any) -> dict[str, Any]:
        function = self.find(FunctionName)
        numbers = [LATEST, *function.versions]
        versions = [self.find_version(function, number) for number in numbers]
        return {"Versions": [self._configuration(function, each, each.number) for each in versions]}

    def list_aliases(self, FunctionName: str, **_: Any) -> dict[str, Any]:
        function = self.find(FunctionName)
        return {"Aliases": [self._alias(function, alias) for alias in function.aliases.values()]}

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, Any]:
        function = self.find(FunctionName)
        return self._alias(function, self.find_alias(function, Name))

    def update_alias(
        self,
        FunctionName: str,
        Name: str,
        FunctionVersion: str | None = None,
        RoutingConfig: dict[str, Any] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        function = self.find(FunctionName)
        version = FunctionVersion or self.find_alias(function, Name).version
        weights = None if RoutingConfig is None else RoutingConfig.get("AdditionalVersionWeights", {})
        return self._alias(function, self.put_alias(FunctionName, Name, version, weights))

    def _alias(self, function: Function, alias: Alias) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "AliasArn": self.account.arn("lambda", f"function:{function.name}:{alias.name}"),
            "Name": alias.name,
            "FunctionVersion": alias.version,
            "Description": "",
        }
        weights = dict(alias.weights)
        if self._now() < alias.moving_until:
            weights[alias.moved_from] = 0.5
        if weights:
            answer["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        return answer

    def update_function_configuration(self, FunctionName: str, **changes: Any) -> dict[str, Any]:
        function = self.find(FunctionName)
        self.configure(function.name, {**function.config, **changes})
        return self.get_function_configuration(FunctionName)

    def publish_version(self, FunctionName: str, Description: str = "", **_: Any) -> dict[str, Any]:
        version = self.publish(FunctionName, Description)
        return self._configuration(self.find(FunctionName), version, version.number)

    def get_provisioned_concurrency_config(self, FunctionName: str, Qualifier: str) -> dict[str, Any]:
        alias = self.find_alias(self.find(FunctionName), Qualifier)
        if not alias.provisioned:
            raise AwsError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                404,
            )
        return {
            "RequestedProvisionedConcurrentExecutions": alias.provisioned,
            "AvailableProvisionedConcurrentExecutions": alias.provisioned,
            "AllocatedProvisionedConcurrentExecutions": alias.provisioned,
            "Status": "READY",
        }

    def get_account_settings(self) -> dict[str, Any]:
        limits = self.account.limits
        reserved = sum(each.config.get("ReservedConcurrentExecutions", 0) for each in self.functions.values())
        return {
            "AccountLimit": {
                "TotalCodeSize": limits.code_storage,
                "CodeSizeUnzipped": 262144000,
                "CodeSizeZipped": 52428800,
                "ConcurrentExecutions": limits.concurrency,
                "UnreservedConcurrentExecutions": limits.concurrency - reserved,
            },
            "AccountUsage": {"TotalCodeSize": self.code_bytes, "FunctionCount": len(self.functions)},
        }

    def invoke(
        self,
        FunctionName: str,
        Qualifier: str | None = None,
        Payload: Any = b"{}",
        InvocationType: str = "RequestResponse",
        **_: Any,
    ) -> dict[str, Any]:
        function, version, qualifier = self.resolve(FunctionName, Qualifier)
        self._require_active(version)
        if InvocationType == "DryRun":
            return {"StatusCode": 204, "Payload": io.BytesIO(b"")}
        payload = Payload.read() if hasattr(Payload, "read") else Payload
        version.last_call = self._now()
        result = self.account.runtime.run(function, version, qualifier, json.loads(payload or b"{}"))
        answer = {"StatusCode": 200, "ExecutedVersion": version.number}
        if result.is_error:
            answer["FunctionError"] = "Unhandled"
        return {**answer, "Payload": io.BytesIO(json.dumps(result.document).encode())}

    def _require_active(self, version: Version) -> None:
        state, _ = self.state(version)
        if state == "Failed":
            raise AwsError("CodeArtifactUserDeletedException", "The image no longer exists.", 409)
        if state == "Inactive":  # the first call wakes it up, and fails
            version.is_asleep = False
            version.last_call = version.ready_at = self._now() + self.account.behaviour.wake_s
        if state != "Active":
            raise AwsError(
                "CodeArtifactUserPendingException",
                "Lambda is initializing your function. It will be ready to invoke shortly.",
                409,
            )
