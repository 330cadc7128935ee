"""A phone that stays up: it boots, registers, obeys, and boots again, until somebody unplugs it.

A phone without a usable configuration tries again every `RETRY_S` (an observed phone did about every 45 s).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim.registration import Identity, Registration, RegistrationStatus
from wire.ciscosip import TrustListAlarm
from wire.phoneconfig import PhoneConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from phone_sim.phone import Phone
    from phone_sim.report import BootReport

RETRY_S = 45.0
_VERSION = re.compile(r"\.(\d+)-(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class LifeEvents:
    """What a phone that stays up tells whoever looks at its screen."""

    booted: Callable[[BootReport], None] = lambda _report: None
    registration: Callable[[RegistrationStatus], None] = lambda _status: None


class PhoneLife:
    """The life of one phone; `run` it in a task and cancel that to unplug the phone."""

    def __init__(self, phone: Phone, events: LifeEvents | None = None, *, retry_s: float = RETRY_S) -> None:
        self._phone = phone
        self._events = events or LifeEvents()
        self._retry_s = retry_s
        self.boots = 0
        self.registration: Registration | None = None

    async def run(self) -> None:
        """Never returns; when cancelled, the phone has unregistered.

        Raises:
            FlashError: flash cannot be written.
        """
        last = "initialized"
        while True:
            report = await self._phone.boot()
            self.boots += 1
            self._events.booted(report)
            self.registration = self._phone.registration(report, last, self._events.registration)
            if self.registration is None:
                await asyncio.sleep(self._retry_s)
                continue
            await self.registration.run()
            last = "reset-restart"


def registration_identity(phone: Phone, report: BootReport, last: str) -> Identity:
    """What a phone says of itself when it registers after a boot."""
    lists = {summary.kind: summary for summary in report.trust_lists}
    ctl, itl = lists.get("CTL"), lists.get("ITL")
    source = report.fetches[0].server.rpartition(":")[0] if report.fetches else ""
    alarm = TrustListAlarm(
        device=phone.name,
        ipv4="",
        ctl_sha1=bytes.fromhex(ctl.sha1) if ctl else None,
        ctl_server=source if ctl else "",
        itl_sha1=bytes.fromhex(itl.sha1) if itl else None,
        itl_server=source if itl else "",
        status=int(report.alarm) if report.alarm is not None else 1,
    )
    load = report.config.load if report.config else ""
    version = _VERSION.search(load)
    agent = f"Cisco-CP{phone.model.name}/{'.'.join(version.groups()) if version else '1.0.0'}"
    return Identity(phone.mac, phone.model.type_number, agent, load or "unknown", last, alarm)


def can_register(config: object) -> bool:
    """A device's configuration with a line and somewhere to register it."""
    return isinstance(config, PhoneConfig) and bool(config.lines) and bool(config.call_managers)
