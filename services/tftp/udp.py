"""The TFTP daemon: sockets, admission, timers, trace. What is sent when is `Transfer`'s.

The sockets are read here, not by asyncio's datagram transport, which allocates 256 KiB for each datagram.
Transfer sockets hang in an epoll set of their own, and the event loop watches that set as one descriptor: a
batch of acknowledgements costs the loop one callback, and a new transfer costs it nothing. One timer serves
all transfers: it is set for the earliest deadline and looks at every transfer when it fires, so an
acknowledgement moves a number only.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import select
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.service import Health, Listener
from services.tftp.source import check_name
from services.tftp.transfer import Outcome, Patience, Transfer
from wire.errors import OperatorError, Refusal, WireError
from wire.tftp import (
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
    from collections.abc import Sequence

    from base.trace import Trace
    from services.tftp.source import FileSource
    from wire.tftp import Packet

    Address = tuple[str, int] | tuple[str, int, int, int]

_LOG = logging.getLogger(__name__)

_READ_SIZE = 2_048
"""Bytes read of a datagram; requests, acknowledgements and errors are at most 512 long."""
_BATCH = 128
"""Datagrams handled before other work of the event loop has its turn."""
_TICK_S = 0.02
"""Shortest time between two looks at all transfers."""
_SO_RCVBUFFORCE = 33
"""Linux; lets root pass net.core.rmem_max."""
_REQUESTS = (b"\0\1", b"\0\2")
_MAX_ERROR_TEXT = 200


@dataclass(frozen=True, slots=True)
class TftpLimits:
    """What the daemon allows.

    Attributes:
        max_transfers: at once; UCM's own file server counts to 2,500.
        max_transfers_per_peer: at once from one address, behind which a whole site may stand.
        options: see `OptionLimits`.
        patience: see `Patience`.
        receive_buffer: bytes of requests that the listening socket holds while the daemon is busy.
    """

    max_transfers: int = 2_500
    max_transfers_per_peer: int = 1_000
    options: OptionLimits = field(default_factory=OptionLimits)
    patience: Patience = field(default_factory=Patience)
    receive_buffer: int = 4 * 1024 * 1024


class _Session:
    """A transfer with its client and its socket."""

    __slots__ = (
        "name",
        "peer",
        "port",
        "receive",
        "recvfrom",
        "request",
        "sendto",
        "socket",
        "trace",
        "transfer",
    )

    def __init__(
        self,
        transfer: Transfer,
        peer: Address,
        *,
        request: bytes,
        name: str,
        sock: socket.socket,
        trace: Trace,
    ) -> None:
        self.transfer = transfer
        self.peer = peer
        self.request = request
        self.name = name
        self.socket = sock
        self.trace = trace
        self.port = 0
        self.receive = transfer.receive
        self.recvfrom = sock.recv
        self.sendto = sock.send


class TftpDaemon:
    """Serves the files of a `FileSource` by TFTP, read only.

    Each transfer has a socket of its own (RFC 1350's transfer identifier): on a port that the system picks,
    or on one of a range for sites with NAT or a firewall between. In single-port mode everything passes
    through the listening socket and transfers are told apart by the client's address and port.

    Bind it to an address of the node. On a wildcard address the system chooses the address that answers
    come from.
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
            port_range: first and last port for transfers.
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
        self._free_ports: deque[int] = deque()
        self._sessions: dict[Address, _Session] = {}
        self._by_descriptor: dict[int, _Session] = {}
        self._spare = {}
        self._per_host: dict[str, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._stop_lock = asyncio.Lock()
        self._health = Health.STOPPED
        self._timer: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """See `Service.name`."""
        return "TFTP"

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `Service.listeners`."""
        if self._health is not Health.STARTED:
            return ()
        host, port = self._socket.getsockname()[:2]
        return (Listener("TFTP", "udp", host, port),)

    @property
    def transfers(self) -> int:
        """Transfers in progress."""
        return len(self._sessions)

    def health(self) -> Health:
        """See `Service.health`."""
        return self._health

    async def wait_idle(self) -> None:
        """Returns when no transfer is in progress."""
        await self._idle.wait()

    async def start(self) -> None:
        """See `Service.start`."""
        if self._health is not Health.STOPPED:
            return
        self._loop = asyncio.get_running_loop()
        self._socket = await self._bound()
        self._bind_host = self._socket.getsockname()[0]
        self._epoll = select.epoll()
        if self._port_range is not None:
            ports = list(range(self._port_range[0], self._port_range[1] + 1))
            random.shuffle(ports)
            self._free_ports = deque(ports)
        self._loop.add_reader(self._socket.fileno(), self._on_listener)
        self._loop.add_reader(self._epoll.fileno(), self._on_transfers)
        self._health = Health.STARTED
        listener = self.listeners[0]
        self._trace.emit("started", host=listener.host, port=listener.port)

    async def stop(self, grace_s: float) -> None:
        """See `Service.stop`."""
        async with self._stop_lock:
            if self._health is Health.STOPPED:
                return
            self._health = Health.STOPPING
            if not self._single_port:
                self._loop.remove_reader(self._socket.fileno())
                self._socket.close()
            try:
                async with asyncio.timeout(grace_s):
                    await self._idle.wait()
            except TimeoutError:
                pass
            finally:
                self._close()

    def _close(self) -> None:
        for session in list(self._sessions.values()):
            self._drop(session, "dropped")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._single_port:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._health = Health.STOPPED
        self._trace.emit("stopped")

    async def _bound(self) -> socket.socket:
        try:
            found = await self._loop.getaddrinfo(
                self._host, self._port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
            )
        except OSError as error:
            raise OperatorError(
                f"TFTP cannot listen on {self._host}: no such address ({error}); use an address of this host"
            ) from error
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            sock.bind(address)
        except OSError as error:
            sock.close()
            raise _cannot_bind(self._host, self._port, error) from error
        _enlarge_receive_buffer(sock, self._limits.receive_buffer)
        return sock

    # ---------------------------------------------------------------- datagrams in

    def _on_listener(self) -> None:
        now = self._loop.time()
        for _ in range(_BATCH):
            try:
                datagram, peer = self._socket.recvfrom(_READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                _LOG.debug("listening socket: %s", error)
                return
            if self._single_port and datagram[:2] not in _REQUESTS and peer in self._sessions:
                self._handle(self._sessions[peer], datagram, now)
            else:
                self._handle_first(datagram, peer, now)

    def _on_transfers(self) -> None:
        now = self._loop.time()
        by_descriptor = self._by_descriptor
        for descriptor, _ in self._epoll.poll(0, _BATCH):
            session = by_descriptor.get(descriptor)
            if session is not None:
                self._read(session, now)
            else:
                self._read_spare(self._spare[descriptor])

    def _read(self, session: _Session, now: float) -> bool:
        try:
            datagram = session.recvfrom(512)
        except OSError:
            return False
        self._handle(session, datagram, now)
        return True

    def _handle(self, session: _Session, datagram: bytes, now: float) -> None:
        for answer in session.receive(datagram, now):
            try:
                session.sendto(answer)
            except OSError:
                break  # as good as lost on the way: the timer sends it again
        if session.transfer.outcome is not None:
            self._end(session, datagram)

    def _handle_first(self, datagram: bytes, peer: Address, now: float) -> None:
        try:
            packet = decode(datagram)
        except WireError as error:
            self._trace.emit("malformed", peer=peer[0], port=peer[1], size=len(datagram), reason=str(error))
            if datagram[:2] in _REQUESTS:
                self._send_error(self._socket, peer, ErrorCode.ILLEGAL_OPERATION, str(error))
            return
        match packet:
            case ReadRequest():
                self._handle_read_request(packet, datagram, peer, now)
            case WriteRequest():
                refusal = Refusal(ErrorCode.ACCESS_VIOLATION, "Access violation: files are read only")
                self._refuse(peer, packet.file_name, refusal)
            case ErrorPacket():
                self._trace.emit("ignored", peer=peer[0], port=peer[1], packet=_kind(packet))
            case _:
                self._trace.emit("unknown_transfer", peer=peer[0], port=peer[1], packet=_kind(packet))
                self._send_error(self._socket, peer, ErrorCode.UNKNOWN_TRANSFER_ID, "Unknown transfer ID")

    def _answer_stranger(self, session: _Session, datagram: bytes, peer: Address) -> None:
        session.trace.emit("unknown_transfer", peer=peer[0], port=peer[1])
        if datagram[:2] != b"\0\5":  # an error is never answered: two servers would go on for ever
            self._send_error(session.socket, peer, ErrorCode.UNKNOWN_TRANSFER_ID, "Unknown transfer ID")

    # ---------------------------------------------------------------- a request

    def _handle_read_request(self, request: ReadRequest, datagram: bytes, peer: Address, now: float) -> None:
        running = self._sessions.get(peer)
        if running is not None and self._is_repetition(running, datagram, now):
            return
        try:
            session = self._admitted(request, datagram, peer, now)
        except Refusal as refusal:
            self._refuse(peer, request.file_name, refusal)
            return
        self._send(session, session.transfer.start(now))
        self._arm(session.transfer.deadline)

    def _is_repetition(self, running: _Session, datagram: bytes, now: float) -> bool:
        """Whether a request belongs to the transfer that its sender already has; else that one is dropped."""
        while not self._single_port and running.transfer.outcome is None and self._read(running, now):
            pass  # the ACK of the last block may wait unread while its sender already asks for more
        if running.transfer.outcome is not None:
            return False
        if datagram != running.request or (running.transfer.acked > 0 and running.transfer.stalled):
            self._drop(running, "superseded")
            return False
        running.trace.emit("duplicate_request", file=running.name)
        if running.transfer.acked <= 0:
            self._send(running, running.transfer.resend(now))
        return True

    def _admitted(self, request: ReadRequest, datagram: bytes, peer: Address, now: float) -> _Session:
        name = request.file_name
        trace = self._trace
        if trace.enabled:
            trace = trace.bind(session=f"{peer[0]}:{peer[1]}")
            options = [f"{option}={value}" for option, value in request.options]
            trace.emit("requested", file=name, mode=request.mode, options=list(options))
        self._check_room(peer[0])
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
        return self._opened(transfer, peer, datagram, name, trace)

    def _check_room(self, host: str) -> None:
        if self._health is not Health.STARTED:
            raise Refusal(ErrorCode.NOT_DEFINED, "Server is stopping")
        if len(self._sessions) >= self._limits.max_transfers:
            raise Refusal(ErrorCode.NOT_DEFINED, "Server is busy: too many transfers")
        if self._per_host.get(host, 0) >= self._limits.max_transfers_per_peer:
            raise Refusal(ErrorCode.NOT_DEFINED, "Server is busy: too many transfers from your address")

    def _file(self, name: str, host: str) -> bytes:
        try:
            return self._source.read(name, host, "tftp")
        except Refusal:
            raise
        except Exception as error:
            _LOG.exception("the source failed for %r", name)
            raise Refusal(ErrorCode.NOT_DEFINED, "Internal error") from error

    def _opened(self, transfer: Transfer, peer: Address, datagram: bytes, name: str, trace: Trace) -> _Session:
        sock = self._socket if self._single_port else self._transfer_socket()
        session = _Session(transfer, peer, request=datagram, name=name, sock=sock, trace=trace)
        if not self._single_port:
            self._by_descriptor[sock.fileno()] = session
            sock.connect(peer)
        self._sessions[peer] = session
        self._per_host[peer[0]] = self._per_host.get(peer[0], 0) + 1
        self._idle.clear()
        return session

    def _transfer_socket(self) -> socket.socket:
        if len(self._spare) > 32:
            descriptor = next(iter(self._spare))
            return self._spare.pop(descriptor)
        sock = socket.socket(self._socket.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind((self._bind_host, 0))
        self._epoll.register(sock.fileno(), select.EPOLLIN)
        return sock

    def _read_spare(self, sock) -> None:
        try:
            sock.recvfrom(2048)
        except OSError:
            pass

    # ---------------------------------------------------------------- datagrams out, and the end

    def _send(self, session: _Session, answers: Sequence[bytes]) -> None:
        for answer in answers:
            try:
                session.sendto(answer)
            except OSError:
                return

    def _send_error(self, sock: socket.socket, peer: Address, code: int, text: str) -> None:
        if not 0 <= code <= ErrorCode.OPTION_NEGOTIATION:
            code = ErrorCode.NOT_DEFINED
        printable = text.encode("ascii", "replace").decode("ascii").replace("\0", "?")[:_MAX_ERROR_TEXT]
        try:
            sock.sendto(encode(ErrorPacket(code, printable)), peer)
        except OSError as error:
            _LOG.debug("error to %s not sent: %s", peer, error)

    def _refuse(self, peer: Address, name: str, refusal: Refusal) -> None:
        if self._trace.enabled:
            trace = self._trace.bind(session=f"{peer[0]}:{peer[1]}")
            trace.emit("refused", file=name, code=int(refusal.code), reason=str(refusal))
        self._send_error(self._socket, peer, refusal.code, str(refusal))

    def _end(self, session: _Session, datagram: bytes) -> None:
        outcome = session.transfer.outcome
        assert outcome is not None  # noqa: S101 - the callers looked
        if outcome is Outcome.TOO_LONG:
            self._send_error(session.socket, session.peer, ErrorCode.NOT_DEFINED, "Transfer took too long")
        reason = ""
        if outcome is Outcome.ABORTED and session.trace.enabled:
            reason = _error_text(datagram)
        self._drop(session, outcome.value, reason)

    def _drop(self, session: _Session, step: str, reason: str = "") -> None:
        del self._sessions[session.peer]
        if not self._single_port:
            del self._by_descriptor[session.socket.fileno()]
            self._spare[session.socket.fileno()] = session.socket
        host = session.peer[0]
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]
        if not self._sessions:
            self._idle.set()
        if session.trace.enabled:
            retransmissions = session.transfer.retransmissions
            session.trace.emit(step, file=session.name, retransmissions=retransmissions, reason=reason)

    # ---------------------------------------------------------------- time

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            if deadline >= self._timer.when() - _TICK_S:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._look_at_deadlines)

    def _look_at_deadlines(self) -> None:
        self._timer = None
        now = self._loop.time()
        for session in list(self._sessions.values()):
            transfer = session.transfer
            if transfer.deadline <= now:
                self._send(session, transfer.timer(now))
                if transfer.outcome is not None:
                    self._end(session, b"")
                else:
                    session.trace.emit("retransmitted", file=session.name, acked=transfer.acked)
        if self._sessions:
            earliest = min(session.transfer.deadline for session in self._sessions.values())
            self._arm(max(earliest, now + _TICK_S))


def _kind(packet: Packet) -> str:
    return type(packet).__name__


def _error_text(datagram: bytes) -> str:
    try:
        packet = decode(datagram)
    except WireError:
        return "unreadable error packet"
    return f"error {packet.code}: {packet.message}" if isinstance(packet, ErrorPacket) else _kind(packet)


def _enlarge_receive_buffer(sock: socket.socket, size: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def _cannot_bind(host: str, port: int, error: OSError) -> OperatorError:
    where = f"TFTP cannot listen on {host} port {port}/udp"
    match error.errno:
        case errno.EADDRINUSE:
            return OperatorError(f"{where}: the port is in use; stop the other server or choose another port")
        case errno.EACCES | errno.EPERM:
            return OperatorError(
                f"{where}: no permission; run as root, grant CAP_NET_BIND_SERVICE, or move the port up"
            )
        case errno.EADDRNOTAVAIL:
            return OperatorError(f"{where}: this host has no such address; add it or choose one that it has")
        case _:
            return OperatorError(f"{where}: {error.strerror}; check the address and the port")
