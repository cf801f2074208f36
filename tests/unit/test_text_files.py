import errno
import os
from pathlib import Path

import pytest

from shutterless.text_files import decode_text, parse_table, read_head, read_text


def test_text_is_read_from_plain_files_within_bounds(tmp_path):
    file = tmp_path / "text"
    file.write_bytes("é\r\n".encode())
    os.mkfifo(tmp_path / "pipe")
    assert read_text(file, 4) == "é\r\n"
    assert read_head(file, 2) == "é".encode()
    with pytest.raises(OSError) as caught:
        read_text(file, 3)
    assert caught.value.errno == errno.EFBIG
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        for read in (read_text, lambda path: read_head(path, 4)):
            with pytest.raises(OSError) as caught:
                read(path)
            assert caught.value.errno == errno.EINVAL
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "nowhere")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_as_any_spreadsheet_program_saves_it(encoding, delimiter):
    rows = [["path", "label"], ["größe.jpg", "hat"]]
    text = "".join(delimiter.join(row) + "\r\n" for row in rows)
    assert [*parse_table(decode_text(text.encode(encoding)))] == rows
