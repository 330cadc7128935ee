"""What the SIP listeners of a node share: the registrar, the way back to each phone, and orders on their way."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.callmanager import answers
from services.callmanager.admission import Refused
from services.callmanager.answers import Moment, Way
from wire.ciscosip import ServiceControl
from wire.errors import Refusal, UcmsimError, WireError
from wire.sip import Request, Response, encode

if TYPE_CHECKING:
    from datetime import datetime

    from base.trace import Trace
    from services.callmanager.registrar import Reaction, Registrar
    from services.callmanager.registrations import Registration, Source
    from services.callmanager.trunkdesk import TrunkDesk
    from wire.sip import Message

Send = Callable[[bytes], None]
Enrol = Callable[[str, str], Awaitable[None]]
"""Makes a device of a name and a type number; raises what keeps it from that."""


Answered = Callable[[int | None], None]
"""Takes the status that a phone answered an order with; None when it did not in time."""


@dataclass(frozen=True, slots=True)
class SipLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once on each stream listener, handshakes included.
        handshake_s: TLS handshake.
        first_request_s: from the connection to the first whole message.
        unfinished_s: from the first byte of a message to its last.
        idle_s: a connection over which nobody is registered, since its last message.
        look_s: how often expiries are looked for.
        answer_s: how long an order may be unanswered (64 T1).
        resend_s: T1, after which an order over UDP is repeated; the pauses double up to 4 s.
        enrolments: devices that are being made for unknown phones at once.
    """

    connections: int = 20_000
    handshake_s: float = 5.0
    first_request_s: float = 30.0
    unfinished_s: float = 10.0
    idle_s: float = 300.0
    look_s: float = 1.0
    answer_s: float = 32.0
    resend_s: float = 0.5
    enrolments: int = 100


_T2_S = 4.0


class _Order:
    """A request of ours that waits for its answer; over UDP it is repeated meanwhile."""

    def __init__(
        self, exchange: Exchange, device: str, data: bytes, send: Send, resend_s: float | None, told: Answered | None
    ) -> None:
        self.device = device
        self._told = told
        self._exchange, self._data, self._send = exchange, data, send
        self._loop = asyncio.get_running_loop()
        self._end_at = self._loop.time() + exchange.limits.answer_s
        self._pause_s = resend_s
        self._timer = self._next()
        send(data)

    def _next(self) -> asyncio.TimerHandle:
        left = max(0.0, self._end_at - self._loop.time())
        pause = left if self._pause_s is None else min(self._pause_s, left)
        return self._loop.call_later(pause, self._due)

    def _due(self) -> None:
        if self._loop.time() >= self._end_at:
            self._exchange.unanswered(self)
            return
        if self._pause_s is not None:
            self._send(self._data)
            self._pause_s = min(2 * self._pause_s, _T2_S)
        self._timer = self._next()

    def close(self) -> None:
        self._timer.cancel()

    def end(self, status: int | None) -> None:
        """It is answered, or will not be."""
        self.close()
        if self._told is not None:
            self._told(status)


class Exchange:
    """Takes messages from listeners, lets the registrar decide, and sends what follows.

    Args:
        registrar: decides.
        now: the cluster's time.
        trace: of the service.
        limits: bounds.
        stamp: gives the version stamp of a registered device's configuration.
        enrol: makes a device for an unknown phone; None when that is not possible here.
        trunks: takes what comes over SIP trunks; None for a node without.
    """

    def __init__(
        self,
        registrar: Registrar,
        now: Callable[[], datetime],
        trace: Trace,
        limits: SipLimits | None = None,
        *,
        stamp: Callable[[str], str] = lambda _device: "",
        enrol: Enrol | None = None,
        trunks: TrunkDesk | None = None,
    ) -> None:
        self.registrar = registrar
        self.trace = trace
        self.limits = limits or SipLimits()
        self.ports: dict[str, int] = {}
        self.send_datagram: Callable[[bytes, tuple[str, int]], None] = lambda _data, _address: None
        self._now, self._stamp, self._enrol = now, stamp, enrol
        self._trunks = trunks
        self._ways: dict[str, Send] = {}
        self._orders: dict[str, _Order] = {}
        self._enrolling: dict[str, asyncio.Task[None]] = {}
        self._cseq = 100
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """Connections over which answers could go."""
        return len(self._ways)

    def connected(self, key: str, send: Send) -> None:
        """A connection with a client is there."""
        self._ways[key] = send

    def disconnected(self, key: str) -> None:
        """It is gone, and with it the registrations that came over it."""
        self._ways.pop(key, None)
        self.registrar.disconnected(key)

    def is_in_use(self, key: str) -> bool:
        """Whether anybody is registered over a connection."""
        return bool(self.registrar.registrations.of_connection(key))

    def take(self, message: Message, source: Source, send: Send) -> None:
        """One message from a client."""
        if self.trace.enabled:
            self._note("received", message, source)
        if isinstance(message, Response):
            self._answered(message, source)
            return
        if self._is_a_trunks(message, source, send):
            return
        reaction = self.registrar.receive(message, source, self._now(), port=self.ports[source.transport])
        self._answer(reaction.answers, source, send)
        if reaction.unknown:
            self._begin_enrolment(message, reaction, source, send)
        self._follow_up(reaction)

    def _is_a_trunks(self, request: Request, source: Source, send: Send) -> bool:
        """Whether a request came over a SIP trunk; it is answered then."""
        if self._trunks is None:
            return False
        found = self._trunks.answer(request, source, Moment(self._now(), self.registrar.new_tag()))
        if found is None:
            return False
        name, final = found
        peer = f"{source.address}:{source.port}"
        for response in final:
            step = "trunk_request" if response.status == 200 else "trunk_refused"
            why = response.get("Warning") or ""
            self.trace.emit(step, trunk=name, peer=peer, method=request.method, status=response.status, reason=why)
        self._answer(final, source, send)
        return True

    def _follow_up(self, reaction: Reaction) -> None:
        if reaction.begun is not None:
            self._greet(reaction.begun, restart=reaction.restart)
        self._arm()

    def order(self, device: str, control: ServiceControl, told: Answered | None = None) -> None:
        """Sends a registered phone a ``service-control`` order.

        Args:
            device: which phone.
            control: the order.
            told: called once, with what came of it.

        Raises:
            Refusal: it is not registered here.
        """
        registration = self.registrar.registrations.get(device)
        if registration is None:
            raise Refusal(404, f"{device} is not registered at {self.registrar.node}")
        self._send_order(registration, lambda way: answers.order(control, way), told)

    def close(self) -> None:
        """Stops looking, waiting and making devices."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for order in self._orders.values():
            order.close()
        self._orders.clear()
        for task in self._enrolling.values():
            task.cancel()

    def unanswered(self, order: _Order) -> None:
        """Nobody answered it in time."""
        self._orders = {key: item for key, item in self._orders.items() if item is not order}
        self.trace.emit("order_unanswered", device=order.device, within_s=self.limits.answer_s)
        order.end(None)

    # ------------------------------------------------------------------ answers

    def _answer(self, messages: tuple[Message, ...], source: Source, send: Send) -> None:
        for message in messages:
            try:
                data = encode(message)
            except WireError as error:  # an echo of what was just short enough
                self.trace.emit("answer_dropped", peer=f"{source.address}:{source.port}", reason=str(error))
                continue
            if self.trace.enabled:
                self._note("sent", message, source)
            send(data)

    def _answered(self, response: Response, source: Source) -> None:
        call_id = response.require("Call-ID")
        order = self._orders.get(call_id)
        if order is None or response.status < 200:
            return
        registration = self.registrar.registrations.get(order.device)
        if registration is None or registration.source.address == source.address:
            del self._orders[call_id]
            self.trace.emit("order_answered", device=order.device, status=response.status, reason=response.reason)
            order.end(response.status)

    # ------------------------------------------------------------------ orders

    def _greet(self, registration: Registration, *, restart: bool) -> None:
        """Right after a registration began: of which version the phone's files are, or that it has to fetch its own."""
        control = ServiceControl(
            "restart" if restart else "check-version",
            registration.call_id,
            config_version=self._stamp(registration.device),
        )
        make = answers.order if restart else answers.greeting
        self._send_order(registration, lambda way: make(control, way))

    def _send_order(
        self, registration: Registration, make: Callable[[Way], Request], told: Answered | None = None
    ) -> None:
        source = registration.source
        self._cseq += 1
        way = Way(
            registration.contact_uri,
            self.registrar.host,
            self.ports[source.transport],
            source.transport,
            secrets.token_hex(8),
            self._cseq,
        )
        request = make(way)
        if self.trace.enabled:
            self._note("ordered", request, source)
        if source.transport == "UDP":
            address = (source.address, source.port)
            send: Send = lambda data: self.send_datagram(data, address)  # noqa: E731 - one of two ways
            resend_s: float | None = self.limits.resend_s
        else:
            send, resend_s = self._ways.get(source.key, _nowhere), None
        data = encode(request)
        self._orders[request.require("Call-ID")] = _Order(self, registration.device, data, send, resend_s, told)

    # ------------------------------------------------------------------ unknown phones

    def _begin_enrolment(self, request: Request, reaction: Reaction, source: Source, send: Send) -> None:
        if reaction.unknown in self._enrolling:
            return  # repeated over UDP
        busy = len(self._enrolling) >= self.limits.enrolments
        if self._enrol is None or busy:
            why = "too many phones register themselves at once" if busy else "phones cannot register themselves here"
            self._refuse(request, Refused(503, "Service Unavailable", why), source, send)
            return
        work = self._enrolment(self._enrol, request, reaction, source, send)
        self._enrolling[reaction.unknown] = asyncio.create_task(work)

    async def _enrolment(self, enrol: Enrol, request: Request, reaction: Reaction, source: Source, send: Send) -> None:
        device = reaction.unknown
        try:
            await enrol(device, reaction.model)
        except UcmsimError as error:
            self._refuse(request, Refused(403, "Forbidden", str(error)), source, send)
            return
        finally:
            del self._enrolling[device]
        if source.transport == "UDP" or source.key in self._ways:
            again = self.registrar.receive(request, source, self._now(), port=self.ports[source.transport])
            final = tuple(item for item in again.answers if not (isinstance(item, Response) and item.status == 100))
            self._answer(final, source, send)
            self._follow_up(again)

    def _refuse(self, request: Request, refused: Refused, source: Source, send: Send) -> None:
        moment = Moment(self._now(), self.registrar.new_tag())
        self._answer((self.registrar.refuse(request, moment, refused),), source, send)

    # ------------------------------------------------------------------ time

    def _arm(self) -> None:
        """Keeps looking for expiries as long as anybody is registered."""
        if self._timer is None and self.registrar.registrations:
            self._timer = asyncio.get_running_loop().call_later(self.limits.look_s, self._look)

    def _look(self) -> None:
        self._timer = None
        self.registrar.expire(self._now())
        self._arm()

    def _note(self, step: str, message: Message, source: Source) -> None:
        what = (
            f"{message.method} {message.uri}" if isinstance(message, Request) else f"{message.status} {message.reason}"
        )
        warning = message.get("Warning") if isinstance(message, Response) else None
        self.trace.emit(
            step,
            message=what,
            peer=f"{source.address}:{source.port}",
            transport=source.transport,
            call_id=message.get("Call-ID"),
            cseq=message.get("CSeq"),
            **({"warning": warning} if warning else {}),
        )


def _nowhere(_data: bytes) -> None:
    """The connection is just being lost."""
