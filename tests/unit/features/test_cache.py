import os
from contextlib import closing

import numpy as np
import pytest

from shutterless.features import cache as feature_cache
from shutterless.features.cache import FeatureCache
from shutterless.utils import cache

ONES, TWOS = np.ones(4, np.float32), np.full(4, 2, np.float32)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "cache" / "features.sqlite"


def stored(file, model="m") -> dict[str, float]:
    """Return photo → first feature of what a new process would find."""
    with closing(FeatureCache(model, file)) as cache:
        features = cache.load(["a", "b", "c"])
    return {key: float(vector[0]) for key, vector in features.items()}


def store(file, features, model="m") -> None:
    with closing(FeatureCache(model, file)) as cache:
        cache.store(features)


def test_features_are_kept_for_each_model_and_photo(file):
    store(file, {"a": ONES, "b": TWOS})
    store(file, {"a": TWOS}, model="other")
    assert stored(file) == {"a": 1, "b": 2}
    assert stored(file, "other") == {"a": 2}


def test_more_photos_than_a_statement_takes_are_loaded(file):
    features = {f"{number:05}": np.full(2, number, np.float32) for number in range(1234)}
    store(file, features)
    with closing(FeatureCache("m", file)) as cache:
        loaded = cache.load(features)
    assert all(np.array_equal(loaded[key], vector) for key, vector in features.items())


@pytest.mark.parametrize("start", [0, 100, 4096])
def test_a_damaged_file_is_replaced(file, start):
    store(file, {"a": ONES})
    data = file.read_bytes()
    file.write_bytes(data[:start] + b"\xff" * (len(data) - start))
    store(file, {"b": TWOS})
    assert stored(file)["b"] == 2
    assert stored(file).get("a", 1) == 1


def test_a_changed_vector_is_not_used(file):
    store(file, {"a": ONES, "b": TWOS})
    data = file.read_bytes()
    assert data.count(ONES.tobytes()) == 1
    file.write_bytes(data.replace(ONES.tobytes(), TWOS.tobytes()))
    assert stored(file) == {"b": 2}


def test_those_not_used_for_longest_are_removed(file, monkeypatch):
    for day, key in enumerate("abc"):
        monkeypatch.setattr(feature_cache, "_today", lambda day=day: day)
        store(file, {key: ONES})
    monkeypatch.setattr(feature_cache, "_today", lambda: 3)
    with closing(FeatureCache("m", file)) as cache:
        cache.load(["a"])
    monkeypatch.setattr(feature_cache, "MAX_BYTES", 2 * ONES.nbytes)
    store(file, {"c": ONES})
    assert set(stored(file)) == {"a", "c"}


def test_one_command_adds_no_more_than_the_limit(file, monkeypatch):
    monkeypatch.setattr(feature_cache, "MAX_BYTES", 2 * ONES.nbytes)
    store(file, {"a": ONES})
    with closing(FeatureCache("m", file)) as cache:
        for key in ("b", "c", "d"):
            cache.store({key: TWOS})
        ((rows,),) = cache._database.execute("SELECT COUNT(*) FROM features")
    assert rows == 2
    assert stored(file) == {"b": 2, "c": 2}


@pytest.mark.parametrize("place", [None, "folder"])
def test_without_a_usable_file_features_are_kept_in_memory(place, file):
    if place:
        file.mkdir(parents=True)
    with closing(FeatureCache("m", file if place else None)) as cache:
        cache.store({"a": ONES})
        assert set(cache.load(["a"])) == {"a"}


def test_a_file_that_another_process_has_locked_is_left_alone(file, monkeypatch):
    store(file, {"a": ONES})
    with closing(FeatureCache("m", file)) as other:
        other._database.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(feature_cache, "LOCK_TIMEOUT", 0.01)
        with closing(FeatureCache("m", file)) as cache:
            assert cache.load(["a"]) == {}
            cache.store({"b": TWOS})
        other._database.rollback()
    assert stored(file) == {"a": 1}


def test_without_a_home_there_is_no_file(monkeypatch):
    monkeypatch.setattr(feature_cache, "cache_folder", lambda name: (_ for _ in ()).throw(RuntimeError()))
    assert feature_cache.default_file() is None


def test_the_file_is_in_the_user_s_cache(monkeypatch, tmp_path):
    monkeypatch.setitem(os.environ, "XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(feature_cache, "cache_folder", cache.cache_folder)
    assert feature_cache.default_file() == tmp_path / "shutterless" / "features" / "features.sqlite"
