import pytest

from shutterless.deploy.front import REST_OPTIONS, check_front, describe_front
from shutterless.deploy.options import Options
from shutterless.errors import InputError

OPEN = Options(front="url", auth="none")
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b-2c3d"
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b2c3d"
SIGNED = Options(front="url", auth="iam")


@pytest.mark.parametrize(
    ("options", "changes", "names"),
    [
        (Options(front="url"), {"front": "url"}, ["--auth none", "--auth iam"]),
        (Options(front="url", auth="none", page="off"), {}, ["--page off"]),
        (
            Options(front="url", auth="none", domain="photos.example.com", certificate=CERTIFICATE),
            {},
            ["--domain"],
        ),
        (Options(timeout=29), {"timeout": 29}, ["--timeout 29", "--front url"]),
        (Options(auth="none", timeout=60), {"front": "rest"}, ["--timeout 60"]),
        (
            Options(front="url", auth="none", domain="a.example.com", certificate=CERTIFICATE),
            {},
            ["--domain"],
        ),
        *((OPEN, {name: 5}, [f"--{name}"]) for name in REST_OPTIONS),
    ],
)
def test_what_a_front_does_not_have_is_refused_with_the_options_to_use(options, changes, names):
    with pytest.raises(InputError) as error:
        check_front(options, changes)
    assert error.value.code == "conflicting-options"
    assert all(name in f"{error.value.message} {error.value.hint}" for name in names)


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(auth="iam", timeout=28, page="off"),
        OPEN,
        Options(front="url", auth="iam", timeout=900),
    ],
)
def test_what_a_front_has_is_accepted(options):
    check_front(options, {"memory": 1024})


def test_options_of_the_other_front_stay_unused_and_come_back():
    """They are deployed, or defaults: nobody has asked for them with a function URL."""
    check_front(Options(front="url", auth="none", rate=50), {"front": "url", "rate": None})


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [
        (None, Options(), 0),
        (Options(), Options(rate=5), 0),
        (Options(), SIGNED, 2),
        (SIGNED, Options(), 1),
        (SIGNED, SIGNED, 1),
        (None, OPEN, 2),
        (None, Options(front="url", auth="none", reserved_concurrency=5), 1),
    ],
)
def test_a_plan_says_what_is_lost_and_that_the_address_changes(before, after, number):
    assert len(describe_front(before, after)) == number


def test_a_public_url_without_a_limit_names_the_option_that_is_one():
    assert any("--reserved-concurrency" in line for line in describe_front(None, OPEN))
    limited = Options(front="url", auth="none", reserved_concurrency=5)
    assert not any("--reserved-concurrency" in line for line in describe_front(None, limited))
