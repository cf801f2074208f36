"""Write zip files whose bytes are the same on every machine.

Two builds of zlib compress the same content differently, so nothing is compressed here: a member is stored,
or copied from another zip file as it is compressed there. Order, times and permissions are fixed.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# The records of a zip file without their optional parts.
# Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _UNIX, _UTF8 = 20, 3 << 8, 0x800
_MIDNIGHT, _FIRST_DAY = 0, 0x21  # 1980-01-01, the earliest date that a zip file can have
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class Member:
    """One file of a zip file.

    Attributes:
        name: Its path, with slashes.
        data: Its content as it is in the zip file, possibly compressed.
        method: How it is compressed: `zipfile.ZIP_STORED` or `ZIP_DEFLATED`.
        checksum: CRC-32 of its content.
        size: Bytes of its content.
    """

    name: str
    data: bytes
    method: int
    checksum: int
    size: int

    @classmethod
    def store(cls, name: str, content: bytes) -> "Member":
        """Return a member that is not compressed."""
        return cls(name, content, zipfile.ZIP_STORED, zlib.crc32(content), len(content))

    @classmethod
    def copy(cls, name: str, stream: BinaryIO, info: zipfile.ZipInfo) -> "Member":
        """Return a member of another zip file under a new name, as it is compressed there.

        Args:
            name: The new name.
            stream: The other zip file.
            info: The member of the other zip file.
        """
        stream.seek(info.header_offset)
        *_, name_size, extra_size = _LOCAL.unpack(stream.read(_LOCAL.size))
        stream.seek(name_size + extra_size, 1)
        data = stream.read(info.compress_size)
        return cls(name, data, info.compress_type, info.CRC, info.file_size)


def write_zip(file: Path, members: Iterable[Member]) -> None:
    """Write a zip file with these members, in this order."""
    directory, count = b"", 0
    with file.open("wb") as stream:
        for member in members:
            name = member.name.encode()
            fields = (
                *(0 if member.name.isascii() else _UTF8, member.method, _MIDNIGHT, _FIRST_DAY),
                *(member.checksum, len(member.data), member.size, len(name), 0),
            )
            place = (0, 0, 0, _MODE, stream.tell())
            directory += _CENTRAL.pack(b"PK\x01\x02", _UNIX | _VERSION, _VERSION, *fields, *place) + name
            stream.write(_LOCAL.pack(b"PK\x03\x04", _VERSION, *fields) + name + member.data)
            count += 1
        end = (0, 0, count, count, len(directory), stream.tell(), 0)
        stream.write(directory + _END.pack(b"PK\x05\x06", *end))
