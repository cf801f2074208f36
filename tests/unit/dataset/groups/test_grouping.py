import numpy as np
import pytest

from shutterless.dataset import loader
from shutterless.dataset.exif import UNKNOWN, Shot
from shutterless.dataset.groups.bursts import MAX_SEQUENCE_DISTANCE
from shutterless.dataset.groups.duplicates import find_duplicates
from shutterless.dataset.groups.grouping import find_groups, leaking, parse_group_by, with_groups
from shutterless.dataset.loader import PhotoReader
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.scan import load_dataset
from shutterless.dataset.types import Photo
from shutterless.errors import DatasetError, InputError, ShutterlessError
from shutterless.runtime.image import decoder

RNG = np.random.default_rng(3)


def bits(near: np.ndarray | None = None, distance: int = 0, start: int = 0) -> np.ndarray:
    """Return a random hash, or one that differs from `near` in `distance` bits from `start` on."""
    if near is None:
        return RNG.integers(0, 2**64, 4, np.uint64)
    signs = np.unpackbits(near.view(np.uint8))
    signs[start : start + distance] ^= 1
    return np.packbits(signs).view(np.uint64)


def looking(shot: Shot = UNKNOWN, hash_bits: np.ndarray | None = None) -> PhotoStats:
    grey = RNG.integers(0, 256, (64, 64), np.uint8)
    return PhotoStats(1, "JPEG", 64, 64, bits() if hash_bits is None else hash_bits, 50.0, grey, shot)


def photo(path: str, content: str = "") -> Photo:
    label = path.split("/")[1 if path.startswith(("train/", "test/")) else 0]
    return Photo(path, label, path.split("/")[0], sha256=content or path)


def groups(stats: dict[Photo, PhotoStats], group_by: str = "auto") -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return the paths of each group, with the reasons."""
    found = find_groups(stats, find_duplicates(stats), parse_group_by(group_by))
    return {tuple(one.path for one in group.photos): group.reasons for group in found}


def of(*paths: str) -> dict[Photo, PhotoStats]:
    return {photo(path): looking() for path in sorted(paths)}


OTHERS = [f"hat/photo-{letter}.jpg" for letter in "abcdefghijklmnopqrstuvwxyz"]


def test_several_numbered_names_with_a_few_numbers_each_are_bursts():
    paths = [f"hat/milk_{bottle:02}_{shot}.jpg" for bottle in range(4) for shot in range(3)]
    assert groups(of(*paths)) == {
        tuple(paths[start : start + 3]): ("name",) for start in range(0, len(paths), 3)
    }


def alike(*paths: str, content: str = "") -> dict[Photo, PhotoStats]:
    """Return photos whose hashes are near; equal files, if `content` is given."""
    base = bits()
    return {photo(path, content): looking(hash_bits=bits(base, at)) for at, path in enumerate(sorted(paths))}


def test_a_label_whose_photos_all_show_one_thing_is_divided_all_the_same():
    one_thing = [f"cap/{name}.jpg" for name in ("front", "left", "right", "top")]
    two_things = [f"hat/{name}.jpg" for name in ("red", "crimson")]
    stats = {**alike(*one_thing), **alike(*two_things), **of(*OTHERS)}
    assert set(groups(stats)) == {tuple(sorted(two_things))}


def test_equal_files_stay_together_even_if_they_are_all_that_a_label_has():
    copies = [f"cap/{name}.jpg" for name in "abc"]
    stats = {**alike(*copies, content="same"), **of(*OTHERS)}
    assert groups(stats) == {tuple(copies): ("content",)}


def test_of_a_label_of_one_thing_equal_files_stay_together():
    views = alike("cap/x.jpg", "cap/y.jpg")
    copies = alike("cap/a.jpg", "cap/b.jpg", content="same")
    near = next(iter(views.values())).phash
    stats = {**views, **{one: looking(hash_bits=near) for one in copies}, **of(*OTHERS)}
    assert groups(stats) == {("cap/a.jpg", "cap/b.jpg"): ("content",)}


def test_names_without_a_number_are_bursts_if_there_are_many():
    many = [f"hat/{name}_{shot}.jpg" for name in "abcde" for shot in range(2)]
    assert len(groups(of(*many))) == 5
    cameras = [f"hat/{name}_{shot}.jpg" for name in ("DSC", "IMG") for shot in range(5)]
    assert groups(of(*cameras)) == {}


def test_copies_and_augmented_exports_belong_to_their_original():
    copies = [
        "hat/x_1 (1).jpg",
        "hat/x_1 (2).jpg",
        "hat/x_1.jpg",
        "hat/y_jpg.rf.0a.jpg",
        "hat/y_jpg.rf.0b.jpg",
    ]
    assert set(groups(of(*copies, *OTHERS))) == {tuple(copies[:3]), tuple(copies[3:])}


@pytest.mark.parametrize(
    "paths",
    [
        [f"hat/hat-{number:04}.jpg" for number in range(151)],
        [f"hat/IMG_{number:04}.jpg" for number in range(900)],
        [f"hat/{number}.jpg" for number in range(40)],
        [f"hat/breed{kind}_{number}.jpg" for kind in range(10) for number in range(60)],
        [f"hat/{kind}/{number}.jpg" for kind in ("straw", "wool", "felt") for number in range(20)],
        [f"hat/009b3c31-fb62-45c0-be9a-37a5c238cb{number}.jpg" for number in range(10, 99)],
    ],
    ids=["label", "camera", "numbers", "kinds", "folders of kinds", "hexadecimal"],
)
def test_plain_numbering_and_kinds_are_no_groups(paths):
    assert groups(of(*paths)) == {}


def test_folders_of_things_below_a_label_are_groups_wherever_the_label_s_folder_is():
    paths = [f"{split}/hat/thing{n}/{split}.jpg" for n in range(4) for split in ("test", "train")]
    assert set(groups(of(*paths)).values()) == {("folder",)}
    assert len(groups(of(*paths))) == 4


def test_shots_within_seconds_by_one_camera_are_a_burst():
    times = {"a": (0, "Phone"), "b": (1.5, "Phone"), "c": (1.6, "Other"), "d": (9, "Phone"), "e": (9, "")}
    stats = {photo(f"hat/{name}.jpg"): looking(Shot(*shot)) for name, shot in times.items()}
    assert groups(stats) == {("hat/a.jpg", "hat/b.jpg"): ("time",)}


def test_the_time_in_a_phone_s_file_name_counts_where_exif_is_stripped():
    names = [f"hat/IMG_20240131_0930{second:02}.jpg" for second in (0, 1, 30)]
    assert groups(of(*names)) == {tuple(names[:2]): ("time",)}


def test_a_camera_that_never_pauses_tells_nothing():
    stats = {photo(f"hat/{n:03}x.jpg"): looking(Shot(float(n), "Phone")) for n in range(200)}
    assert groups(stats) == {}


def test_neighbours_by_number_that_look_alike_belong_together_and_strangers_do_not():
    first = bits()
    hashes = [
        first,
        bits(first, MAX_SEQUENCE_DISTANCE),
        bits(),
        bits(first, MAX_SEQUENCE_DISTANCE, MAX_SEQUENCE_DISTANCE),
        *(bits() for _ in range(20)),
    ]
    stats = {photo(f"hat/IMG_{n:04}.jpg"): looking(hash_bits=one) for n, one in enumerate(hashes)}
    assert groups(stats) == {("hat/IMG_0000.jpg", "hat/IMG_0001.jpg"): ("sequence",)}


def test_neighbours_in_time_that_look_alike_belong_together():
    first = bits()
    times = {
        "a": (0, first),
        "b": (50, bits(first, MAX_SEQUENCE_DISTANCE)),
        "c": (60, bits()),
        "d": (200, bits(first, MAX_SEQUENCE_DISTANCE, MAX_SEQUENCE_DISTANCE)),
    }
    stats = {photo(f"hat/{n}.jpg"): looking(Shot(t, "Phone"), look) for n, (t, look) in times.items()}
    assert groups(stats) == {("hat/a.jpg", "hat/b.jpg"): ("sequence",)}


def test_copies_belong_together_under_any_name_and_label():
    same = bits()
    stats = {
        photo("cap/z.jpg", "equal"): looking(),
        photo("hat/a.jpg", "equal"): looking(),
        photo("hat/b.jpg"): looking(hash_bits=same),
        photo("hat/c.jpg"): looking(hash_bits=bits(same, 30)),
        photo("hat/d.jpg"): looking(),
    }
    assert groups(stats) == {
        ("cap/z.jpg", "hat/a.jpg"): ("content",),
        ("hat/b.jpg", "hat/c.jpg"): ("near-duplicate",),
    }


def test_if_most_photos_of_a_label_look_alike_it_is_their_background_and_only_equal_files_count():
    frame = bits()
    stats = {photo(f"hat/{n}x.jpg", str(n // 2)): looking(hash_bits=bits(frame, n // 2)) for n in range(60)}
    assert set(groups(stats).values()) == {("content",)}
    assert len(groups(stats)) == 30


def test_none_keeps_nothing_together():
    stats = {photo("hat/a.jpg", "equal"): looking(), photo("hat/b.jpg", "equal"): looking()}
    assert groups(stats, "none") == {}


def test_an_expression_a_folder_and_a_file_say_what_belongs_together(tmp_path):
    stats = of("cap/p7-a/x.jpg", "hat/p7-b/x.jpg", "hat/p7-b/y.jpg", "hat/p8-c/z.jpg", "hat/q.jpg")
    table = tmp_path / "groups.csv"
    table.write_text("path,group,note\nhat/p8-c/z.jpg,g,x\nhat/q.jpg,g,\nhat/p7-b/y.jpg,,\nlost.jpg,g,\n")
    assert set(groups(stats, r"(p\d+)-")) == {("cap/p7-a/x.jpg", "hat/p7-b/x.jpg", "hat/p7-b/y.jpg")}
    assert set(groups(stats, "folder")) == {("hat/p7-b/x.jpg", "hat/p7-b/y.jpg")}
    assert groups(stats, str(table)) == {("hat/p8-c/z.jpg", "hat/q.jpg"): ("group-by",)}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ("(", "invalid-group-by"),
        ("no group", "invalid-group-by"),
        ("(two)(groups)", "invalid-group-by"),
        ("missing.csv", "unreadable-groups"),
    ],
)
def test_what_cannot_group_is_refused(wrong, code):
    with pytest.raises(ShutterlessError) as caught:
        parse_group_by(wrong)
    assert caught.value.code == code
    assert wrong in caught.value.message


def test_a_file_without_the_columns_is_refused(tmp_path):
    (tmp_path / "groups.csv").write_text("file,group\na,b\n")
    with pytest.raises(DatasetError) as caught:
        parse_group_by(tmp_path / "groups.csv")
    assert caught.value.code == "missing-column"


def test_photos_record_the_name_of_their_group_and_leaks_are_groups_in_several_splits():
    stats = {
        photo(path, content): looking()
        for path, content in {"test/hat/a.jpg": "1", "train/hat/b.jpg": "1", "train/hat/c.jpg": "2"}.items()
    }
    found = find_groups(stats, find_duplicates(stats))
    assert [one.group for one in with_groups(stats, found)] == ["test/hat/a.jpg", "test/hat/a.jpg", ""]
    assert leaking(found, find_duplicates(stats)) == [found[0].photos]
    assert leaking((), find_duplicates(stats)) == [found[0].photos]


def test_copies_of_a_photo_under_other_names_stay_in_one_split(tmp_path, make_photos):
    for label in ("dress", "hat"):
        make_photos(label, 12)
        for file in sorted((tmp_path / label).iterdir()):
            for copy in "abc":
                (tmp_path / label / f"{copy}{file.stem}{copy}.png").write_bytes(file.read_bytes())
    dataset = load_dataset(tmp_path)
    splits: dict[str, set[str]] = {}
    for photo in dataset.photos:
        splits.setdefault(photo.sha256, set()).add(photo.split)
    assert (len(dataset.photos), len(splits)) == (96, 24)
    assert all(len(one) == 1 for one in splits.values())
    assert len(dataset.groups) == 24
    assert dataset.warnings == ()


def test_without_groups_the_copies_that_cross_splits_are_a_warning(tmp_path, make_photos):
    for label in ("dress", "hat"):
        make_photos(label, 12)
        for file in sorted((tmp_path / label).iterdir()):
            (tmp_path / label / f"a{file.stem}a.png").write_bytes(file.read_bytes())
    dataset = load_dataset(tmp_path, group_by="none")
    assert dataset.groups == ()
    assert [warning.split(":")[0] for warning in dataset.warnings] == ["leakage"]


def test_groups_that_the_user_s_own_folders_divide_are_a_warning(tmp_path, make_photos):
    for split in ("train", "validation"):
        for label in ("dress", "hat"):
            make_photos(f"{split}/{label}", 3)
    copy = tmp_path / "validation" / "hat" / "x.png"
    copy.write_bytes((tmp_path / "train" / "hat" / "000.png").read_bytes())
    (warning,) = load_dataset(tmp_path).warnings
    assert "train/hat/000.png" in warning
    assert "validation/hat/x.png" in warning


def test_one_photo_under_two_labels_is_a_warning(tmp_path, make_photos):
    for label in ("dress", "hat"):
        make_photos(label, 12)
    copy = tmp_path / "hat" / "copy.png"
    copy.write_bytes((tmp_path / "dress" / "000.png").read_bytes())
    (warning,) = load_dataset(tmp_path).warnings
    assert warning.startswith("label conflict: 1 photo ")
    assert "dress/000.png" in warning
    assert "hat/copy.png" in warning


def test_a_label_of_too_few_things_for_every_split_is_a_warning(tmp_path, make_photos):
    make_photos("dress", 10)
    make_photos("hat/hat1", 5)
    make_photos("hat/hat2", 5)
    dataset = load_dataset(tmp_path, group_by="folder")
    assert dataset.counts()["hat"] == {"train": 5, "validation": 5, "test": 0}
    assert any("'hat'" in warning and "things" in warning for warning in dataset.warnings)


def test_a_wrong_rule_is_refused_before_any_photo_is_read(tmp_path, make_photos, monkeypatch):
    make_photos("hat", 2)
    monkeypatch.setattr(decoder, "read", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(InputError):
        load_dataset(tmp_path, group_by="(")


def test_the_scan_reads_each_file_once_and_decodes_it_for_the_network_too(tmp_path, make_photos, monkeypatch):
    make_photos("dress", 4)
    make_photos("hat", 4)
    honest, reads = decoder.read, []

    def read(path):
        reads.append(path)
        return honest(path)

    monkeypatch.setattr(decoder, "read", read)
    spec = decoder.InputSpec(5, 7)
    dataset = load_dataset(tmp_path, spec=spec)
    assert len(dataset.fingerprint) == 64
    reader = PhotoReader(tmp_path, dataset.photos, spec, decoded=dataset.decoded)
    photos = [np.asarray(decoder.decode(honest(path), spec)) for path in sorted(reads)]
    assert np.array_equal(reader[np.arange(8)], photos)
    assert len(reads) == len(set(reads)) == 8


def test_pixels_that_do_not_fit_in_memory_are_not_kept(tmp_path, make_photos, monkeypatch):
    make_photos("dress", 4)
    make_photos("hat", 4)
    monkeypatch.setattr(loader, "memory", lambda: 4 * 8 * 5 * 7 * 3 - 1)
    assert load_dataset(tmp_path, spec=decoder.InputSpec(5, 7)).decoded.arrays == {}
