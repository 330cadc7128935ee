"""Phones that stay up, beside a laboratory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from base.trace import Trace
from cluster.audit import Actor
from cluster.management.orderanswers import Told, order_answers
from cluster.management.phones import order_phones, registered_phones
from phone_sim.flash import MemoryFlash
from phone_sim.life import LifeEvents, PhoneLife
from phone_sim.models import model
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from tests.waiting import WatchedSink, eventually

if TYPE_CHECKING:
    from cluster.management.phones import RegisteredPhone
    from phone_sim.registration import RegistrationStatus
    from phone_sim.report import BootReport
    from tests.conftest import Lab

OPERATOR = Actor("admin", "test")
RECEPTION, STRANGER = "001122334455", "00112233CCCC"


class LivePhone:
    """One phone from plugging in to unplugging; ``async with`` does both."""

    def __init__(
        self,
        lab: Lab,
        mac: str = RECEPTION,
        model_name: str = "8865",
        node: str = "alpha-pub",
        phone: Phone | None = None,
    ) -> None:
        ports = lab.ports(node)
        server = TftpServer("127.0.0.1", ports.tftp, ports.http, ports.https)
        self.device = f"SEP{mac}"
        self.sink = WatchedSink()
        self.boots: list[BootReport] = []
        self.screen: list[RegistrationStatus] = []
        self._task: asyncio.Task[None] | None = None
        self.phone = phone or Phone(mac, model(model_name), [server], MemoryFlash(), trace=Trace(self.sink))
        self.life = PhoneLife(self.phone, LifeEvents(self.boots.append, self.screen.append), retry_s=0.1)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.life.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def times_registered(self) -> int:
        return sum(status.text == "Registered" for status in self.screen)

    async def registered(self, times: int = 1) -> None:
        """Waits until it has registered so often."""
        await eventually(lambda: self.times_registered() >= times, lambda: f"{times} x Registered; {self.screen}")

    async def said(self, text: str) -> None:
        await eventually(lambda: any(text in status.text for status in self.screen), lambda: f"{text}; {self.screen}")

    def orders(self) -> list[object]:
        return [event.data["action"] for event in self.sink.events if event.step == "ordered"]

    async def ordered(self, count: int) -> None:
        """Waits until it has been given so many orders."""
        await self.sink.seen("ordered", count=count)

    async def settled(self) -> None:
        """Waits until the version check after its last registration was answered."""
        await eventually(lambda: self.orders()[-1:] == ["check-version"], lambda: f"check-version; {self.orders()}")

    async def obeys(self, lab: Lab, action: str) -> None:
        """Gives it an order, and waits until it has answered: it was registered, and is done with earlier orders."""
        given = await order_phones(lab.store, action, self.device, OPERATOR)

        async def answered() -> bool:
            return (await order_answers(lab.store, given.revision)).get(self.device) is Told.ANSWERED

        await eventually(answered, lambda: f"an answer to {action}; {self.device} was given {self.orders()}")

    async def stays(self, lab: Lab) -> None:
        """It obeys one more order, over the registration that it has: nothing before that made it restart or leave."""
        registration, given = self.life.registration, len(self.orders())
        assert registration is not None
        await self.obeys(lab, "check-version")
        assert self.life.registration is registration
        assert registration.address, "it has left its server"
        assert len(self.orders()) == given + 1


async def order(lab: Lab, action: str, target: str = "all") -> int:
    return len((await order_phones(lab.store, action, target, OPERATOR)).devices)


async def listed(lab: Lab, wanted: dict[str, str]) -> list[RegisteredPhone]:
    """Waits until the nodes say that these devices, and no others, are registered with these states of their ITL."""
    found: list[RegisteredPhone] = []

    async def so() -> bool:
        found[:] = await registered_phones(lab.store)
        return {phone.device: phone.itl for phone in found} == wanted

    await eventually(so, lambda: f"{wanted} listed; found: {found}")
    return found
