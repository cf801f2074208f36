"""Records collected from logs of every kind, each once, whatever else is in them."""

import base64
import io
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shutterless.deploy.aws import logs
from shutterless.errors import DeployError, InputError, OutputError
from shutterless.live import collect as collect_module
from shutterless.live.collect import OVERLAP_MS, collect
from shutterless.live.lines import MAX_LINE_BYTES
from shutterless.runtime.access_log import make_record
from shutterless.runtime.http_messages import Request
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.service import Service
from shutterless.runtime.settings import KeptPhotos, Settings


@pytest.fixture(scope="module")
def service(familiar_bundle) -> Service:
    model = Classifier(read_bundle(familiar_bundle))
    return Service(model, Settings(familiar_bundle, records=True, kept_photos=KeptPhotos(share=1.0)))


def ask(service: Service, body: object, path: str = "/predict") -> str:
    """Return the line of the log for a request."""
    request = Request("POST", path, body=json.dumps(body).encode())
    response = service.respond(request)
    return json.dumps(make_record("request-1", service.find_route(request), "0123456789ab", 0.0, response))


def picture(colour: str) -> dict[str, str]:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(file, "JPEG")
    return {"image": base64.b64encode(file.getvalue()).decode()}


@pytest.fixture(scope="module")
def lines(service) -> list[str]:
    """A line with one record, one with two and a problem, and one without any."""
    several = {"images": [picture("red"), {"image": "bm8="}, picture("green")]}
    return [ask(service, picture("blue")), ask(service, several), ask(service, {"image": "bm8="})]


def write(file: Path, lines: list[str]) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return file


def rows(folder: Path) -> list[dict]:
    return pq.read_table(folder / "records.parquet").to_pylist()


def ids(lines: list[str]) -> list[str]:
    names = [json.loads(line).get("record_id", []) for line in lines]
    return [name for each in names for name in (each if isinstance(each, list) else [each])]


def test_records_and_photos_are_collected(lines, tmp_path):
    collected = collect(write(tmp_path / "log", ["START RequestId: 1", *lines]), tmp_path / "live")
    assert (collected.new, collected.photos, collected.total) == (3, 3, 3)
    assert (collected.requests, collected.others, collected.damaged) == (1, 1, 0)
    first, second, third = rows(tmp_path / "live")
    record = json.loads(lines[0])
    same = ("label", "confidence", "accepted", "familiar", "novelty", "model")
    assert {name: first[name] for name in same} == {name: record[name] for name in same}
    assert [first["id"], second["id"], third["id"]] == ids(lines)
    assert first["time"] == datetime.fromisoformat(record["time"])
    assert first["request"] == second["request"] == "request-1"
    assert sum(first["scores"]) == pytest.approx(1, abs=0.01)
    assert len(first["embedding"]) == 3
    assert first["corrected"] is None
    for row in (first, second, third):
        assert row["photo"] == f"photos/{row['id']}.jpg"
        with Image.open(tmp_path / "live" / row["photo"]) as photo:
            assert photo.size == (60, 40)
    metadata = pq.read_schema(tmp_path / "live" / "records.parquet").metadata
    assert json.loads(metadata[b"shutterless"])["labels"] == record["labels"]


def test_each_record_is_taken_once(lines, tmp_path):
    collect(write(tmp_path / "log", lines[:1]), tmp_path / "live")
    collected = collect(write(tmp_path / "log", [*lines, *lines]), tmp_path / "live")
    assert (collected.new, collected.known, collected.total) == (2, 4, 3)
    assert [row["id"] for row in rows(tmp_path / "live")] == ids(lines)


def docker_json(line: str, size: int = 16_384) -> list[str]:
    text = line + "\n"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [json.dumps({"log": each, "stream": "stderr", "time": "2026-11-27T09:00:00Z"}) for each in pieces]


def kubernetes(line: str, size: int = 16_384) -> list[str]:
    pieces = [line[start : start + size] for start in range(0, len(line), size)]
    tags = ["P"] * (len(pieces) - 1) + ["F"]
    time = "2026-11-27T09:00:00.123456789Z"
    return [f"{time} stderr {tag} {piece}" for tag, piece in zip(tags, pieces, strict=True)]


def google(line: str) -> dict[str, object]:
    members = json.loads(line)
    return {"insertId": "1", "timestamp": members.pop("time"), "jsonPayload": members}


WRAPPINGS = {
    "docker logs": lambda line: [line],
    "docker logs --timestamps": lambda line: [f"2026-11-27T09:00:00.123Z {line}"],
    "docker compose logs": lambda line: [f"api-1  | {line}"],
    "docker's files": docker_json,
    "docker's files in small pieces": lambda line: docker_json(line, 100),
    "Kubernetes' files": kubernetes,
    "Kubernetes' files in small pieces": lambda line: kubernetes(line, 100),
    "fluent-bit": lambda line: [json.dumps({"log": line, "stream": "stderr", "kubernetes": {}})],
    "Google Cloud, object": lambda line: [json.dumps(google(line))],
    "Google Cloud, text": lambda line: [json.dumps({"textPayload": line})],
    "journald": lambda line: [json.dumps({"MESSAGE": line, "_PID": "1"})],
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_lines_are_found_in_whatever_wraps_them(wrapping, lines, tmp_path):
    wrapped = [each for line in lines for each in WRAPPINGS[wrapping](line)]
    collected = collect(write(tmp_path / "log", wrapped), tmp_path / "live")
    assert (collected.new, collected.photos, collected.requests, collected.damaged) == (3, 3, 1, 0)
    assert rows(tmp_path / "live")[0]["time"] == datetime.fromisoformat(json.loads(lines[0])["time"])


def test_an_array_as_gcloud_writes_it(lines, tmp_path):
    text = json.dumps([google(line) for line in lines], indent=2)
    collected = collect(write(tmp_path / "log", [text]), tmp_path / "live")
    assert (collected.new, collected.damaged) == (3, 0)


def test_standard_input(lines, tmp_path, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert collect("-", tmp_path / "live").new == 3


def test_corrections_before_and_after_their_record(service, lines, tmp_path):
    first, second, _ = ids(lines)
    corrections = [
        json.dumps(
            {
                **json.loads(ask(service, {"record_id": name, "label": label}, "/feedback")),
                "time": f"2026-11-27T09:0{minute}:00Z",
            }
        )
        for minute, (name, label) in enumerate(((first, "red"), (second, "_other"), (first, "green")))
    ]
    collect(write(tmp_path / "a", corrections[:2]), tmp_path / "live")
    assert rows(tmp_path / "live") == []
    collected = collect(write(tmp_path / "b", [*lines, corrections[2], corrections[0]]), tmp_path / "live")
    assert collected.corrections == 2
    assert [row["corrected"] for row in rows(tmp_path / "live")] == ["green", "_other", None]
    collect(write(tmp_path / "a", corrections[:2]), tmp_path / "live")
    assert [row["corrected"] for row in rows(tmp_path / "live")] == ["green", "_other", None]


def test_models_with_other_labels_share_a_table(lines, tmp_path):
    members = json.loads(lines[0])
    other = {
        **members,
        "record_id": "0123456789abcdef",
        "model": "ba9876543210",
        "labels": ["hat", "blue"],
        "label": "hat",
        "scores": base64.b64encode(np.array([0.75, 0.25], "<f2").tobytes()).decode(),
    }
    collect(write(tmp_path / "log", [lines[0]]), tmp_path / "live")
    collect(write(tmp_path / "log", [json.dumps(other)]), tmp_path / "live")
    table = pq.read_table(tmp_path / "live" / "records.parquet")
    labels = json.loads(table.schema.metadata[b"shutterless"])["labels"]
    assert labels == [*members["labels"], "hat"]
    old, new = (dict(zip(labels, row["scores"], strict=True)) for row in table.to_pylist())
    assert np.isnan(old["hat"]) and old["blue"] > 0.5
    assert (new["hat"], new["blue"]) == (0.75, 0.25)
    assert np.isnan(new["red"])


BROKEN = {
    "record_id": ["../../x", "0123456789ABCDEF", 5, None, [], ["0" * 16] * 17, {}],
    "label": ["purple", 3, None, ["blue"]],
    "labels": [None, ["blue"], ["blue", "blue", "red", "green"], ["blue", 4, "x"], "blue", ["a\x1b", "b"]],
    "confidence": [-0.1, 1.1, float("nan"), "1", True, None],
    "accepted": [1, None, "yes"],
    "familiar": [0, "no"],
    "novelty": [2, -1, float("inf")],
    "scores": ["AAA", "AAA=", "", "!", 7, None, base64.b64encode(b"\x00\x7c" * 3).decode()],
    "embedding": ["AAA", "AA==", 7, base64.b64encode(b"\x00\x7e").decode()],
    "time": [
        None,
        "yesterday",
        "2026-11-27T09:00:00",
        "0001-01-01T00:00:00+14:00",
        5,
        "9999-12-31T23:59:59Z",
    ],
    "model": [None, "x", "0123456789aB"],
    "request_id": ["a b", "x" * 65, 5],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BROKEN for value in BROKEN[name]])
def test_an_impossible_value_costs_its_line_only(name, value, lines, tmp_path):
    broken = json.dumps({**json.loads(lines[0]), name: value})
    collected = collect(write(tmp_path / "log", [broken, lines[1]]), tmp_path / "live")
    assert (collected.new, collected.damaged) == (2, 1)
    assert collected.damages[0].place == "line 1"


@pytest.mark.parametrize("kind", ["PNG", "large", "cut", "text"])
def test_a_photo_that_is_none_costs_the_photo_only(kind, lines, tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (600 if kind == "large" else 60, 40)).save(file, "PNG" if kind == "PNG" else "JPEG")
    data = {"cut": file.getvalue()[:300], "text": b"<script>"}.get(kind, file.getvalue())
    members = {**json.loads(lines[0]), "photo": base64.b64encode(data).decode()}
    collected = collect(write(tmp_path / "log", [json.dumps(members)]), tmp_path / "live")
    assert (collected.new, collected.photos, collected.damaged) == (1, 0, 1)
    assert rows(tmp_path / "live")[0]["photo"] is None
    assert not (tmp_path / "live" / "photos").exists()


def test_a_line_that_is_cut_or_too_long_costs_nothing_else(lines, tmp_path):
    log = [lines[0][:-20], "x" * (MAX_LINE_BYTES + 1) + lines[0], lines[1], "[" * 100_000 + "request_id{"]
    collected = collect(write(tmp_path / "log", log), tmp_path / "live")
    assert collected.new == 2
    assert [each.place for each in collected.damages] == ["line 1", "line 2", "line 4"]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("record_id", "request_id", "labels", "scores", "photo", "correct_label"),
        *("log", "stream", "time", "jsonPayload", "textPayload", "message"),
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hostile=st.lists(
        st.binary(max_size=60)
        | st.dictionaries(NAMES, JSON, max_size=6).map(lambda each: json.dumps(each).encode()),
        max_size=6,
    ),
    changes=st.dictionaries(NAMES, JSON, min_size=1, max_size=2),
)
def test_no_line_harms_the_others(hostile, changes, lines, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    changed = json.dumps({**json.loads(lines[1]), **changes}).encode()
    (folder / "log").write_bytes(b"\n".join([*hostile, b"", changed, lines[0].encode(), b""]))
    collected = collect(folder / "log", folder / "live")
    names = {row["id"] for row in rows(folder / "live")}
    assert ids(lines)[0] in names
    assert names <= set(ids(lines))
    assert collected.total == len(names)
    assert {path.name for path in folder.iterdir()} == {"log", "live"}


def test_what_an_interruption_has_not_saved_is_read_again(lines, tmp_path, monkeypatch):
    log = write(tmp_path / "log", lines)
    monkeypatch.setattr(collect_module, "SAVE_EVERY", 1)

    def stop(collected):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(log, tmp_path / "live", progress=stop)
    (tmp_path / "live" / "photos" / f"{ids(lines)[1]}.jpg").write_bytes(b"half")
    assert len(rows(tmp_path / "live")) == 1
    collected = collect(log, tmp_path / "live")
    assert (collected.new, collected.known, collected.total) == (2, 1, 3)
    with Image.open(tmp_path / "live" / rows(tmp_path / "live")[1]["photo"]) as photo:
        photo.load()


@dataclass(frozen=True)
class Period:
    """A deployment's log, as `read_period` returns it."""

    entries: list[logs.LogEntry]
    start: int
    region: str = "eu-central-1"

    def read(self):
        return iter([each for each in self.entries if each.timestamp >= self.start])


def test_a_deployments_log_goes_on_where_the_last_run_ended(lines, tmp_path, monkeypatch):
    entries = [logs.LogEntry((10 + number) * OVERLAP_MS, line) for number, line in enumerate(lines)]
    asked = []

    def read_period(name, *, since, until, profile, region):
        asked.append(since)
        return Period(entries, 0 if since is None else 12 * OVERLAP_MS)

    monkeypatch.setattr(logs, "read_period", read_period)
    assert collect("clothes", tmp_path / "live").new == 3
    again = collect("clothes", tmp_path / "live")
    assert (again.known, again.requests) == (2, 1)
    entries.append(logs.LogEntry(20 * OVERLAP_MS, lines[0].replace(ids(lines)[0], "f" * 16)))
    assert collect("clothes", tmp_path / "live", since="1h").new == 1
    assert rows(tmp_path / "live")[-1]["id"] == "f" * 16


def test_what_was_read_before_aws_refused_is_kept(lines, tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class Broken(Period):
        def read(self):
            yield from super().read()
            raise DeployError("throttled", "Rate exceeded")

    entries = [logs.LogEntry(10 * OVERLAP_MS, lines[0])]
    monkeypatch.setattr(logs, "read_period", lambda *_, **__: Broken(entries, 0))
    with pytest.raises(DeployError):
        collect("clothes", tmp_path / "live")
    assert len(rows(tmp_path / "live")) == 1


def test_a_gap_that_since_leaves_is_read_later(lines, tmp_path, monkeypatch):
    entries = [logs.LogEntry(10 * OVERLAP_MS, lines[0])]
    monkeypatch.setattr(
        logs, "read_period", lambda name, since, **_: Period(entries, 19 * OVERLAP_MS if since else 0)
    )
    collect("clothes", tmp_path / "live")
    entries += [logs.LogEntry(15 * OVERLAP_MS, lines[1]), logs.LogEntry(20 * OVERLAP_MS, lines[2])]
    assert collect("clothes", tmp_path / "live", since="1h").new == 0
    assert collect("clothes", tmp_path / "live").new == 2


def test_what_is_no_log(tmp_path):
    with pytest.raises(InputError) as caught:
        collect("missing.log", tmp_path / "live")
    assert caught.value.code == "no-log"


def test_a_table_of_somebody_else_stays(lines, tmp_path):
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "records.parquet").write_bytes(b"mine")
    with pytest.raises(InputError) as caught:
        collect(write(tmp_path / "log", lines), tmp_path / "live")
    assert caught.value.code == "unreadable-records"
    assert (tmp_path / "live" / "records.parquet").read_bytes() == b"mine"


def test_two_runs_do_not_write_to_one_folder(lines, tmp_path, monkeypatch):
    def again(collected):
        collect(tmp_path / "log", tmp_path / "live")

    monkeypatch.setattr(collect_module, "SAVE_EVERY", 1)
    with pytest.raises(OutputError) as caught:
        collect(write(tmp_path / "log", lines), tmp_path / "live", progress=again)
    assert caught.value.code == "collecting"


def test_times_are_in_utc(lines, tmp_path):
    members = {**json.loads(lines[0]), "time": "2026-11-27T09:00:00.250+05:00"}
    collect(write(tmp_path / "log", [json.dumps(members)]), tmp_path / "live")
    assert rows(tmp_path / "live")[0]["time"] == datetime(2026, 11, 27, 4, 0, 0, 250_000, UTC)
