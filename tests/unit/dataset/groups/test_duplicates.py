import hashlib
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageOps

from shutterless.dataset.groups import duplicates
from shutterless.dataset.groups.duplicates import find_duplicates, near_rows
from shutterless.dataset.photo_stats import PhotoStats, measure_photo
from shutterless.dataset.types import Photo


def scene(seed: int) -> Image.Image:
    """Return a picture with detail of its own: coarse random light, drawn large."""
    grain = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return Image.fromarray(grain).resize((240, 240), Image.Resampling.BICUBIC)


@pytest.fixture
def found(tmp_path):
    """Save pictures as <label>/<split>/<name> and return the duplicates among them."""

    def find(pictures: dict[str, Image.Image]):
        stats = {}
        for name, picture in pictures.items():
            picture.save(tmp_path / "photo", format="JPEG" if name.endswith("jpg") else "PNG", quality=60)
            label, split, _ = name.split("/")
            data = (tmp_path / "photo").read_bytes()
            stats[Photo(name, label, split, sha256=hashlib.sha256(data).hexdigest())] = measure_photo(data)
        return find_duplicates(stats)

    return find


def paths(group) -> list[str]:
    return [photo.path for photo in group.photos]


def test_equal_files_are_exact_duplicates_and_other_photos_none(found):
    (group,) = found({"hat/train/1.png": scene(1), "hat/train/2.png": scene(2), "hat/test/3.png": scene(1)})
    assert paths(group) == ["hat/train/1.png", "hat/test/3.png"]
    assert (group.exact, group.distance, group.splits, group.labels) == (True, 0, {"train", "test"}, {"hat"})


CHANGES = {
    "saved anew": lambda picture: picture,
    "smaller": lambda picture: picture.resize((120, 120)),
    "grey": ImageOps.grayscale,
    "brighter": lambda picture: picture.point(lambda value: min(255, value + 20)),
    "cropped a little": lambda picture: picture.crop((1, 1, 239, 239)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_that_was_changed_a_little_is_a_near_duplicate(found, change):
    (group,) = found(
        {"hat/train/1.png": scene(1), "cap/train/2.jpg": change(scene(1)), "cap/train/3.png": scene(3)}
    )
    assert paths(group) == ["hat/train/1.png", "cap/train/2.jpg"]
    assert (group.exact, group.labels) == (False, {"hat", "cap"})


def test_what_is_the_same_as_one_of_a_group_belongs_to_it(found):
    copies = {"hat/train/1.png": scene(1), "hat/train/2.png": scene(1), "hat/test/3.jpg": scene(1)}
    (group,) = found(copies)
    assert (paths(group), group.exact) == (list(copies), False)


def test_groups_come_with_the_exact_ones_first(found):
    first, second = found(
        {
            "hat/train/1.png": scene(1),
            "hat/train/2.jpg": scene(1),
            "hat/train/3.png": scene(3),
            "hat/train/4.png": scene(3),
        }
    )
    assert (first.exact, second.exact) == (True, False)
    assert first.to_json() == {
        "exact": True,
        "distance": 0,
        "similarity": None,
        "photos": [
            {"path": "hat/train/3.png", "label": "hat", "split": "train"},
            {"path": "hat/train/4.png", "label": "hat", "split": "train"},
        ],
    }


def test_photos_of_one_colour_are_not_taken_for_each_other(found):
    assert found({f"hat/train/{c}.png": Image.new("RGB", (64, 64), c) for c in ("red", "blue", "tan")}) == ()


@pytest.mark.parametrize("chunk", [1, 40, 2**20])
def test_near_rows_hold_all_pairs_within_the_distance_whatever_the_chunk(monkeypatch, chunk):
    monkeypatch.setattr(duplicates, "CHUNK", chunk)
    signs = np.random.default_rng(5).integers(0, 2, (20, 256), np.uint8)
    bits = np.packbits(signs, axis=1).view(np.uint64)
    apart = {(i, j): int((signs[i] != signs[j]).sum()) for i, j in combinations(range(20), 2)}
    near = {pair: bits for pair, bits in apart.items() if bits <= 125}
    rows = list(near_rows(bits, 125))
    assert {(row, other) for row, others, _ in rows for other in others.tolist()} == set(near)
    assert all(distance == max(near[row, other] for other in others) for row, others, distance in rows)
    assert 0 < len(near) < len(apart)


def test_a_thousand_frames_of_one_camera_are_one_group_without_a_list_of_their_pairs():
    frame = PhotoStats(1, "JPEG", 64, 64, np.arange(4, dtype=np.uint64), 50.0, np.zeros((64, 64), np.uint8))
    stats = {Photo(f"{number}.jpg", "hat", "train", sha256=str(number)): frame for number in range(1500)}
    tracemalloc.start()
    (group,) = find_duplicates(stats)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(group.photos) == 1500
    assert peak < 60e6  # the pairs alone took 150 MB
