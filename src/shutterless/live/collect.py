"""Collect the records in a log: into a table and a folder of photos, each record once."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shutterless.artifacts.lock import locked
from shutterless.errors import InputError, OutputError, cannot_write
from shutterless.live.lines import Damage, LineReader, LogLine, LogRecord, read_lines
from shutterless.live.records import Correction, PictureRecord, check_photo, parse_line
from shutterless.live.table import RecordTable, open_table
from shutterless.runtime.json_types import JsonObject

PHOTOS = "photos"
# How many records an interruption may cost: they are read again.
SAVE_EVERY = 10_000
MAX_DAMAGES = 20  # that are described
STANDARD_INPUT = "-"
# CloudWatch may show a line some seconds after others that were written later; an hour is ample.
OVERLAP_MS = 3_600_000


@dataclass
class Collected:
    """What was collected.

    Attributes:
        folder: Where.
        new: Records that were not there before.
        known: Records that were.
        photos: New photos.
        corrections: Corrections of answers.
        requests: Requests whose lines have no record: problems, other paths, or from before there were any.
        others: Lines of other programs.
        damaged: Lines, records or photos that cannot be read.
        damages: What is wrong with the first of them, and where.
        total: Records that are there now.
    """

    folder: Path
    new: int = 0
    known: int = 0
    photos: int = 0
    corrections: int = 0
    requests: int = 0
    others: int = 0
    damaged: int = 0
    total: int = 0
    damages: list[Damage] = field(default_factory=list)

    def add_damage(self, damage: Damage) -> None:
        """Count a damage, and remember it if it is one of the first."""
        self.damaged += 1
        if len(self.damages) < MAX_DAMAGES:
            self.damages.append(damage)

    def to_json(self) -> JsonObject:
        """Return everything as a JSON object."""
        return {**asdict(self), "folder": str(self.folder)}


def collect(
    source: str | Path,
    output: str | Path,
    *,
    since: str | timedelta | None = None,
    until: str | timedelta | None = None,
    profile: str | None = None,
    region: str | None = None,
    progress: Callable[[Collected], None] = lambda collected: None,
) -> Collected:
    """Collect the records that an API has written to its log.

    Each record is taken once, however often its line is read, so an interrupted run is repeated and a log is
    collected as often as you like. Damaged lines are counted, and cost nothing else.

    Args:
        source: A file, `-` for standard input, or the name of a deployment on AWS.
        output: The folder for records.parquet and the photos. What is in it stays.
        since: For a deployment, how far to look back, such as `7d`; by default to where the last run ended.
        until: How far from now to stop, such as `1h`; by default now.
        profile: A profile of the AWS configuration; AWS_PROFILE by default.
        region: The AWS region; AWS_REGION or the profile's by default.
        progress: Called now and then.

    Raises:
        InputError: The source does not exist (`no-log`), or records.parquet is not ours
            (`unreadable-records`).
        OutputError: The folder cannot be written (`cannot-write`), or another run is writing to it
            (`collecting`).
        DeployError: AWS refuses.

    Example:
        >>> import shutterless
        >>> shutterless.collect("requests.log", "live").new  # doctest: +SKIP
        1200
    """
    output = Path(output)
    with locked(output, _in_use):
        table = open_table(output)
        if source == STANDARD_INPUT:
            return _collect(read_lines(sys.stdin.buffer), table, progress)
        if Path(source).is_file():
            with Path(source).open("rb") as stream:
                return _collect(read_lines(stream), table, progress)
        if isinstance(source, Path) or "." in source or "/" in source:
            raise InputError("no-log", f"There is no log {source}", "Give a file, - or a deployment's name.")
        return _collect_from_aws(source, table, since, until, profile, region, progress)


def _in_use(folder: Path, process: str) -> OutputError:
    return OutputError(
        "collecting", f"Another process ({process}) collects into {folder}", "Wait until it ends."
    )


def _collect_from_aws(
    name: str,
    table: RecordTable,
    since: str | timedelta | None,
    until: str | timedelta | None,
    profile: str | None,
    region: str | None,
    progress: Callable[[Collected], None],
) -> Collected:
    """Collect from CloudWatch, and remember how far the log has been read."""
    from shutterless.deploy.aws.logs import read_period

    period = read_period(name, since=since, until=until, profile=profile, region=region)
    key = f"{period.region}/{name}"
    last = table.sources.get(key)
    if since is None and last is not None:
        period = replace(period, start=last - OVERLAP_MS)
    leaves_no_gap = last is None or period.start <= last

    def read() -> Iterator[LogLine]:
        for entry in period.read():
            yield LogLine(f"at {datetime.fromtimestamp(entry.timestamp / 1000, UTC):%F %T}", entry.text)
            if leaves_no_gap:
                table.sources[key] = max(entry.timestamp, table.sources.get(key, 0))

    return _collect(read(), table, progress)


def _collect(
    lines: Iterable[LogLine | Damage], table: RecordTable, progress: Callable[[Collected], None]
) -> Collected:
    collected, reader = Collected(table.folder), LineReader()
    try:
        for line in reader.read(lines):
            if isinstance(line, Damage):
                collected.add_damage(line)
            else:
                _take(line, table, collected)
            if table.unsaved >= SAVE_EVERY:
                table.save()
                progress(collected)
    finally:  # what was read before Ctrl-C or an error of AWS is not read again
        table.save()
    collected.others, collected.total = reader.others, len(table.ids)
    return collected


def _take(line: LogRecord, table: RecordTable, collected: Collected) -> None:
    """Add what a line has to the table, and its photos to the folder."""
    try:
        content = parse_line(line.members)
    except ValueError as error:
        collected.add_damage(Damage(line.place, str(error)))
        return
    if isinstance(content, Correction):
        table.correct(content)
        collected.corrections += 1
        return
    collected.requests += not content
    for record in content:
        if record.id in table.ids:
            collected.known += 1
            continue
        table.add(record, _write_photo(record, line.place, collected))
        collected.new += 1


def _write_photo(record: PictureRecord, place: str, collected: Collected) -> str | None:
    """Write a record's photo; return its path below the folder, or None if there is none.

    It need not be atomic: no saved record names it before it is whole, and a record that is not saved is read
    again with its photo.
    """
    if record.photo is None:
        return None
    try:
        check_photo(record.photo)
    except ValueError as error:
        collected.add_damage(Damage(place, str(error)))
        return None
    path = f"{PHOTOS}/{record.id}.jpg"
    try:
        (collected.folder / PHOTOS).mkdir(exist_ok=True)
        (collected.folder / path).write_bytes(record.photo)
    except OSError as error:
        raise cannot_write(collected.folder / path, error) from error
    collected.photos += 1
    return path
