import base64
import json
import struct

import pyarrow.parquet as pq
import pytest
import yaml

RECORD = {
    "time": "2026-11-27T09:00:00.000Z",
    "request_id": "r-1",
    "route": "POST /predict",
    "status": 200,
    "duration_ms": 20.0,
    "model": "0123456789ab",
    "label": "hat",
    "confidence": 0.75,
    "accepted": True,
    "rejected": 0,
    "record_id": "0123456789abcdef",
    "labels": ["hat", "shoes"],
    "scores": base64.b64encode(struct.pack("<2e", 0.75, 0.25)).decode(),
}


@pytest.fixture
def log(tmp_path):
    """Write a log with these records; return the file."""

    def write(*records):
        file = tmp_path / "requests.log"
        file.write_text("".join(json.dumps(record) + "\n" for record in records))
        return file

    return write


def test_a_log_becomes_a_table(shutterless, log, tmp_path):
    result = shutterless("collect", log(RECORD, RECORD), "-o", tmp_path / "live")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 new record, 1 known, 0 new photos, 0 corrections: 1 record" in result.stdout
    assert pq.read_table(tmp_path / "live" / "records.parquet").num_rows == 1


def test_damaged_lines_are_named(shutterless, log, tmp_path):
    broken = {**RECORD, "scores": "?"}
    result = shutterless("collect", log(broken, RECORD), "-o", tmp_path / "live")
    assert result.exit_code == 0
    assert "line 1" in result.stderr
    document = json.loads(shutterless("collect", log(broken), "-o", tmp_path / "live", "--json").stdout)
    assert (document["damaged"], document["total"]) == (1, 1)


def test_requests_without_records_are_pointed_out(shutterless, log, tmp_path):
    plain = {name: value for name, value in RECORD.items() if name != "record_id"}
    result = shutterless("collect", log(plain), "-o", tmp_path / "live")
    assert "--records on" in result.stderr


def test_a_workflow_is_written_once(shutterless, tmp_path):
    words = ("schedule", "clothes", "--region", "eu-central-1", "-o", tmp_path / "drift.yml")
    assert shutterless(*words).exit_code == 0
    assert yaml.safe_load((tmp_path / "drift.yml").read_text())["name"]
    assert shutterless(*words).exit_code == 1
