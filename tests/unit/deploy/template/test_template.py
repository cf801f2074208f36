import json
import re
from dataclasses import replace

import pytest

from shutterless.deploy.options import Options
from shutterless.deploy.template.code import parse_code
from shutterless.deploy.template.releases import MAX_RELEASES
from shutterless.deploy.template.template import (
    all_tags,
    build_template,
    read_options,
    template_text,
    write_template,
)
from shutterless.errors import OutputError

REGION = "eu-central-1"
NETWORK = Options(subnets="subnet-0a1b2c3d,subnet-4e5f6a7b", security_groups="sg-0a1b2c3d")
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"


def image(number=1):
    return f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shutterless/clothes@sha256:{number:064x}"


def build(options=None, number=1, **arguments):
    """Build a template; each number is another model in another image."""
    return build_template(
        "clothes",
        options or Options(),
        **{
            "code": parse_code(image(number)),
            "model": f"clothes {number}",
            "fingerprint": str(number),
            **arguments,
        },
    )


def properties(template, name):
    return template["Resources"][name]["Properties"]


def of(template, kind):
    return {key: value for key, value in template["Resources"].items() if value["Type"] == f"AWS::{kind}"}


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
        records="on",
        keep_photos="refused",
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
        "SHUTTERLESS_RECORDS": "on",
        "SHUTTERLESS_KEEP_PHOTOS": "refused",
    }
    assert function["ReservedConcurrentExecutions"] == 7
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert properties(template, "LogGroup")["RetentionInDays"] == 7


def test_the_role_may_write_to_its_own_log_and_nothing_else():
    (policy,) = properties(build(), "Role")["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Resource"] == {"Fn::GetAtt": ["LogGroup", "Arn"]}


def test_the_role_has_the_company_s_boundary_and_path():
    boundary = "arn:aws:iam::123456789012:policy/developers"
    role = properties(build(Options(permissions_boundary=boundary, role_path="/teams/")), "Role")
    assert (role["PermissionsBoundary"], role["Path"]) == (boundary, "/teams/")
    assert {"PermissionsBoundary", "Path"}.isdisjoint(properties(build(), "Role"))


def test_the_log_is_encrypted_with_its_key():
    key = "arn:aws:kms:eu-central-1:123456789012:key/0a1b"
    assert properties(build(Options(log_kms_key=key)), "LogGroup")["KmsKeyId"] == key
    assert "KmsKeyId" not in properties(build(), "LogGroup")


def test_a_function_in_a_network_may_join_it_and_is_another_version():
    template = build(NETWORK)
    assert properties(template, "Function")["VpcConfig"] == {
        "SubnetIds": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        "SecurityGroupIds": ["sg-0a1b2c3d"],
    }
    allow, deny = properties(template, "Role")["Policies"][1]["PolicyDocument"]["Statement"]
    assert allow["Action"] == deny["Action"]
    assert "ec2:CreateNetworkInterface" in allow["Action"]
    assert set(of(template, "Lambda::Version")).isdisjoint(of(build(), "Lambda::Version"))


def test_the_role_may_join_the_network_as_long_as_a_version_is_in_it():
    left = build(number=2, deployed=build(NETWORK))
    assert "VpcConfig" not in properties(left, "Function")
    assert properties(left, "Role") == properties(build(NETWORK), "Role")
    for number in range(3, 3 + MAX_RELEASES):
        left = build(number=number, deployed=left)
    assert properties(left, "Role") == properties(build(), "Role")


def test_alarms_are_mailed_beside_the_topic():
    template = build(Options(alarm_topic=TOPIC, alarm_email="vision@example.com"))
    assert properties(template, "AlarmEmail")["Endpoint"] == "vision@example.com"
    for alarm in of(template, "CloudWatch::Alarm").values():
        assert alarm["Properties"]["AlarmActions"] == [TOPIC, {"Ref": "AlarmTopic"}]


def test_the_budget_is_for_what_has_the_deployment_s_tag():
    budget = properties(build(Options(budget=50, alarm_email="vision@example.com")), "Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    assert budget["Budget"]["CostFilters"] == {"TagKeyValue": ["user:shutterless$clothes"]}
    assert {each["Subscribers"][0]["Address"] for each in budget["NotificationsWithSubscribers"]} == {
        "vision@example.com"
    }


def test_a_domain_has_its_certificate_and_says_where_dns_has_to_lead():
    certificate = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b"
    options = Options(domain="photos.example.com", certificate=certificate)
    template = build(options)
    domain = properties(template, "Domain")
    assert (domain["DomainName"], domain["RegionalCertificateArn"]) == ("photos.example.com", certificate)
    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert template["Outputs"]["Domain"]["Value"] == "https://photos.example.com"
    assert template["Outputs"]["DomainTarget"]["Value"] == {"Fn::GetAtt": ["Domain", "RegionalDomainName"]}
    assert of(template, "Route53::RecordSet") == {}
    record = properties(build(replace(options, hosted_zone="Z0123456789ABC")), "DomainRecord")
    assert (record["Name"], record["HostedZoneId"]) == ("photos.example.com", "Z0123456789ABC")


def test_all_tags_are_ours_and_the_user_s():
    assert all_tags("clothes", Options(tags={"team": "vision"})) == {
        "shutterless": "clothes",
        "team": "vision",
    }


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
    before["Resources"][first]["Properties"]["Description"] = "written by an older shutterless"
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


def test_names_in_any_script_survive_an_aws_that_returns_a_question_mark_for_them():
    """CloudFormation's GetTemplate does so for every character that is not ASCII."""
    template = build(Options(tags={"équipe": "画像"}), model="Größe 32a415005b67")
    returned = template_text(template).encode("ascii", "replace").decode()
    assert json.loads(returned) == template


def test_a_template_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as error:
        write_template(build(), tmp_path / "file" / "template.json")
    assert error.value.code == "cannot-write"
