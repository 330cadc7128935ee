"""The running cluster of the boots benchmark: CONFIGURATION STATE."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.machine import announce, commands
from benchmarks.native import NativeProfile, signature_cost_s
from cluster.config import load_config
from cluster.purposes import Purpose
from lab.laboratory import Laboratory
from lab.ports import any_free_ports

RSA, EC = "rsa", "ec"


async def _serve(config: Path, state: Path) -> None:
    profile = NativeProfile()
    async with Laboratory(any_free_ports(load_config(config, {})), state) as laboratory:
        snapshot = next(iter(laboratory.clusters.values())).store.snapshot
        node = snapshot.definition.publisher.name
        ports = laboratory.endpoints.of(node)
        announce(tftp=ports.tftp, http=ports.http, https=ports.https, sip=ports.sip)
        async for command in commands():
            match command:
                case "costs":
                    purposes = {RSA: Purpose.TVS, EC: Purpose.TOMCAT_ECDSA}
                    keys = {name: snapshot.require(node, purpose).private_key for name, purpose in purposes.items()}
                    announce(**{name: signature_cost_s(key) for name, key in keys.items()})
                case "profile":
                    profile.start()
                    announce()
                case "stop":
                    announce(**profile.stop())


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2])))
