"""Whole boots of the simulated phone against a running cluster, and where the processor time goes.

A boot: CTL, ITL and configuration are asked for and judged, then the directory key is pressed: the application server is
judged over HTTPS, with TVS's help unless its answer is remembered. Cluster and phones are a process each, on a core each.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.boots_phones import ASKING, AT_ONCE, FIRST, LATER, MODEL, Tally, mac
from benchmarks.machine import measured, separate_cores
from benchmarks.native import CHECKING, TLS
from benchmarks.results import Cell, Section, Verdict, progress

if TYPE_CHECKING:
    from benchmarks.machine import Measured

KINDS = {
    FIRST: "first boot, TVS asked",
    LATER: "later boot, TVS's answer remembered",
    ASKING: "later boot, TVS asked",
}
COLUMNS = (
    "boot",
    "boots/s",
    "cluster: CPU ms",
    "in TLS",
    "with private keys",
    "phone: CPU ms",
    "in TLS",
    "checking signatures",
    "failed",
)


@dataclass(frozen=True, slots=True)
class _Round:
    boots: int
    cluster_cpu_s: float
    phones: Tally
    cluster_native: dict[str, float]


class _Bench:
    """The two processes."""

    def __init__(self, cluster: Measured, phones: Measured) -> None:
        self._cluster = cluster
        self._phones = phones

    def boot(self, kind: str, first: int, count: int, *, profiled: bool = False) -> _Round:
        if profiled:
            self._cluster.ask("profile")
        before_s = self._cluster.cpu.seconds()
        tally = Tally(**self._phones.ask(f"{kind} {first} {count} {int(profiled)}"))
        cpu_s = self._cluster.cpu.seconds() - before_s
        return _Round(count, cpu_s, tally, self._cluster.ask("stop") if profiled else {})

    def costs(self) -> dict[str, float]:
        return self._cluster.ask("costs")


def measure(quick: bool) -> Section:  # noqa: FBT001 - all benchmarks are called like this
    """Boots new phones in each round, and boots them again."""
    rounds, count = (2, 40) if quick else (7, 160)
    plain: dict[str, list[_Round]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as name, separate_cores() as cores:
        folder = Path(name)
        note = cores.note()
        config = _configuration(folder, (rounds + 2) * count)
        with (
            measured(cores.server, "boots_cluster", str(config), str(folder / "state")) as cluster,
            measured(cores.load, "boots_phones", json.dumps(cluster.said)) as phones,
        ):
            bench = _Bench(cluster, phones)
            for kind in KINDS:
                bench.boot(kind, 0, count)
            for number in range(rounds):
                progress(f"  round {number + 1} of {rounds}")
                for kind in KINDS:
                    plain[kind].append(bench.boot(kind, (number + 1) * count, count))
            progress("  with profiler")
            profiled = {kind: bench.boot(kind, (rounds + 1) * count, count, profiled=True) for kind in KINDS}
            costs = bench.costs()
    failed = sum(item.phones.failed for items in plain.values() for item in items)
    return Section(
        title=f"Whole boots of a {MODEL}, with the directory key",
        columns=COLUMNS,
        rows=tuple(_row(KINDS[kind], plain[kind], profiled[kind], costs) for kind in KINDS),
        notes=(
            f"Medians of {rounds} rounds of {count} phones each, {AT_ONCE} at a time. Flash is memory: no disk waits.",
            "One process and one core for the cluster (two nodes, release 12.5), another for all phones.",
            "“In TLS” and “checking signatures”: seconds inside calls into OpenSSL, seen by a profiler in a further"
            " round, as a share of the CPU time without profiler.",
            "“With private keys”: handshakes and signed files, counted, times what one signature costs here:"
            f" {costs['rsa_s'] * 1_000:.2f} ms RSA-2048, {costs['ec_s'] * 1_000:.2f} ms P-384."
            " Those of handshakes are in TLS, too.",
            note,
        ),
        verdicts=(Verdict("Not one boot failed, and none refused anything", f"{failed} failed", failed == 0),),
    )


def _configuration(folder: Path, phones: int) -> Path:
    path = folder / "lab.yaml"
    devices = "".join(f"      - {{mac: '{mac(number)}', model: {MODEL}}}\n" for number in range(phones))
    path.write_text(_CLUSTER + devices, "utf-8")
    return path


_CLUSTER = """
clusters:
  - name: bench
    release: "12.5"
    domain: lab.example
    nodes:
      - {name: bench-pub, publisher: true, address: 127.0.0.1}
      - {name: bench-sub1, address: 127.0.0.1}
    devices:
"""


def _row(name: str, plain: list[_Round], profiled: _Round, costs: dict[str, float]) -> tuple[Cell, ...]:
    cluster_s = statistics.median(item.cluster_cpu_s / item.boots for item in plain)
    phone_s = statistics.median(item.phones.cpu_s / item.boots for item in plain)
    signatures = profiled.cluster_native["signatures"]
    keys_s = (profiled.phones.rsa + signatures) * costs["rsa_s"] + profiled.phones.ec * costs["ec_s"]

    def share(seconds: float, of_s: float) -> str:
        return f"{seconds / profiled.boots / of_s:.0%}"

    return (
        name,
        statistics.median(item.boots / item.phones.seconds for item in plain),
        cluster_s * 1_000,
        share(profiled.cluster_native[TLS], cluster_s),
        share(keys_s, cluster_s),
        phone_s * 1_000,
        share(profiled.phones.native[TLS], phone_s),
        share(profiled.phones.native[CHECKING], phone_s),
        sum(item.phones.failed for item in plain),
    )
