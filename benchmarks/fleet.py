"""A fleet that is registered and has nothing to do: memory and processor time of a phone, at both ends.

Idle phones renew every 115 s. To see enough of that in a short time the server grants less for a while, in which each
renews once, and then again so much that nobody does: the difference is what renewals cost, the rest what it costs to be
there.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fleet_phones import FIRST_MAC, MODEL
from benchmarks.machine import measured, separate_cores
from benchmarks.results import Cell, Section, Verdict, progress

if TYPE_CHECKING:
    from benchmarks.machine import Measured

SIZES = (1_000, 10_000)
WARM = 100
"""Phones that come first, so that what a process takes once is not counted."""
EARLY_S = 5
"""So long before its time is over a phone renews."""
USUAL_S = 120
MEMORY_BAR_KIB = 30.0
CPU_BAR = 0.02
COLUMNS = (
    "phones",
    "registered",
    "phone: KiB",
    "cluster: KiB for each",
    "phone: CPU ms for a renewal",
    "cluster: CPU ms for a renewal",
    "1,000 idle phones: share of a core",
    "their cluster: share of a core",
    "boots and registrations/s",
)


@dataclass(frozen=True, slots=True)
class _Found:
    """One fleet; memory of one phone in KiB, processor time in seconds, of (phones, cluster)."""

    phones: int
    registered: int
    per_s: float
    memory_kib: tuple[float, float]
    renewal_s: tuple[float, float]
    idle_share: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Window:
    seconds: float
    renewals: int
    cpu_s: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Times:
    """Granted seconds: usually, and in the window in which each phone renews once."""

    long_s: int
    short_s: int


class _Bench:
    def __init__(self, phones: Measured, cluster: Measured, times: _Times) -> None:
        self._phones, self._cluster, self._times = phones, cluster, times

    def measure(self, count: int) -> _Found:
        self._grant(self._times.long_s)
        self._phones.ask(f"boot 0 {WARM}")
        before = self._memory_kib()
        booted = self._phones.ask(f"boot {WARM} {count}")
        after = self._memory_kib()
        self._grant(self._times.short_s)
        time.sleep(self._times.long_s - EARLY_S + 1)  # each has renewed once, and knows the new time
        short = self._window()
        self._grant(self._times.long_s)
        time.sleep(self._times.short_s - EARLY_S + 1)
        quiet = self._window()
        registered = self._phones.ask("count")["registered"] - WARM
        renewal_s = _each(short, quiet)
        rest = [(cpu - quiet.renewals * cost) / quiet.seconds for cpu, cost in zip(quiet.cpu_s, renewal_s, strict=True)]
        shares = [
            (there / (count + WARM) + cost / (USUAL_S - EARLY_S)) * 1_000
            for there, cost in zip(rest, renewal_s, strict=True)
        ]
        return _Found(
            phones=count,
            registered=registered,
            per_s=count / booted["seconds"],
            memory_kib=((after[0] - before[0]) / count, (after[1] - before[1]) / count),
            renewal_s=renewal_s,
            idle_share=(shares[0], shares[1]),
        )

    def _grant(self, seconds: int) -> None:
        self._cluster.ask(f"grant {seconds}")

    def _memory_kib(self) -> tuple[int, int]:
        self._cluster.ask("collect")
        return self._phones.rss_kib(), self._cluster.rss_kib()

    def _window(self) -> _Window:
        renewals, begun = self._cluster.ask("count")["renewals"], time.monotonic()
        cpu = self._phones.cpu.seconds(), self._cluster.cpu.seconds()
        time.sleep(self._times.short_s - EARLY_S)
        used = self._phones.cpu.seconds() - cpu[0], self._cluster.cpu.seconds() - cpu[1]
        seconds = time.monotonic() - begun
        return _Window(seconds, self._cluster.ask("count")["renewals"] - renewals, used)


def _each(short: _Window, quiet: _Window) -> tuple[float, float]:
    """What one renewal costs: the windows differ in them alone."""
    more = max(short.renewals - quiet.renewals, 1)
    first, second = (
        (busy - calm * short.seconds / quiet.seconds) / more
        for busy, calm in zip(short.cpu_s, quiet.cpu_s, strict=True)
    )
    return first, second


def measure(quick: bool) -> Section:  # noqa: FBT001 - all benchmarks are called like this
    """Boots each fleet in new processes."""
    sizes, times = ((200, 500), _Times(60, 25)) if quick else (SIZES, _Times(USUAL_S, 45))
    found: list[_Found] = []
    with separate_cores() as cores:
        note = cores.note()
        for count in sizes:
            progress(f"  {count:,} phones")
            with tempfile.TemporaryDirectory() as name:
                config = _configuration(Path(name), count + WARM)
                with (
                    measured(cores.server, "fleet_cluster", str(config), name) as cluster,
                    measured(cores.load, "fleet_phones", json.dumps(cluster.said)) as phones,
                ):
                    found.append(_Bench(phones, cluster, times).measure(count))
    last = found[-1]
    return Section(
        title=f"A fleet of {MODEL}s, registered over TCP and idle",
        columns=COLUMNS,
        rows=tuple(_row(item) for item in found),
        notes=(
            _MEMORY,
            _CPU.format(often=times.short_s - EARLY_S, usual=USUAL_S, rare=USUAL_S - EARLY_S),
            "Boots were counted by the clock; those that are up already renew meanwhile.",
            "One process and one core for the cluster, one of each for all phones.",
            note,
        ),
        verdicts=(
            Verdict(
                "Every phone is registered at the end",
                ", ".join(f"{item.registered:,} of {item.phones:,}" for item in found),
                all(item.registered == item.phones for item in found),
            ),
            Verdict(
                f"A phone in a fleet of {last.phones:,} takes at most {MEMORY_BAR_KIB:g} KiB",
                f"{last.memory_kib[0]:.1f} KiB",
                last.memory_kib[0] <= MEMORY_BAR_KIB,
            ),
            Verdict(
                f"1,000 idle phones of {last.phones:,} take at most {CPU_BAR:.0%} of a core at either end",
                " and ".join(f"{share:.2%}" for share in last.idle_share),
                max(last.idle_share) <= CPU_BAR,
            ),
        ),
    )


_MEMORY = (
    f"Memory: what the resident set of each process grew by, over that with {WARM} phones. What the kernel keeps for a"
    " socket is no part of it."
)
_CPU = (
    "CPU: over {often} s with so short a registration time that each phone renews once, and over {often} s without"
    " renewals. The share of a core is reckoned for {usual} s (renewed every {rare} s); what the process does without"
    " any phones is in it."
)

_CLUSTER = """
clusters:
  - name: bench
    nodes:
      - {{name: bench-pub, publisher: true, address: 127.0.0.1}}
    device_ranges:
      - {{first: {first:012X}, count: {count}, model: {model}, first_number: 200001}}
"""


def _configuration(folder: Path, count: int) -> Path:
    path = folder / "lab.yaml"
    path.write_text(_CLUSTER.format(first=FIRST_MAC, count=count, model=MODEL), "utf-8")
    return path


def _row(item: _Found) -> tuple[Cell, ...]:
    return (
        f"{item.phones:,}",
        item.registered,
        *item.memory_kib,
        *(cost * 1_000 for cost in item.renewal_s),
        *(f"{share:.2%}" for share in item.idle_share),
        item.per_s,
    )
