"""What a server may ask of a phone: ``POST /CGI/Execute`` with a ``CiscoIPPhoneExecute``. No socket of its own.

The user of HTTP Basic has to be one whom the cluster lets push to this phone: the phone asks the authentication URL of
its configuration. Then each item is carried out: an address is opened, its server judged as always; a key is pressed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qs

from wire.basicauth import decode_basic
from wire.errors import UcmsimError, WireError
from wire.ipphone import Execute, PhoneError, Response, ResponseItem, decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from base.clock import Clock
    from base.trace import Trace
    from wire.ipphone import ExecuteItem

MAX_BODY = 8 * 1024
"""Bytes of a request (ours)."""
_NOT_PARSED, _NOT_FRAMED, _NOT_ALLOWED = 1, 2, 4
"""Numbers of ``CiscoIPPhoneError``."""
_OK, _FAILED = 0, 1
"""``ResponseItem@Status``: 0 is success; which number failure has is ours."""
_KEYS = ("Key:", "Init:")


class Screen(Protocol):
    """Where pushed things happen."""

    async def open(self, url: str) -> bool:
        """Opens an address; False when nothing is shown."""

    async def press(self, key: str) -> bool:
        """Presses ``Key:Services``, ``Init:Directories`` ...; False when the phone has no such key."""


@dataclass(frozen=True, slots=True)
class PushLimits:
    """Bounds on pushing (ours).

    Attributes:
        pushes: within `window_s`; more are told to come back later.
        window_s: seconds.
    """

    pushes: int = 10
    window_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Pushed:
    """The answer.

    Attributes:
        status: of HTTP.
        body: XML, or empty.
    """

    status: int
    body: bytes = b""


class PushDesk:
    """Takes pushes for one phone.

    Args:
        authorizes: asks whether a user with a password may push; see `phone_sim.phone.Phone.authorizes`.
        screen: where they are carried out.
    """

    def __init__(
        self,
        authorizes: Callable[[str, str], Awaitable[bool]],
        screen: Screen,
        *,
        clock: Clock,
        trace: Trace,
        limits: PushLimits | None = None,
    ) -> None:
        self._authorizes, self._screen = authorizes, screen
        self._clock, self._trace = clock, trace.bind(service="Push")
        self._limits = limits or PushLimits()
        self._times = deque[float](maxlen=self._limits.pushes)

    async def push(self, authorization: str, body: bytes) -> Pushed:
        """One request; every attempt counts for the limit, since each is a question to the cluster."""
        now = self._clock.monotonic()
        if len(self._times) == self._limits.pushes and now - self._times[0] < self._limits.window_s:
            return self._done(Pushed(503), "too many")
        self._times.append(now)
        login = _credentials(authorization)
        if login is None:
            return self._done(Pushed(401), "no credentials")
        try:
            execute = _read(body)
        except WireError as error:
            return self._done(_error(_NOT_PARSED), str(error))
        if execute is None:
            return self._done(_error(_NOT_FRAMED), "no form field XML")
        if not await self._authorizes(*login):
            return self._done(_error(_NOT_ALLOWED), f"{login[0]} is not authorized")
        items = tuple([await self._carry_out(item) for item in execute.items])
        return self._done(Pushed(200, encode(Response(items))), "")

    async def _carry_out(self, item: ExecuteItem) -> ResponseItem:
        try:
            work = self._screen.press(item.url) if item.url.startswith(_KEYS) else self._screen.open(item.url)
            done, why = await work, ""
        except UcmsimError as error:
            done, why = False, str(error)
        self._trace.emit("pushed", url=item.url, done=done, reason=why)
        return ResponseItem(item.url, _OK if done else _FAILED, "Success" if done else "Failure")

    def _done(self, pushed: Pushed, reason: str) -> Pushed:
        self._trace.emit("push_answered", status=pushed.status, reason=reason)
        return pushed


def _credentials(header: str) -> tuple[str, str] | None:
    try:
        user, password = decode_basic(header)
    except WireError:
        return None
    return (user, password) if user else None


def _read(body: bytes) -> Execute | None:
    """The object in the form field ``XML``; None when there is no such field.

    Raises:
        WireError: it is none that can be executed.
    """
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=4)
    except ValueError as error:
        raise WireError("the request is no form in UTF-8") from error
    if "XML" not in fields:
        return None
    found = decode(fields["XML"][0].strip().encode("utf-8", "surrogatepass"))
    if not isinstance(found, Execute) or not found.items:
        raise WireError("this is no CiscoIPPhoneExecute with items")
    return found


def _error(number: int) -> Pushed:
    return Pushed(200, encode(PhoneError(number)))
