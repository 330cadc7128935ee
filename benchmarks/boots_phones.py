"""The phones of the boots benchmark, all in one process: PORTS, as JSON, and a folder with LSCs.

A command is ``KIND FIRST COUNT PROFILED``: phones FIRST and up boot and press the directory key, some at a time.
``first``: new phones. ``later``: they were switched off, and remember what TVS said. ``asking``: they forgot that.
``encrypted``: new phones with an LSC, whose configuration is encrypted.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.machine import announce, commands
from benchmarks.native import NativeProfile
from phone_sim.flash import Item, MemoryFlash
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.report import Outcome
from phone_sim.servers import TftpServer

FIRST, LATER, ASKING, ENCRYPTED = "first", "later", "asking", "encrypted"
MODEL = "8865"
AT_ONCE = 16
ENROLLED = 1 << 24
"""Number of the first phone with an LSC."""


def mac(number: int) -> str:
    """Of the phone of that number."""
    return f"0011{number:08X}"


@dataclass(slots=True)
class Tally:
    """What became of a number of boots.

    Attributes:
        seconds: wall-clock time.
        cpu_s: processor time of all phones.
        failed: boots that refused something, or did not open the directory.
        rsa: handshakes with an RSA certificate, TVS's included.
        ec: handshakes with an EC certificate.
        native: see `benchmarks.native`; empty without profiler.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    failed: int = 0
    rsa: int = 0
    ec: int = 0
    native: dict[str, float] = field(default_factory=dict)


class _Fleet:
    def __init__(self, server: TftpServer, lscs: Path) -> None:
        self._server, self._lscs = server, lscs
        self._flashes: dict[int, MemoryFlash] = {}
        self._model = model(MODEL)

    async def boot(self, numbers: range, kind: str) -> Tally:
        tally = Tally()
        waiting = iter(numbers)

        async def some() -> None:
            for number in waiting:
                await self._boot(number, kind, tally)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        return tally

    async def _boot(self, number: int, kind: str, tally: Tally) -> None:
        if kind in {FIRST, ENCRYPTED}:
            self._flashes[number] = MemoryFlash()
        if kind == ENCRYPTED:
            self._flashes[number].write(Item.LSC, (self._lscs / mac(number)).read_bytes())
        flash = self._flashes[number]
        if kind == ASKING:
            flash.delete(Item.TVS_CACHE)
        phone = Phone(mac(number), self._model, [self._server], flash)
        report = await phone.boot()
        directory = await phone.open_directory()
        decisions = [*report.decisions, *([directory.decision] if directory.decision else [])]
        refused = any(not item.accepted for item in decisions)
        refused |= (report.decision("encrypted configuration") is not None) != (kind == ENCRYPTED)
        tally.failed += report.outcome is not Outcome.BOOTED or refused or directory.menu is None
        tally.rsa += sum(bool(item.tvs_server) for item in decisions)
        elliptic = directory.decision is not None and "-EC" in directory.decision.subject.partition(";")[0]
        tally.ec += elliptic
        tally.rsa += not elliptic


async def _run(ports: dict[str, int], lscs: Path) -> None:
    fleet = _Fleet(TftpServer("127.0.0.1", ports["tftp"], ports["http"], ports["https"]), lscs)
    profile = NativeProfile()
    announce()
    async for command in commands():
        kind, first, count, profiled = command.split()
        begun, cpu_begun = time.monotonic(), time.process_time()
        if profiled == "1":
            profile.start()
        tally = await fleet.boot(range(int(first), int(first) + int(count)), kind)
        if profiled == "1":
            tally.native = profile.stop()
        tally.seconds, tally.cpu_s = time.monotonic() - begun, time.process_time() - cpu_begun
        announce(**asdict(tally))


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1]), Path(sys.argv[2])))
