import json
import re

import pytest
from cfnlint.api import lint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from shutterless.deploy.options import Options
from shutterless.deploy.template.diff import REPLACED_BY
from shutterless.deploy.template.template import build_template, read_options, template_text, write_template
from shutterless.errors import OutputError

REGION = "eu-central-1"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"


def image(number=1):
    return f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shutterless/clothes@sha256:{number:064x}"


def build(options=None, number=1, **arguments):
    """Build a template; each number is another model in another image."""
    return build_template(
        "clothes",
        options or Options(),
        **{"image": image(number), "model": f"clothes {number}", "fingerprint": str(number), **arguments},
    )


def properties(template, name):
    return template["Resources"][name]["Properties"]


def of(template, kind):
    return {key: value for key, value in template["Resources"].items() if value["Type"] == f"AWS::{kind}"}


# Every pair of values occurs: auth, how it starts, platform, quota, topic, reserved, hosts, canary.
COMBINATIONS = [
    ("api-key", "cold", "linux/amd64", 100, "", 0, "", 0.0),
    ("api-key", "snapstart", "linux/arm64", 0, TOPIC, 5, "example.com", 0.1),
    ("api-key", "provisioned", "linux/amd64", 0, TOPIC, 5, "", 0.0),
    ("none", "cold", "linux/arm64", 0, "", 5, "example.com", 0.1),
    ("none", "snapstart", "linux/amd64", 100, TOPIC, 0, "", 0.0),
    ("none", "provisioned", "linux/arm64", 100, "", 0, "example.com", 0.0),
    ("iam", "cold", "linux/amd64", 100, TOPIC, 5, "example.com", 0.1),
    ("iam", "snapstart", "linux/amd64", 0, "", 0, "", 0.1),
    ("iam", "provisioned", "linux/arm64", 100, "", 5, "", 0.0),
]


@pytest.mark.slow
@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda row: "-".join(map(str, row[:3])))
def test_cfn_lint_finds_nothing(combination):
    auth, start, platform, quota, topic, reserved, hosts, weight = combination
    options = Options(
        auth=auth,
        platform=platform,
        quota=quota,
        alarm_topic=topic,
        reserved_concurrency=reserved,
        url_hosts=hosts,
        snapstart=start == "snapstart",
        provisioned_concurrency=2 if start == "provisioned" else 0,
    )
    template = build(options, 2, deployed=build(options), weight=weight)
    assert [str(match) for match in lint(template_text(template), regions=[REGION])] == []


def test_the_function_has_cpu_time_and_image_by_digest():
    function = properties(build(), "Function")
    assert function["Code"] == {"ImageUri": image()}
    assert (function["MemorySize"], function["Timeout"]) == (1769, 28)
    assert function["Architectures"] == ["x86_64"]
    assert function["Environment"] == {"Variables": {"SHUTTERLESS_URLS": "public"}}
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": "LogGroup"}}
    assert "SnapStart" not in function
    assert "ReservedConcurrentExecutions" not in function


def test_options_reach_the_function():
    options = Options(
        platform="linux/arm64",
        memory=3008,
        timeout=10,
        urls="off",
        url_hosts="example.com",
        reserved_concurrency=7,
        snapstart=True,
        log_days=7,
    )
    template = build(options)
    function = properties(template, "Function")
    assert function["Architectures"] == ["arm64"]
    assert (function["MemorySize"], function["Timeout"]) == (3008, 10)
    assert function["Environment"]["Variables"] == {
        "SHUTTERLESS_URLS": "off",
        "SHUTTERLESS_URL_HOSTS": "example.com",
    }
    assert function["ReservedConcurrentExecutions"] == 7
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert properties(template, "LogGroup")["RetentionInDays"] == 7


def test_the_role_may_write_to_its_own_log_and_nothing_else():
    (policy,) = properties(build(), "Role")["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": ["LogGroup", "Arn"]}


def test_the_log_is_deleted_with_the_stack():
    assert build()["Resources"]["LogGroup"]["DeletionPolicy"] == "Delete"


def test_the_version_is_another_one_for_another_image_or_setting_but_not_for_another_api():
    (first,) = of(build(), "Lambda::Version")
    assert first not in of(build(number=2), "Lambda::Version")
    assert first not in of(build(Options(memory=3008)), "Lambda::Version")
    assert first in of(build(Options(auth="none", rate=1, reserved_concurrency=3)), "Lambda::Version")


def test_the_alias_points_to_the_version():
    template = build()
    (version,) = of(template, "Lambda::Version")
    alias = properties(template, "LiveAlias")
    assert alias["Name"] == "live"
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
    assert alias["RoutingConfig"] == {"AdditionalVersionWeights": []}


def test_provisioned_concurrency_is_the_alias_s():
    alias = properties(build(Options(provisioned_concurrency=3)), "LiveAlias")
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 3}
    assert "RoutingConfig" not in alias


def test_the_version_before_is_kept_as_it_was():
    before = build()
    (first,) = of(before, "Lambda::Version")
    after = build(number=2, deployed=before)
    assert len(of(after, "Lambda::Version")) == 2
    assert after["Resources"][first] == before["Resources"][first]


def test_no_secret_and_no_account_stands_in_the_template():
    text = template_text(build()).replace(image(), "")
    assert not re.search(r"\d{12}", text)
    assert "Value" not in properties(build(), "ApiKey")


def test_the_options_can_be_read_back():
    options = Options(memory=3008, auth="iam", snapstart=True)
    assert read_options(json.loads(template_text(build(options)))) == options


def test_options_of_a_newer_version_are_ignored():
    template = build()
    template["Metadata"]["Shutterless"]["Options"]["from_the_future"] = 1
    assert read_options(template) == Options()


def test_the_template_is_written_as_indented_json(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    write_template(build(), folder / "template.json")
    text = (folder / "template.json").read_text("utf-8")
    assert json.loads(text) == build()
    assert text.startswith('{\n  "AWSTemplateFormatVersion"')
    assert [file.name for file in folder.iterdir()] == ["template.json"]


def test_a_template_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as error:
        write_template(build(), tmp_path / "file" / "template.json")
    assert error.value.code == "cannot-write"


def test_the_plan_knows_of_every_property_whether_it_replaces():
    """As far as the template sets it; the truth is AWS's own schema of each resource."""
    properties_of = {}
    for options in (
        Options(alarm_topic=TOPIC, snapstart=True),
        Options(provisioned_concurrency=1),
        Options(front="url", auth="none"),
    ):
        for resource in build(options, 2, deployed=build(options))["Resources"].values():
            properties_of.setdefault(resource["Type"], set()).update(resource["Properties"])
    replacing = {}
    for kind, names in properties_of.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
        create_only = {path.split("/")[2] for path in schema.get("createOnlyProperties", [])}
        replacing[kind] = names & create_only
    assert replacing == REPLACED_BY
