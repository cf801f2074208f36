"""Records of an API as `collect` writes them, with photos that are one colour each."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

LABELS = ("hat", "shirt", "shoes")
SCORES = ((0.9, 0.05, 0.05), (0.4, 0.35, 0.25), (0.05, 0.9, 0.05), (0.3, 0.3, 0.4))


def jpeg(number: int, size: tuple[int, int] = (40, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (number * 7 % 256, number * 31 % 256, 90)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def make_live(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a folder of records; keyword arguments replace columns."""

    def make(count: int = 20, **columns: list[object]) -> Path:
        folder = tmp_path / "live"
        (folder / "photos").mkdir(parents=True)
        names = []
        for number in range(count):
            data = jpeg(number)
            names.append(f"photos/{hashlib.sha256(data).hexdigest()}.jpg")
            (folder / names[-1]).write_bytes(data)
        scores = [SCORES[number % len(SCORES)] for number in range(count)]
        best = [max(range(3), key=row.__getitem__) for row in scores]
        table = {
            "id": [f"id-{number}" for number in range(count)],
            "photo": names,
            "label": [LABELS[index] for index in best],
            "confidence": [max(row) for row in scores],
            "accepted": [max(row) > 0.5 for row in scores],
            "novelty": [0.5] * count,
            "scores": scores,
            "embedding": [[float(number % 5), 1.0] for number in range(count)],
            "corrected": [None] * count,
        } | columns
        types = {
            "scores": pa.list_(pa.float32()),
            "embedding": pa.list_(pa.float32()),
            "corrected": pa.string(),
        }
        arrays = {name: pa.array(values, types.get(name)) for name, values in table.items()}
        metadata = {b"shutterless": json.dumps({"labels": LABELS})}
        pq.write_table(pa.table(arrays).replace_schema_metadata(metadata), folder / "records.parquet")
        return folder

    return make


@pytest.fixture
def live(make_live: Callable[..., Path]) -> Path:
    """Return a folder with 20 records and their photos."""
    return make_live()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a data set of two labels."""
    root = tmp_path / "photos"
    for number, label in enumerate(("hat", "shirt") * 3):
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"mine-{number}.jpg").write_bytes(jpeg(100 + number))
    return root
