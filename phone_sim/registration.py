"""A phone's registration: with the first CallManager of its configuration, renewed, moved to the next one and back.

`Registration.run` goes on until the server orders a reset or a restart, or until it is cancelled; then the phone has
unregistered. What it does where:

- Servers are tried in the order of the CallManager group. One that refuses the phone, does not answer or is not
  trusted is passed over; with none left the phone waits 1, 2, 4, 8 ... seconds and begins again (the gaps between SYNs
  to a dead server in a capture).
- A registration is renewed `RENEW_BEFORE_S` before the granted time is over (``timerRegisterDelta``).
- While registered with another than the first, the first is tried again every ``connectionMonitorDuration``.
- ``reset`` and ``restart`` end it. ``check-version`` and ``apply-config`` end it as a restart when the version stamp is
  not that of the configuration in use; otherwise nothing happens.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from phone_sim import sipmessages
from phone_sim.clients.errors import FetchError
from phone_sim.clients.sip import SipConnection
from phone_sim.sipmessages import REQUESTED_S, Caller
from wire.ciscosip import decode_service_control, split_parts
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.clock import Clock
    from base.trace import Trace
    from phone_sim.clients.http import Tls
    from wire.ciscosip import ServiceControl, TrustListAlarm
    from wire.phoneconfig import CallManagerNode, PhoneConfig
    from wire.sip import Request, Response

RENEW_BEFORE_S = 5
MONITOR_S = 120.0
_LONGEST_PAUSE_S = 60.0
_ANSWER_S = 5.0
_TRANSPORTS = {1: "TCP", 2: "UDP", 3: "TLS", 4: "TCP"}
"""``transportLayerProtocol`` -> transport; 4 is what UCM writes for non-secure phones, which were seen to speak TCP."""


class Ended(Enum):
    """What the server ordered."""

    RESET = "reset"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class RegistrationStatus:
    """What the phone's screen would say.

    Attributes:
        server: host that it is registered with; empty when with none.
        text: ``Registered``, ``Registering`` or why not.
    """

    server: str
    text: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What a registration needs to know of the phone.

    Attributes:
        mac: twelve hex digits.
        model_number: type number of the model.
        user_agent: as sent.
        load: running firmware.
        last: why it restarted, see `phone_sim.sipmessages`.
        alarm: state of its trust lists; ``ipv4`` is filled in for each connection.
    """

    mac: str
    model_number: int
    user_agent: str
    load: str
    last: str
    alarm: TrustListAlarm


class Registration:
    """One registration of one phone.

    Args:
        identity: who.
        config: the configuration in use.
        tls: makes the judging context for a ``host:port``.
        on_status: told of each change.
    """

    def __init__(
        self,
        identity: Identity,
        config: PhoneConfig,
        tls: Callable[[str], Tls],
        *,
        clock: Clock,
        trace: Trace,
        on_status: Callable[[RegistrationStatus], None] = lambda _status: None,
        monitor_s: float = MONITOR_S,
        connect_s: float = 5.0,
        chance: random.Random | None = None,
    ) -> None:
        self._identity = replace(identity, mac=identity.mac.lower())
        self._config = config
        self._tls = tls
        self._clock, self._trace = clock, trace.bind(service="SIP client")
        self._on_status = on_status
        self._monitor_s, self._connect_s = monitor_s, connect_s
        self._chance = chance or random.Random()
        self._transport = _TRANSPORTS.get(config.transport_layer_protocol, "TCP")
        self._cseq = 100
        self._calls = 0
        self._ended: asyncio.Future[Ended] | None = None
        self._connection: SipConnection | None = None
        self._caller: Caller | None = None
        self.status = RegistrationStatus("", "Registering")

    async def run(self) -> Ended:
        """Registers and stays registered; see the module."""
        self._ended = asyncio.get_running_loop().create_future()
        pause_s = 1.0
        try:
            while not self._ended.done():
                registered = await self._try_all()
                if registered is None:
                    await self._wait(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                else:
                    pause_s = 1.0
                    await self._stay(*registered)
            return self._ended.result()
        finally:
            await self._unregister()

    async def _try_all(self) -> tuple[int, int] | None:
        """(index of the server, granted seconds) once registered; None when none takes the phone."""
        for index in range(len(self._config.call_managers)):
            granted = await self._try(index)
            if granted is not None:
                return index, granted
        return None

    async def _try(self, index: int) -> int | None:
        node = self._config.call_managers[index]
        port = node.secured_sip_port if self._transport == "TLS" else node.sip_port
        self._say(RegistrationStatus("", f"Registering with {node.host}"))
        connection = SipConnection(node.host, port, self._transport, self._on_request)
        try:
            await connection.open(
                self._tls(f"{node.host}:{port}") if self._transport == "TLS" else None, self._connect_s
            )
            caller = self._new_caller(node, connection)
            await self._report(connection, caller)
            response = await connection.request(self._register(caller, REQUESTED_S), _ANSWER_S)
        except FetchError as error:
            connection.close()
            self._trace.emit("registration_failed", server=f"{node.host}:{port}", reason=str(error))
            return None
        if response.status != 200:
            connection.close()
            why = (response.get("Warning") or response.reason).strip()
            self._trace.emit("registration_refused", server=f"{node.host}:{port}", status=response.status, reason=why)
            self._say(RegistrationStatus("", f"Registration Rejected: {why}"))
            return None
        self._leave()
        self._connection, self._caller = connection, caller
        self._trace.emit("registered", server=f"{node.host}:{port}", transport=self._transport)
        self._say(RegistrationStatus(node.host, "Registered"))
        return _granted(response)

    async def _stay(self, index: int, granted_s: int) -> None:
        """Renews until the connection is lost, the server refuses, or it orders an end."""
        monitored_at = self._clock.monotonic()
        while True:
            assert self._connection is not None  # noqa: S101 - set with every registration
            pause = max(1.0, granted_s - RENEW_BEFORE_S)
            if index:
                pause = min(pause, self._monitor_s)
            await self._wait(pause, self._connection.closed)
            if self._ended is None or self._ended.done():
                return
            if self._connection.closed.is_set():
                self._trace.emit("connection_lost", server=self._connection.host)
                self._identity = replace(self._identity, last="cm-closed-tcp")
                return
            if index and self._clock.monotonic() - monitored_at >= self._monitor_s:
                monitored_at = self._clock.monotonic()
                back = await self._fall_back()
                if back is not None:
                    index, granted_s = 0, back
                    continue
            renewed = await self._renew()
            if renewed is None:
                return
            granted_s = renewed

    async def _fall_back(self) -> int | None:
        """Tries the first server while the present one keeps the phone; it leaves that one only when taken."""
        before = self._connection, self._caller
        granted = await self._try(0)
        if granted is not None:
            self._trace.emit("fell_back", server=self._config.call_managers[0].host)
            return granted
        self._connection, self._caller = before
        if self._connection is not None:
            self._say(RegistrationStatus(self._connection.host, "Registered"))
        return None

    async def _renew(self) -> int | None:
        assert self._connection is not None and self._caller is not None  # noqa: PT018, S101 - as above
        try:
            response = await self._connection.request(self._register(self._caller, REQUESTED_S), _ANSWER_S)
        except FetchError as error:
            self._trace.emit("renewal_failed", server=self._connection.host, reason=str(error))
            return None
        return _granted(response) if response.status == 200 else None

    async def _unregister(self) -> None:
        connection, caller = self._connection, self._caller
        if connection is None or caller is None:
            return
        try:
            await connection.request(self._register(caller, 0), 1.0)
            self._trace.emit("unregistered", server=connection.host)
        except FetchError:
            pass  # it is gone; the registration there expires
        finally:
            self._leave()
            self._say(RegistrationStatus("", "Unregistered"))

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._caller = None

    async def _report(self, connection: SipConnection, caller: Caller) -> None:
        report = replace(self._identity.alarm, ipv4=caller.local_host)
        request = sipmessages.alarm(
            caller, report, cseq=1000, branch=self._word(), now=self._clock.now(), token=self._word()
        )
        await connection.request(request, _ANSWER_S)

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
            line=first.name if first else "",
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

    async def _wait(self, seconds: float, closed: asyncio.Event | None = None) -> None:
        """Until time is over, the server orders an end, or the connection is gone."""
        assert self._ended is not None  # noqa: S101 - made by run
        pending: set[asyncio.Future[Any]] = {self._ended}
        gone = asyncio.ensure_future(closed.wait()) if closed is not None else None
        if gone is not None:
            pending.add(gone)
        try:
            await asyncio.wait(pending, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if gone is not None:
                gone.cancel()

    def _say(self, status: RegistrationStatus) -> None:
        self.status = status
        self._on_status(status)

    # ------------------------------------------------------------------ orders

    def _on_request(self, request: Request) -> None:
        """What the server asks of the phone, answered at once."""
        if self._connection is None:
            return
        control = _control(request)
        status, reason = (202, "Accepted") if request.method == "REFER" else (200, "OK")
        if control is not None and self._is_for_another(control):
            status, reason, control = 481, "Call/Transaction Does Not Exist", None
        self._connection.send(sipmessages.ok(request, status, reason, tag=self._word()))
        if control is not None:
            self._obey(control)

    def _is_for_another(self, control: ServiceControl) -> bool:
        mine = self._caller.call_id if self._caller else ""
        return control.register_call_id not in {"", mine}

    def _obey(self, control: ServiceControl) -> None:
        self._trace.emit("ordered", action=control.action, config_version=control.config_version)
        ended: Ended | None = None
        if control.action in {"reset", "restart"}:
            ended = Ended(control.action)
        elif control.action in {"check-version", "apply-config"}:
            stamp = control.config_version
            ended = Ended.RESTART if stamp and stamp != self._config.version_stamp else None
        if ended is not None and self._ended is not None and not self._ended.done():
            self._ended.set_result(ended)


def _control(request: Request) -> ServiceControl | None:
    """The order in a request; None when it has none that can be read."""
    try:
        for part in split_parts(request.get("Content-Type") or "", request.body):
            if part.content_type == "text/plain":
                return decode_service_control(part.content)
    except WireError:
        return None
    return None


def _granted(response: Response) -> int:
    text = response.get("Expires") or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 120
