"""A cluster, its administrator and phones that come to CAPF, over real TLS."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cluster.audit import Actor
from cluster.management.capf import schedule
from cluster.phonesecurity import Authentication, CapfOrder, KeyOrder, Operation, PhoneSecurity
from lab.manufacturing import ManufacturingCa, trust_manufacturer
from phone_sim.flash import MemoryFlash
from phone_sim.models import Ability, model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer

if TYPE_CHECKING:
    from phone_sim.flash import Flash
    from tests.conftest import Lab

ADMIN = Actor("admin", "test")
MAC, OTHER_MAC = "001122334455", "001122334456"
DEVICE = f"SEP{MAC}"
STRING = "246810"
ADVANCED = '{Endpoint Advanced Encryption Algorithms Support: "True"}'


def order(
    operation: Operation = Operation.INSTALL,
    authentication: Authentication = Authentication.NULL_STRING,
    key_order: KeyOrder = KeyOrder.RSA,
    size: int = 0,
) -> CapfOrder:
    ec = key_order is not KeyOrder.RSA
    return CapfOrder(
        operation=operation,
        authentication=authentication,
        auth_string=STRING if authentication is Authentication.STRING else "",
        key_order=key_order,
        rsa_size=1024 if ec or not size else size,
        ec_size=size if ec and size else 256,
    )


class CapfBench:
    """One laboratory."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.factory = ManufacturingCa.of(lab.laboratory.state)

    @classmethod
    async def open(cls, lab: Lab) -> CapfBench:
        bench = cls(lab)
        await trust_manufacturer(lab.store, bench.factory)
        return bench

    def phone(
        self,
        mac: str = MAC,
        *,
        flash: Flash | None = None,
        mic: bool = True,
        auth_string: str | None = None,
        ec: bool = True,
    ) -> Phone:
        """A factory-new phone, or the one that `flash` remembers."""
        ports = self.lab.ports()
        server = TftpServer("127.0.0.1", ports.tftp, ports.http, ports.https)
        kind = replace(model("8865"), ec=Ability.YES if ec else Ability.NO)
        phone = Phone(mac, kind, [server], flash or MemoryFlash(), auth_string=auth_string)
        if mic and phone.identity is None:
            phone.install_mic(self.factory.mic(mac, "8865"))
        return phone

    async def schedule(self, wanted: CapfOrder, device: str = DEVICE) -> None:
        await schedule(self.lab.store, device, wanted, ADMIN)

    def security(self, device: str = DEVICE) -> PhoneSecurity:
        return self.lab.store.snapshot.security_of(device)
