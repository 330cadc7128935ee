"""CAPF settings of phones: what an administrator schedules, and what CAPF reports of it (R-CAPF-1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert

from cluster import schema
from cluster.management.chain import signed_by
from cluster.phonesecurity import MAX_WRONG_STRINGS, NO_STATUS, PENDING, CapfOrder, Operation, PhoneSecurity
from cluster.purposes import Purpose
from wire.errors import Refusal

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from wire.certificates import Certificate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an operation, or of an attempt at it.

    Attributes:
        status: in UCM's words.
        scheduled: revision in which the operation was scheduled; one that was scheduled since is left alone.
        ends: the operation is over, well or not; otherwise the phone may try again.
        wrong_string: the phone gave a wrong authentication string; `MAX_WRONG_STRINGS` of them end the operation.
        lsc: the phone's LSC from now on; None leaves what is known.
        lsc_gone: the phone has no LSC any more.
        mic: the phone's MIC, seen in this session.
    """

    status: str
    scheduled: int
    ends: bool = False
    wrong_string: bool = False
    lsc: Certificate | None = None
    lsc_gone: bool = False
    mic: Certificate | None = None


async def schedule(store: ClusterStore, device: str, order: CapfOrder, actor: Actor) -> None:
    """Sets what CAPF has to do with a phone, in place of what it had to; `Operation.NONE` takes it back.

    Args:
        store: the cluster.
        device: ``SEP<MAC>``.
        order: what.
        actor: who.

    Raises:
        Refusal: 404 no such device, 400 the order breaks a rule.
        OperatorError: the database refuses.
    """
    order.check()
    name = find_device(store.snapshot, device)

    async def change(transaction: Transaction) -> bool:
        before = transaction.state.security_of(find_device(transaction.state, name))
        status = PENDING if order.operation is not Operation.NONE else NO_STATUS
        after = replace(before, order=order, status=status, wrong_strings=0, scheduled=transaction.revision)
        await put_security(transaction, name, after)
        return True

    await store.apply(f"CAPF of {name}: {order.operation.label}", change, actor)


async def record_outcome(store: ClusterStore, device: str, outcome: Outcome, actor: Actor) -> None:
    """Writes what came of an operation. What changes nothing makes no new revision.

    Raises:
        Refusal: 404 no such device.
        OperatorError: the database refuses.
    """
    name = find_device(store.snapshot, device)

    async def change(transaction: Transaction) -> bool:
        before = transaction.state.security_of(find_device(transaction.state, name))
        after = _after(before, outcome)
        if after == before:
            return False
        await put_security(transaction, name, after)
        return True

    await store.apply(f"CAPF of {name}: {outcome.status}", change, actor)


@dataclass(frozen=True, slots=True)
class StaleLsc:
    """An LSC that a phone should replace.

    Attributes:
        device: ``SEP<MAC>``.
        lsc: the certificate.
        why: ``issued by an earlier CAPF certificate`` or ``expired``.
    """

    device: str
    lsc: Certificate
    why: str


def stale_lscs(snapshot: ClusterSnapshot, now: datetime) -> list[StaleLsc]:
    """LSCs that have expired, or that a CAPF certificate signed which has been regenerated since, by device.

    The latter count as long as that certificate is in CAPF-trust.
    """
    issuers = [item.certificate for (_, purpose), item in snapshot.own.items() if purpose is Purpose.CAPF]
    found: list[StaleLsc] = []
    for device, security in sorted(snapshot.phone_security.items()):
        if security.lsc is None:
            continue
        if security.lsc.not_after < now:
            found.append(StaleLsc(device, security.lsc, "expired"))
        elif not any(signed_by(security.lsc, issuer) for issuer in issuers):
            found.append(StaleLsc(device, security.lsc, "issued by an earlier CAPF certificate"))
    return found


async def forget_stale_lscs(store: ClusterStore, actor: Actor) -> list[StaleLsc]:
    """The cluster knows these LSCs no more, and encrypts nothing for them; the phones still have them.

    Raises:
        OperatorError: the database refuses.
    """
    forgotten: list[StaleLsc] = []

    async def change(transaction: Transaction) -> bool:
        forgotten[:] = stale_lscs(transaction.state, transaction.now)
        for item in forgotten:
            security = transaction.state.security_of(item.device)
            await put_security(transaction, item.device, replace(security, lsc=None))
        return bool(forgotten)

    await store.apply("CAPF: stale LSCs deleted", change, actor)
    return forgotten


def lsc_of(snapshot: ClusterSnapshot, device: str) -> Certificate | None:
    """The LSC of a phone, None when it has none."""
    return snapshot.security_of(device).lsc


def find_device(snapshot: ClusterSnapshot, device: str) -> str:
    """The name of a device, in any case, with or without ``SEP``.

    Raises:
        Refusal: 404.
    """
    name = f"SEP{device.strip().upper().removeprefix('SEP')}"
    if name not in snapshot.devices:
        raise Refusal(404, f"there is no device {device!r} in cluster {snapshot.definition.name}")
    return name


def _after(before: PhoneSecurity, outcome: Outcome) -> PhoneSecurity:
    lsc = None if outcome.lsc_gone else outcome.lsc or before.lsc
    after = replace(before, lsc=lsc, mic=outcome.mic or before.mic)
    if outcome.scheduled != before.scheduled or not before.pending:
        return after
    wrong = before.wrong_strings + outcome.wrong_string
    ends = outcome.ends or wrong >= MAX_WRONG_STRINGS
    return replace(after, status=outcome.status, wrong_strings=wrong, order=before.ended() if ends else before.order)


async def put_security(transaction: Transaction, device: str, security: PhoneSecurity) -> None:
    """Writes the row of a phone."""
    table, order = schema.phone_security, security.order
    await transaction.connection.execute(delete(table).where(table.c.device == device))
    row = {
        "device": device,
        "operation": order.operation.value,
        "authentication": order.authentication.value,
        "auth_string": order.auth_string,
        "key_order": order.key_order.value,
        "rsa_size": order.rsa_size,
        "ec_size": order.ec_size,
        "complete_by": order.complete_by.isoformat() if order.complete_by else "",
        "status": security.status,
        "wrong_strings": security.wrong_strings,
        "lsc": security.lsc.der if security.lsc else b"",
        "mic": security.mic.der if security.mic else b"",
        "scheduled": security.scheduled,
        "changed_at": transaction.now.isoformat(),
        "revision": transaction.revision,
    }
    await transaction.connection.execute(insert(table).values(**row))
