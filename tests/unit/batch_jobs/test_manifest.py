import io

import pyarrow.parquet as pq
import pytest

from shutterless.batch_jobs import manifest
from shutterless.batch_jobs.manifest import Manifest, make_manifest, read_identity, sort_uris
from shutterless.batch_jobs.options import BatchOptions
from shutterless.errors import InputError


def names(count: int) -> list[str]:
    return [f"/photos/{number:06}.jpg" for number in range(count)]


def make(uris: list[str], chunk_size: int = 0, **options: object) -> Manifest:
    return make_manifest(uris, BatchOptions(chunk_size=chunk_size, **options), "model")


def test_photos_are_sorted_as_bytes_and_each_is_there_once():
    assert sort_uris(["b", "é", "a", "b", "B", "z"]).to_pylist() == ["B", "a", "b", "z", "é"]
    assert sort_uris([]).to_pylist() == []


def test_the_chunks_have_all_photos_in_order():
    job = make(names(25), chunk_size=10)
    chunks = [job.chunk(number) for number in range(job.chunk_count)]
    assert [len(chunk.uris) for chunk in chunks] == [10, 10, 5] == [*map(job.chunk_length, range(3))]
    assert [uri for chunk in chunks for uri in chunk.uris] == names(25)
    assert job.part_names == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]


@pytest.mark.parametrize(("count", "size"), [(1, 10), (999, 10), (1001, 11), (20_000, 200), (200_000, 1000)])
def test_a_job_has_a_hundred_chunks_of_ten_to_a_thousand_photos(count, size):
    assert make(names(count)).chunk_size == size


def test_the_file_has_the_photos_with_their_chunks_and_the_identity():
    job = make(names(25), chunk_size=10)
    table = pq.read_table(io.BytesIO(job.to_parquet()))
    assert table.column("uri").to_pylist() == names(25)
    assert table.column("chunk").to_pylist() == [0] * 10 + [1] * 10 + [2] * 5
    assert read_identity(io.BytesIO(job.to_parquet())) == job.identity


def test_the_identity_depends_on_everything_that_changes_the_parts_and_on_nothing_else():
    first = make(names(25), chunk_size=10).identity
    assert make(names(25)[::-1], chunk_size=10, workers=7, per_host=1, urls="any").identity == first
    others = [
        make(names(26), chunk_size=10),
        make(["/a", "/b/c"], chunk_size=10),
        make(["/a\n/b", "/c"], chunk_size=10),
        make(names(25), chunk_size=11),
        make(names(25), chunk_size=10, embedding=True),
        make(names(25), chunk_size=10, top_k=1),
        make(names(25), chunk_size=10, thumbnail=9),
        make_manifest(names(25), BatchOptions(chunk_size=10), "another model"),
    ]
    identities = [str(sorted(each.identity.items())) for each in others]
    assert len({*identities, str(sorted(first.items()))}) == len(others) + 1


def test_a_sample_is_from_all_over_the_manifest():
    sample = make(names(1000)).sample(5)
    assert sorted(sample) == [names(1000)[place] for place in (0, 249, 499, 749, 999)]
    assert make(names(3)).sample(10) != [] == make([]).sample(10)


def test_too_many_photos_or_parts_are_refused(monkeypatch):
    monkeypatch.setattr(manifest, "MAX_CHUNKS", 10)
    with pytest.raises(InputError) as error:
        make(names(25), chunk_size=2)
    assert error.value.code == "invalid-option"
    monkeypatch.setattr(manifest, "MAX_PHOTOS", 10)
    with pytest.raises(InputError) as error:
        make(names(60_000))
    assert error.value.code == "too-many-photos"


@pytest.mark.parametrize(
    "option", [{"top_k": -1}, {"thumbnail": 5000}, {"timeout": 0}, {"per_host": 0}, {"timeout": float("nan")}]
)
def test_an_option_out_of_range_is_refused(option):
    with pytest.raises(InputError) as error:
        BatchOptions(**option)
    assert error.value.code == "invalid-option"
