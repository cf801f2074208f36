import json
from datetime import UTC, datetime, timedelta

import pytest

from shutterless.deploy import status as status_module
from shutterless.deploy.aws.cloudwatch import FunctionMetrics
from shutterless.deploy.canary.comparison import Comparison
from shutterless.deploy.options import Options
from shutterless.deploy.status import read_status, read_workload
from shutterless.deploy.template.code import parse_code
from shutterless.deploy.template.template import build_template
from shutterless.errors import DeployError

FUNCTION = "shutterless-clothes"
REPOSITORY, DIGEST = "shutterless/clothes", "sha256:" + "0" * 64
IMAGE = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{DIGEST}"
PUSHED = datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
MADE = datetime(2026, 11, 20, 8, tzinfo=UTC)
TWO_WEEKS_AGO = datetime.now(UTC) - timedelta(days=14, hours=1)
ALARM = "shutterless-clothes-errors"


@pytest.fixture(autouse=True)
def _connected(aws, monkeypatch):
    monkeypatch.setattr(status_module, "connect", lambda profile, region: aws)
    monkeypatch.setattr(status_module, "find_alias_change", lambda session, state: None)


def answer_stack(aws, **changed):
    url = "https://abc.execute-api.us-east-1.amazonaws.com/prod"
    outputs = {"Url": url, "ApiId": "abc", "ApiKeyId": "k1"}
    stack = {
        "StackName": FUNCTION,
        "StackId": f"arn:aws:cloudformation:us-east-1:123456789012:stack/{FUNCTION}/1",
        "Tags": [{"Key": "shutterless", "Value": "clothes"}],
        "StackStatus": "UPDATE_COMPLETE",
        "CreationTime": TWO_WEEKS_AGO,
        "LastUpdatedTime": MADE,
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


def answer_template(aws):
    template = build_template(
        "clothes", Options(), code=parse_code(IMAGE), model="Größe 0a1b", fingerprint="1"
    )
    aws.answer("cloudformation", "get_template", {"TemplateBody": json.dumps(template)})


def answer_metrics(aws, requests, mean_ms=100.0, errors=0.0, p95_ms=150.0):
    values = {"requests": requests, "errors": errors, "duration": requests * mean_ms, "p95": p95_ms}
    results = [{"Id": name, "Values": [value] if requests else []} for name, value in values.items()]
    aws.answer("cloudwatch", "get_metric_data", {"MetricDataResults": results})


def answer_cost(aws, *init_ms, snapshots=()):
    """Queue the versions with a snapshot, and the reports of calls that started an instance."""
    starts = {number: {"ApplyOn": "PublishedVersions"} for number in ("$LATEST", *snapshots)}
    versions = [{"Version": number, "SnapStart": start} for number, start in {"5": {}, **starts}.items()]
    aws.answer("lambda", "list_versions_by_function", {"Versions": versions}, FunctionName=FUNCTION)
    text = "REPORT RequestId: 1\tDuration: 9.0 ms\tBilled Duration: 900 ms\tInit Duration: {} ms\t"
    events = [{"eventId": str(ms), "timestamp": 1, "message": text.format(ms)} for ms in init_ms]
    aws.answer("logs", "filter_log_events", {"events": events})


def answer_predictions(aws, *versions):
    """Queue the lines of requests that were answered 500, by the version that answered."""
    texts = [json.dumps({"route": "POST /predict", "status": 500, "version": each}) for each in versions]
    events = [
        {"eventId": str(number), "timestamp": number, "message": text} for number, text in enumerate(texts)
    ]
    aws.answer("logs", "filter_log_events", {"events": events})


def test_a_deployment_is_described_completely(aws):
    answer_stack(aws)
    answer_alarms(aws)
    answer_function(aws, canary={"8": 0.1})
    answer_image(aws, {"HIGH": 2, "LOW": 7})
    answer_template(aws)
    answer_predictions(aws, "8", *["7"] * 18, "8", "6", "8")
    answer_metrics(aws, 40.0, errors=2.0)
    answer_metrics(aws, 140_000.0)
    answer_cost(aws)
    status = read_status("clothes")
    assert (status.state, status.updated) == ("UPDATE_COMPLETE", "2026-11-20T08:00:00+00:00")
    assert status.url == "https://abc.execute-api.us-east-1.amazonaws.com/prod"
    assert status.code_uploaded == "2026-11-01T07:30:00+00:00"
    assert status.vulnerabilities == {"HIGH": 2, "LOW": 7}
    assert (status.model, status.code) == ("Größe 0a1b", IMAGE)
    assert (status.version, status.canary) == ("7", {"8": 0.1})
    assert status.comparison == Comparison("too-few", 18, 2)
    assert (status.memory, status.architecture) == (1769, "arm64")
    assert status.alarms == {ALARM: "OK"}
    assert status.last_hour == FunctionMetrics(40, 2, 100.0, 150.0)
    # 304,167 requests in 730 hours: 0.0608 + 52,545.98 GB-s at 0.0000133334 + 1.0646 + 0.2169 + 1.615
    assert status.monthly_usd == pytest.approx(3.6580, abs=1e-3)
    assert status.period_hours == 336
    assert status.key is None
    assert status.to_json()["last_hour"]["errors"] == 2


def test_the_key_is_shown_when_it_is_asked_for(aws):
    answer_stack(aws)
    answer_alarms(aws)
    aws.answer("apigateway", "get_api_key", {"value": "secret"}, apiKey="k1", includeValue=True)
    answer_function(aws)
    answer_image(aws)
    answer_template(aws)
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
    answer_template(aws)
    answer_metrics(aws, 0)
    answer_metrics(aws, 0)
    status = read_status("clothes")
    assert (status.code, status.code_uploaded, status.vulnerabilities) == (IMAGE, "", None)


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
    answer_metrics(aws, 336.0, mean_ms=80.0)
    answer_cost(aws)
    workload, period = vars(read_workload(aws, "clothes")).values()
    assert period == timedelta(days=14)
    assert (workload.requests, workload.duration_ms, workload.front) == (730, 80.0, "rest")
    assert (workload.memory, workload.architecture, workload.provisioned) == (1024, "arm64", 2)


def test_the_workload_of_a_young_deployment_is_extrapolated_from_its_age(aws):
    """100 requests in 10 hours are 7,300 in the 730 hours of a month, not 217."""
    answer_stack(aws, CreationTime=datetime.now(UTC) - timedelta(hours=9, minutes=50))
    answer_function(aws)
    answer_metrics(aws, 100.0)
    answer_cost(aws)
    workload, period = vars(read_workload(aws, "clothes")).values()
    assert (workload.requests, period) == (7_300, timedelta(hours=10))


def test_the_first_minutes_of_a_deployment_count_as_an_hour(aws):
    answer_stack(aws, CreationTime=datetime.now(UTC))
    answer_function(aws)
    answer_metrics(aws, 1.0)
    answer_cost(aws)
    assert read_workload(aws, "clothes").workload.requests == 730


def test_cold_starts_are_those_that_lambda_reported(aws):
    answer_stack(aws)
    answer_function(aws)
    answer_metrics(aws, 10.0)
    answer_cost(aws, 700, 900)
    workload = read_workload(aws, "clothes").workload
    assert (workload.start_ms, workload.cold_share) == (800.0, 0.2)


def test_snapshots_are_billed_until_their_versions_are_deleted(aws):
    answer_stack(aws)
    answer_function(aws)
    answer_metrics(aws, 10.0)
    answer_cost(aws, snapshots=("3", "4"))
    workload = read_workload(aws, "clothes").workload
    assert (workload.snapstart, workload.billed_snapshots) == (False, 2)


def test_a_deployment_without_an_api_is_called_by_its_url(aws):
    answer_stack(aws, Outputs=[])
    answer_function(aws)
    answer_metrics(aws, 10.0)
    answer_cost(aws)
    assert read_workload(aws, "clothes").workload.front == "url"


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
    answer_template(aws)
    answer_metrics(aws, 40.0)
    answer_metrics(aws, 140.0)
    answer_cost(aws)
    assert read_status("clothes").monthly_usd is None
