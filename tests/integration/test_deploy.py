"""Complete deployments against moto, a server that simulates AWS, over HTTP.

moto ignores some of the template's resources (tests/unit/deploy checks the template itself); a test
asserts which ones. Versions and aliases of functions are added to it here, because rollbacks need them.
"""

import contextlib
import doctest
import functools
import hashlib
import inspect
import json
import logging
import urllib.request
import warnings
from pathlib import Path

import boto3
import pytest
from moto.awslambda.models import lambda_backends
from moto.cloudformation import models, parsing
from moto.server import ThreadedMotoServer

from shutterless import deploy as package
from shutterless.deploy import deployer
from shutterless.deploy import status as status_module
from shutterless.deploy.aws.ecr import ensure_repository
from shutterless.deploy.status import read_status
from shutterless.deploy.template.releases import MAX_RELEASES
from shutterless.errors import BundleError, DeployError, InputError
from shutterless.model_check import remember
from shutterless.runtime.model.bundle import read_bundle, write_bundle

REGION = "eu-central-1"
NAME = "clothes"
FUNCTION = "shutterless-clothes"


class Version:
    """AWS::Lambda::Version: moto's own gives a new number only if the function was changed before it."""

    @classmethod
    def create_from_cloudformation_json(cls, name, resource, account_id, region_name, **_):
        backend, properties = lambda_backends[account_id][region_name], resource["Properties"]
        backend.get_function(properties["FunctionName"]).code_or_config_updated = True
        version = cls()
        version.published = backend.publish_version(properties["FunctionName"], properties["Description"])
        return version

    def get_cfn_attribute(self, name):
        assert name == "Version"
        return str(self.published.version)

    @property
    def physical_resource_id(self):
        return self.published.function_arn

    def is_created(self):
        return True

    def delete(self, account_id, region_name):
        """Leave it: moto deletes versions with their function."""


class Alias:
    """AWS::Lambda::Alias, which moto's CloudFormation does not have but its Lambda has."""

    physical_resource_id = "live"

    @classmethod
    def create_from_cloudformation_json(cls, name, resource, account_id, region_name, **_):
        lambda_backends[account_id][region_name].create_alias(**cls._arguments(resource))
        return cls()

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        lambda_backends[account_id][region_name].update_alias(**cls._arguments(cloudformation_json))
        return original_resource

    @staticmethod
    def _arguments(resource):
        properties = resource["Properties"]
        weights = properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
        return {
            "name": properties["Name"],
            "function_name": properties["FunctionName"],
            "function_version": properties["FunctionVersion"],
            "description": "",
            "routing_config": {
                "AdditionalVersionWeights": {
                    each["FunctionVersion"]: each["FunctionWeight"] for each in weights
                }
            },
        }

    def is_created(self):
        return True

    def delete(self, account_id, region_name):
        """Forget it; moto deletes a stack's resources in any order, so its function may be gone."""
        lambda_backends[account_id][region_name]._lambdas._aliases.clear()


def apply(change_set):
    """Apply a change set, and its outputs, which moto forgets."""
    change_set.stack.resource_map.update(change_set.template_dict, change_set.parameters)
    change_set.stack.template = change_set.template
    change_set.stack._parse_template()
    change_set.stack.output_map = change_set.stack._create_output_map()


@pytest.fixture(scope="module")
def server():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        models_by_type = parsing.get_model_map()
        extended = {**models_by_type, "AWS::Lambda::Version": Version, "AWS::Lambda::Alias": Alias}
        patch.setattr(parsing, "get_model_map", lambda: extended)
        patch.setattr(models.ChangeSet, "apply", apply)
        # Ours is JSON, which is YAML too, but takes a hundred times as long to read as that.
        patch.setattr(models.yaml, "load", lambda text, Loader: json.loads(text))  # noqa: N803
        yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def reset(server):
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()


@pytest.fixture
def aws(server, monkeypatch):
    """Give an empty account: its session, and what moto warned of."""
    reset(server)
    for key, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(key, value)
    session = boto3.Session(region_name=REGION)
    monkeypatch.setattr(session, "client", functools.cache(session.client))  # making one takes longest
    monkeypatch.setattr(deployer, "connect", lambda profile, region: session)
    monkeypatch.setattr(status_module, "connect", lambda profile, region: session)
    with warnings.catch_warnings(record=True) as session.warnings:
        warnings.simplefilter("always")
        yield session


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, described):
    """Return folders of several bundles, whose models are not run here."""
    folders = [tmp_path_factory.mktemp("bundles") / str(number) for number in range(7)]
    for number, folder in enumerate(folders):
        remember(write_bundle(folder, f"model {number}".encode(), described))
    return folders


def publish(session, name, bundle, options, progress):
    """Put an image without content into the registry, another one for each model: no Docker needed."""
    repository = ensure_repository(session, f"shutterless/{name}")
    version = read_bundle(bundle).version
    layer = f"sha256:{hashlib.sha256(version.encode()).hexdigest()}"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "layers": [{"digest": layer}],
    }
    ecr = session.client("ecr")
    with contextlib.suppress(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(repositoryName=repository.name, imageManifest=json.dumps(manifest), imageTag=version)
    answer = ecr.describe_images(repositoryName=repository.name, imageIds=[{"imageTag": version}])
    return f"{repository.uri}@{answer['imageDetails'][0]['imageDigest']}"


def deploy(bundle, **options):
    return deployer.deploy(bundle, NAME, publish=publish, **options)


def alias(session):
    """Return the version that is live, and the shares of others."""
    alias = session.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
    return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


def account(session):
    """Return all that there is: each stack's status and the alias of its function."""
    stacks = session.client("cloudformation").describe_stacks()["Stacks"]
    repositories = session.client("ecr").describe_repositories()["repositories"]
    assert len(stacks) == len(repositories)
    return [(stack["StackStatus"], *alias(session)) for stack in stacks]


def images(session):
    return session.client("ecr").describe_images(repositoryName=f"shutterless/{NAME}")["imageDetails"]


def test_deploy_update_roll_back_and_destroy(aws, bundles):
    first, second = bundles[:2]
    deployment = deploy(first)
    assert deployment.changed
    assert deployment.url.endswith(f".execute-api.{REGION}.amazonaws.com/prod")
    assert deployment.model == f"clothes {read_bundle(first).version}"
    assert alias(aws) == ("1", {})
    live = aws.client("lambda").get_function(FunctionName=FUNCTION, Qualifier="1")
    assert live["Configuration"]["Description"] == deployment.model

    again = deploy(first)
    assert not again.changed
    assert again.image == deployment.image

    assert deploy(second).model == f"clothes {read_bundle(second).version}"
    assert alias(aws) == ("2", {})
    assert len(images(aws)) == 2

    back = deployer.rollback(NAME)
    assert (back.model, back.image) == (deployment.model, deployment.image)
    assert alias(aws) == ("1", {})

    assert deployer.list_resources(NAME) == [
        f"stack {FUNCTION} (UPDATE_COMPLETE)",
        f"function {FUNCTION}",
        f"log group /aws/lambda/{FUNCTION}",
        f"repository shutterless/{NAME}, with its images",
    ]
    deployer.destroy(NAME)
    assert deployer.list_resources(NAME) == []
    deployer.destroy(NAME)


def test_moto_ignores_exactly_these_types(aws, bundles):
    """If this changes, moto simulates more or less than before."""
    deploy(bundles[0])
    assert {str(warning.message) for warning in aws.warnings} == {
        f"Tried to parse AWS::{kind} but it's not supported by moto's CloudFormation implementation"
        for kind in (
            "ApiGateway::GatewayResponse",
            "ApiGateway::Stage",
            "ApiGateway::UsagePlan",
            "ApiGateway::UsagePlanKey",
            "ApiGateway::ApiKey",
            "CloudWatch::Alarm",
        )
    }


def test_the_image_in_the_template_is_the_one_in_the_registry(aws, bundles):
    deployment = deploy(bundles[0])
    (pushed,) = images(aws)
    code = deployment.template["Resources"]["Function"]["Properties"]["Code"]
    assert code == {"ImageUri": deployment.image}
    assert deployment.image.endswith(f"/shutterless/{NAME}@{pushed['imageDigest']}")


def test_a_second_deploy_builds_and_pushes_nothing(aws, bundles):
    deploy(bundles[0])

    def refuse(*_):
        raise AssertionError("the image was published again")

    deployer.deploy(bundles[0], NAME, publish=refuse, memory=3008)
    assert alias(aws) == ("2", {})


def test_an_image_that_is_gone_from_the_registry_is_pushed_again(aws, bundles):
    deployment = deploy(bundles[0])
    aws.client("ecr").delete_repository(repositoryName=f"shutterless/{NAME}", force=True)
    again = deploy(bundles[0])
    assert (again.image, again.changed) == (deployment.image, False)
    assert len(images(aws)) == 1


def test_its_status_is_read_back(aws, bundles):
    deployment = deploy(bundles[0], memory=3008)
    status = read_status(NAME)
    assert (status.model, status.version, status.url) == (deployment.model, "1", deployment.url)
    assert (status.memory, status.provisioned, status.last_hour) == (3008, 0, None)


def test_a_plan_changes_nothing(aws, bundles):
    plan = deployer.plan(bundles[0], NAME)
    assert plan.needs_push
    assert {change.action for change in plan.changes} == {"added"}
    assert deployer.list_resources(NAME) == []


def test_a_deploy_does_what_the_plan_says(aws, bundles):
    deploy(bundles[0])
    plan = deployer.plan(bundles[0], NAME, memory=3008, rate=50)
    assert not plan.needs_push
    deployed = deploy(bundles[0], memory=3008, rate=50)
    assert deployed.template == plan.template
    assert deployer.plan(bundles[0], NAME).changes == ()


def test_options_that_are_left_out_stay_as_they_are(aws, bundles):
    deploy(bundles[0], memory=3008, auth="none")
    deployed = deploy(bundles[1])
    assert deployed.auth == "none"
    assert deployed.template["Resources"]["Function"]["Properties"]["MemorySize"] == 3008


def test_a_canary_gets_its_share_until_it_is_promoted(aws, bundles):
    deploy(bundles[0])
    canary = deploy(bundles[1], canary=0.1, canary_minutes=0)
    assert alias(aws) == ("1", {"2": 0.1})
    assert (canary.canary, canary.canary_model) == (0.1, f"clothes {read_bundle(bundles[1]).version}")
    assert deployer.promote(NAME).canary == 0
    assert alias(aws) == ("2", {})


def test_a_canary_can_be_rolled_back(aws, bundles):
    deploy(bundles[0])
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    deployer.rollback(NAME)
    assert alias(aws) == ("1", {})


def test_a_watched_canary_gets_all_calls_in_the_end(aws, bundles):
    deploy(bundles[0])
    configurations = []
    aws.client("cloudformation").meta.events.register(
        "provide-client-params.cloudformation.CreateChangeSet",
        lambda params, **_: configurations.append(params["RollbackConfiguration"]),
    )
    deploy(bundles[1], canary=0.1, canary_minutes=10)
    assert alias(aws) == ("2", {})
    assert [each["MonitoringTimeInMinutes"] for each in configurations] == [10, 0]
    assert [each["Arn"].rpartition(":")[2] for each in configurations[0]["RollbackTriggers"]] == [
        f"{FUNCTION}-errors",
        f"{FUNCTION}-throttles",
        f"{FUNCTION}-slow",
    ]


def test_the_first_deploy_is_no_canary(aws, bundles):
    assert deploy(bundles[0], canary=0.1).canary == 0


def test_a_canary_with_provisioned_concurrency_is_refused_before_anything_is_done(aws, bundles):
    with pytest.raises(InputError) as error:
        deploy(bundles[0], canary=0.1, provisioned_concurrency=1)
    assert error.value.code == "conflicting-options"
    assert deployer.list_resources(NAME) == []


def test_provisioned_concurrency_is_refused_while_a_canary_runs(aws, bundles):
    deploy(bundles[0])
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    with pytest.raises(InputError) as error:
        deploy(bundles[1], provisioned_concurrency=1)
    assert error.value.code == "conflicting-options"
    assert alias(aws) == ("1", {"2": 0.1})


def test_old_versions_are_removed(aws, bundles):
    for bundle in bundles:
        deployment = deploy(bundle)
    versions = [key for key in deployment.template["Resources"] if key.startswith("Version")]
    assert len(versions) == MAX_RELEASES


@pytest.mark.parametrize("action", [deployer.rollback, deployer.promote])
def test_what_is_not_deployed_is_an_error(aws, action):
    with pytest.raises(DeployError) as error:
        action(NAME)
    assert error.value.code == "no-deployment"
    assert f"{NAME} in {REGION}" in error.value.message


def test_a_damaged_bundle_is_refused_before_aws_is_asked(bundles, tmp_path, monkeypatch):
    monkeypatch.setattr(deployer, "connect", None)
    with pytest.raises(BundleError) as error:
        deploy(tmp_path)
    assert error.value.code == "not-a-bundle"


class Interrupt:
    """Ctrl-C after a given number of AWS calls."""

    def __init__(self, session):
        self.calls, self.after = 0, 0
        session.events.register("after-call", self._called)

    def _called(self, **_):
        self.calls += 1
        if self.calls == self.after:
            raise KeyboardInterrupt

    def count(self, action):
        """Return how many AWS calls an action makes."""
        self.calls, self.after = 0, 0
        action()
        return self.calls

    def at(self, call, action):
        """Run an action and interrupt it after so many calls."""
        self.calls, self.after = 0, call
        with pytest.raises(KeyboardInterrupt):
            action()
        self.after = 0


@pytest.mark.parametrize(
    ("before", "action", "finished"),
    [
        (0, lambda bundles: deploy(bundles[0]), [("CREATE_COMPLETE", "1", {})]),
        (1, lambda bundles: deploy(bundles[1]), [("UPDATE_COMPLETE", "2", {})]),
        (1, lambda bundles: deploy(bundles[1], canary=0.1), [("UPDATE_COMPLETE", "2", {})]),
        (1, lambda bundles: deployer.destroy(NAME), []),
    ],
    ids=["first", "new model", "canary", "destroy"],
)
def test_interrupted_after_any_call_it_finishes_when_run_again(
    aws, server, bundles, before, action, finished
):
    interrupt = Interrupt(aws)

    def prepare():
        reset(server)
        for bundle in bundles[:before]:
            deploy(bundle)

    prepare()
    calls = interrupt.count(lambda: action(bundles))
    print(f"{calls} calls")
    for call in range(1, calls + 1):
        prepare()
        interrupt.at(call, lambda: action(bundles))
        action(bundles)
        assert account(aws) == finished, f"interrupted after call {call}"


EXAMPLES = (
    *("connect", "plan", "deploy", "read_status", "read_logs", "promote", "rollback", "list_resources"),
    *("destroy", "load_prices", "estimate_cost"),
)


def test_the_examples_in_docstrings_work(aws, bundles, monkeypatch, tmp_path):
    """One after the other, with a canary before there is one to promote."""
    monkeypatch.chdir(tmp_path)
    Path("bundle").symlink_to(bundles[0])
    monkeypatch.setitem(deployer.deploy.__kwdefaults__, "publish", publish)
    runner = doctest.DocTestRunner()
    for name in EXAMPLES:
        if name == "promote":
            deploy(bundles[1], canary=0.1, canary_minutes=0)
        (test,) = doctest.DocTestFinder(recurse=False).find(getattr(package, name), name, globs={})
        for example in test.examples:
            example.options.clear()  # without AWS they are skipped
        assert runner.run(test).attempted == len(test.examples) > 0
    assert runner.summarize(verbose=False).failed == 0
    functions = {name for name in package.__all__ if inspect.isfunction(getattr(package, name))}
    assert functions - set(EXAMPLES) == {"follow_logs"}  # which never ends
