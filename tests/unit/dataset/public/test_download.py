"""Downloads from a server on this machine, which misbehaves as servers and networks do."""

import gzip
import io
import socket
import tarfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from shutterless.dataset.public import archive
from shutterless.dataset.public.download import PUBLIC_DATASETS, PublicDataset, download_dataset, git_tree
from shutterless.errors import DatasetError, InputError, OutputError

PHOTOS = {
    "train/hat/a.jpg": b"first",
    "train/t-shirt/b.jpg": b"second" * 20_000,
    "validation/hat/c.jpg": b"third",
    "test/hat/d.jpg": b"fourth",
}
TREES = {  # git rev-parse HEAD:train HEAD:validation, of these files
    "train": "35dcb54434d38c966a94fc5fe6aaea5ee9d65625",
    "validation": "a4cb7cabf10159e894f66213d83c00a3a15926db",
}
CLOTHING = Path(__file__).parents[5] / "shared" / "datasets" / "clothing"


def packed(files: dict[str, bytes], *more: tarfile.TarInfo) -> bytes:
    """Return an archive as GitHub makes it: one folder, named after repository and commit, around all."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"clothing-36364be/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in more:
            archive.addfile(entry, io.BytesIO(b"x" * entry.size))
    return gzip.compress(stream.getvalue(), mtime=0)


class Site:
    """One file at one address, and how it is handed out."""

    def __init__(self) -> None:
        self.content = packed({**PHOTOS, "README.md": b"about", "LICENSE": b"CC0"})
        self.etag = '"one"'
        self.cut_at: int | None = None
        self.ranges = True
        self.length = True
        self.status = 200
        self.asked: list[str | None] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers["Range"]
        self.asked.append(wanted)
        start, status = 0, self.status
        if wanted and self.ranges and handler.headers["If-Range"] == self.etag:
            start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
        whole = len(self.content)
        if start >= whole:
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{whole}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(status)
        handler.send_header("ETag", self.etag)
        if self.length:
            handler.send_header("Content-Length", str(whole - start))
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        handler.end_headers()
        handler.wfile.write(self.content[start : self.cut_at])


@pytest.fixture
def site(monkeypatch):
    """Serve an archive and have it stand for the clothing photos."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    publish(monkeypatch, f"http://127.0.0.1:{server.server_port}/archive")
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def publish(monkeypatch, url: str) -> None:
    monkeypatch.setitem(
        PUBLIC_DATASETS,
        "clothing",
        PublicDataset(url, {"train": 2, "validation": 1, "test": 1}, TREES, size=100_000),
    )


@pytest.fixture
def refused(tmp_path) -> Callable[[], DatasetError]:
    """Try to download; return the error, and make sure that no folder is left."""

    def attempt() -> DatasetError:
        with pytest.raises(DatasetError) as caught:
            download_dataset("clothing", tmp_path / "photos")
        assert caught.value.hint
        assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
        return caught.value

    return attempt


def assert_refused(error: DatasetError, value: str) -> None:
    assert error.code == "archive-refused"
    assert value in error.message


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_photos_and_their_licence_are_laid_out_by_split_and_nothing_else_is_left(site, tmp_path):
    steps = []
    folder = download_dataset(
        "clothing", tmp_path / "photos", progress=lambda _, done, total: steps.append((done, total))
    )
    assert files(folder) == {**PHOTOS, "LICENSE": b"CC0"}
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    assert steps[-1] == (len(site.content) // 1000,) * 2


def test_a_download_that_was_cut_goes_on_where_it_was(site, refused, tmp_path):
    site.cut_at = 200
    error = refused()
    assert error.code == "download-interrupted"
    assert "200" in error.message
    site.cut_at = None
    assert files(download_dataset("clothing", tmp_path / "photos"))["train/hat/a.jpg"] == b"first"
    assert site.asked == [None, "bytes=200-"]


def test_a_cut_after_the_last_byte_needs_no_more_of_them(site, refused, tmp_path):
    (tmp_path / "photos.tar.gz.part").write_bytes(site.content)
    (tmp_path / "photos.tar.gz.part.etag").write_text(site.etag)
    download_dataset("clothing", tmp_path / "photos")
    assert site.asked == [f"bytes={len(site.content)}-"]


@pytest.mark.parametrize("change", [{"ranges": False}, {"etag": '"two"'}])
def test_a_server_that_ignores_ranges_or_has_another_file_sends_it_from_the_start(
    site, refused, tmp_path, change
):
    site.cut_at = 200
    refused()
    vars(site).update(change, cut_at=None)
    download_dataset("clothing", tmp_path / "photos")
    assert site.asked == [None, "bytes=200-"]


def test_without_a_strong_etag_two_parts_are_never_joined(site, refused, tmp_path):
    site.etag, site.cut_at = 'W/"one"', 200
    refused()
    site.cut_at = None
    download_dataset("clothing", tmp_path / "photos")
    assert site.asked == [None, None]


def test_a_cut_that_nobody_announced_is_found_in_the_archive(site, refused, tmp_path):
    site.length, site.cut_at = False, 200
    assert refused().code == "archive-refused"
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_refuses_is_quoted_and_only_a_busy_one_is_worth_another_attempt(site, refused):
    hints = {}
    for status in (404, 410, 429, 503):
        site.status = status
        error = refused()
        assert error.code == "download-failed"
        assert str(status) in error.message
        hints[status] = error.hint
    assert hints[404] == hints[410] != hints[429] == hints[503]


def test_a_range_that_the_server_refuses_starts_the_next_attempt_over(site, refused, tmp_path):
    (tmp_path / "photos.tar.gz.part").write_bytes(site.content + b"more")
    (tmp_path / "photos.tar.gz.part.etag").write_text(site.etag)
    assert refused().code == "download-interrupted"
    assert list(tmp_path.iterdir()) == []
    download_dataset("clothing", tmp_path / "photos")
    assert site.asked == [f"bytes={len(site.content) + 4}-", None]


def test_without_a_network_it_says_so(monkeypatch, refused):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        publish(monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}/archive")
        error = refused()
    assert error.code == "download-failed"
    assert PUBLIC_DATASETS["clothing"].url in error.message


@pytest.mark.parametrize(
    ("change", "values"),
    [
        ({"train/hat/a.jpg": b"other"}, ("train", TREES["train"])),
        ({"train/hat/new.jpg": b"new"}, ("train", "3", "2")),
        ({"test/hat/new.jpg": b"new"}, ("test", "2", "1")),
    ],
)
def test_wrong_content_is_refused_and_not_kept_for_the_next_try(site, refused, tmp_path, change, values):
    site.content = packed({**PHOTOS, **change})
    error = refused()
    assert error.code == "download-differs"
    assert all(value in error.message for value in values)
    assert list(tmp_path.iterdir()) == []


def link(kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("clothing-36364be/train/hat/link.jpg")
    entry.type, entry.linkname = kind, "/etc/passwd"
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        tarfile.TarInfo("clothing-36364be/../../../evil.jpg"),
        tarfile.TarInfo("/tmp/evil.jpg"),
        link(tarfile.SYMTYPE),
        link(tarfile.LNKTYPE),
        link(tarfile.FIFOTYPE),
        link(tarfile.CHRTYPE),
        tarfile.TarInfo("clothing-36364be/train/hat/a.jpg"),
    ],
    ids=["climbs", "absolute", "symlink", "hard link", "pipe", "device", "twice"],
)
def test_an_archive_that_reaches_out_is_refused(site, refused, tmp_path, entry):
    site.content = packed(PHOTOS, entry)
    assert_refused(refused(), entry.name.rpartition("/")[2])
    assert list(tmp_path.iterdir()) == []


def extended(body: bytes) -> bytes:
    """Return an extended header of the kind that overrides what the next header says."""
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, len(body)
    return entry.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % 512)


@pytest.mark.parametrize(
    "header",
    [
        extended(b"1" * 100_000),  # tarfile takes a minute for it
        extended(b"11 path=abc\n") * 2_000,  # and recurses for each of these
        extended(b"24 path=../../evil.jpg\n"),
        extended(b"21 GNU.sparse.map=0,x\n"),
    ],
    ids=["digits", "many", "path", "sparse"],
)
def test_extended_headers_are_skipped_and_name_nothing(site, tmp_path, header):
    site.content = gzip.compress(header + gzip.decompress(site.content))
    assert files(download_dataset("clothing", tmp_path / "photos")) == {**PHOTOS, "LICENSE": b"CC0"}


@pytest.mark.parametrize(("start", "end"), [(124, 136), (148, 156)], ids=["size", "checksum"])
@pytest.mark.parametrize("field", [b"\xff" * 12, b"-1", b"", b"9999999"])
def test_a_header_without_valid_numbers_is_refused(site, refused, tmp_path, start, end, field):
    archive = bytearray(gzip.decompress(site.content))
    archive[start:end] = field[: end - start].ljust(end - start, b"\0")
    site.content = gzip.compress(archive)
    assert refused().code == "archive-refused"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("etag", ['"\xe9"', '"' + "a" * 10_000 + '"', "bare"])
def test_an_etag_that_cannot_be_sent_back_is_not_kept(site, refused, tmp_path, etag):
    site.etag, site.cut_at = etag, 200
    refused()
    assert not (tmp_path / "photos.tar.gz.part.etag").exists()
    site.cut_at = None
    download_dataset("clothing", tmp_path / "photos")
    assert site.asked == [None, None]


def test_a_bomb_is_refused_by_its_bytes_and_by_its_entries(site, refused, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 50_000_000)
    site.content = packed({"README.md": bytes(40_000_000), "other.md": bytes(20_000_000)})
    assert_refused(refused(), "50,000,000")
    site.content = packed({"train/hat/a.jpg": bytes(30_000_000)})
    assert_refused(refused(), "20,000,000")
    monkeypatch.setattr(archive, "MAX_ENTRIES", 2)
    site.content = packed(PHOTOS)
    assert_refused(refused(), "2 entries")


@pytest.mark.parametrize("size", [-600, 2**40, 2**80], ids=["negative", "large", "huge"])
def test_an_entry_that_claims_an_impossible_size_is_refused_at_once(site, refused, size):
    header = tarfile.TarInfo("clothing-36364be/huge")
    header.size = size
    site.content = gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + gzip.decompress(site.content))
    assert_refused(refused(), f"{size:,}")


@pytest.mark.parametrize("length", [True, False])
def test_an_archive_without_end_is_refused_and_thrown_away(site, refused, tmp_path, length):
    site.content, site.length = bytes(250_000), length
    error = refused()
    assert error.code == "download-too-large"
    assert "200,000" in error.message
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_archive_is_refused(site, refused):
    site.content = b"<html>not found</html>"
    assert refused().code == "archive-refused"


def test_a_folder_in_use_is_refused_before_anything_is_fetched(site, tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(OutputError) as caught:
        download_dataset("clothing", tmp_path)
    assert caught.value.code == "not-empty"
    assert site.asked == []


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError) as caught:
        download_dataset("shoes", tmp_path)
    assert caught.value.code == "unknown-dataset"
    assert "clothing" in caught.value.hint


def test_the_url_is_github_s_at_one_commit():
    url = PUBLIC_DATASETS["clothing"].url
    assert url.startswith("https://codeload.github.com/alexeygrigorev/clothing-dataset-small/tar.gz/")
    assert len(url.rpartition("/")[2]) == 40


@pytest.mark.skipif(not CLOTHING.is_dir(), reason="needs the photos in ../shared/datasets")
def test_the_clothing_photos_have_the_trees_they_are_checked_against():
    trees = {split: git_tree(CLOTHING / split) for split in ("train", "validation")}
    assert trees == PUBLIC_DATASETS["clothing"].trees
