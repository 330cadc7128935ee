"""The running cluster of the fleet benchmark: CONFIGURATION STATE.

Commands: ``grant SECONDS`` (what registrations get from now on), ``renewals`` (so far), anything else just answers.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import announce, commands
from cluster.config import load_config
from lab.laboratory import Laboratory
from lab.openfiles import raise_open_file_limit
from lab.ports import any_free_ports
from services.callmanager.service import CiscoCallManager

if TYPE_CHECKING:
    from services.callmanager.registrar import Registrar
    from services.callmanager.registrations import Registration


class _Renewals:
    """Counts what the registrar tells the service."""

    def __init__(self, registrar: Registrar) -> None:
        self.count = 0
        tell = registrar.on_change

        def told(what: str, registration: Registration) -> None:
            self.count += what == "renewed"
            tell(what, registration)

        registrar.on_change = told


async def _serve(config: Path, state: Path) -> None:
    raise_open_file_limit()
    async with Laboratory(any_free_ports(load_config(config, {})), state) as laboratory:
        (node,) = laboratory.nodes
        services = laboratory.nodes[node].supervisor.services
        registrar = next(item for item in services if isinstance(item, CiscoCallManager)).registrar
        renewals, ports = _Renewals(registrar), laboratory.endpoints.of(node)
        announce(tftp=ports.tftp, http=ports.http, https=ports.https)
        async for command in commands():
            match command.split():
                case ["grant", seconds]:
                    registrar.granted_s = int(seconds)
                case ["collect"]:
                    gc.collect()
            announce(renewals=renewals.count, registered=len(registrar.registrations))


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2])))
