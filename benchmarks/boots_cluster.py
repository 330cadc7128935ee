"""The running cluster of the boots benchmark: CONFIGURATION STATE LSCS.

``enrol FIRST COUNT`` gives LSCs to phones, as CAPF would have, and puts them into the folder LSCS.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from base.identity import Identity
from benchmarks.boots_phones import mac
from benchmarks.machine import announce, commands
from benchmarks.native import NativeProfile, signature_cost_s
from cluster.audit import Actor
from cluster.config import load_config
from cluster.lsc import issue_lsc
from cluster.management.capf import Outcome, record_outcome
from cluster.purposes import Purpose
from lab.laboratory import Laboratory
from lab.ports import any_free_ports
from phone_sim.credentials import encode_credential

if TYPE_CHECKING:
    from cluster.store import ClusterStore

RSA, EC = "rsa", "ec"


async def _enrol(store: ClusterStore, lscs: Path, numbers: range) -> None:
    """All with the same key: what a phone does with its own costs the same."""
    authority = store.snapshot.require(store.snapshot.definition.publisher.name, Purpose.CAPF).identity
    key = rsa.generate_private_key(65_537, 2_048)
    for number in numbers:
        device = f"SEP{mac(number)}"
        lsc = issue_lsc(authority, device, key.public_key(), store.now())
        await record_outcome(store, device, Outcome("", 0, lsc=lsc), Actor("admin", "benchmark"))
        (lscs / mac(number)).write_bytes(encode_credential(Identity(lsc, key)))


async def _serve(config: Path, state: Path, lscs: Path) -> None:
    profile = NativeProfile()
    async with Laboratory(any_free_ports(load_config(config, {})), state) as laboratory:
        store = next(iter(laboratory.clusters.values())).store
        snapshot = store.snapshot
        node = snapshot.definition.publisher.name
        ports = laboratory.endpoints.of(node)
        announce(tftp=ports.tftp, http=ports.http, https=ports.https, sip=ports.sip)
        async for command in commands():
            match command.split():
                case ["enrol", first, count]:
                    await _enrol(store, lscs, range(int(first), int(first) + int(count)))
                    announce()
                case ["costs"]:
                    purposes = {RSA: Purpose.TVS, EC: Purpose.TOMCAT_ECDSA}
                    keys = {name: snapshot.require(node, purpose).private_key for name, purpose in purposes.items()}
                    announce(**{name: signature_cost_s(key) for name, key in keys.items()})
                case ["profile"]:
                    profile.start()
                    announce()
                case ["stop"]:
                    announce(**profile.stop())


if __name__ == "__main__":
    asyncio.run(_serve(*map(Path, sys.argv[1:4])))
