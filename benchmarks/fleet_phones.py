"""The phones of the fleet benchmark, all in one process: PORTS, as JSON.

``boot FIRST COUNT``: so many phones more, answered when they have registered. Anything else just answers.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time

from benchmarks.machine import announce, commands
from lab.openfiles import raise_open_file_limit
from phone_sim.fleet import Fleet, FleetLimits, Standing, macs_from
from phone_sim.fleetflash import fleet_flash
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer

FIRST_MAC = 0x0AFF00000001
MODEL = "8865"


async def _run(ports: dict[str, int]) -> None:
    raise_open_file_limit()
    server = TftpServer("127.0.0.1", ports["tftp"], ports["http"], ports["https"])
    flash, chosen = fleet_flash(), model(MODEL)
    running: list[tuple[Fleet, asyncio.Task[None]]] = []
    announce()
    async for command in commands():
        seconds = 0.0
        match command.split():
            case ["boot", first, count]:
                macs, begun = macs_from(f"{FIRST_MAC + int(first):012X}", int(count)), time.monotonic()
                fleet = Fleet(macs, lambda mac: Phone(mac, chosen, [server], flash()), FleetLimits())
                running.append((fleet, asyncio.create_task(fleet.run())))
                await fleet.settled.wait()
                seconds = time.monotonic() - begun
                gc.collect()
        announce(registered=sum(fleet.counts[Standing.REGISTERED] for fleet, _ in running), seconds=seconds)
    for fleet, task in running:
        fleet.stop()
        await task


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
