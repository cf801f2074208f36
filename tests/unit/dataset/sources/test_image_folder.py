"""Hugging Face's `datasets` reads what we import, and we read what it reads."""

import hashlib
import io
import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shutterless.dataset.importer import import_dataset
from shutterless.dataset.scan import load_dataset
from shutterless.dataset.sources.image_folder import read_image_folder
from shutterless.dataset.types import Photo
from shutterless.utils.progress import silent

pytestmark = [
    pytest.mark.slow,  # importing datasets takes seconds
    # It leaves files open.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def their_labels(tmp_path, monkeypatch):
    """Return what `datasets` reads in a folder: the hash of each picture's pixels → split and label."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    datasets.disable_progress_bars()

    def read(folder):
        loaded = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
        result = {}
        for split, rows in loaded.items():
            feature = rows.features["label"]
            for row in rows:
                label = feature.int2str(row["label"]) if hasattr(feature, "int2str") else row["label"]
                result[pixels(row["image"])] = (split, label)
        return result

    return read


def pixels(image) -> str:
    return hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()


def our_labels(root, photos):
    from PIL import Image

    return {
        pixels(Image.open(io.BytesIO((root / each.path).read_bytes()))): (each.split, each.label)
        for each in photos
    }


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_metadata_files_in_splits_give_the_labels_that_datasets_reads(
    make_picture, tmp_path, their_labels, suffix
):
    rows = []
    for split in ("train", "validation"):
        rows = [{"file_name": f"{n}.png", "label": "hat" if n % 2 else "dress"} for n in range(4)]
        for number in range(4):
            make_picture(f"in/{split}/{number}.png", number + 4 * (split == "train"))
        file = tmp_path / f"in/{split}/metadata.{suffix}"
        if suffix == "csv":
            file.write_text("file_name,label\n" + "".join(f"{r['file_name']},{r['label']}\n" for r in rows))
        elif suffix == "jsonl":
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        else:
            pq.write_table(pa.Table.from_pylist(rows), file)
    theirs = their_labels(tmp_path / "in")
    assert our_labels(tmp_path / "in", read_image_folder(tmp_path / "in").photos) == theirs
    result = import_dataset(tmp_path / "in", tmp_path / "out", progress=silent)
    assert (result.format, len(result.photos)) == ("imagefolder", 8)
    assert their_labels(tmp_path / "out") == theirs


def test_an_imported_table_is_an_imagefolder_for_datasets(make_picture, tmp_path, their_labels):
    for number in range(20):
        make_picture(f"{number}.png", number)
    rows = "".join(f"{n}.png,{'hat' if n % 2 else 'dress'},{'g' if n < 4 else ''}\n" for n in range(20))
    (tmp_path / "photos.csv").write_text(f"path,label,group\n{rows}")
    import_dataset(tmp_path / "photos.csv", tmp_path / "out", progress=silent)
    dataset = load_dataset(tmp_path / "out", progress=silent)
    theirs = their_labels(tmp_path / "out")
    assert {label for _, label in theirs.values()} == set(dataset.labels)
    ours = our_labels(tmp_path / "out", dataset.photos)
    assert {key: label for key, (_, label) in ours.items()} == {
        key: label for key, (_, label) in theirs.items()
    }


def test_metadata_in_the_outer_folder_takes_the_splits_of_its_paths(make_picture, tmp_path, refusal):
    (tmp_path / "metadata.csv").write_text("file_name,label\ntrain/a.png,hat\ntest/b.png,dress\n")
    listing = read_image_folder(tmp_path)
    assert listing.photos == [Photo("train/a.png", "hat", "train"), Photo("test/b.png", "dress", "test")]
    (tmp_path / "metadata.csv").write_text("file_name,text\ntrain/a.png,a hat\n")
    assert refusal(lambda: read_image_folder(tmp_path)) == "missing-column"
