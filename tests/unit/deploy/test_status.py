from datetime import UTC, datetime

import pytest

from shutterless.deploy import status as status_module
from shutterless.deploy.aws.cloudwatch import FunctionMetrics
from shutterless.deploy.status import read_status, read_workload
from shutterless.errors import DeployError

FUNCTION = "shutterless-clothes"
REPOSITORY, DIGEST = "shutterless/clothes", "sha256:" + "0" * 64
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{DIGEST}"
PUSHED = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
MADE = datetime(2026, 11, 20, 8, tzinfo=UTC)
ALARM = "shutterless-clothes-errors"


@pytest.fixture(autouse=True)
def _connected(aws, monkeypatch):
    monkeypatch.setattr(status_module, "connect", lambda profile, region: aws)


def answer_stack(aws, **changed):
    outputs = {"Url": "https://abc.execute-api.us-east-1.amazonaws.com/prod", "ApiKeyId": "k1"}
    stack = {
        "StackName": FUNCTION,
        "StackId": f"arn:aws:cloudformation:us-east-1:123456789012:stack/{FUNCTION}/1",
        "Tags": [{"Key": "shutterless", "Value": "clothes"}],
        "StackStatus": "UPDATE_COMPLETE",
        "CreationTime": MADE,
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        **changed,
    }
    aws.answer("cloudformation", "describe_stacks", {"Stacks": [stack]}, StackName=FUNCTION)


def answer_alarms(aws):
    resources = [
        {"ResourceType": kind, "PhysicalResourceId": number}
        for kind, number in [("AWS::CloudWatch::Alarm", ALARM), ("AWS::Lambda::Function", FUNCTION)]
    ]
    for resource in resources:
        resource.update(LogicalResourceId="x", LastUpdatedTimestamp=MADE, ResourceStatus="CREATE_COMPLETE")
    aws.answer("cloudformation", "list_stack_resources", {"StackResourceSummaries": resources})
    alarms = {"MetricAlarms": [{"AlarmName": ALARM, "StateValue": "OK"}]}
    aws.answer("cloudwatch", "describe_alarms", alarms, AlarmNames=[ALARM])


def answer_function(aws, canary=None, provisioned=0, **settings):
    alias = {"FunctionVersion": "7", "RoutingConfig": {"AdditionalVersionWeights": canary or {}}}
    configuration = {
        "MemorySize": 1769,
        "Architectures": ["arm64"],
        "Description": "clothes 0a1b",
        **settings,
    }
    code = {"ImageUri": IMAGE}
    aws.answer("lambda", "get_alias", alias, FunctionName=FUNCTION, Name="live")
    version = {"Configuration": configuration, "Code": code}
    aws.answer("lambda", "get_function", version, FunctionName=FUNCTION, Qualifier="7")
    if provisioned:
        config = {"RequestedProvisionedConcurrentExecutions": provisioned}
        aws.answer("lambda", "get_provisioned_concurrency_config", config)
    else:
        missing = "ProvisionedConcurrencyConfigNotFoundException"
        aws.fail("lambda", "get_provisioned_concurrency_config", missing, status=404)


def answer_image(aws, findings=None):
    details = {"imageDetails": [{"imagePushedAt": PUSHED}]}
    aws.answer(
        "ecr", "describe_images", details, repositoryName=REPOSITORY, imageIds=[{"imageDigest": DIGEST}]
    )
    if findings is None:
        aws.fail("ecr", "describe_image_scan_findings", "ScanNotFoundException")
    else:
        scan = {"imageScanStatus": {"status": "COMPLETE"}}
        scan["imageScanFindings"] = {"findingSeverityCounts": findings}
        aws.answer("ecr", "describe_image_scan_findings", scan)


def answer_metrics(aws, requests, mean_ms=100.0, errors=0.0, p95_ms=150.0):
    values = {"requests": requests, "errors": errors, "duration": requests * mean_ms, "p95": p95_ms}
    results = [{"Id": name, "Values": [value] if requests else []} for name, value in values.items()]
    aws.answer("cloudwatch", "get_metric_data", {"MetricDataResults": results})


def test_a_deployment_is_described_completely(aws):
    answer_stack(aws)
    answer_alarms(aws)
    answer_function(aws, canary={"8": 0.1})
    answer_image(aws, {"HIGH": 2, "LOW": 7})
    answer_metrics(aws, 40.0, errors=2.0)
    answer_metrics(aws, 140_000.0)
    status = read_status("clothes")
    assert (status.state, status.updated) == ("UPDATE_COMPLETE", "2026-11-20T08:00:00+00:00")
    assert status.url == "https://abc.execute-api.us-east-1.amazonaws.com/prod"
    assert (status.model, status.image) == ("clothes 0a1b", IMAGE)
    assert status.image_pushed == "2026-11-01T07:30:00+00:00"
    assert status.vulnerabilities == {"HIGH": 2, "LOW": 7}
    assert (status.version, status.canary) == ("7", {"8": 0.1})
    assert (status.memory, status.architecture) == (1769, "arm64")
    assert status.alarms == {ALARM: "OK"}
    assert status.last_hour == FunctionMetrics(40, 2, 100.0, 150.0)
    # 300,000 requests a month: 0.06 + 51,826.17 GB-s at 0.0000133334 + 1.05 + 3 times 0.0713 + 1.23
    assert status.monthly_usd == pytest.approx(3.2450, abs=1e-3)
    assert status.key is None
    assert status.to_json()["last_hour"]["errors"] == 2


def test_the_key_is_shown_when_it_is_asked_for(aws):
    answer_stack(aws)
    answer_alarms(aws)
    aws.answer("apigateway", "get_api_key", {"value": "secret"}, apiKey="k1", includeValue=True)
    answer_function(aws)
    answer_image(aws)
    answer_metrics(aws, 0)
    answer_metrics(aws, 0)
    status = read_status("clothes", show_key=True)
    assert (status.key, status.last_hour, status.monthly_usd) == ("secret", None, None)
    assert status.vulnerabilities is None


def test_the_status_of_a_deployment_whose_image_is_gone_can_be_read(aws):
    answer_stack(aws)
    answer_alarms(aws)
    answer_function(aws)
    aws.fail("ecr", "describe_images", "ImageNotFoundException")
    aws.fail("ecr", "describe_image_scan_findings", "ImageNotFoundException")
    answer_metrics(aws, 0)
    answer_metrics(aws, 0)
    status = read_status("clothes")
    assert (status.image, status.image_pushed, status.vulnerabilities) == (IMAGE, "", None)


def test_a_stack_that_was_never_created_has_a_state_and_no_function(aws):
    answer_stack(aws, StackStatus="ROLLBACK_COMPLETE", Outputs=[])
    aws.answer("cloudformation", "list_stack_resources", {"StackResourceSummaries": []})
    aws.fail("lambda", "get_alias", "ResourceNotFoundException")
    status = read_status("clothes")
    assert (status.state, status.url, status.memory) == ("ROLLBACK_COMPLETE", "", 0)


@pytest.mark.parametrize(
    "read", [lambda aws: read_status("clothes"), lambda aws: read_workload(aws, "clothes")]
)
def test_a_name_that_is_not_deployed_is_refused_with_the_region(aws, read):
    text = "Stack with id shutterless-clothes does not exist"
    aws.fail("cloudformation", "describe_stacks", "ValidationError", text)
    with pytest.raises(DeployError) as error:
        read(aws)
    assert error.value.code == "no-deployment"
    assert "clothes in us-east-1" in error.value.message


def test_a_missing_permission_is_named(aws):
    text = "User: x is not authorized to perform: cloudformation:DescribeStacks"
    aws.fail("cloudformation", "describe_stacks", "AccessDenied", text)
    with pytest.raises(DeployError) as error:
        read_status("clothes")
    assert (error.value.code, error.value.aws_code) == ("access-denied", "AccessDenied")
    assert "cloudformation:DescribeStacks" in error.value.message


def test_the_workload_of_a_month_is_extrapolated_from_two_weeks(aws):
    answer_stack(aws)
    answer_function(aws, provisioned=2, MemorySize=1024)
    answer_metrics(aws, 14.0, mean_ms=80.0)
    workload = read_workload(aws, "clothes")
    assert (workload.requests, workload.duration_ms) == (30, 80.0)
    assert (workload.memory, workload.architecture, workload.provisioned) == (1024, "arm64", 2)


def test_the_workload_of_a_deployment_that_was_never_called_is_unknown(aws):
    answer_stack(aws)
    answer_function(aws)
    answer_metrics(aws, 0)
    with pytest.raises(DeployError) as error:
        read_workload(aws, "clothes")
    assert error.value.code == "never-called"


def test_without_prices_of_the_region_the_rest_is_shown(aws, monkeypatch):
    monkeypatch.setattr(type(aws), "region_name", "mars-1")
    answer_stack(aws)
    answer_alarms(aws)
    answer_function(aws)
    answer_image(aws)
    answer_metrics(aws, 40.0)
    answer_metrics(aws, 140.0)
    assert read_status("clothes").monthly_usd is None
