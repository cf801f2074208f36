import io
import zipfile

from shutterless.utils.zip_file import Member, write_zip


def test_the_zip_file_has_these_members_in_this_order(tmp_path):
    write_zip(tmp_path / "a.zip", [Member.store("b/b.txt", b"second"), Member.store("ä", b"")])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == {
            "b/b.txt": b"second",
            "ä": b"",
        }
        (mode, date, system), *_ = {
            (info.external_attr >> 16, info.date_time, info.create_system) for info in archive.infolist()
        }
    assert (mode, date, system) == (0o100644, (1980, 1, 1, 0, 0, 0), 3)


def test_a_member_of_another_zip_file_is_copied_as_it_is_compressed_there(tmp_path):
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/first", b"x" * 100)
        archive.writestr(zipfile.ZipInfo("second"), b"y" * 1000, zipfile.ZIP_DEFLATED, compresslevel=1)
        members = [Member.copy(f"new/{info.filename}", other, info) for info in archive.infolist()]
        sizes = [info.compress_size for info in archive.infolist()]
    write_zip(tmp_path / "a.zip", members)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("new/folder/first") == b"x" * 100
        assert archive.read("new/second") == b"y" * 1000
        assert [info.compress_size for info in archive.infolist()] == sizes


def test_a_member_written_without_a_known_size_is_copied_too(tmp_path):
    """Such a member has its sizes behind its data, and none in front of it."""

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *arguments: int) -> int:
            raise io.UnsupportedOperation

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"x" * 100)
    other = io.BytesIO(stream.getvalue())
    with zipfile.ZipFile(other) as archive:
        write_zip(tmp_path / "a.zip", [Member.copy("a", other, archive.getinfo("a"))])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("a") == b"x" * 100
