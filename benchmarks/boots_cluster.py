"""The running cluster of the boots benchmark: CONFIGURATION STATE."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from benchmarks.machine import announce, commands
from benchmarks.native import NativeProfile
from cluster.config import load_config
from cluster.purposes import Purpose
from lab.laboratory import Laboratory
from lab.ports import any_free_ports

if TYPE_CHECKING:
    from wire.certificates import PrivateKey

_SIGNATURES = 200


def _cost_s(key: PrivateKey) -> float:
    """Processor time of one signature."""
    begun = time.thread_time()
    for _ in range(_SIGNATURES):
        if isinstance(key, rsa.RSAPrivateKey):
            key.sign(b"", PKCS1v15(), SHA256())
        else:
            key.sign(b"", ec.ECDSA(SHA384()))
    return (time.thread_time() - begun) / _SIGNATURES


async def _serve(config: Path, state: Path) -> None:
    profile = NativeProfile()
    async with Laboratory(any_free_ports(load_config(config, {})), state) as laboratory:
        snapshot = next(iter(laboratory.clusters.values())).store.snapshot
        node = snapshot.definition.publisher.name
        ports = laboratory.endpoints.of(node)
        announce(tftp=ports.tftp, http=ports.http, https=ports.https)
        async for command in commands():
            match command:
                case "costs":
                    purposes = {"rsa_s": Purpose.TVS, "ec_s": Purpose.TOMCAT_ECDSA}
                    keys = {name: snapshot.require(node, purpose).private_key for name, purpose in purposes.items()}
                    announce(**{name: _cost_s(key) for name, key in keys.items()})
                case "profile":
                    profile.start()
                    announce()
                case "stop":
                    announce(**profile.stop())


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2])))
