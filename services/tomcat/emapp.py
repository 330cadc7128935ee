"""Extension Mobility as phones see it: ``/emapp/EMAppServlet?device=SEP...``, one form and a few sentences.

``userid`` and ``seq`` (the PIN) in the query log in, ``doLogout=true`` logs out, as in the addresses that people put
behind a button. The query is never traced. Numbers in the texts are those of Cisco's published list, as far as there is
one that fits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cluster.audit import Actor
from cluster.management.extensionmobility import check_device, log_in, log_out
from wire.errors import OperatorError, Refusal
from wire.ipphone import Input, InputItem, SoftKey, TextPage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from base.trace import Trace
    from cluster.store import ClusterStore
    from services.tomcat.people import People
    from wire.ipphone import Page

PATH = "/emapp/EMAppServlet"
_DEVICE = re.compile(r"SEP[0-9A-F]{12}")
_MAX_FIELD = 128

_WRONG, _BLANK, _DATABASE, _NO_DEVICE = 201, 202, 6, 207


class ExtensionMobility:
    """Answers one page for a phone.

    Args:
        store: the cluster.
        people: knows PINs.
    """

    def __init__(self, store: ClusterStore, people: People, trace: Trace) -> None:
        self._store, self._people, self._trace = store, people, trace

    async def answer(self, query: Mapping[str, str], base: str, peer: str) -> Page:
        """The page for a query.

        Args:
            query: of the request.
            base: scheme, host and port under which the next page is.
            peer: address of the phone, for the audit trail.
        """
        device = query.get("device", "").upper()
        if not _DEVICE.fullmatch(device):
            return _failed("Login is unavailable", _NO_DEVICE)
        url = f"{base}{PATH}?{urlencode({'device': device})}"
        try:
            if query.get("doLogout", "").lower() == "true":
                return await self._log_out(device, peer)
            if "userid" in query or "seq" in query:
                return await self._log_in(device, query.get("userid", ""), query.get("seq", ""), peer)
            return self._ask(device, url)
        except Refusal as refusal:
            self._trace.emit("mobility_refused", device=device, code=refusal.code, reason=str(refusal))
            return _failed(str(refusal), refusal.code)
        except OperatorError as error:
            self._trace.emit("mobility_refused", device=device, code=_DATABASE, reason=str(error))
            return _failed("Database Error", _DATABASE)

    def _ask(self, device: str, url: str) -> Page:
        user = self._store.snapshot.user_on(device)
        if user is not None:
            keys = (SoftKey("Yes", f"{url}&doLogout=true", 1), SoftKey("No", "SoftKey:Exit", 2))
            return TextPage("Logout", "", f"Do you want to log out {user.id}?", keys)
        check_device(self._store.snapshot, device)
        fields = (InputItem("User ID", "userid", "A"), InputItem("PIN", "seq", "NP"))
        return Input("Login", "Please sign on", url, fields)

    async def _log_in(self, device: str, user: str, pin: str, peer: str) -> Page:
        check_device(self._store.snapshot, device)
        user = user.strip()
        if not user or not pin:
            return _failed("Please try to login again", _BLANK)
        if max(len(user), len(pin)) > _MAX_FIELD or not await self._people.has_pin(user, pin):
            self._trace.emit("mobility_refused", device=device, code=_WRONG, reason="wrong user ID or PIN")
            return _failed("Please try to login again", _WRONG)
        await log_in(self._store, device, user, Actor(user.lower(), f"extension mobility {peer}"))
        self._trace.emit("mobility_login", device=device, user=user.lower())
        return TextPage("Login", "", "Login successful")

    async def _log_out(self, device: str, peer: str) -> Page:
        user = self._store.snapshot.user_on(device)
        await log_out(self._store, device, Actor(user.id.lower() if user else device, f"extension mobility {peer}"))
        self._trace.emit("mobility_logout", device=device, user=user.id.lower() if user else "")
        return TextPage("Logout", "", "Logout successful")


def _failed(said: str, number: int) -> Page:
    return TextPage("Extension Mobility", "", f"{said}({number})")
