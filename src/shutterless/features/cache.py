"""Keep the features of photos between commands, in one SQLite file of the user's cache folder."""

import math
import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.utils.cache import cache_folder

FILE = "features.sqlite"
# About 400,000 photos with 1,280 features each. Beyond it, those that were not used for longest are removed.
MAX_BYTES = 2 << 30
SHRINKS = 16  # how often the limit is checked while `MAX_BYTES` are added
# Values in one SQL statement; SQLite allows 32,766.
MAX_VALUES = 500
SECONDS_PER_DAY = 86_400
LOCK_TIMEOUT = 10.0  # seconds to wait for another process that writes

Features = npt.NDArray[np.float32]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS features (
    model TEXT, photo TEXT, day INTEGER, checksum INTEGER, vector BLOB, PRIMARY KEY (model, photo)
);
CREATE INDEX IF NOT EXISTS by_day ON features (day);
"""


def default_file() -> Path | None:
    """Return the file of the cache; None if the user has no home folder."""
    try:
        return cache_folder("features") / FILE
    except RuntimeError:
        return None


class FeatureCache:
    """The features that one model gave to photos, by the photos' SHA-256.

    A damaged file is deleted, and one that cannot be opened or written is not used: features can always be
    computed again.

    Args:
        model: Identity of the model: other weights or another input make another identity.
        file: The SQLite file, which all models share; None keeps the features in memory only.
    """

    def __init__(self, model: str, file: Path | None) -> None:
        self._model, self._file = model, file
        self._added_bytes = self._unchecked_bytes = 0
        self._database = self._open()

    def load(self, photos: Iterable[str]) -> dict[str, Features]:
        """Return SHA-256 → features float32[d] of those photos that are in the cache."""
        keys = sorted(set(photos))
        chunks = (keys[start : start + MAX_VALUES] for start in range(0, len(keys), MAX_VALUES))
        try:
            rows = [row for chunk in chunks for row in self._select(chunk)]
        except sqlite3.Error as error:
            self._reopen(error)
            return {}
        vectors = {key: vector for key, checksum, vector in rows if zlib.crc32(vector) == checksum}
        return {key: np.frombuffer(vector, np.float32) for key, vector in vectors.items()}

    def store(self, features: Mapping[str, Features]) -> None:
        """Add features by the photos' SHA-256, all of them at once.

        Beyond `MAX_BYTES` nothing is added any more: it would only replace what has just been added.
        """
        if self._added_bytes >= MAX_BYTES:
            return
        vectors = ((key, np.asarray(vector, "<f4").tobytes()) for key, vector in features.items())
        rows = [(self._model, key, _today(), zlib.crc32(vector), vector) for key, vector in vectors]
        for _ in range(2):
            try:
                with self._database:
                    self._database.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?, ?)", rows)
                self._count(sum(len(vector) for *_, vector in rows))
                return
            except sqlite3.Error as error:
                self._reopen(error)

    def close(self) -> None:
        """Remove what is beyond the limit, and close the file."""
        if self._unchecked_bytes:
            with suppress(sqlite3.Error):
                self._shrink()
        self._database.close()

    def _count(self, added_bytes: int) -> None:
        """Count what was added, and keep the file within the limit."""
        self._added_bytes += added_bytes
        self._unchecked_bytes += added_bytes
        if self._unchecked_bytes * SHRINKS > MAX_BYTES:
            self._shrink()
            self._unchecked_bytes = 0

    def _select(self, keys: list[str]) -> list[tuple[str, int, bytes]]:
        """Return photo, checksum and vector of these photos, and mark them as used today."""
        condition = f"model = ? AND photo IN ({','.join('?' * len(keys))})"
        query = f"SELECT photo, checksum, vector FROM features WHERE {condition}"
        rows = self._database.execute(query, (self._model, *keys)).fetchall()
        with suppress(sqlite3.OperationalError), self._database:  # on a disk that can only be read
            self._database.execute(
                f"UPDATE features SET day = ? WHERE {condition} AND day < ?",
                (_today(), self._model, *keys, _today()),
            )
        return rows

    def _open(self) -> sqlite3.Connection:
        """Return the database in the file, which is deleted first if it is damaged, or one in memory."""
        for _ in range(2 if self._file else 0):
            try:
                return _connect(self._file)
            except (sqlite3.OperationalError, OSError):
                break
            except sqlite3.DatabaseError:
                _delete(self._file)
        return _connect(None)

    def _reopen(self, error: sqlite3.Error) -> None:
        """Go on with a new file if this one is damaged, or in memory if it is locked or the disk is full."""
        self._database.close()
        if isinstance(error, sqlite3.OperationalError):
            self._file = None
        else:
            _delete(self._file)
        self._database = self._open()

    def _shrink(self) -> None:
        """Remove the rows that were not used for longest until the rest is within `MAX_BYTES`."""
        ((count, size),) = self._database.execute("SELECT COUNT(*), SUM(LENGTH(vector)) FROM features")
        if size and size > MAX_BYTES:
            surplus = math.ceil(count * (1 - MAX_BYTES / size))
            with self._database:
                self._database.execute(
                    "DELETE FROM features WHERE rowid IN (SELECT rowid FROM features ORDER BY day LIMIT ?)",
                    (surplus,),
                )


def _connect(file: Path | None) -> sqlite3.Connection:
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(file or ":memory:", timeout=LOCK_TIMEOUT)
    try:
        database.executescript(_SCHEMA)
    except sqlite3.Error:
        database.close()
        raise
    return database


def _delete(file: Path | None) -> None:
    if file:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _today() -> int:
    return int(time.time()) // SECONDS_PER_DAY
