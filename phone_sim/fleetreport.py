"""What a fleet came to: how many phones stand how and why, and how long boots and registrations took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim.fleet import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from base.trace import Json
    from phone_sim.fleet import Fleet, Member

PERCENTILES = (50, 90, 99, 100)
_ANY_NAME = "SEP<MAC>"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Phones that are not registered for one and the same reason.

    Attributes:
        reason: in the words of who said it, with `SEP<MAC>` for the phone's own name; may be empty.
        phones: their names, in the fleet's order.
    """

    standing: Standing
    reason: str
    phones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took.

    Attributes:
        count: of phones that did it.
        percentiles: of `PERCENTILES`, seconds; empty when none did.
    """

    count: int
    percentiles: tuple[float, ...]

    @classmethod
    def of(cls, seconds: Iterable[float | None]) -> Spread:
        """Nearest rank; None is passed over."""
        known = sorted(item for item in seconds if item is not None)
        return cls(len(known), tuple(known[_rank(len(known), percent)] for percent in PERCENTILES if known))

    def as_json(self) -> dict[str, Json]:
        """Plain values, milliseconds."""
        named = zip(PERCENTILES, self.percentiles, strict=False)
        return {"count": self.count, **{f"p{percent}_ms": round(value * 1_000, 1) for percent, value in named}}


def _rank(count: int, percent: int) -> int:
    return max(0, math.ceil(count * percent / 100) - 1)


@dataclass(frozen=True, slots=True)
class FleetReport:
    """A fleet at one moment.

    Attributes:
        phones: how many there are.
        counts: how many stand how, without those that are none.
        troubles: the most frequent first.
        boots: of all phones, repeated ones too.
        registrations: likewise.
        boot: first boots.
        register: from the end of the first boot to the first registration.
        reachable: somebody answered.
    """

    phones: int
    counts: dict[Standing, int]
    troubles: tuple[Trouble, ...]
    boots: int
    registrations: int
    boot: Spread
    register: Spread
    reachable: bool

    @classmethod
    def of(cls, fleet: Fleet) -> FleetReport:
        """As it stands."""
        members = fleet.members
        return cls(
            phones=len(members),
            counts={standing: fleet.counts[standing] for standing in Standing if fleet.counts[standing]},
            troubles=_troubles(members),
            boots=fleet.boots,
            registrations=fleet.registrations,
            boot=Spread.of(member.boot_s for member in members),
            register=Spread.of(member.register_s for member in members),
            reachable=fleet.reachable,
        )

    @property
    def registered(self) -> int:
        """Phones that are."""
        return self.counts.get(Standing.REGISTERED, 0)

    @property
    def exit_code(self) -> int:
        """0 all registered, 1 some not, 4 no server answered any."""
        if self.registered == self.phones:
            return 0
        return 1 if self.reachable else 4

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "phones": self.phones,
            "exit_code": self.exit_code,
            "counts": {standing.value: count for standing, count in self.counts.items()},
            "not_registered": [
                {
                    "standing": trouble.standing.value,
                    "reason": trouble.reason,
                    "count": len(trouble.phones),
                    "phones": list(trouble.phones),
                }
                for trouble in self.troubles
            ],
            "boots": self.boots,
            "registrations": self.registrations,
            "boot": self.boot.as_json(),
            "register": self.register.as_json(),
        }


def _troubles(members: Sequence[Member]) -> tuple[Trouble, ...]:
    found: dict[tuple[Standing, str], list[str]] = {}
    for member in members:
        if member.standing is not Standing.REGISTERED:
            key = member.standing, member.reason.replace(member.name, _ANY_NAME)
            found.setdefault(key, []).append(member.name)
    troubles = (Trouble(standing, reason, tuple(names)) for (standing, reason), names in found.items())
    return tuple(sorted(troubles, key=lambda trouble: -len(trouble.phones)))
