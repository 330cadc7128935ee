"""A load generator for TFTP: many clients in one process, plain sockets and one epoll set.

A client asks, acknowledges each block, and begins again from another port. A datagram costs one system call in, one
out and a few dictionary look-ups, less than a server in Python spends on it, so that the server is what is measured.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field

_RESEND_S = 1.0
_ACKS = [bytes((0, 4, block >> 8, block & 0xFF)) for block in range(65_536)]


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator measured.

    Attributes:
        transfers: files received whole.
        failed: files that came with an error, with a wrong size, or not at all.
        seconds: wall-clock time of the run.
        latencies_s: one for each transfer, sorted.
    """

    transfers: int
    failed: int
    seconds: float
    latencies_s: tuple[float, ...] = field(repr=False)

    def latency_s(self, share: float) -> float:
        """The latency that `share` of the transfers stayed below."""
        if not self.latencies_s:
            return float("nan")
        return self.latencies_s[min(len(self.latencies_s) - 1, int(share * len(self.latencies_s)))]


class _Client:
    __slots__ = ("block", "peer", "size", "socket", "spoke_at", "started_at")

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((host, 0))
        self.block = 0
        self.size = 0
        self.peer: tuple[str, int] = ("", 0)
        self.spoke_at = 0.0
        self.started_at = 0.0


class _Run:
    def __init__(self, server: tuple[str, int], name: str, size: int, clients: int) -> None:
        self.server = server
        self.request = b"\0\1" + name.encode("ascii") + b"\0octet\0"
        self.size = size
        self.epoll = select.epoll()
        # Twice as many sockets as clients: a port rests before it asks again.
        self.resting = deque(_Client("127.0.0.1") for _ in range(2 * clients))
        self.by_descriptor = {client.socket.fileno(): client for client in self.resting}
        self.order = deque()
        self.busy: set[_Client] = set()
        self.latencies: list[float] = []
        self.failed = 0

    def begin(self, now: float) -> None:
        client = self.resting.popleft()
        client.block = client.size = 0
        client.peer = ("", 0)
        client.started_at = client.spoke_at = now
        self.busy.add(client)
        self.order.append(client)
        client.socket.sendto(self.request, self.server)

    def end(self, client: _Client, now: float, *, good: bool) -> None:
        self.busy.discard(client)
        self.resting.append(client)
        if good:
            self.latencies.append(now - client.started_at)
        else:
            self.failed += 1

    def resend(self, now: float) -> None:
        for client in self.busy:
            if now - client.spoke_at > _RESEND_S:
                client.spoke_at = now
                if client.block:
                    client.socket.sendto(_ACKS[client.block & 0xFFFF], client.peer)
                else:
                    client.socket.sendto(self.request, self.server)

    def handle(self, client: _Client, buffer: bytearray, now: float) -> bool:
        """Reads one datagram; True when it ended a transfer."""
        count, peer = client.socket.recvfrom_into(buffer)
        if client not in self.busy:
            return False
        if buffer[1] != 3:
            self.end(client, now, good=False)
            return True
        block = buffer[2] << 8 | buffer[3]
        if block != (client.block + 1) & 0xFFFF:
            return False
        client.block += 1
        client.size += count - 4
        client.peer = peer
        client.spoke_at = now
        client.socket.sendto(_ACKS[block], peer)
        if count == 516:
            return False
        self.end(client, now, good=client.size == self.size)
        return True

    def close(self) -> None:
        self.epoll.close()
        for client in self.by_descriptor.values():
            client.socket.close()


def run_load(server: tuple[str, int], name: str, size: int, *, clients: int, transfers: int, limit_s: float) -> Load:
    """Fetches `name` again and again.

    Args:
        server: address and port.
        name: the file.
        size: its bytes, to check what arrives.
        clients: transfers in progress at any time.
        transfers: how many to make.
        limit_s: the run ends here at the latest; what is missing then has failed.
    """
    run = _Run(server, name, size, clients)
    buffer = bytearray(1_024)
    handle = run.handle
    begun_at = now = looked_at = time.monotonic()
    order = run.order
    try:
        for _ in range(min(clients, transfers)):
            run.begin(now)
        begun = len(run.busy)
        misses = 0
        while run.busy and now - begun_at < limit_s:
            for _ in range(64):
                client = order.popleft()
                try:
                    ended = handle(client, buffer, now)
                except BlockingIOError:
                    order.appendleft(client)
                    misses += 1
                    if misses > 8:
                        misses = 0
                        order.rotate(-1)
                    continue
                if ended:
                    if begun < transfers:
                        run.begin(now)
                        begun += 1
                    elif not order:
                        break
                else:
                    order.append(client)
            now = time.monotonic()
            if now - looked_at > 0.1:
                looked_at = now
                run.resend(now)
        done = len(run.latencies)
        return Load(done, transfers - done, now - begun_at, tuple(sorted(run.latencies)))
    finally:
        run.close()
