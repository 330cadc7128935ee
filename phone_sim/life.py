"""A phone that stays up: it boots, registers, obeys, and boots again, until somebody unplugs it.

A phone without a usable configuration tries again every `RETRY_S` (an observed phone did about every 45 s). So does one
that no DHCP server answers (ours).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim.clients.errors import DhcpError

if TYPE_CHECKING:
    from collections.abc import Callable

    from phone_sim.phone import Phone
    from phone_sim.registration import Registration, RegistrationStatus
    from phone_sim.report import BootReport

RETRY_S = 45.0


@dataclass(frozen=True, slots=True)
class LifeEvents:
    """What a phone that stays up tells whoever looks at its screen."""

    booted: Callable[[BootReport], None] = lambda _report: None
    registration: Callable[[RegistrationStatus], None] = lambda _status: None
    no_network: Callable[[DhcpError], None] = lambda _error: None


class PhoneLife:
    """The life of one phone; `run` it in a task and cancel that to unplug the phone.

    Args:
        phone: which.
        events: told of what happens.
        retry_s: after a boot without a usable configuration or network.
        restarts: for one version of the configuration that never comes, before the phone goes without it (ours).
    """

    def __init__(
        self, phone: Phone, events: LifeEvents | None = None, *, retry_s: float = RETRY_S, restarts: int = 3
    ) -> None:
        self._phone = phone
        self._events = events or LifeEvents()
        self._retry_s, self._restarts = retry_s, restarts
        self._wanted, self._attempts = "", 0
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
                report = await self._phone.boot()
            except DhcpError as error:
                self._events.no_network(error)
                await asyncio.sleep(self._retry_s)
                continue
            self.boots += 1
            self._events.booted(report)
            self.registration = self._phone.registration(report, last, self._events.registration)
            if self.registration is None:
                await asyncio.sleep(self._retry_s)
                continue
            self.registration.given_up_version = self._wanted if self._attempts >= self._restarts else ""
            await self.registration.run()
            self._count(self.registration.wanted_version)
            last = "reset-restart"

    def _count(self, wanted: str) -> None:
        """Restarts one after the other for the same version."""
        self._attempts = self._attempts + 1 if wanted and wanted == self._wanted else 1
        self._wanted = wanted
