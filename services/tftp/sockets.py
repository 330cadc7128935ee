"""The daemon's UDP sockets: the one that listens, and those from whose ports transfers are answered."""

from __future__ import annotations

import asyncio
import random
import select
import socket
from itertools import cycle
from typing import TYPE_CHECKING

from services.binding import BindingError, binding_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    Address = tuple[str, int] | tuple[str, int, int, int]

_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
"""Linux; let root pass net.core.wmem_max and rmem_max."""
_SEND_BUFFER = 1024 * 1024
"""Bytes on their way to the network card; the windows of many transfers share it."""


class SocketSet:
    """All sockets of one daemon, in an epoll set that the event loop watches as one descriptor.

    Attributes:
        listener: requests come here.
    """

    def __init__(self, listener: socket.socket, for_transfers: Sequence[socket.socket]) -> None:
        """Takes bound sockets over; see `open`."""
        self.listener = listener
        self._for_transfers = cycle(for_transfers)
        self._by_descriptor = {sock.fileno(): sock for sock in (listener, *for_transfers)}
        self._epoll = select.epoll()
        for descriptor in self._by_descriptor:
            self._epoll.register(descriptor, select.EPOLLIN)

    @classmethod
    async def open(
        cls, host: str, port: int, *, transfer_ports: int, port_range: tuple[int, int] | None, receive_buffer: int
    ) -> Self:
        """Binds.

        Args:
            host: address or name.
            port: where to listen; 0 lets the system choose.
            transfer_ports: how many sockets for transfers; 0: transfers pass through the listener.
            port_range: first and last port to take those from, at random, passing over ports in use; None lets the
                system choose.
            receive_buffer: bytes of datagrams that a socket holds while the daemon is busy.

        Raises:
            BindingError: nothing is bound then.
        """
        sockets: list[socket.socket] = []
        try:
            sockets.append(await _bound_listener(host, port))
            if transfer_ports:
                sockets += _bound_for_transfers(sockets[0], transfer_ports, port_range)
            for sock in sockets:
                _set_buffer(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF, receive_buffer)
                _set_buffer(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF, _SEND_BUFFER)
            return cls(sockets[0], sockets[1:] or sockets)
        except BaseException as error:
            for sock in sockets:
                sock.close()
            if isinstance(error, OSError):
                raise binding_error(error, "TFTP", host, port) from error
            raise

    def fileno(self) -> int:
        """What the event loop watches."""
        return self._epoll.fileno()

    def readable(self) -> list[socket.socket]:
        """The sockets on which something waits, at this instant."""
        return [self._by_descriptor[descriptor] for descriptor, _ in self._epoll.poll(0)]

    def next_for_transfer(self, other_than: socket.socket | None) -> socket.socket:
        """The socket for a new transfer: each in its turn, and not `other_than` if there is another."""
        sock = next(self._for_transfers)
        return next(self._for_transfers) if sock is other_than else sock

    def close_listener(self) -> None:
        """Requests are no longer heard; transfers go on."""
        del self._by_descriptor[self.listener.fileno()]
        self.listener.close()

    def close(self) -> None:
        """Closes all."""
        self._epoll.close()
        for sock in self._by_descriptor.values():
            sock.close()
        self._by_descriptor.clear()


async def _bound_listener(host: str, port: int) -> socket.socket:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise BindingError(
            f"TFTP cannot listen on {host}: no such address ({error}); use an address of this host", moving_helps=False
        ) from error
    family, _, _, _, address = found[0]
    return _bound(family, address)


def _bound_for_transfers(
    listener: socket.socket, count: int, port_range: tuple[int, int] | None
) -> list[socket.socket]:
    host, _, *rest = listener.getsockname()
    if port_range is None:
        ports = [0] * count
    else:
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
        which = "any port" if port_range is None else f"any port from {port_range[0]} to {port_range[1]}"
        raise BindingError(f"TFTP cannot have {which} of {host} for transfers: {reason}", moving_helps=False)
    return sockets


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _set_buffer(sock: socket.socket, forced: int, allowed: int, size: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, forced, size)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, allowed, size)
