"""Clusters whose trust store holds as many certificates as one likes, and what phones ask about them.

The certificates differ in name and serial number and have the size of a real CallManager certificate. They are one
certificate with other bytes in these places: their signatures are wrong, which nobody who is asked about them checks.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from cluster.config import parse_config
from cluster.issuing import issue
from cluster.purposes import Purpose
from cluster.store import ClusterStore
from lab.laboratory import DATABASE
from wire.certificates import Certificate
from wire.tvs import QueryRequest, VerifyRequest, encode

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.definition import ClusterDefinition

TRUST_STORE = "Phone-SAST-trust"
_DEVICE = "CP-8865-SEP001122334455"
_STRIDE = 7_919  # a prime: questions jump all over a store before one is asked again
_BATCH = 10_000
_SERIAL_SIZE = 16

_CONFIG = """
clusters:
  - name: bench
    release: "12.5"
    domain: lab.example
    subject: {organization: ucmsim, unit: Trust Lab, locality: Krakow, state: Malopolska, country: PL}
    nodes: [{name: bench-pub-000000, publisher: true, address: 127.0.0.1}]
"""
_NUMBERED = b"bench-pub-000000"


def definition() -> ClusterDefinition:
    """The cluster that all stores belong to."""
    return parse_config(_CONFIG, "benchmark", {}).clusters[0]


@dataclass(frozen=True)
class Population:
    """Any number of certificates, told apart by their number."""

    der: bytes
    serial: bytes

    @classmethod
    def make(cls) -> Population:
        """Another cluster's CallManager certificate as the pattern; its key is thrown away."""
        cluster = definition()
        purpose, now = Purpose.CALLMANAGER, datetime.now(UTC)
        certificate = issue(cluster, cluster.nodes[0], purpose, key_length=2048, now=now).certificate
        return cls(certificate.der, certificate.serial.to_bytes(_SERIAL_SIZE, "big"))

    def certificate(self, number: int) -> bytes:
        """DER of one certificate."""
        der = self.der.replace(_NUMBERED, b"bench-pub-%06d" % number)
        return der.replace(self.serial, self._serial(number), 1)

    @cached_property
    def _name(self) -> str:
        return str(Certificate.from_der(self.der).subject)

    def _serial(self, number: int) -> bytes:
        return self.serial[:-4] + number.to_bytes(4, "big")

    def verify(self, number: int, size: int) -> bytes:
        """A phone's question whether a certificate, one of the first `size`, is trusted."""
        return encode(VerifyRequest(number, _DEVICE, self.certificate(number * _STRIDE % size)))

    def query(self, number: int, size: int) -> bytes:
        """A phone's question for a certificate of which it knows names and serial number."""
        which = number * _STRIDE % size
        name = self._name.replace(_NUMBERED.decode(), f"bench-pub-{which:06d}")
        return encode(QueryRequest(number, _DEVICE, name, name, self._serial(which)))


async def _fill(folder: Path, population: Population, size: int) -> None:
    store = await ClusterStore.open(folder / DATABASE)
    for first in range(0, size, _BATCH):
        some = range(first, min(first + _BATCH, size))
        await store.add_trust(TRUST_STORE, [Certificate.from_der(population.certificate(number)) for number in some])
    await store.close()


async def _install(folder: Path) -> None:
    store = await ClusterStore.open(folder / DATABASE)
    await store.install(definition())
    await store.close()


def make_stores(root: Path, population: Population, sizes: tuple[int, ...]) -> dict[int, Path]:
    """The same cluster, with the same keys, once for each size: size -> folder."""
    asyncio.run(_install(root / "empty"))
    folders = {}
    for size in sizes:
        folders[size] = root / str(size)
        shutil.copytree(root / "empty", folders[size])
        asyncio.run(_fill(folders[size], population, size))
    return folders
