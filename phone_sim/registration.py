"""A phone's registration: with the first CallManager of its configuration, renewed, moved to the next one and back.

`Registration.run` goes on until the server orders a reset or a restart, or until it is cancelled; then the phone has
unregistered. What it does where:

- Servers are tried in the order of the CallManager group. One that refuses the phone, does not answer or is not
  trusted is passed over; with none left the phone waits 1, 2, 4, 8 ... seconds and begins again (the gaps between SYNs
  to a dead server in a capture).
- A registration is renewed shortly before the granted time is over (``timerRegisterDelta``).
- While registered with another than the first, the first is tried again every ``connectionMonitorDuration``. The phone
  leaves the other one only when the first has taken it.
- ``reset`` and ``restart`` end it. ``check-version`` and ``apply-config`` end it as a restart when the version stamp is
  not that of the configuration in use; otherwise nothing happens. A phone that restarts for a version and does not get
  it would restart for ever: `PhoneLife` tells its registrations which version to go without.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from phone_sim import sipmessages
from phone_sim.clients.errors import FetchError, TransferFailed
from phone_sim.clients.sip import SipConnection
from phone_sim.sipmessages import REQUESTED_S, Caller
from wire.ciscosip import service_control_in
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.clock import Clock
    from base.trace import Trace
    from phone_sim.clients.http import Tls
    from wire.ciscosip import ServiceControl, TrustListAlarm
    from wire.phoneconfig import CallManagerNode, PhoneConfig
    from wire.sip import Request, Response

_TRANSPORTS = {1: "TCP", 2: "UDP", 3: "TLS", 4: "TCP"}
"""``transportLayerProtocol`` -> transport; 4 is what UCM writes for non-secure phones, which were seen to speak TCP."""

_AUTHENTICATED = 2
"""``deviceSecurityMode`` of TLS with the NULL cipher."""
_NULL_CIPHERS = "NULL-SHA:@SECLEVEL=0"
_WITH_NULL_CIPHERS = {ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2}
"""Highest versions of a model that are left as they are."""


@dataclass(frozen=True, slots=True)
class RegistrationTimes:
    """How long a registration waits, in seconds.

    Attributes:
        renew_before_s: before the granted time is over (``timerRegisterDelta``).
        least_s: between two renewals, whatever was granted.
        monitor_s: between two looks at the first server from another one (``connectionMonitorDuration``).
        connect_s: for a connection, with its handshake.
        answer_s: for a final response.
        leave_s: for the response to the last REGISTER, which nobody misses.
        pause_s: after all servers failed; doubled each time.
        longest_pause_s: what it is doubled up to.
    """

    renew_before_s: float = 5.0
    least_s: float = 1.0
    monitor_s: float = 120.0
    connect_s: float = 5.0
    answer_s: float = 5.0
    leave_s: float = 1.0
    pause_s: float = 1.0
    longest_pause_s: float = 60.0


_USUAL = RegistrationTimes()


class Ended(Enum):
    """What the server ordered."""

    RESET = "reset"
    RESTART = "restart"


class Phase(Enum):
    """How a registration stands."""

    REGISTERING = "registering"
    REGISTERED = "registered"
    REFUSED = "refused"
    """No server takes the phone, and the last one said no."""
    UNANSWERED = "unanswered"
    """No server takes the phone, and the last one could not be reached, did not answer, or was not trusted."""
    UNREGISTERED = "unregistered"


@dataclass(frozen=True, slots=True)
class RegistrationStatus:
    """What the phone's screen would say.

    Attributes:
        server: host that it is registered with; empty when with none.
        text: ``Registered``, ``Registering``, or why not: the server said no, or TLS cannot be agreed.
        phase: the same for programs.
        detail: the server's reason, or what happened to the connection; empty when there is nothing to add.
    """

    server: str
    text: str
    phase: Phase = Phase.REGISTERING
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a registration needs to know of the phone.

    Attributes:
        mac: twelve hex digits.
        model_number: type number of the model; None when not known.
        user_agent: as sent.
        load: running firmware.
        last: why it restarted, see `phone_sim.sipmessages`.
        alarm: state of its trust lists; ``ipv4`` is filled in for each connection.
    """

    mac: str
    model_number: int | None
    user_agent: str
    load: str
    last: str
    alarm: TrustListAlarm


_CHANCE = random.Random()
"""Of all phones: a generator of its own takes 2.5 KB."""


@dataclass(slots=True)
class _Link:
    """A connection to one server, and who speaks on it once it stands."""

    connection: SipConnection
    caller: Caller | None = None
    registered: bool = False


class Registration:
    """One registration of one phone.

    Args:
        identity: who.
        config: the configuration in use.
        tls: makes the judging context for a ``host:port``.
        on_status: told of each change.
        times: how long it waits.
        connect_s: in place of the one in `times`.

    Attributes:
        status: what the screen says.
        wanted_version: version stamp that the server last named.
        given_up_version: one for which the phone does not restart any more.
    """

    __slots__ = (
        "_calls",
        "_chance",
        "_clock",
        "_config",
        "_cseq",
        "_ended",
        "_identity",
        "_link",
        "_on_status",
        "_times",
        "_tls",
        "_trace",
        "_transport",
        "_wake",
        "given_up_version",
        "status",
        "wanted_version",
    )

    def __init__(
        self,
        identity: Identity,
        config: PhoneConfig,
        tls: Callable[[str], Tls],
        *,
        clock: Clock,
        trace: Trace,
        on_status: Callable[[RegistrationStatus], None] = lambda _status: None,
        times: RegistrationTimes | None = None,
        connect_s: float | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._identity = replace(identity, mac=identity.mac.lower())
        self._config = config
        self._tls = tls
        self._clock, self._trace = clock, trace.bind(service="SIP client")
        self._on_status = on_status
        self._times = times or _USUAL
        if connect_s is not None:
            self._times = replace(self._times, connect_s=connect_s)
        self._chance = chance or _CHANCE
        self._transport = _TRANSPORTS.get(config.transport_layer_protocol, "TCP")
        self._cseq = 100
        self._calls = 0
        self._ended: Ended | None = None
        self._wake: asyncio.Future[None] | None = None
        self._link: _Link | None = None
        self.status = RegistrationStatus("", "Registering")
        self.wanted_version = ""
        self.given_up_version = ""

    @property
    def number(self) -> str:
        """The directory number that it registers."""
        return self._config.lines[0].name if self._config.lines else ""

    @property
    def address(self) -> str:
        """The phone's address towards its CallManager; empty while it is not registered."""
        return self._link.connection.local[0] if self._link is not None else ""

    async def run(self) -> Ended:
        """Registers and stays registered; see the module."""
        pause_s = self._times.pause_s
        try:
            while self._ended is None:
                registered = await self._try_all()
                if registered is None:
                    await self._wait(pause_s)
                    pause_s = min(2 * pause_s, self._times.longest_pause_s)
                else:
                    pause_s = self._times.pause_s
                    await self._stay(*registered)
            return self._ended
        finally:
            await self._unregister()

    async def _try_all(self) -> tuple[int, int] | None:
        """(index of the server, granted seconds) once registered; None when none takes the phone."""
        count = len(self._config.call_managers)
        for index in range(count):
            link = await self._try(index, last=index + 1 == count)
            if link is not None:
                return index, await self._move_to(*link)
            if self._ended is not None:
                break
        return None

    async def _try(self, index: int, *, last: bool) -> tuple[_Link, Response] | None:
        """A link over which one server took the phone, beside the one that there may be already.

        Args:
            index: of the server.
            last: without it the phone has none.
        """
        node = self._config.call_managers[index]
        port = node.secured_sip_port if self._transport == "TLS" else node.sip_port
        where = f"{node.host}:{port}"
        self._say(RegistrationStatus("", f"Registering with {node.host}"))
        link = _Link(SipConnection(node.host, port, self._transport, lambda request: self._on_request(link, request)))
        try:
            tls = self._secured(where) if self._transport == "TLS" else None
            await link.connection.open(tls, self._times.connect_s)
            link.caller = self._new_caller(node, link.connection)
            await self._report(link.connection, link.caller)
            response = await link.connection.request(self._register(link.caller, REQUESTED_S), self._times.answer_s)
        except FetchError as error:
            link.connection.close()
            self._trace.emit("registration_failed", server=where, reason=str(error))
            text = f"Registration failed: {error}" if isinstance(error, TransferFailed) else "Registering"
            self._say(RegistrationStatus("", text, Phase.UNANSWERED if last else Phase.REGISTERING, str(error)))
            return None
        except BaseException:
            link.connection.close()
            raise
        if response.status != 200:
            link.connection.close()
            why = (response.get("Warning") or response.reason).strip()
            self._trace.emit("registration_refused", server=where, status=response.status, reason=why)
            phase = Phase.REFUSED if last else Phase.REGISTERING
            self._say(RegistrationStatus("", f"Registration Rejected: {why}", phase, why))
            return None
        self._trace.emit("registered", server=where, transport=self._transport)
        return link, response

    def _secured(self, where: str) -> Tls:
        """The judging context; an authenticated profile proves who is there and does not encrypt."""
        tls = self._tls(where)
        if self._config.device_security_mode == _AUTHENTICATED:
            if tls.context.maximum_version not in _WITH_NULL_CIPHERS:
                tls.context.maximum_version = ssl.TLSVersion.TLSv1_2  # later ones encrypt always
            tls.context.set_ciphers(_NULL_CIPHERS)
        return tls

    async def _move_to(self, link: _Link, response: Response) -> int:
        """Takes up a new registration, and only then ends an old one, unless it was with the same server."""
        old, new = self._link, link.connection
        if old is not None and (old.connection.host, old.connection.port) == (new.host, new.port):
            old.registered = False
        await self._leave()
        self._link, link.registered = link, True
        link.connection.on_closed = self._nudge
        self._say(_registered_with(link))
        return _granted(response)

    async def _stay(self, index: int, granted_s: int) -> None:
        """Renews until the connection is lost, the server refuses, or it orders an end."""
        times, monitored_at = self._times, self._clock.monotonic()
        while self._link is not None:
            pause = max(times.least_s, granted_s - times.renew_before_s)
            if index:
                pause = min(pause, times.monitor_s)
            await self._wait(pause, self._link.connection)
            if self._ended is not None:
                return
            if self._link.connection.closed:
                self._trace.emit("connection_lost", server=self._link.connection.host)
                self._identity = replace(self._identity, last="cm-closed-tcp")
                return
            if index and self._clock.monotonic() - monitored_at >= times.monitor_s:
                monitored_at = self._clock.monotonic()
                back = await self._fall_back()
                if back is not None:
                    index, granted_s = 0, back
                    continue
            renewed = await self._renew(self._link)
            if renewed is None:
                return
            granted_s = renewed

    async def _fall_back(self) -> int | None:
        """Tries the first server while the present one keeps the phone."""
        before = self._link
        link = await self._try(0, last=False)
        if link is None:
            if before is not None:
                self._say(_registered_with(before))
            return None
        self._trace.emit("fell_back", server=link[0].connection.host)
        return await self._move_to(*link)

    async def _renew(self, link: _Link) -> int | None:
        assert link.caller is not None  # noqa: S101 - set with every registration
        try:
            response = await link.connection.request(self._register(link.caller, REQUESTED_S), self._times.answer_s)
        except FetchError as error:
            self._trace.emit("renewal_failed", server=link.connection.host, reason=str(error))
            return None
        if response.status != 200:
            link.registered = False
            why = (response.get("Warning") or response.reason).strip()
            self._trace.emit("renewal_refused", server=link.connection.host, status=response.status, reason=why)
            return None
        return _granted(response)

    async def _unregister(self) -> None:
        was_registered = self._link is not None
        answered = await self._leave()
        if was_registered:
            detail = "" if answered else "no server answered"
            self._say(RegistrationStatus("", "Unregistered", Phase.UNREGISTERED, detail))

    async def _leave(self) -> bool:
        """Unregisters over the present link, if it still stands, and closes it; whether the server answered."""
        link, self._link = self._link, None
        if link is None:
            return False
        try:
            if link.registered and link.caller is not None and not link.connection.closed:
                await link.connection.request(self._register(link.caller, 0), self._times.leave_s)
                self._trace.emit("unregistered", server=link.connection.host)
                return True
        except FetchError:
            pass  # it is gone; the registration there expires
        finally:
            link.connection.close()
        return False

    async def _report(self, connection: SipConnection, caller: Caller) -> None:
        report = replace(self._identity.alarm, ipv4=caller.local_host)
        request = sipmessages.alarm(
            caller, report, cseq=1000, branch=self._word(), now=self._clock.now(), token=self._word()
        )
        await connection.request(request, self._times.answer_s)

    def _register(self, caller: Caller, expires_s: int) -> Request:
        self._cseq += 1
        return sipmessages.register(
            caller,
            cseq=self._cseq,
            branch=self._word(),
            now=self._clock.now(),
            last=self._identity.last,
            load=self._identity.load,
            expires_s=expires_s,
        )

    def _new_caller(self, node: CallManagerNode, connection: SipConnection) -> Caller:
        self._calls += 1
        host, port = connection.local
        first = self._config.lines[0] if self._config.lines else None
        mac = self._identity.mac
        return Caller(
            mac=mac,
            line=self.number,
            contact_user=(first.contact if first else "") or mac,
            model_number=self._identity.model_number,
            user_agent=self._identity.user_agent,
            server=node.host,
            local_host=host,
            local_port=port,
            transport=self._transport,
            call_id=sipmessages.call_id(mac, self._calls, self._word(), self._word(), host),
            tag=f"{mac}{self._calls:04x}{self._word()}-{self._word()}",
            session_id=f"{self._word()}{self._word()}{self._word()[:4]}",
        )

    def _word(self) -> str:
        return f"{self._chance.getrandbits(32):08x}"

    async def _wait(self, seconds: float, connection: SipConnection | None = None) -> None:
        """Until time is over, the server orders an end, or the connection is gone."""
        if self._ended is not None or (connection is not None and connection.closed):
            return
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(seconds, self._nudge)
        try:
            await self._wake
        finally:
            timer.cancel()
            self._wake = None

    def _nudge(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _say(self, status: RegistrationStatus) -> None:
        self.status = status
        self._on_status(status)

    # ------------------------------------------------------------------ orders

    def _on_request(self, link: _Link, request: Request) -> None:
        """What a server asks of the phone, answered at once. It may come with the answer to the REGISTER."""
        control = _control(request)
        status, reason = (202, "Accepted") if request.method == "REFER" else (200, "OK")
        if control is not None and self._is_for_another(link, control):
            status, reason, control = 481, "Call/Transaction Does Not Exist", None
        link.connection.send(sipmessages.ok(request, status, reason, tag=self._word()))
        if control is not None:
            self._obey(control)

    @staticmethod
    def _is_for_another(link: _Link, control: ServiceControl) -> bool:
        mine = link.caller.call_id if link.caller else ""
        return control.register_call_id not in {"", mine}

    def _obey(self, control: ServiceControl) -> None:
        self._trace.emit("ordered", action=control.action, config_version=control.config_version)
        ended: Ended | None = None
        if control.action in {"reset", "restart"}:
            ended = Ended(control.action)
        elif control.action in {"check-version", "apply-config"} and control.config_version:
            self.wanted_version = control.config_version
            if control.config_version not in {self._config.version_stamp, self.given_up_version}:
                ended = Ended.RESTART
        if ended is not None and self._ended is None:
            self._ended = ended
            self._nudge()


def _registered_with(link: _Link) -> RegistrationStatus:
    return RegistrationStatus(link.connection.host, "Registered", Phase.REGISTERED)


def _control(request: Request) -> ServiceControl | None:
    """The order in a request; None when it has none that can be read."""
    try:
        return service_control_in(request.get("Content-Type") or "", request.body)
    except WireError:
        return None


def _granted(response: Response) -> int:
    text = response.get("Expires") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 120
