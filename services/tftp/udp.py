"""The TFTP daemon: sockets, admission, timers, trace. What is sent when is `Transfer`'s.

A transfer is known by both ends' addresses and ports, RFC 1350's transfer identifiers. So transfers share a few
sockets, opened once: a transfer costs no system call but its datagrams, the number of descriptors is fixed, and a
firewall has few ports to open.

The sockets are read here, not by asyncio's datagram transport, which allocates 256 KiB for each datagram. They hang in
an epoll set of their own, and the event loop watches that set as one descriptor: a batch of acknowledgements costs the
loop one callback. One timer serves all transfers: it is set for the earliest deadline and looks at every transfer when
it fires, so an acknowledgement moves a number only.
"""

from __future__ import annotations

import asyncio
import logging
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.service import Health, Listener
from services.tftp.sessions import Session, Sessions
from services.tftp.sockets import SocketSet
from services.tftp.source import check_name
from services.tftp.transfer import Outcome, Patience, Transfer
from wire.errors import Refusal, WireError
from wire.tftp import (
    MAX_CONTROL_SIZE,
    Ack,
    ErrorCode,
    ErrorPacket,
    OptionLimits,
    ReadRequest,
    WriteRequest,
    decode,
    encode,
    negotiate,
    to_netascii,
)

if TYPE_CHECKING:
    import socket

    from base.trace import Trace
    from services.tftp.sockets import Address
    from services.tftp.source import FileSource
    from wire.tftp import Packet

_LOG = logging.getLogger(__name__)

_READ_SIZE = MAX_CONTROL_SIZE + 1
"""Bytes read of a datagram; one byte more than the longest that is valid shows that it was longer."""
_READ_SIZE_OF_TRANSFERS = 256
"""Likewise of a client's datagram in a transfer, where only the text of an error may be longer."""
_BATCH = 32
"""Datagrams read from one socket before the next socket has its turn."""
_ROUNDS = 4
"""Times that each socket has its turn before other work of the event loop has."""
_TICK_S = 0.02
"""Shortest time between two looks at all transfers."""
_REQUESTS = (b"\0\1", b"\0\2")
_MAX_ERROR_TEXT = 200


@dataclass(frozen=True, slots=True)
class TftpLimits:
    """What the daemon allows.

    Attributes:
        max_transfers: at once; UCM's own file server counts to 2,500.
        max_transfers_per_peer: at once from one address, behind which a whole site may stand.
        transfer_ports: ports that transfers are answered from, unless all are from the listening one.
        options: see `OptionLimits`.
        patience: see `Patience`.
        receive_buffer: bytes of requests that the listening socket holds while the daemon is busy.
    """

    max_transfers: int = 2_500
    max_transfers_per_peer: int = 1_000
    transfer_ports: int = 4
    options: OptionLimits = field(default_factory=OptionLimits)
    patience: Patience = field(default_factory=Patience)
    receive_buffer: int = 4 * 1024 * 1024


class TftpDaemon:
    """Serves the files of a `FileSource` by TFTP, read only.

    Transfers are answered from ports of their own, which the system picks or which lie in a range, for sites with NAT
    or a firewall between. In single-port mode everything passes through the listening socket.

    Bind it to an address of the node. On a wildcard address the system chooses the address that answers come from.
    """

    def __init__(
        self,
        source: FileSource,
        host: str,
        port: int,
        *,
        trace: Trace,
        single_port: bool = False,
        port_range: tuple[int, int] | None = None,
        limits: TftpLimits | None = None,
    ) -> None:
        """Binds nothing yet.

        Args:
            source: asked once for each accepted request.
            host: address or name to bind.
            port: to bind; 0 lets the system choose.
            trace: gets every step.
            single_port: see the class.
            port_range: first and last port for transfers; as many as `TftpLimits.transfer_ports` of them are used.
            limits: see `TftpLimits`.

        Raises:
            ValueError: an impossible range, or a range in single-port mode.
        """
        if port_range is not None:
            if single_port:
                raise ValueError("single-port mode needs no port range")
            if not 0 < port_range[0] <= port_range[1] <= 65_535:
                raise ValueError(f"port range {port_range[0]}-{port_range[1]} is impossible")
        self._source = source
        self._host = host
        self._port = port
        self._trace = trace.bind(service=self.name)
        self._single_port = single_port
        self._port_range = port_range
        self._limits = limits or TftpLimits()
        self._sessions = Sessions(self._limits.max_transfers, self._limits.max_transfers_per_peer)
        self._lock = asyncio.Lock()
        self._health = Health.STOPPED
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf

    @property
    def name(self) -> str:
        """See `Service.name`."""
        return "TFTP"

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `Service.listeners`."""
        if self._health is not Health.STARTED:
            return ()
        host, port = self._listener.getsockname()[:2]
        return (Listener("TFTP", "udp", host, port),)

    @property
    def transfers(self) -> int:
        """Transfers in progress."""
        return len(self._sessions.by_peer)

    def health(self) -> Health:
        """See `Service.health`."""
        return self._health

    async def wait_idle(self) -> None:
        """Returns when no transfer is in progress."""
        await self._sessions.wait_idle()

    async def start(self) -> None:
        """See `Service.start`."""
        async with self._lock:
            if self._health is not Health.STOPPED:
                return
            self._sockets = await SocketSet.open(
                self._host,
                self._port,
                transfer_ports=0 if self._single_port else self._limits.transfer_ports,
                port_range=self._port_range,
                receive_buffer=self._limits.receive_buffer,
            )
            self._listener = self._sockets.listener
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._sockets.fileno(), self._on_readable)
            self._health = Health.STARTED
            listener = self.listeners[0]
            self._trace.emit("started", host=listener.host, port=listener.port)

    async def stop(self, grace_s: float) -> None:
        """See `Service.stop`."""
        async with self._lock:
            if self._health is Health.STOPPED:
                return
            self._health = Health.STOPPING
            if not self._single_port:
                self._sockets.close_listener()
            try:
                async with asyncio.timeout(grace_s):
                    await self._sessions.wait_idle()
            except TimeoutError:
                pass
            finally:
                self._close()

    def _close(self) -> None:
        for session in list(self._sessions.by_peer.values()):
            self._drop(session, "dropped")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._looks_at = math.inf
        self._loop.remove_reader(self._sockets.fileno())
        self._sockets.close()
        self._health = Health.STOPPED
        self._trace.emit("stopped")

    # ---------------------------------------------------------------- datagrams in

    def _on_readable(self) -> None:
        for _ in range(_ROUNDS):
            readable = self._sockets.readable()
            if not readable:
                return
            now = self._loop.time()
            for sock in readable:
                self._read(sock, now)

    def _read(self, sock: socket.socket, now: float) -> bool:
        """Handles what has arrived on a socket, a batch at most; False when nothing is left.

        All acknowledgements pass here: it is kept flat for speed.
        """
        by_peer, listener, recvfrom, sendto = self._sessions.by_peer, self._listener, sock.recvfrom, sock.sendto
        size = _READ_SIZE if sock is listener else _READ_SIZE_OF_TRANSFERS
        for _ in range(_BATCH):
            try:
                datagram, peer = recvfrom(size)
            except OSError:  # mostly BlockingIOError
                return False
            session = by_peer.get(peer)
            if (
                session is None
                or session.socket is not sock
                or (sock is listener and datagram[:2] in _REQUESTS)  # in single-port mode
            ):
                self._handle_unknown(sock, datagram, peer, now)
                continue
            transfer = session.transfer
            for answer in transfer.receive(datagram, now):
                try:
                    sendto(answer, peer)
                except OSError:
                    break  # see `Session.send`
            if transfer.outcome is not None:
                self._end(session, datagram)
            elif transfer.deadline < self._looks_at:
                self._arm(transfer.deadline)
        return True

    def _handle_unknown(self, sock: socket.socket, datagram: bytes, peer: Address, now: float) -> None:
        """A request, or a datagram that belongs to no transfer."""
        trace = self._trace
        try:
            packet = decode(datagram)
        except WireError as error:
            trace.emit("malformed", peer=peer[0], port=peer[1], size=len(datagram), reason=str(error))
            if datagram[:2] in _REQUESTS:
                self._send_error(sock, peer, ErrorCode.ILLEGAL_OPERATION, str(error))
            return
        if isinstance(packet, ReadRequest) and sock is self._listener:
            self._handle_read_request(packet, datagram, peer, now)
        elif isinstance(packet, WriteRequest) and sock is self._listener:
            refusal = Refusal(ErrorCode.ACCESS_VIOLATION, "Access violation: files are read only")
            self._refuse(peer, packet.file_name, refusal)
        elif isinstance(packet, ErrorPacket) or (isinstance(packet, Ack) and self._sessions.knows(peer)):
            trace.emit("ignored", peer=peer[0], port=peer[1], packet=_kind(packet))
        else:
            trace.emit("unknown_transfer", peer=peer[0], port=peer[1], packet=_kind(packet))
            self._send_error(sock, peer, ErrorCode.UNKNOWN_TRANSFER_ID, "Unknown transfer ID")

    # ---------------------------------------------------------------- a request

    def _handle_read_request(self, request: ReadRequest, datagram: bytes, peer: Address, now: float) -> None:
        running = self._sessions.by_peer.get(peer)
        if running is not None and self._is_repetition(running, datagram, now):
            return
        try:
            session = self._admitted(request, datagram, peer, now)
        except Refusal as refusal:
            self._refuse(peer, request.file_name, refusal)
            return
        session.send(session.transfer.start(now))
        self._arm(session.transfer.deadline)

    def _is_repetition(self, running: Session, datagram: bytes, now: float) -> bool:
        """Whether a request belongs to the transfer that its sender already has; else that one is over."""
        transfer = running.transfer
        if running.socket is not self._listener:
            # The ACK of the last block may wait unread while its sender already asks for more.
            for _ in range(_BATCH):
                if not self._read(running.socket, now) or transfer.outcome is not None:
                    break
        if transfer.outcome is not None:
            return False
        if datagram != running.request or (transfer.acked > 0 and transfer.stalled):
            self._drop(running, "superseded")
            return False
        running.trace.emit("duplicate_request", file=running.name)
        if transfer.acked <= 0:
            running.send(transfer.resend(now))
            if transfer.outcome is not None:
                self._end(running, b"")
        return True

    def _admitted(self, request: ReadRequest, datagram: bytes, peer: Address, now: float) -> Session:
        name = request.file_name
        trace = self._trace
        if trace.enabled:
            trace = trace.bind(session=f"{peer[0]}:{peer[1]}")
            trace.emit("requested", file=name, mode=request.mode, options=[f"{o}={v}" for o, v in request.options])
        if self._health is not Health.STARTED:
            raise Refusal(ErrorCode.NOT_DEFINED, "Server is stopping")
        self._sessions.check_room(peer[0])
        check_name(name)
        if request.mode not in ("octet", "netascii"):
            raise Refusal(ErrorCode.ILLEGAL_OPERATION, f"Illegal TFTP operation: mode {request.mode}")
        data = self._file(name, peer[0])
        if request.mode == "netascii":
            data = to_netascii(data)
        agreement = negotiate(request.options, len(data), self._limits.options)
        if agreement.acknowledged and trace.enabled:
            trace.emit("options_agreed", file=name, options=[f"{o}={v}" for o, v in agreement.acknowledged])
        transfer = Transfer(data, agreement, self._limits.patience, now)
        sock = self._sockets.next_for_transfer(other_than=self._sessions.echo_from(peer))
        session = Session(transfer, peer, request=datagram, name=name, sock=sock, trace=trace)
        self._sessions.add(session)
        return session

    def _file(self, name: str, host: str) -> bytes:
        try:
            return self._source.read(name, host, "tftp")
        except Refusal:
            raise
        except Exception as error:
            _LOG.exception("the source failed for %r", name)
            raise Refusal(ErrorCode.NOT_DEFINED, "Internal error") from error

    def _refuse(self, peer: Address, name: str, refusal: Refusal) -> None:
        if self._trace.enabled:
            trace = self._trace.bind(session=f"{peer[0]}:{peer[1]}")
            trace.emit("refused", file=name, code=int(refusal.code), reason=str(refusal))
        self._send_error(self._listener, peer, refusal.code, str(refusal))

    @staticmethod
    def _send_error(sock: socket.socket, peer: Address, code: int, text: str) -> None:
        if not 0 <= code <= ErrorCode.OPTION_NEGOTIATION:
            code = ErrorCode.NOT_DEFINED
        printable = text.encode("ascii", "replace").decode("ascii").replace("\0", "?")[:_MAX_ERROR_TEXT]
        try:
            sock.sendto(encode(ErrorPacket(code, printable)), peer)
        except OSError as error:
            _LOG.debug("error to %s not sent: %s", peer, error)

    # ---------------------------------------------------------------- the end

    def _end(self, session: Session, datagram: bytes) -> None:
        transfer = session.transfer
        outcome = transfer.outcome
        assert outcome is not None  # noqa: S101 - the callers looked
        reason = ""
        if outcome is Outcome.TOO_LONG:
            self._send_error(session.socket, session.peer, ErrorCode.NOT_DEFINED, "Transfer took too long")
        elif outcome is Outcome.ABORTED and session.trace.enabled:
            reason = _error_text(datagram)
        self._drop(session, outcome.value, reason)

    def _drop(self, session: Session, step: str, reason: str = "") -> None:
        self._sessions.remove(session)
        if session.trace.enabled:
            retransmissions = session.transfer.retransmissions
            session.trace.emit(step, file=session.name, retransmissions=retransmissions, reason=reason)

    # ---------------------------------------------------------------- time

    def _arm(self, deadline: float) -> None:
        """Sees to it that the deadlines are looked at no later than at `deadline`, give or take a tick."""
        if deadline >= self._looks_at - _TICK_S:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = deadline
        self._timer = self._loop.call_at(deadline, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        self._timer = None
        self._looks_at = math.inf
        now = self._loop.time()
        for session in list(self._sessions.by_peer.values()):
            transfer = session.transfer
            if transfer.deadline <= now:
                session.send(transfer.timer(now))
                if transfer.outcome is not None:
                    self._end(session, b"")
                else:
                    session.trace.emit("retransmitted", file=session.name, acked=transfer.acked)
        if self._sessions.by_peer:
            earliest = min(session.transfer.deadline for session in self._sessions.by_peer.values())
            self._arm(max(earliest, now + _TICK_S))


def _kind(packet: Packet) -> str:
    return type(packet).__name__


def _error_text(datagram: bytes) -> str:
    try:
        packet = decode(datagram)
    except WireError:
        return "unreadable error packet"
    return f"error {packet.code}: {packet.message}" if isinstance(packet, ErrorPacket) else _kind(packet)
