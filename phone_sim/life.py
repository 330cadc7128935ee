"""A phone that stays up: it boots, registers, obeys, and boots again, until somebody unplugs it.

A phone without a usable configuration tries again every `RETRY_S` (an observed phone did about every 45 s). So does one
that every server refuses (ours), since its configuration may be an old one, and one that no DHCP server answers (ours).
"""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim.clients.errors import DhcpError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from phone_sim.phone import Phone
    from phone_sim.registration import Registration, RegistrationStatus
    from phone_sim.report import BootReport

RETRY_S = 45.0
_REJECTED = "Registration Rejected"
"""How a status begins when a server refused."""


@dataclass(frozen=True, slots=True)
class LifeEvents:
    """What a phone that stays up tells whoever looks at its screen.

    Attributes:
        booted: with each boot's report.
        registration: each change of it.
        idle: a boot gave nothing to register with; it boots again later.
    """

    booted: Callable[[BootReport], None] = lambda _report: None
    registration: Callable[[RegistrationStatus], None] = lambda _status: None
    idle: Callable[[], None] = lambda: None
    no_network: Callable[[DhcpError], None] = lambda _error: None


class PhoneLife:
    """The life of one phone; `run` it in a task and cancel that to unplug the phone.

    Args:
        phone: which.
        events: told of what happens.
        retry_s: after a boot without a usable configuration or network, and after refusals.
        gate: entered for each boot, to bound how many phones boot at once.
        restarts: for one version of the configuration that never comes, before the phone goes without it (ours).
    """

    def __init__(
        self,
        phone: Phone,
        events: LifeEvents | None = None,
        *,
        retry_s: float = RETRY_S,
        restarts: int = 3,
        gate: AbstractAsyncContextManager[object] | None = None,
    ) -> None:
        self._phone = phone
        self._events = events or LifeEvents()
        self._retry_s, self._restarts = retry_s, restarts
        self._gate = gate or nullcontext()
        self._wanted, self._attempts = "", 0
        self._given_up = asyncio.Event()
        self._patience: asyncio.TimerHandle | None = None
        self.boots = 0
        self.registration: Registration | None = None

    async def run(self) -> None:
        """Never returns; when cancelled, the phone has unregistered.

        Raises:
            FlashError: flash cannot be written.
        """
        last = "initialized"
        while True:
            try:
                async with self._gate:
                    report = await self._phone.boot()
            except DhcpError as error:
                self._events.no_network(error)
                await asyncio.sleep(self._retry_s)
                continue
            self.boots += 1
            self._events.booted(report)
            self.registration = self._phone.registration(report, last, self._on_status)
            del report  # it is not small, and a registration lasts
            if self.registration is None:
                self._events.idle()
                await asyncio.sleep(self._retry_s)
                continue
            self.registration.given_up_version = self._wanted if self._attempts >= self._restarts else ""
            last = await self._stay_registered(self.registration)

    async def _stay_registered(self, registration: Registration) -> str:
        """Until the server orders an end, or the phone gives up; returns why it restarts."""
        running = asyncio.create_task(registration.run())
        giving_up = asyncio.create_task(self._given_up.wait())
        try:
            await asyncio.wait({running, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._forget_refusals()
            running.cancel()
            giving_up.cancel()
            await asyncio.gather(running, giving_up, return_exceptions=True)
        if running.cancelled():
            return "Device-Initiated-Reset"
        running.result()
        self._count(registration.wanted_version)
        return "reset-restart"

    def _on_status(self, status: RegistrationStatus) -> None:
        if status.text.startswith(_REJECTED) and self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(self._retry_s, self._given_up.set)
        elif status.server:
            self._forget_refusals()
        self._events.registration(status)

    def _forget_refusals(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None
        self._given_up.clear()

    def _count(self, wanted: str) -> None:
        """Restarts one after the other for the same version."""
        self._attempts = self._attempts + 1 if wanted and wanted == self._wanted else 1
        self._wanted = wanted
