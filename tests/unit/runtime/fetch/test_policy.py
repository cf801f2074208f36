import pytest

from shutterless.runtime.fetch.policy import Policy, is_public
from shutterless.runtime.problems import Problem

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.9",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "::ffff:0:10.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::8.8.8.8",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::5efe:8.8.8.8",
    "fec0::5efe:8.8.8.8",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:169.254.169.254",
    "ff02::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "100::1",
]
PUBLIC = [
    "8.8.8.8",
    "93.184.215.14",
    "172.15.0.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "::8.8.8.8",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700::5efe:8.8.8.8",
]


@pytest.mark.parametrize(
    ("address", "expected"), [(one, False) for one in PRIVATE] + [(one, True) for one in PUBLIC]
)
def test_an_address_is_judged_by_where_it_leads(address, expected):
    assert is_public(address) is expected


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("before", [[], ["93.184.215.14"]])
@pytest.mark.parametrize("after", [[], ["93.184.215.14"]])
def test_one_private_address_is_enough_to_refuse_a_host(address, before, after):
    with pytest.raises(Problem) as caught:
        Policy("public").validate_addresses([*before, address, *after])
    assert caught.value.code == "url-refused"
    Policy("any").validate_addresses([*before, address, *after])


def test_public_addresses_are_allowed():
    Policy("public").validate_addresses(PUBLIC)


def test_the_parts_of_an_allowed_url_are_returned():
    parts = Policy("public").validate_url("https://photos.example:443/a.jpg?size=1")
    assert (parts.scheme, parts.hostname, parts.port, parts.path) == (
        "https",
        "photos.example",
        443,
        "/a.jpg",
    )


def test_any_other_port_is_allowed_where_any_address_is():
    assert Policy("any").validate_url("http://localhost:8000/").port == 8000
