"""Runs benchmarks and writes what they found to ``results.md``.

    python -m benchmarks.run [--quick] [tftp | tvs | registrar | fleet | boots | operator ...]

A benchmark is a module of this package with ``measure(quick: bool) -> Section``. Sections that are not run keep what an
earlier run found; ``results.json`` beside the text remembers it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import ssl
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.backends.openssl import backend

from benchmarks.results import Section, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTIONS = ("tftp", "tvs", "registrar", "fleet", "boots", "operator")
FOLDER = Path(__file__).parent
_PREAMBLE = """\
# Results

Written by `make bench`. All programs of a table ran on the same machine, in turn, in one run. Compare the ratios:
absolute figures change from machine to machine and from hour to hour.
"""


@dataclass(frozen=True, slots=True)
class Record:
    """A section with the circumstances of its measurement.

    Attributes:
        section: what was found.
        date: day, ISO 8601, UTC.
        machine: cores and versions.
        quick: measured with ``--quick``.
    """

    section: Section
    date: str
    machine: str
    quick: bool


def is_present(name: str) -> bool:
    """Whether the benchmark is in this tree."""
    return importlib.util.find_spec(f"benchmarks.{name}") is not None


def machine() -> str:
    """What may explain the figures; nothing that says whose machine it is."""
    facts = (
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores ({_processor()})",
        f"Linux {platform.release().split('-')[0]}",
        f"Python {platform.python_version()} with {_release(ssl.OPENSSL_VERSION)}",
        f"cryptography {version('cryptography')} with {_release(backend.openssl_version_text())}",
    )
    return ", ".join(facts)


def _release(text: str) -> str:
    """``OpenSSL 3.0.19 27 Jan 2026`` without the date."""
    return " ".join(text.split()[:2])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "processor unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown model")


def load_records(path: Path) -> dict[str, Record]:
    """What earlier runs found; nothing when the file is missing or not ours."""
    try:
        stored: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))
        return {
            name: Record(Section.from_json(item["section"]), item["date"], item["machine"], item["quick"])
            for name, item in stored.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def dump_records(path: Path, records: dict[str, Record]) -> None:
    """Stores for `load_records`."""
    stored = {
        name: {
            "section": record.section.to_json(),
            "date": record.date,
            "machine": record.machine,
            "quick": record.quick,
        }
        for name, record in records.items()
    }
    path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")


def render(records: dict[str, Record]) -> str:
    """The whole text."""
    parts = [_PREAMBLE]
    for name in sorted(records, key=_order):
        record = records[name]
        how = "; a quick run, good for a first impression only" if record.quick else ""
        heading, _, rest = record.section.markdown().partition("\n")
        parts.append(f"{heading}\n\n{record.date}{how}. {record.machine}.\n{rest}")
    return "\n".join(parts)


def _order(name: str) -> tuple[int, str]:
    return (SECTIONS.index(name) if name in SECTIONS else len(SECTIONS), name)


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """The command; 1 when a verdict was missed, 2 when a benchmark was asked for that is not there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measures, and writes results.md.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; none means all")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    options = parser.parse_args(arguments)
    wanted: list[str] = options.sections or [name for name in SECTIONS if is_present(name)]
    absent = [name for name in wanted if name not in SECTIONS or not is_present(name)]
    if absent:
        parser.exit(2, f"there is no benchmark {', '.join(absent)} here\n")
    records = load_records(folder / "results.json")
    missed = 0
    for name in wanted:
        progress(f"{name}:")
        section: Section = importlib.import_module(f"benchmarks.{name}").measure(quick=options.quick)
        records[name] = Record(section, datetime.now(UTC).date().isoformat(), machine(), options.quick)
        dump_records(folder / "results.json", records)
        (folder / "results.md").write_text(render(records), "utf-8")
        print(section.markdown(), flush=True)
        missed += sum(verdict.held is False for verdict in section.verdicts)
    progress(f"written to {folder / 'results.md'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
