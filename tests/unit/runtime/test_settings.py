from urllib.parse import urlsplit

import pytest

from shutterless.errors import InputError
from shutterless.runtime.settings import KeptPhotos, Settings, check_urls, parse_hosts, parse_kept_photos

BUNDLE = {"SHUTTERLESS_BUNDLE": "/srv/bundle"}


def test_the_bundle_is_all_that_must_be_set():
    assert Settings.from_env({**BUNDLE, "HOME": "/root"}) == Settings(
        bundle="/srv/bundle", urls="public", url_hosts=frozenset(), threads=1, port=8080, function=""
    )


def test_everything_can_be_set():
    environ = {
        **BUNDLE,
        "SHUTTERLESS_URLS": "any",
        "SHUTTERLESS_URL_HOSTS": " Photos.example.com, ,cdn.example.com",
        "SHUTTERLESS_RECORDS": "on",
        "SHUTTERLESS_KEEP_PHOTOS": "refused,sample:.01",
        "SHUTTERLESS_THREADS": "2",
        "PORT": "9000",
        "AWS_LAMBDA_FUNCTION_NAME": "photos",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }
    assert Settings.from_env(environ) == Settings(
        bundle="/srv/bundle",
        urls="any",
        url_hosts=frozenset({"photos.example.com", "cdn.example.com"}),
        records=True,
        kept_photos=KeptPhotos(refused=True, share=0.01),
        threads=2,
        port=9000,
        function="photos",
        initialization="on-demand",
    )


@pytest.mark.parametrize("environ", [{}, {"SHUTTERLESS_BUNDLE": ""}])
def test_without_a_bundle_the_variable_is_named(environ):
    with pytest.raises(InputError) as caught:
        Settings.from_env(environ)
    assert caught.value.code == "missing-setting"
    assert "SHUTTERLESS_BUNDLE" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("SHUTTERLESS_URLS", "private", "public, any, off"),
        ("SHUTTERLESS_URLS", "", "public, any, off"),
        ("SHUTTERLESS_URLS", "Public", "public, any, off"),
        ("SHUTTERLESS_RECORDS", "true", "on, off"),
        ("SHUTTERLESS_KEEP_PHOTOS", "all", "refused,sample:0.01"),
        ("SHUTTERLESS_THREADS", "", "1 to 64"),
        ("SHUTTERLESS_THREADS", "0", "1 to 64"),
        ("SHUTTERLESS_THREADS", "65", "1 to 64"),
        ("SHUTTERLESS_THREADS", "two", "1 to 64"),
        ("SHUTTERLESS_THREADS", "1.5", "1 to 64"),
        ("PORT", "65536", "0 to 65535"),
        ("PORT", "-1", "0 to 65535"),
        ("PORT", "", "0 to 65535"),
        ("PORT", "８０", "0 to 65535"),
        ("PORT", "²", "0 to 65535"),
    ],
)
def test_a_wrong_value_is_refused_with_the_allowed_ones(name, value, allowed):
    with pytest.raises(InputError) as caught:
        Settings.from_env({**BUNDLE, name: value})
    assert caught.value.code == "invalid-setting"
    assert name in caught.value.message
    assert repr(value) in caught.value.message
    assert allowed in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"), [("SHUTTERLESS_THREADS", 1), ("SHUTTERLESS_THREADS", 64), ("PORT", 0), ("PORT", 65535)]
)
def test_the_limits_themselves_are_permitted(name, value):
    settings = Settings.from_env({**BUNDLE, name: str(value)})
    assert value == {"SHUTTERLESS_THREADS": settings.threads, "PORT": settings.port}[name]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", set()),
        ("Photos.example.com", {"photos.example.com"}),
        (" a.example , ,b_2.example.,", {"a.example", "b_2.example."}),
        ("127.0.0.1,[2606:4700::1]", {"127.0.0.1", "2606:4700::1"}),
    ],
)
def test_hosts_are_kept_as_a_parsed_url_has_them(text, hosts):
    assert parse_hosts(text, "--url-hosts") == hosts
    assert all(
        urlsplit(f"http://[{host}]/" if ":" in host else f"http://{host}/").hostname == host for host in hosts
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("https://example.com/", "https://example.com/"),
        ("a.example,b.example:80", "b.example:80"),
        ("example.com/photos", "example.com/photos"),
        ("a.example b.example", "a.example b.example"),
        ("*.example.com", "*.example.com"),
        ("user@example.com", "user@example.com"),
        ("2606:4700::1", "2606:4700::1"),
        ("mütze.example", "mütze.example"),
        (",", ""),
        (" ", ""),
    ],
)
def test_a_host_that_no_url_can_have_is_refused_when_it_is_set(text, wrong):
    with pytest.raises(InputError) as caught:
        Settings.from_env({**BUNDLE, "SHUTTERLESS_URL_HOSTS": text})
    assert caught.value.code == "invalid-setting"
    assert "SHUTTERLESS_URL_HOSTS" in caught.value.message
    assert repr(wrong) in caught.value.message


def test_a_setting_of_the_command_line_is_named_as_it_was_typed():
    assert check_urls("off", "--urls") == "off"
    with pytest.raises(InputError) as caught:
        check_urls("on", "--urls")
    assert "--urls" in caught.value.message


@pytest.mark.parametrize(
    ("text", "photos"),
    [
        ("", KeptPhotos()),
        ("off", KeptPhotos()),
        ("refused", KeptPhotos(refused=True)),
        ("sample:1", KeptPhotos(share=1.0)),
        ("sample:0.000001", KeptPhotos(share=1e-6)),
        (" sample:.5 , refused", KeptPhotos(refused=True, share=0.5)),
    ],
)
def test_kept_photos(text, photos):
    assert parse_kept_photos(text, "--keep-photos") == photos


@pytest.mark.parametrize(
    "text",
    [
        *("sample", "sample:", "sample:0", "sample:1.5", "sample:1e-3", "sample:nan", "sample:٠٫١"),
        *("refused,", "refused,refused", "sample:0.1,sample:0.2", "off,refused", "REFUSED"),
    ],
)
def test_photos_are_kept_as_it_says_or_not_at_all(text):
    with pytest.raises(InputError) as caught:
        parse_kept_photos(text, "--keep-photos")
    assert caught.value.code == "invalid-setting"


def test_photos_are_kept_in_records_only():
    with pytest.raises(InputError) as caught:
        Settings.from_env({**BUNDLE, "SHUTTERLESS_KEEP_PHOTOS": "refused"})
    assert caught.value.code == "conflicting-options"
