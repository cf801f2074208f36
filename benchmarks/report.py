"""Options of the benchmarks, and their report: the table of ratios, the JSON, the chart."""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.materials import Materials
from benchmarks.rounds import ROOT, CannotRunError, Results, Row
from shutterless.errors import ShutterlessError

Benchmark = Callable[[Materials], Results]
PACKAGES = ("shutterless", "ai-edge-litert", "numpy", "pillow", "keras", "tensorflow-cpu", "onnxruntime")
HEADER = ("benchmark", "figure", "ours", "compared with", "theirs", "ratio", "min … max", "goal")


@dataclass
class Report:
    """Results of some benchmarks.

    Attributes:
        command: How they were run.
        date: ISO 8601.
        machine: Cores, processor and versions.
        materials: What was measured with.
        rows: Name of the benchmark, and the row.
        remarks: What the rows do not tell.
    """

    command: str
    date: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date().isoformat())
    machine: str = field(default_factory=lambda: describe_machine())
    materials: list[str] = field(default_factory=list)
    rows: list[tuple[str, Row]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def run(self, name: str, benchmark: Benchmark, materials: Materials) -> None:
        """Run one benchmark; what cannot run becomes a remark."""
        try:
            for result in benchmark(materials):
                if isinstance(result, Row):
                    self.rows.append((name, result))
                else:
                    self.remarks.append(f"{name}: {result}")
        except (CannotRunError, ShutterlessError) as error:
            reason = str(error).strip().splitlines()[-1]
            self.remarks.append(f"{name}: not run: {reason}")

    def markdown(self) -> str:
        """Return the table as Markdown, with date, command, machine and materials above it."""
        head = f"Measured on {self.date} by `{self.command}`: {self.machine}."
        materials, remarks = ([f"- {line}" for line in lines] for lines in (self.materials, self.remarks))
        return "\n".join([head, "", *materials, "", *_table(self.rows), "", *remarks]).strip() + "\n"

    def document(self) -> dict[str, Any]:
        """Return everything as a JSON document, each row with its rounds."""
        rows = [
            {
                "benchmark": name,
                **asdict(row),
                **{name: getattr(row, name) for name in ("ours", "theirs", "ratio", "missed")},
                "min": row.ratios[0],
                "max": row.ratios[-1],
            }
            for name, row in self.rows
        ]
        return {
            "command": self.command,
            "date": self.date,
            "machine": self.machine,
            "materials": self.materials,
            "rows": rows,
            "remarks": self.remarks,
        }


def main(benchmarks: dict[str, Benchmark], description: str | None) -> None:
    """Run the benchmarks, print the table, and write it with its JSON and its chart to the output folder.

    Args:
        benchmarks: By name.
        description: For `--help`.
    """
    options = _parse_options(description or "")
    report = Report(command=_command())
    materials = Materials(
        options.out,
        photos=options.photos,
        run=options.run,
        bundle=options.bundle,
        precision=options.precision,
        rounds=options.rounds,
        quick=options.quick,
        note=report.materials.append,
    )
    try:
        for name, benchmark in benchmarks.items():
            print(f"{name} …", file=sys.stderr, flush=True)
            report.run(name, benchmark, materials)
    except KeyboardInterrupt:
        sys.exit(130)
    print(report.markdown(), end="")
    if not report.rows:
        sys.exit(1)
    _write(report, options.out, "bench" if len(benchmarks) > 1 else next(iter(benchmarks)))


def _write(report: Report, out: Path, name: str) -> None:
    (out / f"{name}.md").write_text(report.markdown(), "utf-8")
    (out / f"{name}.json").write_text(
        json.dumps(report.document(), indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    from benchmarks.chart import draw

    draw(report.rows, out / f"{name}.png")
    print(f"Wrote {out / name}.md, .json and .png", file=sys.stderr)


def _parse_options(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--run", type=Path, help="a run of MobileNetV2 at 224 px; by default one is trained with `quick`"
    )
    parser.add_argument("--bundle", type=Path, help="a bundle; by default the run is converted")
    parser.add_argument(
        "--photos", type=Path, help="a data set; by default that of ../shared, or drawn photos"
    )
    parser.add_argument("--precision", default="int8", help="precision of the bundle; int8 by default")
    parser.add_argument("--rounds", type=int, help="rounds of each benchmark")
    parser.add_argument("--quick", action="store_true", help="one round and few calls, for a quick test")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args()


def _command() -> str:
    name = Path(sys.argv[0]).stem
    module = "benchmarks" if name == "__main__" else f"benchmarks.{name}"
    return " ".join(["python", "-m", module, *(Path(word).name for word in sys.argv[1:])])


def describe_machine() -> str:
    """Return the number of cores, the processor, and the versions of Python and the libraries."""
    cpus = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in cpus if line.startswith("model name")]
    cores = f"{len(os.sched_getaffinity(0))} cores of {(names or [platform.machine()])[0]}"
    return ", ".join([cores, f"Python {platform.python_version()}", *_versions()])


def _versions() -> Iterator[str]:
    for package in PACKAGES:
        try:
            yield f"{package} {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            continue


def _table(rows: list[tuple[str, Row]]) -> list[str]:
    """Return the lines of a Markdown table whose columns are aligned."""
    cells = [HEADER, *(_cells(name, row) for name, row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
    ]
    ruler = " | ".join("-" * max(3, width) for width in widths)
    return [f"| {line} |" for line in (lines[0], ruler, *lines[1:])]


def _cells(name: str, row: Row) -> tuple[str, ...]:
    digits = 2 if max(row.ours, row.theirs) < 10 else 1
    return (
        name,
        row.figure,
        f"{row.ours:,.{digits}f} {row.unit}",
        row.rival,
        f"{row.theirs:,.{digits}f} {row.unit}",
        f"{row.ratio:.2f}",
        f"{row.ratios[0]:.2f} … {row.ratios[-1]:.2f}" if len(row.pairs) > 1 else "",
        _describe_goal(row),
    )


def _describe_goal(row: Row) -> str:
    """Return the goal of a row, if it has one, and whether it was reached."""
    goals = [f"≤ {row.goal}"] if row.goal else []
    if row.limit:
        goals.append(f"≤ {row.limit:g} {row.unit}")
    return ", ".join([*goals, "missed" if row.missed else "reached"]) if goals else ""
