"""The CAPF daemon: TLS on TCP 3804, limits, time-outs, trace. What is said is `services.capf.session`'s affair.

Every message goes out in one write: real phones stall when its header and elements come in two. A phone has one session
at a time; a second one is told to come later, so that authentication strings cannot be tried side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.tls import server_context
from cluster.audit import Actor
from cluster.lsc import issue_lsc
from cluster.management.capf import record_outcome
from cluster.purposes import Purpose
from services.capf.session import Effect, Hangup, Issue, Note, Record, Send, Session, State
from services.service import Health, Listener
from services.streamserver import Connection, ConnectionLimits, StreamServer
from wire.capf import HEADER_SIZE, Command, Message, body_length, decode, encode
from wire.errors import OperatorError, ProtocolViolation, Refusal, UcmsimError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from base.identity import Identity
    from base.trace import Trace
    from cluster.store import ClusterStore

log = logging.getLogger("ucmsim.capf")

_BUFFERED = 65_536
"""Bytes of a phone's that wait to be read, or twice as many, before it is asked to wait."""


@dataclass(frozen=True, slots=True)
class CapfLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once, handshakes included.
        handshake_s: TLS handshake.
        answer_s: from a request to the phone's whole answer.
        key_generation_s: the same for a new key, and again each time that the phone says that it is at work.
        session_s: all of it.
    """

    connections: int = 1_000
    handshake_s: float = 5.0
    answer_s: float = 30.0
    key_generation_s: float = 180.0
    session_s: float = 900.0


class CapfDaemon:
    """Cisco Certificate Authority Proxy Function of the publisher.

    Its certificate, which is also the CA that signs LSCs, is bound at `start` and kept until the next one (R-CRT-6).

    Args:
        node: name of the publisher.
        store: the cluster.
        host: address to bind.
        port: gives the port at each start, 0 for any free one.
    """

    name = "Cisco Certificate Authority Proxy Function"

    def __init__(
        self,
        node: str,
        store: ClusterStore,
        host: str,
        port: Callable[[], int],
        *,
        trace: Trace,
        limits: CapfLimits | None = None,
    ) -> None:
        self._node, self.store = node, store
        self._host, self._port = host, port
        self.trace = trace.bind(service=self.name)
        self.limits = limits or CapfLimits()
        self.busy: set[str] = set()
        self._authority: Identity | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._server: StreamServer | None = None
        self._health = Health.STOPPED

    @property
    def authority(self) -> Identity:
        """The CAPF certificate and key of this start."""
        assert self._authority is not None  # noqa: S101 - asked of a running service only
        return self._authority

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.service.Service`."""
        return self._server.listeners if self._server is not None else ()

    def health(self) -> Health:
        """See `services.service.Service`."""
        return self._health

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self._health is not Health.STOPPED:
            return
        self._authority = self.store.snapshot.require(self._node, Purpose.CAPF).identity
        server = StreamServer(
            "CAPF",
            self._host,
            self._port(),
            lambda server: _Line(server, self),
            ConnectionLimits(self.limits.connections, self.limits.handshake_s),
            trace=self.trace,
            context=server_context([self._authority], minimum=ssl.TLSVersion.TLSv1),  # as TVS: old phones know no more
        )
        await server.start()
        self._server, self._health = server, Health.STARTED

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        server, self._server = self._server, None
        if server is None:
            return
        self._health = Health.STOPPING
        await server.stop(grace_s)
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        self._health = Health.STOPPED

    def serve(self, line: _Line) -> None:
        """Talks with a phone, in a task of its own."""
        task = asyncio.create_task(self._serve(line))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _serve(self, line: _Line) -> None:
        try:
            await _Conversation(self, line).run()
        except asyncio.CancelledError:
            self.trace.emit("session_cut_off")
        finally:
            line.abort()


class _Line(Connection):
    """One phone's connection, for a conversation that waits for what comes."""

    def __init__(self, server: StreamServer, daemon: CapfDaemon) -> None:
        super().__init__(server)
        self._daemon = daemon
        self.reader = asyncio.StreamReader(_BUFFERED)
        self.ended = asyncio.Event()

    def opened(self) -> None:
        if self._transport is not None:
            self.reader.set_transport(self._transport)  # who sends more than is read is asked to wait
        self._daemon.serve(self)

    def received(self, data: bytes) -> None:
        self.reader.feed_data(data)

    def lost(self, error: Exception | None) -> None:
        if error is None:
            self.reader.feed_eof()
        else:
            self.reader.set_exception(error)
        self.ended.set()

    def finish(self) -> None:
        """The conversation may come to its end within the grace."""


class _Conversation:
    """One connection: carries out what its session decides."""

    def __init__(self, daemon: CapfDaemon, line: _Line) -> None:
        self._daemon, self._line = daemon, line
        store, number = daemon.store, secrets.randbits(32)
        self._session = Session(number, lambda: store.snapshot, store.now)
        self._number = number
        self._trace = daemon.trace.bind(session=line.peer)
        self._claimed = ""

    async def run(self) -> None:
        """From the handshake to the end."""
        self._trace.emit("connected", tls=self._line.tls)
        try:
            async with asyncio.timeout(self._daemon.limits.session_s):
                await self._talk()
        except (UcmsimError, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self._trace.emit("session_broken", device=self._session.device, reason=_reason(error))
            if isinstance(error, ProtocolViolation):
                self._send(Message(Command.ABORT_REQUEST, self._number))
            if not isinstance(error, OperatorError | Refusal):
                await self._give_up()
        finally:
            self._daemon.busy.discard(self._claimed)

    async def _talk(self) -> None:
        going_on = await self._carry_out(self._session.start())
        while going_on:
            message = await self._next()
            self._trace.emit("received", device=message.device_name or self._session.device, **_told(message))
            if not self._claim(message):
                self._send(Message(Command.RETRY_LATER, self._number))
                return
            going_on = await self._carry_out(self._session.receive(message))

    async def _next(self) -> Message:
        limits = self._daemon.limits
        generating = self._session.state is State.GENERATING
        async with asyncio.timeout(limits.key_generation_s if generating else limits.answer_s):
            header = await self._line.reader.readexactly(HEADER_SIZE)
            return decode(header + await self._line.reader.readexactly(body_length(header)))

    def _claim(self, message: Message) -> bool:
        """One session for each device; false when it has another."""
        device = (message.device_name or "").upper()
        if message.command != Command.AUTH_RESPONSE or not device or self._claimed:
            return True
        if device in self._daemon.busy:
            self._trace.emit("device_busy", device=device)
            return False
        self._daemon.busy.add(device)
        self._claimed = device
        return True

    async def _carry_out(self, effects: Sequence[Effect]) -> bool:
        """False when the conversation is over."""
        for effect in effects:
            match effect:
                case Send(message):
                    self._send(message)
                case Note(step, device, reason):
                    self._trace.emit(step, device=device, reason=reason)
                case Record(device, outcome):
                    actor = Actor("CAPF", f"capf {self._line.address}")
                    await record_outcome(self._daemon.store, device, outcome, actor)
                    self._trace.emit("outcome", device=device, status=outcome.status)
                case Issue():
                    return await self._carry_out(await self._issue(effect))
                case Hangup():
                    await self._hang_up()
                    return False
        return True

    async def _issue(self, wanted: Issue) -> Sequence[Effect]:
        daemon = self._daemon
        try:
            certificate = await asyncio.to_thread(
                issue_lsc, daemon.authority, wanted.device, wanted.public_key, daemon.store.now()
            )
        except ValueError as error:  # a key that the library will not certify
            self._trace.emit("lsc_not_issued", device=wanted.device, reason=str(error))
            return self._session.not_issued()
        self._trace.emit(
            "lsc_issued", device=wanted.device, subject=str(certificate.subject), serial=f"{certificate.serial:x}"
        )
        return self._session.issued(certificate)

    async def _give_up(self) -> None:
        """Whatever the session has to record, when the phone is lost."""
        try:
            await self._carry_out(self._session.lost())
        except (UcmsimError, OSError) as error:
            log.warning("CAPF cannot record the end of the session with %s: %s", self._session.device, error)

    def _send(self, message: Message) -> None:
        self._trace.emit("sent", device=self._session.device, **_told(message))
        self._line.send(encode(message))

    async def _hang_up(self) -> None:
        """Lets the last message get out."""
        self._line.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._daemon.limits.answer_s):
                await self._line.ended.wait()


def _told(message: Message) -> dict[str, str | int]:
    """What a trace says of a message; its password never."""
    told: dict[str, str | int] = {"message": Command(message.command).name.lower()}
    for name in ("reason", "auth_type", "certificate_type", "key_type", "key_size", "curve", "version"):
        value = getattr(message, name)
        if value is not None:
            told[name] = int(value)
    return told


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, asyncio.IncompleteReadError):
        return "the phone hung up"
    return str(error) or type(error).__name__
