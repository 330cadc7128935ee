"""Whole boots of the simulated phone against a running cluster, and where the processor time goes.

A boot: CTL, ITL, configuration and the files that it names are fetched and judged; then the directory key is pressed,
and the application server judged over HTTPS, with TVS's help unless its answer is remembered. Phones of one kind have
an LSC and get their configuration encrypted. Cluster and phones are one process each, on a core.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.boots_cluster import EC, RSA
from benchmarks.boots_phones import ASKING, AT_ONCE, ENCRYPTED, ENROLLED, FIRST, LATER, MODEL, Tally, mac
from benchmarks.machine import measured, separate_cores
from benchmarks.native import CHECKING, DECRYPTING, SIGNATURES, TLS
from benchmarks.results import Cell, Section, Verdict, progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.machine import Measured

KINDS = {
    FIRST: "first boot, TVS asked",
    LATER: "later boot, TVS's answer remembered",
    ASKING: "later boot, TVS asked",
    ENCRYPTED: "first boot with an LSC, configuration encrypted, TVS asked",
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
    "with its private key",
    "failed",
)


@dataclass(frozen=True, slots=True)
class _Round:
    """What a number of boots of one kind took; times are of one boot, seconds.

    Attributes:
        per_s: boots, by the clock.
        failed: boots.
        cluster_s: processor time.
        phone_s: processor time.
        cluster_tls_s: of it inside TLS.
        phone_tls_s: likewise.
        rsa: operations of the cluster with an RSA key: handshakes and signed files.
        ec: likewise with an EC key.
        checking_s: of the phone's time, checking signatures of files.
        decrypting_s: likewise, opening the key of an encrypted configuration.
    """

    per_s: float
    failed: int
    cluster_s: float
    phone_s: float
    cluster_tls_s: float
    phone_tls_s: float
    rsa: float
    ec: float
    checking_s: float
    decrypting_s: float


class _Bench:
    """The two processes."""

    def __init__(self, cluster: Measured, phones: Measured, count: int) -> None:
        self._cluster = cluster
        self._phones = phones
        self._count = count
        self._costs: list[dict[str, float | None]] = []

    def round(self, number: int) -> dict[str, _Round]:
        """Boots phones that were not used before, and other ones under the profiler."""
        first = 2 * number * self._count
        plain = {kind: self._boot(kind, first) for kind in KINDS}
        found = {kind: self._profiled(kind, first + self._count, *plain[kind]) for kind in KINDS}
        self._costs.append(self._cluster.ask("costs"))
        return found

    def cost_s(self, kind: str) -> float | None:
        """Of one signature: the median of all rounds so far."""
        costs = [cost for item in self._costs if (cost := item[kind]) is not None]
        return statistics.median(costs) if costs else None

    def _boot(self, kind: str, first: int) -> tuple[Tally, float]:
        first += ENROLLED if kind == ENCRYPTED else 0
        before_s = self._cluster.cpu.seconds()
        tally = Tally(**self._phones.ask(f"{kind} {first} {self._count} 0"))
        return tally, self._cluster.cpu.seconds() - before_s

    def _profiled(self, kind: str, first: int, plain: Tally, cluster_s: float) -> _Round:
        first += ENROLLED if kind == ENCRYPTED else 0
        self._cluster.ask("profile")
        tally = Tally(**self._phones.ask(f"{kind} {first} {self._count} 1"))
        cluster = self._cluster.ask("stop")
        return _Round(
            per_s=self._count / plain.seconds,
            failed=plain.failed + tally.failed,
            cluster_s=cluster_s / self._count,
            phone_s=plain.cpu_s / self._count,
            cluster_tls_s=cluster[TLS] / self._count,
            phone_tls_s=tally.native[TLS] / self._count,
            rsa=(tally.rsa + cluster[SIGNATURES]) / self._count,
            ec=tally.ec / self._count,
            checking_s=tally.native[CHECKING] / self._count,
            decrypting_s=tally.native[DECRYPTING] / self._count,
        )


def measure(quick: bool) -> Section:  # noqa: FBT001 - all benchmarks are called like this
    """Boots new phones in each round, and boots them again."""
    rounds, count = (2, 40) if quick else (7, 120)
    found: list[dict[str, _Round]] = []
    with tempfile.TemporaryDirectory() as name, separate_cores() as cores:
        folder, note = Path(name), cores.note()
        phones_needed, lscs = 2 * (rounds + 1) * count, folder / "lscs"
        lscs.mkdir()
        config = _configuration(folder, phones_needed)
        with (
            measured(cores.server, "boots_cluster", str(config), str(folder / "state"), str(lscs)) as cluster,
            measured(cores.load, "boots_phones", json.dumps(cluster.said), str(lscs)) as phones,
        ):
            progress("  LSCs")
            cluster.ask(f"enrol {ENROLLED} {phones_needed}")
            bench = _Bench(cluster, phones, count)
            bench.round(0)  # for warming up
            for number in range(1, rounds + 1):
                progress(f"  round {number} of {rounds}")
                found.append(bench.round(number))
            costs = {kind: bench.cost_s(kind) for kind in (RSA, EC)}
    failed = sum(item.failed for kinds in found for item in kinds.values())
    return Section(
        title=f"Whole boots of a {MODEL}, with the directory key",
        columns=COLUMNS,
        rows=tuple(_row(text, [kinds[kind] for kinds in found], costs) for kind, text in KINDS.items()),
        notes=(
            f"Medians of {rounds} rounds of {count} phones each, {AT_ONCE} at a time. Flash is memory: no disk waits.",
            "One process and one core for the cluster (two nodes, release 12.5), one of each for all phones.",
            _METHOD,
            _keys_note(costs),
            note,
        ),
        verdicts=(Verdict("Not one boot failed, and none refused anything", f"{failed} failed", failed == 0),),
    )


_METHOD = (
    "“In TLS”, “checking signatures” and “with its private key” (opening an encrypted configuration): seconds inside"
    " OpenSSL, seen by a profiler in as many further boots, as a share of the CPU time without profiler. Making TLS"
    " contexts counts as TLS."
)

_CLUSTER = """
clusters:
  - name: bench
    release: "12.5"
    domain: lab.example
    nodes:
      - {{name: bench-pub, publisher: true, address: 127.0.0.1}}
      - {{name: bench-sub1, address: 127.0.0.1}}
    device_ranges:
      - {{first: {first}, count: {count}, model: {model}}}
      - {{first: {enrolled}, count: {count}, model: {model}, encrypted_config: true}}
"""


def _configuration(folder: Path, phones: int) -> Path:
    path = folder / "lab.yaml"
    text = _CLUSTER.format(first=mac(0), enrolled=mac(ENROLLED), count=phones, model=MODEL)
    path.write_text(text, "utf-8")
    return path


def _keys_note(costs: dict[str, float | None]) -> str:
    rsa_s, ec_s = costs[RSA], costs[EC]
    if rsa_s is None or ec_s is None:
        return "“With private keys” was not measured: Python's OpenSSL cannot be called here."
    return (
        "“With private keys”: handshakes and signed files, counted, times what a signature costs:"
        f" {rsa_s * 1_000:.2f} ms RSA-2048, {ec_s * 1_000:.2f} ms P-384. Those of handshakes are in TLS, too."
    )


def _row(name: str, rounds: list[_Round], costs: dict[str, float | None]) -> tuple[Cell, ...]:
    rsa_s, ec_s = costs[RSA], costs[EC]

    def median(what: Callable[[_Round], float]) -> float:
        return statistics.median(what(item) for item in rounds)

    keys = None
    if rsa_s is not None and ec_s is not None:
        keys = f"{median(lambda item: (item.rsa * rsa_s + item.ec * ec_s) / item.cluster_s):.0%}"
    return (
        name,
        median(lambda item: item.per_s),
        median(lambda item: item.cluster_s) * 1_000,
        f"{median(lambda item: item.cluster_tls_s / item.cluster_s):.0%}",
        keys,
        median(lambda item: item.phone_s) * 1_000,
        f"{median(lambda item: item.phone_tls_s / item.phone_s):.0%}",
        f"{median(lambda item: item.checking_s / item.phone_s):.0%}",
        f"{median(lambda item: item.decrypting_s / item.phone_s):.0%}",
        sum(item.failed for item in rounds),
    )
