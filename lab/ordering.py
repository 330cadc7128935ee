"""An order to phones, followed until every registered one has answered it and, if wanted, is back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.audit import Actor
from cluster.management.orderanswers import Told, order_answers
from cluster.management.phones import order_phones, registered_phones

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cluster.management.phones import RegisteredPhone
    from cluster.store import ClusterStore

LOOK_S = 0.2
ANSWER_S = 40.0
"""A node gives an order up after 32 seconds; a little more, for it to be written and read."""


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What became of an order.

    Attributes:
        devices: of the cluster that it was for.
        told: registered phone -> what came of it; a phone whose node said nothing in time has no entry.
        registered: phones among the devices that were registered when it was given.
        back: those that registered anew afterwards; None when nobody waited for that.
        running: any node of the cluster is.
    """

    action: str
    target: str
    devices: frozenset[str]
    registered: frozenset[str]
    told: dict[str, Told]
    back: frozenset[str] | None
    running: bool

    def with_answer(self, *answers: Told) -> list[str]:
        """Registered phones with one of these answers, by name."""
        return sorted(device for device, told in self.told.items() if told in answers)

    @property
    def unanswered(self) -> list[str]:
        """Registered phones from which nothing came."""
        silent = self.registered - self.told.keys()
        return sorted({*silent, *self.with_answer(Told.SENT, Told.UNANSWERED)})

    @property
    def missing(self) -> list[str]:
        """Phones that were registered and did not come back in time."""
        return sorted(self.registered - self.back) if self.back is not None else []

    @property
    def good(self) -> bool:
        """Every registered phone did what it was told."""
        return not (self.unanswered or self.with_answer(Told.REFUSED) or self.missing)

    def text(self) -> str:
        """One sentence."""
        parts = [f"{len(self.with_answer(Told.ANSWERED))} of {len(self.registered)} registered phone(s) answered"]
        for names, what in ((self.with_answer(Told.REFUSED), "refused"), (self.unanswered, "did not answer")):
            if names:
                parts.append(f"{_some(names)} {what}")
        if self.back is not None:
            parts.append(f"{len(self.back)} registered again")
        if self.missing:
            parts.append(f"not back: {_some(self.missing)}")
        away = len(self.devices - self.registered)
        if away:
            parts.append(f"{away} of {len(self.devices)} device(s) not registered")
        return f"{self.action}: {'; '.join(parts)}"

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "action": self.action,
            "target": self.target,
            "devices": len(self.devices),
            "registered": len(self.registered),
            "answered": self.with_answer(Told.ANSWERED),
            "refused": self.with_answer(Told.REFUSED),
            "unanswered": self.unanswered,
            "back": sorted(self.back) if self.back is not None else None,
            "missing": self.missing,
        }


async def give_order(
    store: ClusterStore, action: str, target: str, wait_s: float, show: Callable[[str, int, int], None]
) -> OrderResult:
    """Gives an order and follows it.

    Args:
        store: the cluster.
        action: see `order_phones`.
        target: likewise.
        wait_s: how long to wait for the phones to be registered again; 0 does not.
        show: told how far it is: what is counted, how many, of how many.

    Raises:
        Refusal: as `order_phones`.
        OperatorError: the database cannot be used.
    """
    before = await _registered(store)
    given = await order_phones(store, action, target, Actor("admin", "phones command"))
    wanted = frozenset(before) & given.devices
    told: dict[str, Told] = {}
    back: frozenset[str] | None = None

    async def all_answered() -> bool:
        told.update(await order_answers(store, given.revision))
        done = sum(told.get(device, Told.SENT) is not Told.SENT for device in wanted)
        show("answered", done, len(wanted))
        return done == len(wanted)

    async def all_back() -> bool:
        nonlocal back
        now = await _registered(store)
        back = frozenset(device for device in wanted if device in now and now[device].since != before[device].since)
        show("registered again", len(back), len(wanted))
        return back == wanted

    await _until(all_answered, ANSWER_S)
    if wait_s:
        await _until(all_back, wait_s)
    running = any(store.runs(node.name) for node in store.snapshot.definition.nodes)
    return OrderResult(action, target, given.devices, wanted, dict(told), back, running)


async def _registered(store: ClusterStore) -> dict[str, RegisteredPhone]:
    return {phone.device: phone for phone in await registered_phones(store) if store.runs(phone.node)}


async def _until(done: Callable[[], Awaitable[bool]], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end_at = loop.time() + seconds
    while not await done() and loop.time() < end_at:  # noqa: ASYNC110 - what is awaited lies in a database
        await asyncio.sleep(LOOK_S)


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
