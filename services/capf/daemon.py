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

from base.tls import server_context, spoken
from cluster.audit import Actor
from cluster.lsc import issue_lsc
from cluster.management.capf import record_outcome
from cluster.purposes import Purpose
from services.binding import binding_error
from services.capf.session import Effect, Hangup, Issue, Note, Record, Send, Session, State
from services.service import Health, Listener
from wire.capf import HEADER_SIZE, Command, Message, body_length, decode, encode
from wire.errors import OperatorError, ProtocolViolation, Refusal, UcmsimError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from base.identity import Identity
    from base.trace import Trace
    from cluster.store import ClusterStore

log = logging.getLogger("ucmsim.capf")


@dataclass(frozen=True, slots=True)
class CapfLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once.
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
        self._server: asyncio.Server | None = None
        self._health = Health.STOPPED

    @property
    def authority(self) -> Identity:
        """The CAPF certificate and key of this start."""
        assert self._authority is not None  # noqa: S101 - asked of a running service only
        return self._authority

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.service.Service`."""
        sockets = self._server.sockets if self._server is not None else ()
        return tuple(Listener("CAPF", "tcp", *item.getsockname()[:2]) for item in sockets)

    def health(self) -> Health:
        """See `services.service.Service`."""
        return self._health

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self._health is not Health.STOPPED:
            return
        port = self._port()
        self._authority = self.store.snapshot.require(self._node, Purpose.CAPF).identity
        context = server_context([self._authority], minimum=ssl.TLSVersion.TLSv1)  # as TVS: old phones know no more
        try:
            self._server = await asyncio.start_server(
                self._serve,
                self._host,
                port,
                ssl=context,
                ssl_handshake_timeout=self.limits.handshake_s,
                ssl_shutdown_timeout=1.0,
            )
        except OSError as error:
            raise binding_error(error, "CAPF", self._host, port) from error
        self._health = Health.STARTED

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`."""
        server, self._server = self._server, None
        if server is None:
            return
        self._health = Health.STOPPING
        server.close()
        if self._sessions and grace_s > 0:
            await asyncio.wait(self._sessions, timeout=grace_s)
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        self._health = Health.STOPPED

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a stream server runs it in one
        if len(self._sessions) >= self.limits.connections or self._health is not Health.STARTED:
            self.trace.emit("connection_refused", reason="too many connections", limit=self.limits.connections)
            writer.transport.abort()
            return
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)
        try:
            await _Conversation(self, reader, writer).run()
        except asyncio.CancelledError:  # at the stop; the streams' own callback would log it
            self.trace.emit("session_cut_off")
        finally:
            writer.transport.abort()


class _Conversation:
    """One connection: carries out what its session decides."""

    def __init__(self, daemon: CapfDaemon, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._daemon, self._reader, self._writer = daemon, reader, writer
        store, number = daemon.store, secrets.randbits(32)
        self._session = Session(number, lambda: store.snapshot, store.now)
        self._number = number
        peer = writer.get_extra_info("peername") or ("", 0)
        self._peer = str(peer[0])
        self._trace = daemon.trace.bind(session=f"{peer[0]}:{peer[1]}")
        self._claimed = ""

    async def run(self) -> None:
        """From the handshake to the end."""
        if self._trace.enabled:
            self._trace.emit("connected", tls=spoken(self._writer.get_extra_info("ssl_object")))
        try:
            async with asyncio.timeout(self._daemon.limits.session_s):
                await self._talk()
        except (UcmsimError, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self._trace.emit("session_broken", device=self._session.device, reason=_reason(error))
            if isinstance(error, ProtocolViolation):
                await self._send(Message(Command.ABORT_REQUEST, self._number))
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
                await self._send(Message(Command.RETRY_LATER, self._number))
                return
            going_on = await self._carry_out(self._session.receive(message))

    async def _next(self) -> Message:
        limits = self._daemon.limits
        generating = self._session.state is State.GENERATING
        async with asyncio.timeout(limits.key_generation_s if generating else limits.answer_s):
            header = await self._reader.readexactly(HEADER_SIZE)
            return decode(header + await self._reader.readexactly(body_length(header)))

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
                    await self._send(message)
                case Note(step, device, reason):
                    self._trace.emit(step, device=device, reason=reason)
                case Record(device, outcome):
                    actor = Actor("CAPF", f"capf {self._peer}")
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

    async def _send(self, message: Message) -> None:
        self._trace.emit("sent", device=self._session.device, **_told(message))
        with contextlib.suppress(ConnectionError):
            self._writer.write(encode(message))
            await self._writer.drain()

    async def _hang_up(self) -> None:
        """Lets the last message get out."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._daemon.limits.answer_s):
                await self._writer.wait_closed()


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
