"""One read over TFTP as old phones do it: RFC 1350, ``octet``, blocks of 512 bytes, no options.

Which options newer phones send is not published. Without any, every server understands the request.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from phone_sim.clients.errors import FileNotFoundOnServer, HostUnknown, ServerUnreachable, TransferFailed
from wire.errors import WireError
from wire.tftp import Ack, Data, ErrorCode, ErrorPacket, ReadRequest, decode, encode

if TYPE_CHECKING:
    from base.trace import Trace

MAX_SIZE = 1024 * 1024
"""Bytes of a file; trust lists and configurations are far below."""
_BLOCK = 512
_RESEND_S = 1.0
_IP_RECVERR = 11  # Linux: tells an unconnected socket that nobody listens there, which socket has no name for


class _Read(asyncio.DatagramProtocol):
    """The client's side of a transfer; `done` gets the file or why there is none."""

    def __init__(self, server: tuple[str, int], name: str, where: str) -> None:
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.blocks = 0
        self._request = encode(ReadRequest(name))
        self._server, self._name, self._where = server, name, where
        self._peer: tuple[str, int] | None = None
        self._received = bytearray()
        self._last_sent = self._request
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self._send(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if exc is not None:
            self._fail(ServerUnreachable(f"{self._where} cannot be reached: {exc}"))

    def error_received(self, exc: Exception) -> None:
        self._fail(ServerUnreachable(f"{self._where} cannot be reached: {getattr(exc, 'strerror', None) or exc}"))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.done.done() or addr[0] != self._server[0]:
            return
        if self._peer is not None and addr != self._peer:
            self._answer_stranger(data, addr)
            return
        try:
            packet = decode(data)
        except WireError as error:
            self._fail(TransferFailed(f"{self._where} sends what is not TFTP: {error}"))
            return
        if isinstance(packet, ErrorPacket):
            self._refused(packet)
        elif isinstance(packet, Data):
            self._peer = addr
            self._take(packet)
        else:
            self._fail(TransferFailed(f"{self._where} answers a read with {type(packet).__name__}"))

    def _take(self, packet: Data) -> None:
        if packet.block != (self.blocks + 1) & 0xFFFF:
            return  # a repetition: answering it would double the rest of the transfer
        self.blocks += 1
        self._received += packet.payload
        if len(self._received) > MAX_SIZE:
            self._fail(TransferFailed(f"{self._where} sends more than the limit of {MAX_SIZE} bytes"))
            return
        self._send(encode(Ack(self.blocks)))
        if len(packet.payload) < _BLOCK and not self.done.done():
            self.done.set_result(bytes(self._received))

    def _refused(self, packet: ErrorPacket) -> None:
        text = f"{self._where}: error {packet.code}: {packet.message[:200]}"
        kind = FileNotFoundOnServer if packet.code == ErrorCode.FILE_NOT_FOUND else TransferFailed
        self._fail(kind(text))

    def _answer_stranger(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and data[:2] != b"\0\5":
            self._transport.sendto(encode(ErrorPacket(ErrorCode.UNKNOWN_TRANSFER_ID, "Unknown transfer ID")), addr)

    def _send(self, packet: bytes) -> None:
        if self._transport is None or self.done.done():
            return
        self._last_sent = packet
        self._transport.sendto(packet, self._peer or self._server)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_RESEND_S, self._send, packet)

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


async def fetch(host: str, port: int, name: str, *, timeout_s: float, trace: Trace) -> bytes:
    """Reads one file.

    Args:
        host: name or address of the server.
        port: UDP port that takes requests.
        name: file name.
        timeout_s: for the whole transfer.
        trace: gets ``tftp_received``.

    Raises:
        FileNotFoundOnServer: error 1.
        HostUnknown: no such name.
        ServerUnreachable: nobody listens, no route, or silence.
        TransferFailed: another error code, an answer that is not TFTP, a file over `MAX_SIZE`, or one that
            does not arrive in time.
    """
    where = f"tftp://{host}:{port}/{name}"
    loop = asyncio.get_running_loop()
    try:
        address = (await _address_of(host), port)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_IP, _IP_RECVERR, 1)
        sock.bind(("", 0))
        transport, read = await loop.create_datagram_endpoint(lambda: _Read(address, name, where), sock=sock)
    except (socket.gaierror, UnicodeError) as error:  # the latter: not even a name, such as a..b
        raise HostUnknown(f"{where} cannot be reached: {error}") from error
    except OSError as error:
        raise ServerUnreachable(f"{where} cannot be reached: {error.strerror or error}") from error
    try:
        async with asyncio.timeout(timeout_s):
            data = await read.done
    except TimeoutError as error:
        if read.blocks:
            raise TransferFailed(f"{where} did not arrive in {timeout_s:g} s") from error
        raise ServerUnreachable(f"{where}: no answer in {timeout_s:g} s") from error
    finally:
        transport.close()
    trace.emit("tftp_received", file=name, server=f"{host}:{port}", bytes=len(data), blocks=read.blocks)
    return data


async def _address_of(host: str) -> str:
    """A name is looked up in a thread; an address, as phones are usually given, costs none."""
    try:
        socket.inet_pton(socket.AF_INET, host)
    except (OSError, UnicodeError, ValueError):
        found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        return str(found[0][4][0])
    return host
