"""The engine ray in a process of its own, as a user starts it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

import shutterless


def contents(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir()}


def test_the_parts_are_equal_byte_by_byte_and_ray_leaves_nothing_behind(
    familiar_bundle, colour_photos, tmp_path
):
    photos = shutil.copytree(colour_photos / "validation", tmp_path / "photos")
    (photos / "text.jpg").write_text("no picture")
    (tmp_path / "tmp").mkdir()
    columns = {"embedding": True, "top_k": 2, "thumbnail": 16}
    local = shutterless.batch(familiar_bundle, photos, tmp_path / "local", workers=1, **columns)
    command = ["shutterless", "batch", familiar_bundle, photos, "-o", tmp_path / "ray", "--engine", "ray"]
    options = ["--embedding", "--top-k", "2", "--thumbnail", "16", "--workers", "2"]
    done = subprocess.run(
        [Path(sys.executable).with_name("shutterless"), *command[1:], *options],
        env={**os.environ, "RAY_ADDRESS": "local", "RAY_TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert local.errors == {"unsupported-format": 1}
    assert done.stdout.endswith("unsupported-format: 1 photo\n")
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(str(tmp_path).encode() in line for line in processes)
    answers = pandas.read_parquet(tmp_path / "ray")
    assert answers[answers.error.isna()].groupby("label").uri.count().to_dict() == {
        "blue": 6,
        "green": 6,
        "red": 6,
    }


def test_a_cluster_that_is_not_there_is_one_clear_error(familiar_bundle, colour_photos, tmp_path):
    with pytest.raises(shutterless.InputError) as error:
        shutterless.batch(
            familiar_bundle, colour_photos / "test", tmp_path / "out", engine="ray", address="127.0.0.1:1"
        )
    assert error.value.code == "no-cluster"
