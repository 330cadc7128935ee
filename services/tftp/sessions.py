"""Who is being served: transfers in progress, how many there may be, and what may still come from those that ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.tftp.transfer import Outcome
from wire.errors import Refusal
from wire.tftp import ErrorCode

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from base.trace import Trace
    from services.tftp.sockets import Address
    from services.tftp.transfer import Transfer

_MAX_ECHOES = 1_024
_GIVEN_UP = (Outcome.TIMED_OUT, Outcome.TOO_LONG)


class Session:
    """A transfer with its client and the socket that it is answered from.

    Args:
        transfer: what is sent when.
        peer: the client.
        request: the datagram that asked, to know it again.
        name: the file, for the trace.
        sock: belongs to the daemon.
        trace: bound to the client.
    """

    __slots__ = ("name", "peer", "request", "socket", "trace", "transfer")

    def __init__(
        self, transfer: Transfer, peer: Address, *, request: bytes, name: str, sock: socket.socket, trace: Trace
    ) -> None:
        self.transfer = transfer
        self.peer = peer
        self.request = request
        self.name = name
        self.socket = sock
        self.trace = trace

    def send(self, datagrams: Sequence[bytes]) -> None:
        """Sends to the client. What cannot be sent is as good as lost on the way: the timer sends it again."""
        for datagram in datagrams:
            try:
                self.socket.sendto(datagram, self.peer)
            except OSError:
                return


class Sessions:
    """The transfers in progress.

    Args:
        most: how many at once.
        most_per_host: how many at once from one address.

    Attributes:
        by_peer: one transfer at most for each address and port.
    """

    def __init__(self, most: int, most_per_host: int) -> None:
        self.by_peer: dict[Address, Session] = {}
        self._most = most
        self._most_per_host = most_per_host
        self._per_host: dict[str, int] = {}
        self._echoes: dict[Address, socket.socket] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def check_room(self, host: str) -> None:
        """Sees whether one more may begin.

        Raises:
            Refusal: all places are taken, or all for this address.
        """
        if len(self.by_peer) >= self._most:
            raise Refusal(ErrorCode.NOT_DEFINED, "Server is busy: too many transfers")
        if self._per_host.get(host, 0) >= self._most_per_host:
            raise Refusal(ErrorCode.NOT_DEFINED, "Server is busy: too many transfers from your address")

    def add(self, session: Session) -> None:
        """A transfer begins."""
        host = session.peer[0]
        self.by_peer[session.peer] = session
        self._per_host[host] = self._per_host.get(host, 0) + 1
        self._idle.clear()

    def remove(self, session: Session) -> None:
        """A transfer has ended.

        When a window was sent twice, its client may confirm it twice. It is remembered, so that such an echo is not met
        with an error, which could reach the client when it has already asked for its next file, and be taken for the
        answer to that request. A client that was given up is not: the error tells it so.
        """
        host = session.peer[0]
        del self.by_peer[session.peer]
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]
        if not self.by_peer:
            self._idle.set()
        if session.transfer.retransmissions and session.transfer.outcome not in _GIVEN_UP:
            self._echoes[session.peer] = session.socket
            if len(self._echoes) > _MAX_ECHOES:
                del self._echoes[next(iter(self._echoes))]

    def echo_from(self, peer: Address) -> socket.socket | None:
        """The socket on which acknowledgements for a transfer that has ended may still come from `peer`."""
        return self._echoes.get(peer)

    def knows(self, peer: Address) -> bool:
        """Whether an acknowledgement from `peer` may only be late or repeated."""
        return peer in self._echoes or peer in self.by_peer

    async def wait_idle(self) -> None:
        """Returns when no transfer is in progress."""
        await self._idle.wait()
