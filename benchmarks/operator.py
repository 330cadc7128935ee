"""What an operator's change costs: a certificate made anew until five nodes know it, one more trusted certificate."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Section, Verdict, progress
from benchmarks.tvs_stores import TRUST_STORE, Population, make_stores
from cluster.audit import SYSTEM
from cluster.config import parse_config
from cluster.issuing import default_spec, self_sign
from cluster.management.certificates import regenerate
from cluster.purposes import Purpose
from cluster.store import ClusterStore
from cluster.trustlists import build_itl
from lab.laboratory import DATABASE
from wire.certificates import Certificate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cluster.definition import ClusterDefinition
    from cluster.snapshot import ClusterSnapshot

NODES = 5
FEW, MANY = 10, 100_000
_TIMES_DEARER = 2.0
_PERIOD_S = 0.05
"""How often the other nodes look at the database in this measurement; they are separate stores, as processes have."""


def measure(*, quick: bool) -> Section:
    """Runs the benchmark."""
    with tempfile.TemporaryDirectory(prefix="ucmsim-bench-") as name:
        root = Path(name)
        rows: list[tuple[str, float, float]] = []
        progress(f"operator: a certificate made anew, {NODES} nodes")
        whole_ms, floor_ms = asyncio.run(_regeneration(root / "five", 3 if quick else 9))
        rows.append((f"regenerate CallManager, rebuild the ITL, tell {NODES} nodes", whole_ms, whole_ms / floor_ms))
        rows.append(("floor: make such a key and sign the certificate", floor_ms, 1.0))
        many = 10_000 if quick else MANY
        progress(f"operator: one more trusted certificate beside {FEW} and {many:,}")
        population = Population.make()
        folders = make_stores(root / "stores", population, (FEW, many))
        few_ms, many_ms = asyncio.run(_addition(folders, population, (FEW, many), 30 if quick else 100))
        rows.append((f"add a trusted certificate to {FEW}", few_ms, 1.0))
        rows.append((f"add a trusted certificate to {many:,}", many_ms, many_ms / few_ms))
        claim = f"Adding a certificate to {many:,} costs at most {_TIMES_DEARER:g} times what adding one to {FEW} does"
        verdict = Verdict(claim, f"{many_ms / few_ms:.2f} times", many_ms <= _TIMES_DEARER * few_ms)
        told = (
            f"The other {NODES - 1} nodes are stores of their own on the same database and look every {_PERIOD_S:g} s."
        )
    return Section(
        "An operator's changes",
        ("change", "ms (median)", "ratio"),
        tuple(rows),
        (told, "Processor time for additions, wall time for the regeneration."),
        (verdict,),
    )


def _definition() -> ClusterDefinition:
    nodes = "".join(
        f"      - {{name: node{number}, address: 127.0.0.1{', publisher: true' if not number else ''}}}\n"
        for number in range(NODES)
    )
    return parse_config(f"clusters:\n  - name: bench\n    nodes:\n{nodes}", "benchmark", {}).clusters[0]


async def _regeneration(folder: Path, rounds: int) -> tuple[float, float]:
    """(whole, floor) in ms; the two are measured in turn."""
    definition = _definition()
    stores = [await ClusterStore.open(folder / DATABASE)]
    await stores[0].install(definition)
    stores += [await ClusterStore.open(folder / DATABASE) for _ in range(NODES - 1)]
    for store in stores[1:]:
        store.watch(_PERIOD_S)
    spec = default_spec(definition, definition.nodes[0], Purpose.CALLMANAGER, key_length=2048)
    whole, floor = [], []
    try:
        for _ in range(rounds):
            floor.append(await _timed(lambda: asyncio.to_thread(self_sign, definition, spec, stores[0].now())))
            whole.append(await _timed(lambda: _until_all_know(stores)))
    finally:
        for store in stores:
            await store.close()
    return statistics.median(whole), statistics.median(floor)


async def _until_all_know(stores: list[ClusterStore]) -> None:
    """Regenerates on the first store, and waits until every node has built its new ITL."""
    revision = stores[0].snapshot.revision + 1
    told = [asyncio.Event() for _ in stores]
    unsubscribe = [
        store.subscribe(partial(_build, revision, number, told[number])) for number, store in enumerate(stores)
    ]
    try:
        await regenerate(stores[0], "node0", Purpose.CALLMANAGER, SYSTEM)
        async with asyncio.timeout(30):
            await asyncio.gather(*(event.wait() for event in told))
    finally:
        for end in unsubscribe:
            end()


def _build(revision: int, number: int, told: asyncio.Event, snapshot: ClusterSnapshot) -> None:
    if snapshot.revision >= revision:
        build_itl(snapshot, f"node{number}")
        told.set()


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return (time.perf_counter() - begun) * 1000


async def _addition(
    folders: dict[int, Path], population: Population, sizes: tuple[int, int], rounds: int
) -> tuple[float, float]:
    """Processor time in ms of one addition, for both sizes in turn."""
    stores = {size: await ClusterStore.open(folders[size] / DATABASE) for size in sizes}
    spent: dict[int, list[float]] = {size: [] for size in sizes}
    try:
        for number in range(rounds):
            fresh = Certificate.from_der(population.certificate(900_000 + number))
            for size, store in stores.items():
                begun = time.process_time()
                await store.add_trust(TRUST_STORE, [fresh])
                spent[size].append((time.process_time() - begun) * 1000)
    finally:
        for store in stores.values():
            await store.close()
    few, many = (statistics.median(spent[size]) for size in sizes)
    return few, many
