"""From S3 to S3, with moto's server in place of AWS."""

import threading
from collections.abc import Iterator
from io import BytesIO

import pyarrow.parquet as pq
import pytest

import shutterless
from shutterless.batch_jobs import s3, storage
from shutterless.batch_jobs.storage import Bucket
from shutterless.errors import ShutterlessError


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def files(server, monkeypatch):
    """Return s3fs's file system, with a new bucket called shop."""
    credentials = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {"AWS_ENDPOINT_URL": server, **credentials}.items():
        monkeypatch.setenv(name, value)
    s3.file_system.cache_clear()
    files = s3.file_system()
    files.call_s3("create_bucket", Bucket="shop")
    yield files
    files.rm("shop", recursive=True)
    s3.file_system.cache_clear()


@pytest.fixture
def photos(photos, files):
    """Return the photos, which are also in S3."""
    for path in photos.rglob("*.png"):
        files.pipe_file(f"shop/photos/{path.relative_to(photos)}", path.read_bytes())
    return photos


def run(bundle: object, inputs: object, output: str, **options: object) -> shutterless.BatchResult:
    return shutterless.batch(bundle, inputs, output, **{"workers": 1, **options})


def contents(files) -> dict[str, bytes]:
    return {name: files.cat_file(name) for name in files.ls("shop/answers")}


def test_from_s3_to_s3_the_answers_are_those_of_the_files(familiar_bundle, photos, files, tmp_path):
    files.pipe_file("shop/photos/text.jpg", b"no picture")
    files.pipe_file("shop/photos/empty.jpg", b"")
    files.pipe_file("shop/photos/huge.jpg", bytes(21_000_000))
    files.pipe_file("shop/photos/notes.txt", b"left out")
    files.pipe_file("shop/photos-2/a.jpg", b"another prefix")
    result = run(familiar_bundle, "s3://shop/photos", "s3://shop/answers/")
    assert result.errors == {"unsupported-format": 1, "unreadable-image": 1, "too-large": 1}
    names = [file.removeprefix("shop/answers/") for file in files.ls("shop/answers")]
    assert names == ["_SUCCESS", "_manifest.parquet", *(f"part-0000{n}.parquet" for n in range(3))]
    run(familiar_bundle, photos, str(tmp_path / "out"))
    local = {row["uri"]: row for row in pq.read_table(tmp_path / "out").to_pylist()}
    for name in names[2:]:
        for row in pq.read_table(BytesIO(files.cat_file(f"shop/answers/{name}"))).to_pylist():
            if row["uri"].endswith(".png"):
                path = row["uri"].replace("s3://shop/photos", str(photos))
                assert {**row, "uri": path} == local[path]


def test_a_job_in_s3_is_continued_and_another_one_refused(familiar_bundle, photos, files):
    run(familiar_bundle, "s3://shop/photos", "s3://shop/answers")
    before = contents(files)
    files.rm_file("shop/answers/part-00001.parquet")
    assert run(familiar_bundle, "s3://shop/photos", "s3://shop/answers").resumed == 2
    assert contents(files) == before
    with pytest.raises(ShutterlessError) as error:
        run(familiar_bundle, "s3://shop/photos/red", "s3://shop/answers")
    assert error.value.code == "another-job"
    with pytest.raises(ShutterlessError) as error:
        run(familiar_bundle, photos, "s3://shop/photos")
    assert error.value.code == "not-empty"


def test_objects_that_are_not_there_are_rows(familiar_bundle, photos, tmp_path):
    (tmp_path / "list.txt").write_text("s3://shop/photos/red/00.png\ns3://shop/a.jpg\ns3://nobucket/a.jpg\n")
    assert run(familiar_bundle, tmp_path / "list.txt", str(tmp_path / "out")).errors == {"not-found": 2}


@pytest.mark.parametrize(
    ("source", "output", "code"),
    [
        ("s3://nobucket/photos", "out", "not-found"),
        ("s3://shop/nothing", "out", "no-pictures"),
        ("s3://", "out", "invalid-s3-url"),
        ("photos", "s3://nobucket/answers", "cannot-write"),
    ],
)
def test_a_bucket_that_cannot_be_used_is_one_clear_error(
    source, output, code, familiar_bundle, photos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShutterlessError) as error:
        run(familiar_bundle, source, output)
    assert error.value.code == code


def test_denied_access_is_one_clear_error(files, monkeypatch):
    def deny(*arguments: object, **options: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(files, "call_s3", deny)
    with pytest.raises(ShutterlessError) as error:
        list(s3.list_objects("s3://shop/photos"))
    assert error.value.code == "access-denied"


def test_long_listings_come_in_pages(files, monkeypatch):
    for number in range(5):
        files.pipe_file(f"shop/many/{number}.jpg", b"x")
    call = files.call_s3
    monkeypatch.setattr(files, "call_s3", lambda name, **options: call(name, **{"MaxKeys": 2, **options}))
    assert len(list(s3.list_pages("s3://shop/many/"))) == 3
    assert [*s3.list_objects("s3://shop/many")] == [f"s3://shop/many/{number}.jpg" for number in range(5)]


def test_a_lock_that_is_renewed_keeps_others_out_and_one_that_is_not_soon_counts_no_longer(
    files, monkeypatch
):
    monkeypatch.setattr(storage, "LEASE_SECONDS", 2.0)
    monkeypatch.setattr(storage, "RENEWAL_SECONDS", 0.2)
    monkeypatch.setattr(storage, "SECONDS_BETWEEN_CHECKS", 0.1)
    notes: list[str] = []
    one, other = Bucket("s3://shop/answers"), Bucket("s3://shop/answers")
    with one.locked(notes.append):
        assert one.names() == set()
        with pytest.raises(ShutterlessError) as error, other.locked(notes.append):
            raise AssertionError("two jobs have the lock")
        assert error.value.code == "batch-in-progress"
    assert not files.exists("shop/answers/_lock")
    files.pipe_file("shop/answers/_lock", b"of a job that was killed")
    with other.locked(notes.append):
        assert files.exists("shop/answers/_lock")
    assert len(notes) == 2
    assert threading.active_count() < 20
