"""Many phones in one process: each boots, registers, stays registered and obeys as a single one does.

A phone is one task. What bounds the fleet: how many phones are switched on in a second, how many boot at the same
moment (also after an order that concerns all of them), and how long it may take to unregister.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from phone_sim.life import RETRY_S, LifeEvents, PhoneLife
from phone_sim.phone import normal_mac
from phone_sim.registration import Phase
from phone_sim.report import Outcome
from wire.errors import OperatorError, UcmsimError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from phone_sim.phone import Phone
    from phone_sim.registration import RegistrationStatus
    from phone_sim.report import BootReport

_MAC_END = 1 << 48
_PATIENCE_S = 5.0
"""For a phone that was unplugged, which waits a second for its server; then it is unplugged once more."""


def macs_from(first: str, count: int) -> list[str]:
    """`count` MAC addresses, one after the other.

    Raises:
        OperatorError: `first` is none, or they go beyond the last there is.
    """
    start = int(normal_mac(first), 16)
    if start + count > _MAC_END:
        raise OperatorError(f"{count} MAC addresses from {first} go beyond FFFFFFFFFFFF")
    return [f"{number:012X}" for number in range(start, start + count)]


def shard_of(macs: Sequence[str], number: int, of: int) -> Sequence[str]:
    """The part `number` (from 1) of `of` parts, which are as equal as can be, disjoint, and together everything."""
    return macs[len(macs) * (number - 1) // of : len(macs) * number // of]


class Standing(Enum):
    """How one phone stands."""

    OFF = "off"
    BOOTING = "booting"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFUSED = "refused"
    """No CallManager takes it, and the last one said no."""
    UNANSWERED = "unanswered"
    """No CallManager takes it, and the last one could not be reached or was not trusted."""
    UNCONFIGURED = "unconfigured"
    """It has no configuration, or one with nothing to register; it tries again."""
    NO_TFTP = "no TFTP server"
    """No TFTP server answers; it tries again."""
    BROKEN = "broken"
    """Its flash cannot be used; it is off for good."""


UNDER_WAY = frozenset({Standing.OFF, Standing.BOOTING, Standing.REGISTERING})
_OF_PHASE = {
    Phase.REGISTERING: Standing.REGISTERING,
    Phase.REGISTERED: Standing.REGISTERED,
    Phase.REFUSED: Standing.REFUSED,
    Phase.UNANSWERED: Standing.UNANSWERED,
}
_SILENT = frozenset({Standing.UNANSWERED, Standing.NO_TFTP})


@dataclass(slots=True)
class Member:
    """One phone of the fleet.

    Attributes:
        name: ``SEP<MAC>``.
        reason: why it is not registered; empty while it is, or when nobody said.
        boot_s: its first boot; None before.
        register_s: from the end of its first boot to its first registration; None before.
        booted_at: end of its last boot, of the monotonic clock.
        settled: it has registered once, or found out that it cannot.
    """

    name: str
    standing: Standing = Standing.OFF
    reason: str = ""
    boot_s: float | None = None
    register_s: float | None = None
    booted_at: float = 0.0
    settled: bool = False


@dataclass(frozen=True, slots=True)
class FleetLimits:
    """What bounds a fleet; ours.

    Attributes:
        rate_per_s: phones that are switched on in a second; 0 for as many as boot.
        boots_at_once: phones that boot at the same moment.
        retry_s: until a phone without configuration boots again.
        leave_at_once: phones that unregister at the same moment.
        leave_s: for all to unregister; those left then are cut off.
    """

    rate_per_s: float = 0.0
    boots_at_once: int = 32
    retry_s: float = RETRY_S
    leave_at_once: int = 50
    leave_s: float = 30.0


class Fleet:
    """A fleet; `run` it once, and `stop` it.

    Args:
        macs: of the phones.
        make_phone: makes one of them, when it is switched on.
        limits: bounds.

    Attributes:
        members: all phones, in the order in which they are switched on.
        counts: how many stand how.
        boots: of all phones so far.
        registrations: likewise.
        unregistered: phones whose leaving at the end a server confirmed.
        settled: set once each phone has registered, or found out that it cannot.
    """

    def __init__(
        self, macs: Iterable[str], make_phone: Callable[[str], Phone], limits: FleetLimits | None = None
    ) -> None:
        self._macs = tuple(macs)
        self._make_phone = make_phone
        self._limits = limits or FleetLimits()
        self._gate = asyncio.Semaphore(self._limits.boots_at_once)
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsettled = len(self._macs)
        self._failure: BaseException | None = None
        self.members = [Member(f"SEP{mac}") for mac in self._macs]
        self.counts = Counter({Standing.OFF: len(self._macs)})
        self.boots = self.registrations = self.unregistered = 0
        self.settled = asyncio.Event()

    @property
    def reachable(self) -> bool:
        """Some phone was answered by whom it asked last; also true while nobody knows yet."""
        return any(count for standing, count in self.counts.items() if standing not in _SILENT)

    def stop(self) -> None:
        """Unplugs all phones; `run` returns when they have left."""
        self._stop.set()

    async def run(self, *, leaving: Callable[[], None] = lambda: None) -> None:
        """Switches the phones on and keeps them until `stop`.

        Args:
            leaving: called before the first is unplugged: the last moment to see how all stand.
        """
        starting = asyncio.create_task(self._switch_on())
        try:
            await self._stop.wait()
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            leaving()
            await self._unplug()
        if self._failure is not None:
            raise self._failure

    async def _switch_on(self) -> None:
        begun, rate = time.monotonic(), self._limits.rate_per_s
        for index, (mac, member) in enumerate(zip(self._macs, self.members, strict=True)):
            if rate:
                await asyncio.sleep(max(0.0, begun + index / rate - time.monotonic()))
            async with self._gate:
                pass  # a phone that could not boot yet is not switched on
            task = asyncio.create_task(self._live(mac, member))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(0)  # it takes its turn now

    async def _live(self, mac: str, member: Member) -> None:
        events = LifeEvents(
            lambda report: self._booted(member, report),
            lambda status: self._registration(member, status),
            lambda: self._idle(member),
        )
        self._move(member, Standing.BOOTING)
        try:
            phone = self._make_phone(mac)
            await PhoneLife(phone, events, retry_s=self._limits.retry_s, gate=self._gate).run()
        except UcmsimError as error:
            self._move(member, Standing.BROKEN, str(error))
        except Exception as error:  # noqa: BLE001 - a mistake of ours ends the fleet, and is raised by `run`
            self._failure = error
            self.stop()

    def _booted(self, member: Member, report: BootReport) -> None:
        self.boots += 1
        if member.boot_s is None:
            member.boot_s = report.duration_ms / 1_000
        member.booted_at = time.monotonic()
        match report.outcome:
            case Outcome.UNREACHABLE:
                self._move(member, Standing.NO_TFTP, report.fetches[-1].detail if report.fetches else "")
            case Outcome.BOOTED:
                self._move(member, Standing.REGISTERING)
            case Outcome.REFUSED | Outcome.NO_CONFIG:
                refused = report.refusals
                reason = refused[-1].reason.text() if refused else "no configuration"
                self._move(member, Standing.UNCONFIGURED, reason)

    def _idle(self, member: Member) -> None:
        if member.standing is Standing.REGISTERING:
            self._move(member, Standing.UNCONFIGURED, "the configuration has no line or no CallManager")

    def _registration(self, member: Member, status: RegistrationStatus) -> None:
        if status.phase is Phase.UNREGISTERED:
            leaving = self._stop.is_set()  # else it restarts
            self.unregistered += leaving and not status.detail
            self._move(member, Standing.OFF if leaving else Standing.BOOTING)
            return
        if status.phase is Phase.REGISTERED:
            self.registrations += 1
            if member.register_s is None:
                member.register_s = time.monotonic() - member.booted_at
        self._move(member, _OF_PHASE[status.phase], status.detail)

    def _move(self, member: Member, standing: Standing, reason: str = "") -> None:
        if standing not in UNDER_WAY and not member.settled:
            member.settled = True
            self._unsettled -= 1
            if not self._unsettled:
                self.settled.set()
        self.counts[member.standing] -= 1
        self.counts[standing] += 1
        member.standing = standing
        if standing is not Standing.REGISTERING or reason:
            member.reason = reason

    async def _unplug(self) -> None:
        """Some at a time, so that a server that has to answer thousands is not given up too early."""
        end = time.monotonic() + self._limits.leave_s
        while self._tasks:
            late = time.monotonic() >= end
            some = list(self._tasks)[: len(self._tasks) if late else self._limits.leave_at_once]
            for task in some:
                task.cancel()
            await asyncio.wait(some, timeout=_PATIENCE_S)
