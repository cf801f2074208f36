import pytest

from shutterless.errors import PackagingError
from shutterless.packaging.wheels import fetch_wheels

pytestmark = pytest.mark.slow


def test_wheels_are_fetched_once_and_then_found_without_any_index(small_lock, monkeypatch):
    (first,) = fetch_wheels("linux/amd64")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert fetch_wheels("linux/amd64") == [first]
    assert first.read_bytes() == small_lock.read_bytes()


def test_each_platform_has_its_own_wheels(small_lock):
    assert fetch_wheels("linux/amd64")[0].parent != fetch_wheels("linux/arm64")[0].parent


def test_a_damaged_wheel_in_the_cache_is_downloaded_again(small_lock):
    (cached,) = fetch_wheels("linux/amd64")
    cached.write_bytes(b"damaged")
    assert fetch_wheels("linux/amd64")[0].read_bytes() == small_lock.read_bytes()


def test_a_wheel_with_another_hash_is_refused(small_lock):
    small_lock.write_bytes(small_lock.read_bytes() + b"more")
    with pytest.raises(PackagingError) as caught:
        fetch_wheels("linux/amd64")
    assert caught.value.code == "wheels-not-fetched"
    assert "HASHES" in caught.value.message


def test_without_a_network_the_error_is_pips_own_and_nothing_is_left(small_lock, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(PackagingError) as caught:
        fetch_wheels("linux/amd64")
    assert caught.value.code == "wheels-not-fetched"
    assert "small==1.0" in caught.value.message
    assert list((tmp_path / "cache").rglob("*.*")) == []
