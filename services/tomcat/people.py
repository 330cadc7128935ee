"""Asks whether a PIN or password is a user's, as fast as guessing is allowed: attempts are counted by user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.extensionmobility import controls, password_is_right, pin_is_right
from services.commandline.logins import LoginLimits, Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.snapshot import ClusterSnapshot

_NOBODY = "\0nobody"
"""All users that there are not wait for each other: they are guesses, too."""


class People:
    """Knows the users of a cluster.

    Args:
        view: gives the cluster as it is.
        limits: on guessing.
    """

    def __init__(self, view: Callable[[], ClusterSnapshot], limits: LoginLimits | None = None) -> None:
        self._view = view
        self._turnstile = Turnstile(limits or LoginLimits())

    async def has_pin(self, user: str, pin: str) -> bool:
        """Whether it is the user's; takes its time after wrong ones."""
        return await self._turnstile.passes(self._source(user), lambda: pin_is_right(self._view(), user, pin))

    async def has_password(self, user: str, password: str) -> bool:
        """Whether it is the user's; takes its time after wrong ones."""
        return await self._turnstile.passes(self._source(user), lambda: password_is_right(self._view(), user, password))

    async def may_push(self, user: str, password: str, device: str) -> bool:
        """Whether the password is right and the phone is the user's."""
        return await self.has_password(user, password) and controls(self._view(), user, device)

    def _source(self, user: str) -> str:
        return user.lower() if user.lower() in self._view().definition.users_by_id else _NOBODY
