"""Complete deployments against a double of AWS (tests/aws_as_it_is), without network and without waiting."""

import doctest
import inspect
import json
import shutil
from datetime import timedelta
from pathlib import Path

import boto3
import pytest

from shutterless import deploy as package
from shutterless.deploy import deployer, removal
from shutterless.deploy.aws import ecr
from shutterless.deploy.aws.s3 import objects
from shutterless.deploy.code import live, zip
from shutterless.deploy.releases import traffic
from shutterless.deploy.status import read_status
from shutterless.deploy.template.releases import MAX_RELEASES
from shutterless.errors import BundleError, DeployError, InputError
from shutterless.packaging import base_image
from shutterless.runtime.model.bundle import read_bundle
from tests.aws_as_it_is.deployments import FUNCTION, NAME, deploy, digest, make_bundle, publish

REGION = "eu-central-1"
BUCKET = f"shutterless-123456789012-{REGION}-an"


@pytest.fixture
def aws(account):
    """Give a session of an empty account."""
    account.limits.concurrency = 1000
    return boto3.Session()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory, described):
    """Return folders of several bundles, whose models are not run here."""
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / str(number), described, f"model {number}") for number in range(7)]


def alias(session):
    """Return the version that is live, and the shares of others."""
    alias = session.client("lambda").get_alias(FunctionName=FUNCTION, Name="live")
    return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


def everything(session):
    """Return all that there is: each stack's status and the alias of its function."""
    stacks = session.client("cloudformation").describe_stacks()["Stacks"]
    repositories = session.client("ecr").describe_repositories()["repositories"]
    assert len(stacks) == len(repositories)
    return [(stack["StackStatus"], *alias(session)) for stack in stacks]


def images(session):
    return session.client("ecr").describe_images(repositoryName=f"shutterless/{NAME}")["imageDetails"]


def zips(session):
    return session.client("s3").list_object_versions(Bucket=BUCKET, Prefix=f"{NAME}/")["Versions"]


STORES = {"image": images, "zip": zips}


@pytest.mark.parametrize(
    ("package", "store"),
    [("zip", f"2 zips in the bucket {BUCKET}"), ("image", f"repository shutterless/{NAME}, with its images")],
)
def test_deploy_update_roll_back_and_destroy(aws, bundles, package, store):
    first, second = bundles[:2]
    deployment = deploy(first, package=package)
    assert deployment.changed
    assert deployment.url.endswith(f".execute-api.{REGION}.amazonaws.com/prod")
    assert deployment.model == f"clothes {read_bundle(first).version}"
    assert alias(aws) == ("1", {})

    again = deploy(first)
    assert not again.changed
    assert again.code == deployment.code

    assert deploy(second).model == f"clothes {read_bundle(second).version}"
    assert alias(aws) == ("2", {})
    assert len(STORES[package](aws)) == 2

    back = traffic.rollback(NAME)
    assert (back.model, back.code) == (deployment.model, deployment.code)
    assert alias(aws) == ("1", {})

    assert removal.list_resources(NAME) == [
        f"stack {FUNCTION} (UPDATE_COMPLETE)",
        f"function {FUNCTION}",
        f"log group /aws/lambda/{FUNCTION}",
        store,
    ]
    removal.destroy(NAME)
    assert removal.list_resources(NAME) == []
    removal.destroy(NAME)


def test_the_image_in_the_template_is_the_one_in_the_registry(aws, bundles):
    deployment = deploy(bundles[0], package="image")
    (pushed,) = images(aws)
    code = deployment.template["Resources"]["Function"]["Properties"]["Code"]
    assert code == {"ImageUri": deployment.code}
    assert deployment.code.endswith(f"/shutterless/{NAME}@{pushed['imageDigest']}")


def test_the_zip_in_the_template_is_the_version_in_the_bucket(aws, bundles):
    deployment = deploy(bundles[0])
    (version,) = zips(aws)
    function = deployment.template["Resources"]["Function"]["Properties"]
    code = {"S3Bucket": BUCKET, "S3Key": version["Key"], "S3ObjectVersion": version["VersionId"]}
    assert (function["PackageType"], function["Code"]) == ("Zip", code)
    assert (function["Runtime"], function["Handler"]) == ("python3.13", "lambda_function.lambda_handler")
    assert deployment.code == f"s3://{BUCKET}/{version['Key']}?versionId={version['VersionId']}"
    assert deployment.uploaded_bytes == version["Size"]
    assert deploy(bundles[0], memory=3008).uploaded_bytes == 0


@pytest.mark.parametrize("package", STORES)
def test_a_second_deploy_builds_and_pushes_nothing(aws, bundles, package):
    deploy(bundles[0], package=package)

    def refuse(*_):
        raise AssertionError("the image was published again")

    deployer.deploy(bundles[0], NAME, publish=refuse, memory=3008)
    assert alias(aws) == ("2", {})


def test_what_is_deployed_is_the_bundle_that_was_checked(aws, bundles, monkeypatch, tmp_path):
    folder, find_target = shutil.copytree(bundles[0], tmp_path / "bundle"), deployer.find_target

    def replace_folder(*arguments, **options):
        (folder / "bundle.json").write_text("{}")
        return find_target(*arguments, **options)

    monkeypatch.setattr(deployer, "find_target", replace_folder)
    assert read_bundle(bundles[0]).version in deploy(folder).model


def test_a_zip_that_is_gone_from_the_bucket_is_uploaded_again(aws, bundles):
    deploy(bundles[0])
    (version,) = zips(aws)
    place = {"Bucket": BUCKET, "Key": version["Key"]}
    aws.client("s3").delete_object(**place, VersionId=version["VersionId"])
    again = deploy(bundles[0])
    (version,) = zips(aws)
    assert again.code.endswith(version["VersionId"])


def test_an_image_that_is_gone_from_the_registry_is_pushed_again(aws, bundles):
    deployment = deploy(bundles[0], package="image")
    aws.client("ecr").delete_repository(repositoryName=f"shutterless/{NAME}", force=True)
    again = deploy(bundles[0])
    assert (again.code, again.changed) == (deployment.code, False)
    assert len(images(aws)) == 1


def test_an_image_can_be_rebuilt_although_nothing_has_changed(aws, bundles):
    deploy(bundles[0])
    assert deployer.plan(bundles[0], NAME, rebuild=True).needs_push
    publications = []

    def note(*arguments):
        publications.append(arguments)
        return publish(*arguments)

    again = deployer.deploy(bundles[0], NAME, publish=note, rebuild=True)
    assert (len(publications), again.changed) == (1, False)


def test_a_newer_base_image_is_noticed_and_an_unknown_one_changes_nothing(aws, bundles, monkeypatch):
    deploy(bundles[0], package="image")
    monkeypatch.setattr(base_image, "find_base_digest", lambda *_: "")
    assert not deploy(bundles[0]).changed
    monkeypatch.setattr(base_image, "find_base_digest", lambda *_: f"sha256:{'1' * 64}")
    assert deployer.plan(bundles[0], NAME).needs_push


def test_images_of_dropped_releases_are_deleted(aws, bundles, monkeypatch):
    monkeypatch.setattr(ecr, "MIN_AGE", timedelta(hours=-1))
    for bundle in bundles:
        deployment = deploy(bundle, package="image")
        assert deployment.warnings == ()
    digests = {image["imageDigest"] for image in images(aws)}
    assert len(digests) == MAX_RELEASES
    assert all(digest in json.dumps(deployment.template) for digest in digests)


def test_zips_of_dropped_releases_are_deleted(aws, bundles, monkeypatch):
    monkeypatch.setattr(objects, "MIN_AGE", timedelta(hours=-1))
    for bundle in bundles:
        deployment = deploy(bundle)
        assert deployment.warnings == ()
    versions = [version["VersionId"] for version in zips(aws)]
    assert len(versions) == MAX_RELEASES
    assert all(version in json.dumps(deployment.template) for version in versions)


@pytest.mark.parametrize("package", STORES)
def test_its_status_is_read_back(aws, bundles, package):
    deployment = deploy(bundles[0], memory=3008, package=package)
    status = read_status(NAME)
    assert (status.package, status.code) == (package, deployment.code)
    assert status.code_uploaded
    assert (status.model, status.version, status.url) == (deployment.model, "1", deployment.url)
    assert (status.memory, status.provisioned, status.last_hour) == (3008, 0, None)


def test_the_status_of_a_zip_that_the_template_does_not_name_has_its_digest(aws, account, bundles):
    deploy(bundles[0])
    stack = account.cloudformation.find(FUNCTION)
    stack.text = stack.text.replace(digest(bundles[0]).removeprefix("sha256:"), f"{1:064x}")
    status = read_status(NAME)
    assert (status.code, status.code_uploaded, status.model) == (digest(bundles[0]), "", "")


def test_a_plan_changes_nothing(aws, bundles):
    plan = deployer.plan(bundles[0], NAME)
    assert plan.needs_push
    (step,) = plan.steps
    assert (step.name, {change.action for change in step.changes}) == ("create", {"added"})
    assert removal.list_resources(NAME) == []


def test_a_deploy_does_what_the_plan_says(aws, bundles):
    deploy(bundles[0])
    plan = deployer.plan(bundles[0], NAME, memory=3008, rate=50)
    assert not plan.needs_push
    deployed = deploy(bundles[0], memory=3008, rate=50)
    assert deployed.template == plan.template
    assert deployer.plan(bundles[0], NAME).steps == ()


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
    assert traffic.promote(NAME).canary == 0
    assert alias(aws) == ("2", {})


def test_a_canary_can_be_rolled_back(aws, bundles):
    deploy(bundles[0])
    deploy(bundles[1], canary=0.1, canary_minutes=0)
    traffic.rollback(NAME)
    assert alias(aws) == ("1", {})


def test_a_watched_canary_gets_all_calls_in_the_end(aws, account, bundles):
    deploy(bundles[0])
    account.faults.clear()
    deploy(bundles[1], canary=0.1, canary_minutes=10)
    assert alias(aws) == ("2", {})
    configurations = [
        call.params["RollbackConfiguration"]
        for call in account.faults.calls
        if call.operation == "CreateChangeSet"
    ]
    (watched,) = [each for each in configurations if each["RollbackTriggers"]]
    assert watched["MonitoringTimeInMinutes"] == 10


def test_the_first_deploy_is_no_canary(aws, bundles):
    assert deploy(bundles[0], canary=0.1).canary == 0


def test_a_canary_with_provisioned_concurrency_is_refused_before_anything_is_done(aws, bundles):
    with pytest.raises(InputError) as error:
        deploy(bundles[0], canary=0.1, provisioned_concurrency=1)
    assert error.value.code == "conflicting-options"
    assert removal.list_resources(NAME) == []


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


@pytest.mark.parametrize("action", [traffic.rollback, traffic.promote])
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


@pytest.fixture
def copies(aws, monkeypatch):
    """Copy images within the simulated registry, which has no HTTP API; return the copied digests."""
    digests = []

    def copy(source, target, digest, tag, progress):
        ecr = aws.client("ecr")
        found = ecr.batch_get_image(repositoryName=source.name, imageIds=[{"imageDigest": digest}])
        manifest = found["images"][0]["imageManifest"]
        ecr.put_image(repositoryName=target.name, imageManifest=manifest, imageTag=tag)
        digests.append(digest)

    monkeypatch.setattr(live, "copy_image", copy)
    return digests


def digest_of(deployment):
    return deployment.code.partition("@")[2]


def test_the_live_image_of_one_deployment_is_deployed_in_another_by_the_same_digest(aws, bundles, copies):
    dev = deployer.deploy(
        bundles[0], "clothes-dev", publish=publish, package="image", memory=1024, auth="none"
    )
    image = package.read_live_release("clothes-dev")
    plan = deployer.plan(image, "clothes-prod")
    assert (plan.needs_push, plan.options.memory) == (True, 1769)
    prod = deployer.deploy(image, "clothes-prod", publish=None)
    assert digest_of(prod) == digest_of(dev)
    assert prod.code.partition("@")[0].endswith("/shutterless/clothes-prod")
    assert (prod.model, prod.auth) == (dev.model, "api-key")
    function = aws.client("lambda").get_function(FunctionName="shutterless-clothes-prod", Qualifier="1")
    assert function["Code"]["ImageUri"] == prod.code

    assert not deployer.deploy(image, "clothes-prod", publish=None).changed
    assert copies == [digest_of(dev)]

    removal.destroy("clothes-dev")  # takes its own repository, not prod's
    assert not deployer.deploy(image, "clothes-prod", publish=None).changed


def test_the_live_zip_of_one_deployment_is_deployed_in_another_byte_by_byte(aws, bundles):
    dev = deployer.deploy(bundles[0], "clothes-dev", publish=publish, memory=1024, auth="none")
    release = package.read_live_release("clothes-dev")
    plan = deployer.plan(release, "clothes-prod")
    assert (plan.needs_push, plan.options.memory, plan.options.package) == (True, 1769, "zip")
    prod = deployer.deploy(release, "clothes-prod", publish=None)
    assert package.read_live_release("clothes-prod").code.digest == release.code.digest
    assert f"/{BUCKET}/clothes-prod/" in prod.code
    assert (prod.model, prod.auth) == (dev.model, "api-key")
    assert not deployer.deploy(release, "clothes-prod", publish=None).changed

    removal.destroy("clothes-dev")  # takes its own zips, not prod's
    assert not deployer.deploy(release, "clothes-prod", publish=None).changed


@pytest.mark.parametrize(("before", "after"), [("zip", "image"), ("image", "zip")])
def test_a_deployment_keeps_its_package(aws, account, bundles, before, after):
    deploy(bundles[0], package=before)
    deploy(bundles[1])
    for action in (deployer.plan, deployer.deploy):
        with pytest.raises(DeployError) as error:
            action(bundles[2], NAME, package=after)
        assert error.value.code == "fixed-option"
    assert alias(aws) == ("2", {})


def test_a_bundle_that_is_too_large_for_a_zip_or_has_a_base_image_is_an_image(aws, bundles, monkeypatch):
    assert deployer.plan(bundles[0], NAME, base_image="python:3.13").options.package == "image"
    monkeypatch.setattr(zip, "RUNTIME_BYTES", 250 * 1024 * 1024)
    assert deployer.plan(bundles[0], NAME).options.package == "image"
    assert deployer.plan(bundles[0], NAME, package="zip").options.package == "zip"


def test_no_docker_is_looked_for_in_a_deploy_by_zip(aws, bundles, monkeypatch):
    searches = []
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: searches.append(name))
    deploy(bundles[0])
    deployer.plan(bundles[1], NAME)
    deploy(bundles[1])
    removal.destroy(NAME)
    assert "docker" not in searches


@pytest.mark.parametrize("kind", STORES)
def test_a_bundle_that_came_from_another_deployment_is_not_built_again(aws, bundles, copies, kind):
    deployer.deploy(bundles[0], "clothes-dev", publish=publish, package=kind)
    deployer.deploy(package.read_live_release("clothes-dev"), "clothes-prod", publish=None)
    assert not deployer.deploy(bundles[0], "clothes-prod", publish=None).changed


EXAMPLES = (
    *(
        "connect",
        "read_environment",
        "plan",
        "deploy",
        "read_endpoint",
        "read_live_release",
        "read_status",
        "read_logs",
        "promote",
        "list_releases",
        "find_drift",
        "rollback",
        "list_resources",
        "estimate_batch",
    ),
    *("deploy_policy", "destroy", "load_prices", "estimate_cost"),
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
    # The first never ends, and moto has no price list.
    assert functions - set(EXAMPLES) == {"follow_logs", "fetch_prices"}


def test_the_front_can_be_changed_in_both_directions_without_a_new_version(aws, bundles):
    assert deploy(bundles[0], auth="none").url.endswith(f".execute-api.{REGION}.amazonaws.com/prod")
    plan = deployer.plan(bundles[0], NAME, front="url")
    changed = deploy(bundles[0], front="url")
    assert changed.template == plan.template
    assert changed.url.endswith(f".lambda-url.{REGION}.on.aws")
    assert read_status(NAME).url == changed.url
    assert deploy(bundles[0], front="rest", auth="api-key").url.endswith("/prod")
    assert alias(aws) == ("1", {})


def test_a_function_url_with_a_key_is_refused_before_anything_is_done(aws, bundles):
    with pytest.raises(InputError) as error:
        deploy(bundles[0], front="url")
    assert error.value.code == "conflicting-options"
    assert removal.list_resources(NAME) == []


def test_a_long_timeout_is_kept_with_a_function_url_and_refused_with_api_gateway(aws, bundles):
    deploy(bundles[0], front="url", auth="none", timeout=60)
    assert not deploy(bundles[0], timeout=60).changed
    with pytest.raises(InputError) as error:
        deploy(bundles[0], front="rest")
    assert error.value.code == "conflicting-options"


def test_the_page_can_be_left_out_and_brought_back(aws, bundles):
    assert not deploy(bundles[0], page="off").has_page
    assert not deploy(bundles[1]).has_page
    assert deploy(bundles[1], page="on").has_page


def tags_of_repository(session):
    ecr = session.client("ecr")
    (repository,) = ecr.describe_repositories()["repositories"]
    tags = ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def tags_of_stack(session):
    (stack,) = session.client("cloudformation").describe_stacks()["Stacks"]
    return {tag["Key"]: tag["Value"] for tag in stack["Tags"]}


def test_tags_are_those_of_the_stack_and_the_repository_also_when_only_they_change(aws, bundles):
    deploy(bundles[0], package="image", tags={"équipe": "vision", "cost": "1"})
    assert tags_of_stack(aws) == tags_of_repository(aws)
    assert tags_of_stack(aws) == {"shutterless": NAME, "équipe": "vision", "cost": "1"}
    assert not deploy(bundles[0]).changed
    assert deploy(bundles[0], tags={"équipe": "audio"}).changed
    assert tags_of_stack(aws) == tags_of_repository(aws)
    assert tags_of_stack(aws) == {"shutterless": NAME, "équipe": "audio"}


def test_every_company_option_can_be_deployed_and_taken_back(aws, bundles):
    arn = f"arn:aws:{{}}:{REGION}:123456789012:{{}}/0a1b"
    options = {
        "alarm_email": "vision@example.com",
        "budget": 50,
        "permissions_boundary": "arn:aws:iam::123456789012:policy/developers",
        "log_kms_key": arn.format("kms", "key"),
        "subnets": "subnet-0a1b2c3d",
        "security_groups": "sg-0a1b2c3d",
        "domain": "photos.example.com",
        "certificate": arn.format("acm", "certificate"),
        "hosted_zone": "Z0123456789ABC",
    }
    deployment = deploy(bundles[0], **options)
    assert deployment.domain == "https://photos.example.com"
    assert deployment.domain_target
    taken_back = deploy(bundles[0], **{name: type(value)() for name, value in options.items()})
    assert taken_back.changed
    assert taken_back.domain == ""
    assert alias(aws) == ("2", {})
