import pytest

from shutterless.runtime import fetch_limits
from shutterless.runtime.fetch_limits import FetchLimits
from shutterless.runtime.image.budget import Budget
from shutterless.runtime.problems import Problem
from shutterless.runtime.settings import Settings


@pytest.fixture
def limits(colour_bundle, monkeypatch) -> FetchLimits:
    """Limits with room for one picture of a thousand bytes."""
    monkeypatch.setattr(fetch_limits, "memory", lambda: 0)
    monkeypatch.setattr(fetch_limits, "MIN_FETCHED", 1500)
    return FetchLimits(Settings(colour_bundle, urls="any"))


def fetch(limits: FetchLimits, url: str) -> int:
    with limits.fetch(url, Budget()) as data:
        return len(data)


def test_what_all_requests_hold_of_fetched_pictures_is_limited_until_they_are_classified(limits, web):
    url = web.says("/a.png", bytes(1000))
    with limits.fetch(url, Budget()), pytest.raises(Problem) as caught:
        fetch(limits, url)
    assert (caught.value.code, caught.value.headers) == ("busy", {"Retry-After": "1"})
    assert fetch(limits, url) == 1000


def test_what_a_failed_fetch_held_is_free_again(limits, web):
    for url in (web.says("/large.png", bytes(5000)), web.says("/none.png", bytes(1000), status=404)):
        for _ in range(2):
            with pytest.raises(Problem) as caught:
                fetch(limits, url)
        assert caught.value.code == ("busy" if "large" in url else "fetch-failed")
    assert fetch(limits, web.says("/a.png", bytes(1000))) == 1000


def test_after_a_redirect_a_busy_service_says_when_to_try_again(limits, web):
    url = web.says("/a.png", status=302, Location=web.says("/large.png", bytes(5000)))
    with pytest.raises(Problem) as caught:
        fetch(limits, url)
    assert (caught.value.code, caught.value.headers) == ("busy", {"Retry-After": "1"})
