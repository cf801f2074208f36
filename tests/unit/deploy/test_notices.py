import pytest

from shutterless.deploy.notices import describe_duties
from shutterless.deploy.options import Options

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b"
DOMAIN = {
    "domain": "photos.example.com",
    "certificate": "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b",
}
NETWORK = {"subnets": "subnet-0a1b2c3d", "security_groups": "sg-0a1b2c3d"}
MAIL = {"alarm_email": "vision@example.com"}


@pytest.mark.parametrize(
    ("before", "after", "mentions"),
    [
        (None, {}, []),
        ({}, {"memory": 3008, "tags": {"team": "vision"}}, []),
        (None, MAIL, ["vision@example.com"]),
        (MAIL, MAIL, []),
        (MAIL, {**MAIL, "budget": 50}, ["cost allocation tag"]),
        (None, NETWORK, ["20 minutes", "--urls off"]),
        (None, {**NETWORK, "urls": "off"}, ["20 minutes"]),
        (NETWORK, NETWORK, []),
        (NETWORK, {}, []),
        (None, {"log_kms_key": KEY}, ["CloudWatch Logs"]),
        (None, DOMAIN, ["photos.example.com"]),
        (None, {**DOMAIN, "hosted_zone": "Z0123456789ABC"}, []),
        (DOMAIN, {}, []),
    ],
)
def test_each_new_option_asks_for_what_it_needs_once(before, after, mentions):
    lines = describe_duties(None if before is None else Options(**before), Options(**after))
    assert len(lines) == len(mentions)
    assert all(words in line for words, line in zip(mentions, lines, strict=True))
