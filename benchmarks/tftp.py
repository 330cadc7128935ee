"""TFTP: transfers that a server makes in a second of processor time, beside other servers, and what memory it keeps.

The server runs on one core, the load generator on another. Servers take turns, round after round; what is compared is
the ratio of each round.
"""

from __future__ import annotations

import os
import resource
import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Cell, Section, Verdict, progress
from benchmarks.tftp_load import run_load
from benchmarks.tftp_servers import OURS, PEERS, core_busy_s, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.tftp_servers import Peer

FILE = "SEP001122334455.cnf.xml.sgn"
SIZE = 6 * 1024
CLIENTS = (50, 500)
BARS = {"tftpy": 2.5, "tftpd-hpa": 4.0, "py3tftp": 4.0}
"""How many times the transfers per CPU-second of these servers ours has to make."""
MEMORY_TRANSFERS = 10_000
MEMORY_BAR_KIB = 1_024
COLUMNS = (
    "server, clients",
    "transfers per CPU-second",
    "CPU ms each",
    "ours ÷ this",
    "transfers/s",
    "p99 ms",
    "failed",
)


@dataclass(frozen=True, slots=True)
class _Round:
    per_cpu_s: float
    per_s: float
    p99_ms: float
    failed: int


@dataclass(frozen=True, slots=True)
class _Cores:
    generator: int | None
    server: int | None


def measure(quick: bool) -> Section:  # noqa: FBT001 - all benchmarks are called like this
    """Runs all servers that are there."""
    rounds, seconds = (2, 0.7) if quick else (7, 2.0)
    available = {peer.name: peer for peer in PEERS if not peer.missing}
    notes = [f"{peer.name} was not measured: {peer.missing}." for peer in PEERS if peer.missing]
    found: dict[tuple[int, str], list[_Round]] = {}
    with tempfile.TemporaryDirectory() as name, _cores() as cores:
        folder = _folder_with_file(Path(name))
        notes += _circumstances(cores, rounds, seconds)
        for number in range(rounds):
            for clients in CLIENTS:
                progress(f"  round {number + 1} of {rounds}, {clients} clients")
                for peer in list(available.values()):
                    try:
                        found.setdefault((clients, peer.name), []).append(
                            _one_round(peer, folder, clients, seconds, cores.server)
                        )
                    except RuntimeError as error:
                        notes.append(f"{peer.name} was not measured: it {error}.")
                        del available[peer.name]
        progress(f"  memory over {MEMORY_TRANSFERS:,} transfers")
        memory = _memory_verdicts(folder, cores.server)
    for peer in PEERS:
        if peer.name not in available:
            for clients in CLIENTS:
                found.pop((clients, peer.name), None)
    return Section(
        title=f"TFTP: a file of {SIZE // 1024} KB in blocks of 512 bytes",
        columns=COLUMNS,
        rows=tuple(_row(found, clients, peer.name) for clients in CLIENTS for peer in PEERS),
        notes=tuple(notes),
        verdicts=(*_ratio_verdicts(found), _failure_verdict(found), *memory),
    )


def _one_round(peer: Peer, folder: Path, clients: int, seconds: float, core: int | None) -> _Round:
    with running(peer, folder, FILE, core) as server:
        run_load(server.address, FILE, SIZE, clients=clients, seconds=seconds / 5)
        before = server.cpu.seconds()
        load = run_load(server.address, FILE, SIZE, clients=clients, seconds=seconds)
        cpu_s = max(server.cpu.seconds() - before, 0.001)
        return _Round(load.transfers / cpu_s, load.transfers / load.seconds, load.latency_s(0.99) * 1_000, load.failed)


def _ratio(found: dict[tuple[int, str], list[_Round]], clients: int, name: str) -> float | None:
    pairs = zip(found.get((clients, OURS), []), found.get((clients, name), []), strict=False)
    ratios = [ours.per_cpu_s / theirs.per_cpu_s for ours, theirs in pairs if theirs.per_cpu_s]
    return statistics.median(ratios) if ratios else None


def _row(found: dict[tuple[int, str], list[_Round]], clients: int, name: str) -> tuple[Cell, ...]:
    label = f"{name}, {clients}"
    rounds = found.get((clients, name))
    if not rounds:
        return (label, *[None] * (len(COLUMNS) - 1))
    per_cpu_s = statistics.median(item.per_cpu_s for item in rounds)
    return (
        label,
        per_cpu_s,
        1_000 / per_cpu_s if per_cpu_s else None,
        _ratio(found, clients, name),
        statistics.median(item.per_s for item in rounds),
        statistics.median(item.p99_ms for item in rounds),
        sum(item.failed for item in rounds),
    )


def _ratio_verdicts(found: dict[tuple[int, str], list[_Round]]) -> list[Verdict]:
    verdicts = []
    for name, bar in BARS.items():
        for clients in CLIENTS:
            ratio = _ratio(found, clients, name)
            measured = "not measured" if ratio is None else f"{ratio:.2f} times"
            claim = f"At {clients} clients, at least {bar:g} times the transfers per CPU-second of {name}"
            verdicts.append(Verdict(claim, measured, None if ratio is None else ratio >= bar))
    return verdicts


def _failure_verdict(found: dict[tuple[int, str], list[_Round]]) -> Verdict:
    failed = sum(item.failed for (_, name), rounds in found.items() if name.startswith(OURS) for item in rounds)
    return Verdict("Not one transfer of ours failed", f"{failed} failed", failed == 0)


def _memory_verdicts(folder: Path, core: int | None) -> list[Verdict]:
    verdicts = []
    for peer in (peer for peer in PEERS if peer.name.startswith(OURS)):
        with running(peer, folder, FILE, core) as server:
            run_load(server.address, FILE, SIZE, clients=50, seconds=60, most=1_000)
            before_kib, descriptors = server.rss_kib(), server.descriptors()
            load = run_load(server.address, FILE, SIZE, clients=50, seconds=60, most=MEMORY_TRANSFERS)
            grown_kib, more = server.rss_kib() - before_kib, server.descriptors() - descriptors
        verdicts.append(
            Verdict(
                f"{peer.name}: {MEMORY_TRANSFERS:,} transfers cost no descriptor and at most {MEMORY_BAR_KIB:,} KiB",
                f"{grown_kib:+,} KiB of {before_kib:,}, {more:+} descriptors, {load.transfers:,} transfers",
                load.transfers == MEMORY_TRANSFERS and grown_kib <= MEMORY_BAR_KIB and more <= 0,
            )
        )
    return verdicts


def _folder_with_file(folder: Path) -> Path:
    """Readable for servers that give up their privileges."""
    folder.chmod(0o755)
    path = folder / FILE
    path.write_bytes(os.urandom(SIZE))
    path.chmod(0o644)
    return folder


@contextmanager
def _cores() -> Iterator[_Cores]:
    """One core for the generator, that is this process, and one for the servers, if there are two."""
    allowed = os.sched_getaffinity(0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    try:
        if len(allowed) < 2:
            yield _Cores(None, None)
        else:
            first, *_, last = sorted(allowed)
            os.sched_setaffinity(0, {first})
            yield _Cores(first, last)
    finally:
        os.sched_setaffinity(0, allowed)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def _circumstances(cores: _Cores, rounds: int, seconds: float) -> list[str]:
    notes = [
        f"Medians of {rounds} rounds, {seconds:g} s for each server and number of clients. The servers take turns.",
        "“ours ÷ this” compares transfers per CPU-second: the median of the rounds' ratios.",
    ]
    if cores.server is None:
        return [*notes, "There is one core only: server and load generator share it."]
    before, asleep_s = core_busy_s(cores.server), 1.0
    time.sleep(asleep_s)
    share = (core_busy_s(cores.server) - before) / asleep_s
    return [
        *notes,
        f"One core for the server, another for the load; others used {share:.0%} of the server's just before.",
    ]
