"""The daemon's UDP sockets: the one that listens, and those from whose ports transfers are answered."""

from __future__ import annotations

import asyncio
import random
import socket
from typing import TYPE_CHECKING

from services.binding import BindingError, binding_error

if TYPE_CHECKING:
    Address = tuple[str, int] | tuple[str, int, int, int]

_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
"""Linux; let root pass net.core.wmem_max and rmem_max."""
_SEND_BUFFER = 1024 * 1024
"""Bytes on their way to the network card; many windows share a socket."""


async def listening_socket(host: str, port: int, receive_buffer: int) -> socket.socket:
    """A bound socket that does not block.

    Args:
        host: address or name.
        port: 0 lets the system choose.
        receive_buffer: bytes of datagrams that wait while the daemon is busy.

    Raises:
        BindingError: the port is taken, the address not there, or permission missing.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise BindingError(
            f"TFTP cannot listen on {host}: no such address ({error}); use an address of this host",
            moving_helps=False,
        ) from error
    family, _, _, _, address = found[0]
    try:
        sock = _bound(family, address)
    except OSError as error:
        raise binding_error(error, "TFTP", host, port) from error
    _set_buffer(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF, receive_buffer)
    return sock


def transfer_sockets(listener: socket.socket, count: int, port_range: tuple[int, int] | None) -> list[socket.socket]:
    """Up to `count` sockets on the listener's address, at least one.

    Args:
        listener: gives the address.
        count: how many at most.
        port_range: first and last port to take them from, at random, passing over ports that are in use; None
            lets the system choose.

    Raises:
        BindingError: not a single port could be had.
    """
    host, _, *rest = listener.getsockname()
    ports = [0] * count
    if port_range is not None:
        ports = list(range(port_range[0], port_range[1] + 1))
        random.shuffle(ports)
    sockets: list[socket.socket] = []
    reason: OSError | None = None
    for port in ports:
        try:
            sockets.append(_bound(listener.family, (host, port, *rest)))
        except OSError as error:
            reason = error
        if len(sockets) == count:
            break
    if not sockets:
        where = f"any port from {port_range[0]} to {port_range[1]}" if port_range else "a port"
        raise BindingError(
            f"TFTP cannot have {where} of {host} for transfers ({reason}); choose another range", moving_helps=False
        )
    return sockets


def _bound(family: int, address: Address | tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    _set_buffer(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF, _SEND_BUFFER)
    return sock


def _set_buffer(sock: socket.socket, forced: int, allowed: int, size: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, size)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, allowed, size)
