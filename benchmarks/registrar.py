"""REGISTERs that a server answers in a second of processor time, beside Kamailio and one that understands nothing.

Registered phones send one every 115 s: this is what a large cluster does all day. Each connection sends the next one
when the last was answered.
"""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import measured, separate_cores
from benchmarks.registrar_load import TRANSPORTS, RegisterLoad
from benchmarks.registrar_servers import KAMAILIO, kamailio_missing, running_kamailio
from benchmarks.results import Cell, Section, Verdict, progress

if TYPE_CHECKING:
    from benchmarks.cputime import CpuTime

OURS, FLOOR = "ucmsim", "floor: says 200 to anything"
CLIENTS = 32
BAR = 0.1
"""Share of the floor's REGISTERs per CPU-second that ours has to reach."""
COLUMNS = (
    "server, transport",
    "REGISTERs per CPU-second",
    "CPU ms each",
    "ours ÷ this",
    "REGISTERs/s",
    "failed",
)


@dataclass(frozen=True, slots=True)
class _Round:
    per_cpu_s: float
    per_s: float
    failed: int


def measure(quick: bool) -> Section:  # noqa: FBT001 - all benchmarks are called like this
    """Renews registrations with each server in turn."""
    rounds, seconds = (2, 0.7) if quick else (7, 2.0)
    found: dict[tuple[str, str], list[_Round]] = {}
    notes = [_METHOD.format(rounds=rounds, seconds=seconds, clients=CLIENTS)]
    with tempfile.TemporaryDirectory() as place, separate_cores() as cores, ExitStack() as stack:
        folder = Path(place)
        ours = stack.enter_context(measured(cores.server, "boots_cluster", str(_configuration(folder)), place, place))
        floor = stack.enter_context(measured(cores.server, "registrar_servers"))
        servers: dict[str, tuple[int, CpuTime]] = {
            OURS: (ours.said["sip"], ours.cpu),
            FLOOR: (floor.said["port"], floor.cpu),
        }
        missing = kamailio_missing()
        if missing:
            notes.append(f"{KAMAILIO} was not measured: {missing}.")
        else:
            servers[KAMAILIO] = stack.enter_context(running_kamailio(folder, cores.server))
        for transport in TRANSPORTS:
            loads = {name: RegisterLoad(port, transport, CLIENTS) for name, (port, _) in servers.items()}
            for load in loads.values():
                stack.callback(load.close)
                load.run(seconds / 4)
            for number in range(rounds):
                progress(f"  {transport}: round {number + 1} of {rounds}")
                for name, load in loads.items():
                    cpu = servers[name][1]
                    before_s = cpu.seconds()
                    done = load.run(seconds)
                    cpu_s = max(cpu.seconds() - before_s, 1e-6)
                    result = _Round(done.answered / cpu_s, done.answered / done.seconds, done.failed)
                    found.setdefault((name, transport), []).append(result)
        notes.append(cores.note())
    names = [OURS, FLOOR, *([KAMAILIO] if KAMAILIO in servers else [])]
    failed = sum(item.failed for (name, _), items in found.items() for item in items if name == OURS)
    return Section(
        title="Registrar: renewals of registrations",
        columns=COLUMNS,
        rows=tuple(_row(found, name, transport) for transport in TRANSPORTS for name in names),
        notes=tuple(notes),
        verdicts=(
            *(_verdict(found, transport) for transport in TRANSPORTS),
            Verdict("Not one REGISTER of ours failed", f"{failed} failed", failed == 0),
        ),
    )


_METHOD = (
    "Medians of {rounds} rounds of {seconds:g} s; {clients} phones, each with a connection of its own. The servers take"
    " turns. “Ours ÷ this” compares REGISTERs per CPU-second: the median of the rounds' ratios."
)

_CLUSTER = """
clusters:
  - name: bench
    nodes:
      - {{name: bench-pub, publisher: true, address: 127.0.0.1}}
    device_ranges:
      - {{first: 0AFF00000001, count: {count}, model: 8865, first_number: 20001}}
"""


def _configuration(folder: Path) -> Path:
    path = folder / "lab.yaml"
    path.write_text(_CLUSTER.format(count=CLIENTS), "utf-8")
    return path


def _ratio(found: dict[tuple[str, str], list[_Round]], name: str, transport: str) -> float:
    pairs = zip(found[OURS, transport], found[name, transport], strict=True)
    return statistics.median(ours.per_cpu_s / theirs.per_cpu_s for ours, theirs in pairs)


def _row(found: dict[tuple[str, str], list[_Round]], name: str, transport: str) -> tuple[Cell, ...]:
    rounds = found[name, transport]
    per_cpu_s = statistics.median(item.per_cpu_s for item in rounds)
    return (
        f"{name}, {transport}",
        per_cpu_s,
        1_000 / per_cpu_s,
        _ratio(found, name, transport),
        statistics.median(item.per_s for item in rounds),
        sum(item.failed for item in rounds),
    )


def _verdict(found: dict[tuple[str, str], list[_Round]], transport: str) -> Verdict:
    ratio = _ratio(found, FLOOR, transport)
    claim = f"{transport}: at least {BAR:.0%} of what asyncio does when nothing has to be understood"
    return Verdict(claim, f"{ratio:.1%}", ratio >= BAR)
