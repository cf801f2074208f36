"""The template's custom domain: the name, its mapping to the API, and a DNS record."""

from shutterless.deploy.options import Options
from shutterless.deploy.template.types import Resource
from shutterless.runtime.json_types import Json, JsonObject

# What DNS has to point the domain to.
TARGET: JsonObject = {"Fn::GetAtt": ["Domain", "RegionalDomainName"]}


def domain_resources(options: Options) -> dict[str, Resource]:
    """Return the API's domain and, with a hosted zone, its record; nothing without a domain."""
    if not options.domain:
        return {}
    domain: JsonObject = {
        "DomainName": options.domain,
        "RegionalCertificateArn": options.certificate,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "SecurityPolicy": "TLS_1_2",
    }
    mapping: JsonObject = {
        "DomainName": {"Ref": "Domain"},
        "RestApiId": {"Ref": "Api"},
        "Stage": {"Ref": "Stage"},
    }
    resources: dict[str, Resource] = {
        "Domain": {"Type": "AWS::ApiGateway::DomainName", "Properties": domain},
        "DomainMapping": {"Type": "AWS::ApiGateway::BasePathMapping", "Properties": mapping},
    }
    if options.hosted_zone:
        record: JsonObject = {
            "HostedZoneId": options.hosted_zone,
            "Name": options.domain,
            "Type": "A",
            "AliasTarget": {
                "DNSName": TARGET,
                "HostedZoneId": {"Fn::GetAtt": ["Domain", "RegionalHostedZoneId"]},
            },
        }
        resources["DomainRecord"] = {"Type": "AWS::Route53::RecordSet", "Properties": record}
    return resources


def domain_outputs(options: Options) -> dict[str, tuple[str, Json]]:
    """Return description and value of the domain's outputs, by name; nothing without a domain."""
    if not options.domain:
        return {}
    return {
        "Domain": ("The page, and the root of the API's paths, once DNS has it", f"https://{options.domain}"),
        "DomainTarget": ("What DNS has to point the domain to, by a CNAME", TARGET),
    }
