"""TVS: questions a second with small and large stores, beside what Python's TLS can do at all, and what memory is kept.

Each question has a new TLS connection, as phones do it; no session is resumed. The server runs on one core, the load on
another. Servers take turns, round after round; what is compared is the ratio of each round.
"""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import measured, separate_cores
from benchmarks.results import Cell, Section, Verdict, progress
from benchmarks.tvs_load import negotiated, phone_context, run_load
from benchmarks.tvs_stores import Population, make_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.machine import Cores, Measured

SMALL, LARGE, LARGE_QUICK = 10, 100_000, 10_000
CLIENTS = 16
STORE_BAR, FLOOR_BAR = 0.10, 0.70
MEMORY_WARM_UP, MEMORY_CONNECTIONS, MEMORY_BAR_KIB = 2_000, 10_000, 2_048
_TRUSTED = b"\x07\x00\x01\x00"
"""The element with which the answer to each of our questions has to begin: status 0."""
_BARE, _ECHO = "bare handshake", "handshake, prepared answer"
COLUMNS = ("server, question", "per CPU-second", "CPU ms each", "÷ bare handshake", "per second", "failed")


@dataclass(frozen=True, slots=True)
class _Variant:
    """What is measured in turn: a server and what it is asked."""

    name: str
    server: Measured
    question: Callable[[int], bytes] | None


@dataclass(frozen=True, slots=True)
class _Round:
    per_cpu_s: float
    per_s: float
    failed: int


_Found = dict[str, list[_Round]]


def measure(quick: bool) -> Section:  # noqa: FBT001 - all benchmarks are called like this
    """Fills two stores and asks about what they hold."""
    rounds, seconds = (3, 0.7) if quick else (11, 2.0)
    large = LARGE_QUICK if quick else LARGE
    with tempfile.TemporaryDirectory() as name, separate_cores() as cores:
        progress(f"  stores of {SMALL} and {large:,} certificates")
        population = Population.make()
        stores = make_stores(Path(name), population, (SMALL, large))
        notes = [
            f"Medians of {rounds} rounds, {seconds:g} s and {CLIENTS} clients for each row. Servers take turns.",
            "“÷ bare handshake” compares what was done per CPU-second: the median of the rounds' ratios.",
            "“Bare handshake”: an asyncio server with the same TLS context that says nothing after the handshake.",
            "“Prepared answer”: the same, but it sends one answer to whatever it is asked.",
            cores.note(),
        ]
        with ExitStack() as stack:
            variants, opened = _variants(stack, cores, stores, population)
            notes += [opened, f"TLS: {negotiated(variants[0].server.said['port'], phone_context())}, no resumption."]
            found = _take_turns(variants, rounds, seconds)
        progress(f"  memory over {MEMORY_CONNECTIONS:,} connections")
        memory = _memory_verdict(cores, stores[SMALL], population)
    return Section(
        title="TVS: a TLS 1.2 connection for each question",
        columns=COLUMNS,
        rows=tuple(_row(found, name) for name in found),
        notes=tuple(notes),
        verdicts=(*_verdicts(found, large), memory),
    )


def _variants(
    stack: ExitStack, cores: Cores, stores: dict[int, Path], population: Population
) -> tuple[list[_Variant], str]:
    """All servers, running; and what it took to open the largest store."""

    def run(kind: str, size: int) -> Measured:
        return stack.enter_context(measured(cores.server, "tvs_servers", kind, str(stores[size])))

    ours = {size: run("ours", size) for size in stores}
    variants = [_Variant(_BARE, run("bare", SMALL), None)]
    variants.append(_Variant(_ECHO, run("echo", SMALL), partial(population.verify, size=SMALL)))
    for ask, what in ((population.verify, "verify"), (population.query, "query")):
        for size, server in ours.items():
            variants.append(_Variant(_name(what, size), server, partial(ask, size=size)))
    size, said = max(stores), ours[max(stores)].said
    opened = (
        f"Opening the store of {size:,} took {said['opened_cpu_s']:.1f} s of processor time and"
        f" {said['held_kib'] / 1024:,.0f} MiB, {said['held_kib'] * 1024 / size:,.0f} bytes for each certificate of"
        f" {len(population.der):,}."
    )
    return variants, opened


def _name(question: str, size: int) -> str:
    return f"ucmsim, {question}, store of {size:,}"


def _take_turns(variants: Sequence[_Variant], rounds: int, seconds: float) -> _Found:
    context = phone_context()
    found: _Found = {variant.name: [] for variant in variants}
    for variant in variants:
        run_load(variant.server.said["port"], context, variant.question, clients=CLIENTS, seconds=seconds / 2)
    for number in range(rounds):
        progress(f"  round {number + 1} of {rounds}")
        turn = number % len(variants)
        for variant in (*variants[turn:], *variants[:turn]):
            before_s = variant.server.cpu.seconds()
            load = run_load(
                variant.server.said["port"],
                context,
                variant.question,
                lambda answer: answer[10:14] == _TRUSTED,
                clients=CLIENTS,
                seconds=seconds,
                first=number * 100_000,
            )
            cpu_s = max(variant.server.cpu.seconds() - before_s, 0.01)
            found[variant.name].append(_Round(load.done / cpu_s, load.done / load.seconds, load.failed))
    return found


def _ratio(found: _Found, name: str, other: str) -> float:
    pairs = zip(found[name], found[other], strict=True)
    return statistics.median(ours.per_cpu_s / theirs.per_cpu_s for ours, theirs in pairs)


def _row(found: _Found, name: str) -> tuple[Cell, ...]:
    per_cpu_s = statistics.median(item.per_cpu_s for item in found[name])
    return (
        name,
        per_cpu_s,
        1_000 / per_cpu_s,
        _ratio(found, name, _BARE),
        statistics.median(item.per_s for item in found[name]),
        sum(item.failed for item in found[name]),
    )


def _verdicts(found: _Found, large: int) -> list[Verdict]:
    verdicts = []
    for question in ("verify", "query"):
        ratio = _ratio(found, _name(question, large), _name(question, SMALL))
        verdicts.append(
            Verdict(
                f"{question}: a store of {large:,} and one of {SMALL} answer equally fast, within {STORE_BAR:.0%}",
                f"{ratio:.3f} times",
                abs(ratio - 1) <= STORE_BAR,
            )
        )
    for question in ("verify", "query"):
        ratio = _ratio(found, _name(question, large), _BARE)
        verdicts.append(
            Verdict(
                f"{question}: with {large:,} certificates, at least {FLOOR_BAR:.0%} of the bare handshakes",
                f"{ratio:.0%}",
                ratio >= FLOOR_BAR,
            )
        )
    failed = sum(item.failed for rounds in found.values() for item in rounds)
    verdicts.append(Verdict("Not one question failed", f"{failed} failed", failed == 0))
    return verdicts


def _memory_verdict(cores: Cores, store: Path, population: Population) -> Verdict:
    """Resident memory goes up and down by some MiB with the buffers of open connections, so medians are compared."""
    context, done, sizes = phone_context(), 0, []
    with measured(cores.server, "tvs_servers", "ours", str(store)) as server:

        def load(most: int) -> int:
            question = partial(population.verify, size=SMALL)
            return run_load(server.said["port"], context, question, clients=CLIENTS, seconds=600, most=most).done

        load(MEMORY_WARM_UP)
        descriptors = server.descriptors()
        while done < MEMORY_CONNECTIONS:
            done += load(1_000)
            sizes.append(server.rss_kib())
        more = server.descriptors() - descriptors
    half = len(sizes) // 2
    first, second = statistics.median(sizes[:half]), statistics.median(sizes[half:])
    grown_kib = second - first
    return Verdict(
        f"Of {MEMORY_CONNECTIONS:,} connections after {MEMORY_WARM_UP:,}, none costs a descriptor, and the second half"
        f" leaves at most {MEMORY_BAR_KIB:,} KiB more than the first",
        f"{grown_kib:+,.0f} KiB of {first:,.0f}, {grown_kib / half:+.0f} KiB per 1,000; {more:+} descriptors",
        grown_kib <= MEMORY_BAR_KIB and more <= 0,
    )
