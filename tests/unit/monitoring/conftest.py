"""A bundle that was validated on synthetic pictures, and records of more of them."""

import datetime
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shutterless.artifacts.validation_record import VALIDATION_ANSWERS, ValidationRecord
from shutterless.monitoring.sample import Sample
from shutterless.runtime.model.bundle import Bundle, write_bundle

LABELS = ("dress", "hat", "pants", "<script>alert(1)</script>")
SIZE = 8
UNTIL = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
FAMILIAR = {"weights": [1.0], "scores": [0.5, 1.0], "photos": 2, "false_alarm_rate": 0.02, "measured": {}}


def draw(rng, count, shares=(0.25, 0.25, 0.25, 0.25), offset=0.0) -> tuple[Sample, np.ndarray]:
    """Return calibrated answers to pictures around a centre for each label, and their labels."""
    centres = np.random.default_rng(0).normal(0, 1.2, (len(LABELS), SIZE))
    truth = rng.choice(len(LABELS), count, p=np.array(shares) / np.sum(shares))
    points = centres[truth] + rng.normal(0, 1, (count, SIZE))
    logits = -((points[:, np.newaxis] - centres) ** 2).sum(axis=2) / 2
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    novelty = np.clip(rng.random(count) + offset, 0, 1)
    scores /= scores.sum(axis=1, keepdims=True)
    return Sample(scores, points + offset, novelty, np.arange(count)), truth


@dataclass
class Deployment:
    """A bundle and its records.

    Attributes:
        bundle: The bundle.
        live: The folder of records.
    """

    bundle: Bundle
    live: Path

    def write(self, sample: Sample, labels=LABELS, **columns) -> None:
        """Write records of the week before `UNTIL`; columns replace those that follow from the sample."""
        count = len(sample)
        minutes = np.arange(count) * 10000 // max(count, 1)
        rows = {
            "id": [f"{number:04}" for number in range(count)],
            "time": [UNTIL - datetime.timedelta(minutes=int(minute) + 1) for minute in minutes],
            "model": [self.bundle.version] * count,
            "accepted": (sample.confidence >= 0.5).tolist(),
            "familiar": (sample.novelty < 0.98).tolist(),
            "novelty": sample.novelty.tolist(),
            "scores": sample.scores.tolist(),
            "embedding": pa.array(sample.embeddings.astype(np.float16).tolist(), pa.list_(pa.float16())),
            "photo": [None] * count,
            **columns,
        }
        self.live.mkdir(exist_ok=True)
        table = pa.table(rows).replace_schema_metadata({b"shutterless": json.dumps({"labels": labels})})
        pq.write_table(table, self.live / "records.parquet")


@pytest.fixture
def deployment(described, tmp_path) -> Deployment:
    sample, truth = draw(np.random.default_rng(1), 300)
    record = ValidationRecord(
        sample.scores.astype(np.float16),
        truth.astype(np.int32),
        sample.embeddings.astype(np.float16),
        sample.novelty.astype(np.float32),
        sample.units.astype(np.int32),
    )
    draft = described.replace(labels=LABELS, threshold=0.5, familiar=FAMILIAR)
    files = {VALIDATION_ANSWERS: record.to_bytes()}
    return Deployment(write_bundle(tmp_path / "bundle", b"model", draft, files), tmp_path / "live")
