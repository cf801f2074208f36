from pathlib import Path

from shutterless.utils.cache import cache_folder


def test_the_cache_lies_where_the_user_wants_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("wheels") == tmp_path / "shutterless" / "wheels"


def test_the_cache_lies_in_the_home_folder_otherwise(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder("wheels") == Path.home() / ".cache" / "shutterless" / "wheels"
