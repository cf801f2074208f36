import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import shutterless
from shutterless.artifacts.lock import LOCK, locked
from shutterless.errors import OutputError, ShutterlessError
from shutterless.runtime.model.bundle import read_bundle, write_bundle

COLUMNS = ["uri", "label", "confidence", "accepted", "familiar", "novelty", "scores", "model", "error"]


def run(bundle: object, inputs: object, output: Path, **options: object) -> shutterless.BatchResult:
    return shutterless.batch(bundle, inputs, output, **{"workers": 2, "urls": "any", **options})


def rows(output: Path) -> list[dict[str, object]]:
    return pq.read_table(output).to_pylist()  # as pandas does: whatever begins with _ is passed over


def digests(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.iterdir()}


@contextmanager
def serving(answer: Callable[[str], bytes]) -> Iterator[str]:
    """Serve what `answer` returns for a path; nothing at all means that the host hangs up."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if body := answer(self.path):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def workers() -> list[int]:
    """Return the worker processes of this process."""
    children = Path(f"/proc/self/task/{threading.main_thread().native_id}/children")
    tasks = Path("/proc/self/task").glob("*/children") if children.exists() else []
    pids = [int(pid) for file in tasks for pid in file.read_text().split()]
    return [pid for pid in pids if b"batch_jobs.worker.child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_every_photo_has_a_row_with_what_predict_answers(familiar_bundle, photos, tmp_path):
    result = run(familiar_bundle, photos, tmp_path / "out")
    table = rows(tmp_path / "out")
    assert (result.photos, result.errors, result.chunks, result.resumed) == (24, {}, 3, 0)
    assert [row["uri"] for row in table] == sorted(map(str, photos.rglob("*.png")))
    assert list(table[0]) == COLUMNS
    classifier = shutterless.load(familiar_bundle)
    for row, answer in zip(table, classifier.predict([row["uri"] for row in table]), strict=True):
        expected = (answer.label, answer.confidence, answer.accepted, answer.familiar, answer.novelty)
        assert tuple(row[name] for name in COLUMNS[1:6]) == expected
        assert row["scores"] == [*answer.scores.values()]
        assert (row["model"], row["error"]) == (classifier.version, None)
    assert (tmp_path / "out" / "_SUCCESS").exists()
    assert not (tmp_path / "out" / LOCK).exists()


def test_the_optional_columns_are_those_of_the_model_and_the_photo(familiar_bundle, photos, tmp_path):
    Image.new("RGB", (300, 150), "red").save(photos / "wide.jpg")
    run(familiar_bundle, photos, tmp_path / "out", embedding=True, top_k=2, thumbnail=100)
    classifier = shutterless.load(familiar_bundle)
    for row in rows(tmp_path / "out"):
        assert row["embedding"] == classifier.embed(row["uri"]).tolist()
        best = [(entry["label"], entry["score"]) for entry in row["top"]]
        assert best == classifier.predict(row["uri"]).top(2)
        with Image.open(BytesIO(row["thumbnail"])) as thumbnail:
            assert thumbnail.format == "JPEG"
            assert thumbnail.size == ((100, 50) if row["uri"].endswith("wide.jpg") else (40, 32))


def test_a_bundle_of_format_1_leaves_what_it_cannot_tell_empty(plain_bundle, photos, tmp_path):
    run(plain_bundle, photos / "red", tmp_path / "out")
    assert {(row["label"], row["familiar"], row["novelty"]) for row in rows(tmp_path / "out")} == {
        ("red", None, None)
    }


def test_bad_photos_are_rows_with_a_code(familiar_bundle, photos, tmp_path):
    (photos / "text.jpg").write_text("no picture")
    (photos / "empty.jpg").touch()
    (photos / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    with (photos / "huge.jpg").open("wb") as stream:
        stream.truncate(30_000_000)
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "list.txt").write_text(
        f"missing.jpg\npipe.jpg\n{photos}\n{photos / 'text.jpg' / 'x.jpg'}\nhttp://localhost:1/a.jpg\nftp://a/b.jpg"
    )
    result = run(familiar_bundle, [photos, tmp_path / "list.txt"], tmp_path / "out")
    errors = {Path(row["uri"]).name: row["error"] for row in rows(tmp_path / "out") if row["error"]}
    assert errors == {
        "text.jpg": "unsupported-format",
        "empty.jpg": "unreadable-image",
        "cut.jpg": "unreadable-image",
        "huge.jpg": "too-large",
        "missing.jpg": "not-found",
        "x.jpg": "not-found",
        "pipe.jpg": "unreadable-file",
        "photos": "unreadable-file",
        "a.jpg": "fetch-failed",
        "b.jpg": "not-found",
    }
    assert (result.photos, sum(result.errors.values())) == (34, 10)


def test_private_addresses_are_refused_unless_they_are_allowed(familiar_bundle, photos, tmp_path):
    data = (photos / "red" / "00.png").read_bytes()
    with serving(lambda path: data) as url:
        assert run(familiar_bundle, f"{url}/a.png", tmp_path / "one", urls="public").errors == {
            "url-refused": 1
        }
        assert run(familiar_bundle, f"{url}/a.png", tmp_path / "two").errors == {}


def test_of_one_host_only_so_many_photos_are_fetched_at_once(familiar_bundle, photos, tmp_path):
    data = (photos / "red" / "00.png").read_bytes()
    active, most, lock = 0, 0, threading.Lock()

    def answer(path: str) -> bytes:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        threading.Event().wait(0.01)
        with lock:
            active -= 1
        return data

    with serving(answer) as url:
        (tmp_path / "list.txt").write_text("".join(f"{url}/{number}.png\n" for number in range(60)))
        assert run(familiar_bundle, tmp_path / "list.txt", tmp_path / "out", per_host=4).errors == {}
    assert most <= 4


def test_hosts_that_hang_delay_only_their_own_photos(familiar_bundle, photos, tmp_path):
    data = (photos / "red" / "00.png").read_bytes()
    is_over = threading.Event()

    def answer(path: str) -> bytes:
        if "hang" in path:
            is_over.wait(30)
        return b"" if "lie" in path or "hang" in path else data

    with serving(answer) as url:
        names = ["hang", "lie", *map(str, range(38))]
        (tmp_path / "list.txt").write_text("".join(f"{url}/{name}.png\n" for name in names))
        result = run(familiar_bundle, tmp_path / "list.txt", tmp_path / "out", timeout=2)
        is_over.set()
    assert (result.photos, result.errors) == (40, {"fetch-failed": 2})


def test_a_job_that_was_interrupted_is_continued_and_ends_with_the_same_bytes(
    familiar_bundle, photos, tmp_path
):
    run(familiar_bundle, photos, tmp_path / "whole")

    def interrupt(what: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(familiar_bundle, photos, tmp_path / "out", progress=interrupt)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert len(names) == 2
    assert "_manifest.parquet" in names
    assert workers() == []
    notes: list[str] = []
    result = run(familiar_bundle, photos, tmp_path / "out", on_note=notes.append)
    assert (result.photos, result.resumed, len(notes)) == (24, 1, 1)
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")
    assert run(familiar_bundle, photos, tmp_path / "out").resumed == 3


def test_a_damaged_part_is_made_again(familiar_bundle, photos, tmp_path):
    run(familiar_bundle, photos, tmp_path / "out")
    before = digests(tmp_path / "out")
    (tmp_path / "out" / "part-00001.parquet").write_bytes(b"PAR1")
    shutil.copy(tmp_path / "out" / "part-00000.parquet", tmp_path / "out" / "part-00002.parquet")
    assert run(familiar_bundle, photos, tmp_path / "out").resumed == 1
    assert digests(tmp_path / "out") == before


def other_bundle(bundle: Path, folder: Path) -> Path:
    read = read_bundle(bundle)
    return write_bundle(folder, read.model, read.replace(threshold=0.9)).path


def test_another_bundle_input_or_option_is_one_error_and_changes_nothing(familiar_bundle, photos, tmp_path):
    run(familiar_bundle, photos, tmp_path / "out")
    before = digests(tmp_path / "out")
    jobs = {
        "bundle": (other_bundle(familiar_bundle, tmp_path / "other"), photos, {}),
        "options": (familiar_bundle, photos, {"top_k": 1}),
        "input": (familiar_bundle, photos / "red", {}),
        "chunk size": (familiar_bundle, photos, {"chunk_size": 7}),
    }
    for name, (bundle, inputs, options) in jobs.items():
        with pytest.raises(OutputError) as error:
            run(bundle, inputs, tmp_path / "out", **options)
        assert error.value.code == "another-job"
        assert name in error.value.message
    assert digests(tmp_path / "out") == before


def test_two_jobs_cannot_write_to_one_output(familiar_bundle, photos, tmp_path):
    with locked(tmp_path / "out"), pytest.raises(OutputError) as error:
        run(familiar_bundle, photos, tmp_path / "out")
    assert error.value.code == "batch-in-progress"


def test_an_output_with_anything_else_is_left_alone(familiar_bundle, photos, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "_manifest.parquet").write_bytes(b"mine")
    codes = []
    for output in (tmp_path, tmp_path / "bad", photos / "out", tmp_path / "notes.txt" / "out"):
        with pytest.raises(ShutterlessError) as error:
            run(familiar_bundle, photos, output)
        codes.append(error.value.code)
    assert codes == ["not-empty", "not-ours", "output-inside-photos", "cannot-write"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_worker_that_is_killed_is_replaced(familiar_bundle, photos, tmp_path):
    data = (photos / "red" / "00.png").read_bytes()
    remaining = [3]

    def answer(path: str) -> bytes:
        if path == "/kill.png" and remaining[0]:
            remaining[0] -= 1
            for pid in workers():
                os.kill(pid, signal.SIGKILL)
        return data

    with serving(answer) as url:
        names = ["kill", *map(str, range(9))]
        (tmp_path / "list.txt").write_text("".join(f"{url}/{name}.png\n" for name in names))
        result = run(familiar_bundle, tmp_path / "list.txt", tmp_path / "out", workers=1)
    assert (result.photos, result.errors, remaining) == (10, {}, [0])


def test_a_photo_that_kills_every_worker_is_a_row_and_no_other_is_lost(familiar_bundle, photos, tmp_path):
    data = (photos / "red" / "00.png").read_bytes()

    def answer(path: str) -> bytes:
        if path == "/kill.png":
            for pid in workers():
                os.kill(pid, signal.SIGKILL)
        return data

    with serving(answer) as url:
        names = ["a", "kill", "z"]
        (tmp_path / "list.txt").write_text("".join(f"{url}/{name}.png\n" for name in names))
        result = run(familiar_bundle, tmp_path / "list.txt", tmp_path / "out", workers=1)
    assert result.errors == {"worker-died": 1}
    assert [row["error"] for row in rows(tmp_path / "out")] == [None, "worker-died", None]


def test_a_bundle_without_embeddings_is_refused_at_once(plain_bundle, photos, tmp_path):
    with pytest.raises(ShutterlessError) as error:
        run(plain_bundle, photos, tmp_path / "out", embedding=True)
    assert error.value.code == "no-embedding"
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_the_job_with_one_error_and_keeps_its_parts(
    familiar_bundle, photos, tmp_path, monkeypatch
):
    from shutterless.batch_jobs.storage import Folder

    write, count = Folder.write, iter(range(100))

    def fill_up(folder: Folder, name: str, content: bytes) -> None:
        if next(count) == 2:
            raise OutputError("cannot-write", "No space left on device")
        write(folder, name, content)

    monkeypatch.setattr(Folder, "write", fill_up)
    with pytest.raises(OutputError) as error:
        run(familiar_bundle, photos, tmp_path / "out")
    assert error.value.code == "cannot-write"
    assert workers() == []
    assert run(familiar_bundle, photos, tmp_path / "out").resumed == 1


def test_a_plan_estimates_bytes_time_and_memory_from_a_few_photos(familiar_bundle, photos):
    plan = shutterless.plan_batch(familiar_bundle, photos, workers=3)
    assert (plan.photos, plan.chunks, plan.chunk_size, plan.workers) == (24, 3, 10, 3)
    size = sum(path.stat().st_size for path in photos.rglob("*.png"))
    assert plan.bytes == pytest.approx(size, rel=0.01)
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert plan.memory > 10_000_000
    assert (plan.sample, plan.sample_errors) == (24, 0)


def test_a_plan_of_photos_that_are_not_there_has_no_estimate(familiar_bundle, tmp_path):
    (tmp_path / "list.txt").write_text("a.jpg\nb.jpg\n")
    plan = shutterless.plan_batch(familiar_bundle, tmp_path / "list.txt")
    assert (plan.photos, plan.bytes, plan.seconds, plan.sample_errors) == (2, None, None, 2)


def test_scores_are_equal_whichever_worker_gives_them(familiar_bundle, photos, tmp_path):
    run(familiar_bundle, photos, tmp_path / "one", workers=1)
    run(familiar_bundle, photos, tmp_path / "three", workers=3)
    assert digests(tmp_path / "one") == digests(tmp_path / "three")
    assert np.isfinite([row["scores"] for row in rows(tmp_path / "one")]).all()
