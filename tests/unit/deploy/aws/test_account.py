import pytest
from cfnlint.helpers import REGIONS
from cfnlint.rules.resources.lmbd.SnapStartSupported import SnapStartSupported
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from shutterless.deploy.aws.account import (
    WITHOUT_ACCOUNT_BUCKETS,
    WITHOUT_BUDGETS,
    WITHOUT_SNAPSTART,
    WITHOUT_URLS,
    AccountLimits,
    check_account,
    check_region,
)
from shutterless.deploy.options import Options
from shutterless.errors import DeployError, InputError

MAIL = {"alarm_email": "vision@example.com"}


def answer_limits(aws, concurrency, unreserved):
    limits = {"ConcurrentExecutions": concurrency, "UnreservedConcurrentExecutions": unreserved}
    aws.answer("lambda", "get_account_settings", {"AccountLimit": limits})


def test_the_limits_are_those_of_the_account(aws):
    answer_limits(aws, 1000, 900)
    assert check_account(aws, Options(reserved_concurrency=800), None) == AccountLimits(1000, 900)


def test_code_storage_that_is_used_up_stops_zips_but_not_images(aws):
    settings = {
        "AccountLimit": {
            "ConcurrentExecutions": 1000,
            "UnreservedConcurrentExecutions": 1000,
            "TotalCodeSize": 80_530_636_800,
        },
        "AccountUsage": {"TotalCodeSize": 80_500_000_000},
    }
    for _ in range(2):
        aws.answer("lambda", "get_account_settings", settings)
    with pytest.raises(DeployError) as error:
        check_account(aws, Options(package="zip"), None)
    assert error.value.code == "account-limit"
    assert "31 MB" in error.value.message
    limits = check_account(aws, Options(package="image"), None)
    assert limits.free_code_bytes == 30_636_800


@pytest.mark.parametrize("region", WITHOUT_ACCOUNT_BUCKETS)
def test_a_region_without_buckets_of_an_account_s_own_takes_images_only(region):
    with pytest.raises(InputError) as error:
        check_region(Options(package="zip"), region)
    assert error.value.code == "not-in-region"
    check_region(Options(package="image"), region)


def test_without_the_permission_the_limits_are_unknown(aws):
    aws.fail("lambda", "get_account_settings", "AccessDeniedException", status=403)
    assert check_account(aws, Options(reserved_concurrency=5000), None) is None


def test_another_failure_is_passed_on(aws):
    aws.fail("lambda", "get_account_settings", "ExpiredTokenException", status=403)
    with pytest.raises(DeployError) as error:
        check_account(aws, Options(), None)
    assert error.value.code == "expired-credentials"


@pytest.mark.parametrize(
    ("concurrency", "unreserved", "options", "deployed"),
    [
        (1000, 900, {"reserved_concurrency": 801}, None),
        (1000, 900, {"provisioned_concurrency": 801}, None),
        (10, 10, {"reserved_concurrency": 1}, None),
        (1000, 100, {"reserved_concurrency": 6}, {"reserved_concurrency": 5}),
        (1000, 50, {"reserved_concurrency": 1}, None),
    ],
)
def test_a_reservation_that_leaves_others_too_little_is_refused(
    aws, concurrency, unreserved, options, deployed
):
    answer_limits(aws, concurrency, unreserved)
    with pytest.raises(DeployError) as error:
        check_account(aws, Options(**options), Options(**deployed) if deployed else None)
    assert error.value.code == "account-limit"


@pytest.mark.parametrize(
    ("concurrency", "unreserved", "options", "deployed"),
    [
        (10, 10, {}, None),
        (1000, 100, {"reserved_concurrency": 5}, {"reserved_concurrency": 5}),
        (1000, 110, {"reserved_concurrency": 10, "provisioned_concurrency": 10}, None),
    ],
)
def test_a_reservation_that_leaves_others_enough_is_taken(aws, concurrency, unreserved, options, deployed):
    answer_limits(aws, concurrency, unreserved)
    assert check_account(aws, Options(**options), Options(**deployed) if deployed else None)


@pytest.mark.parametrize(
    ("concurrency", "memory", "mentions"), [(10, 3008, False), (10, 3009, True), (1000, 3009, False)]
)
def test_more_memory_than_a_new_account_has_is_mentioned(concurrency, memory, mentions):
    lines = AccountLimits(concurrency, concurrency).describe(Options(memory=memory))
    assert str(concurrency) in lines[0].replace(",", "")
    assert ("3,008" in " ".join(lines)) == mentions


@pytest.mark.parametrize(
    "options",
    [
        {"alarm_topic": "arn:aws:sns:eu-west-1:123456789012:alarms"},
        {"log_kms_key": "arn:aws:kms:eu-west-1:123456789012:key/0a1b"},
        {"package": "image", "image_kms_key": "arn:aws:kms:eu-west-1:123456789012:key/0a1b"},
        {"domain": "a.example.com", "certificate": "arn:aws:acm:eu-west-1:123456789012:certificate/0a1b"},
    ],
)
def test_an_arn_of_another_region_is_refused(options):
    check_region(Options(**options), "eu-west-1")
    with pytest.raises(InputError) as error:
        check_region(Options(**options), "eu-central-1")
    assert error.value.code == "wrong-region"


@pytest.mark.parametrize(
    ("options", "region"),
    [
        ({"snapstart": True}, "us-gov-west-1"),
        ({"snapstart": True}, "cn-north-1"),
        ({"snapstart": True}, "ap-east-2"),
        ({"budget": 50, **MAIL}, "eu-north-1"),
        ({"front": "url", "auth": "none"}, "eu-central-2"),
    ],
)
def test_what_a_region_lacks_is_refused(options, region):
    check_region(Options(), region)
    with pytest.raises(InputError) as error:
        check_region(Options(**options), region)
    assert error.value.code == "not-in-region"


@pytest.mark.parametrize("region", REGIONS)
def test_regions_lack_what_cfn_lint_says_that_they_lack(region):
    types = PROVIDER_SCHEMA_MANAGER.get_resource_types(region)
    assert region.startswith(WITHOUT_BUDGETS) == ("AWS::Budgets::Budget" not in types)
    assert region.startswith(WITHOUT_URLS) == ("AWS::Lambda::Url" not in types)
    assert region.startswith(WITHOUT_SNAPSTART) == (region not in SnapStartSupported().regions)


@pytest.mark.parametrize(
    "option",
    [
        {"image_kms_key": "arn:aws:kms:us-east-1:123456789012:key/0a1b"},
        {"role_path": "/teams/"},
        {"package": "zip"},
    ],
)
def test_what_the_first_deploy_has_fixed_stays(aws, option):
    plain, other = Options(package="image"), Options(**{"package": "image", **option})
    for deployed, options in [(plain, other), (other, plain)]:
        with pytest.raises(DeployError) as error:
            check_account(aws, options, deployed)
        assert error.value.code == "fixed-option"
    answer_limits(aws, 1000, 1000)
    assert check_account(aws, other, other)
