"""Extension Mobility: a user logs in to a phone, which then has the lines of the user's device profile.

Who a user is, is decided by the caller; here is what a log-in changes, as one audited transaction. The code of a
refusal is the number that the phone shows. Numbers and texts are of the list that Cisco publishes for Extension
Mobility; which of two that fit is given is ours.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert

from cluster import schema
from cluster.parameters import AUTO_LOGOUT, LOGINS_NOT_ALLOWED, MULTIPLE_LOGIN
from wire.errors import Refusal

if TYPE_CHECKING:
    from pydantic import SecretStr

    from cluster.audit import Actor
    from cluster.changes import Transaction
    from cluster.people import User
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore

DEVICE_UNKNOWN = 11
PROFILE_MISSING = 12
ANOTHER_USER = 18
NOBODY = 19
DISABLED = 22
USER_UNKNOWN = 23
ELSEWHERE = 25
_SAID = {
    DEVICE_UNKNOWN: "Device does not exist",
    PROFILE_MISSING: "Dev. profile not found",
    ANOTHER_USER: "Another user logged in",
    NOBODY: "No user logged in",
    DISABLED: "Dev. logon disabled",
    USER_UNKNOWN: "User does not exist",
    ELSEWHERE: "User logged in elsewhere",
}


def pin_is_right(snapshot: ClusterSnapshot, user_id: str, pin: str) -> bool:
    """Whether a user has this PIN; nobody has an empty one."""
    user = snapshot.definition.users_by_id.get(user_id.lower())
    return _matches(user.pin if user is not None else None, pin)


def password_is_right(snapshot: ClusterSnapshot, user_id: str, password: str) -> bool:
    """Whether a user has this password; nobody has an empty one."""
    user = snapshot.definition.users_by_id.get(user_id.lower())
    return _matches(user.password if user is not None else None, password)


def controls(snapshot: ClusterSnapshot, user_id: str, device: str) -> bool:
    """Whether a phone is one of the user's: by the definition, or because the user is logged in to it."""
    user = snapshot.definition.users_by_id.get(user_id.lower())
    if user is None or device not in snapshot.configured_devices:
        return False
    return device in {f"SEP{mac}" for mac in user.devices} or snapshot.user_on(device) is user


def check_device(snapshot: ClusterSnapshot, device: str) -> None:
    """Whether anybody may log in to a phone.

    Raises:
        Refusal: the cluster has no such phone, or it is not enabled for it.
    """
    found = snapshot.configured_devices.get(device)
    if found is None:
        raise _refusal(DEVICE_UNKNOWN)
    if not found.extension_mobility:
        raise _refusal(DISABLED)


async def log_in(store: ClusterStore, device: str, user_id: str, actor: Actor) -> None:
    """Gives a phone the lines of a user; nothing changes when the user is logged in to it already.

    Raises:
        Refusal: see the codes above.
        OperatorError: the database refuses.
    """

    async def change(transaction: Transaction) -> bool:
        snapshot = transaction.state
        check_device(snapshot, device)
        user = snapshot.definition.users_by_id.get(user_id.lower())
        if user is None:
            raise _refusal(USER_UNKNOWN)
        if not user.lines:
            raise _refusal(PROFILE_MISSING)
        present = snapshot.user_on(device)
        if present is not None and present is not user:
            raise _refusal(ANOTHER_USER)
        if present is user:
            return False
        behavior, elsewhere = snapshot.parameter(MULTIPLE_LOGIN), _phones_of(snapshot, user)
        if elsewhere and behavior == LOGINS_NOT_ALLOWED:
            raise _refusal(ELSEWHERE)
        for other in elsewhere if behavior == AUTO_LOGOUT else ():
            await _put(transaction, other, "")
        await _put(transaction, device, user.id.lower())
        return True

    await store.apply(f"extension mobility: {user_id} logs in to {device}", change, actor)


async def log_out(store: ClusterStore, device: str, actor: Actor) -> None:
    """Gives a phone its own lines back.

    Raises:
        Refusal: nobody is logged in, or there is no such phone.
        OperatorError: the database refuses.
    """

    async def change(transaction: Transaction) -> bool:
        if device not in transaction.state.configured_devices:
            raise _refusal(DEVICE_UNKNOWN)
        if transaction.state.user_on(device) is None:
            raise _refusal(NOBODY)
        await _put(transaction, device, "")
        return True

    await store.apply(f"extension mobility: {device} is logged out", change, actor)


def _phones_of(snapshot: ClusterSnapshot, user: User) -> list[str]:
    """Phones that a user is logged in to."""
    return [
        device
        for device in snapshot.logins
        if device in snapshot.configured_devices and snapshot.user_on(device) is user
    ]


async def _put(transaction: Transaction, device: str, user: str) -> None:
    table = schema.mobility_login
    row = {
        "device": device,
        "user": user,
        "changed_at": transaction.now.isoformat(),
        "revision": transaction.revision,
    }
    await transaction.connection.execute(delete(table).where(table.c.device == device))
    await transaction.connection.execute(insert(table).values(**row))


def _matches(secret: SecretStr | None, given: str) -> bool:
    expected = secret.get_secret_value() if secret is not None else ""
    same = hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))
    return same and bool(expected)


def _refusal(code: int) -> Refusal:
    return Refusal(code, _SAID[code])
