"""A load generator for TFTP: many clients in one process, plain sockets and one epoll set.

A client asks, acknowledges each block, and begins again from another port. A datagram costs one system call in, one
out and a few look-ups, less than a server in Python spends on it, so that the server is what is measured. The
generator never sleeps: waking it would be work that the kernel does at the server's expense.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from dataclasses import dataclass, field

_RESEND_S = 1.0
_GIVE_UP_S = 10.0
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
    __slots__ = ("block", "busy", "peer", "size", "socket", "spoke_at", "started_at")

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((host, 0))
        self.busy = False
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
        # Twice as many sockets as clients: a port rests before it asks again.
        self.resting = deque(_Client("127.0.0.1") for _ in range(2 * clients))
        self.by_descriptor = {client.socket.fileno(): client for client in self.resting}
        self.epoll = select.epoll()
        for descriptor in self.by_descriptor:
            self.epoll.register(descriptor, select.EPOLLIN)
        self.busy = 0
        self.latencies: list[float] = []
        self.failed = 0

    def begin(self, now: float) -> None:
        client = self.resting.popleft()
        client.block = client.size = 0
        client.started_at = client.spoke_at = now
        client.busy = True
        self.busy += 1
        client.socket.sendto(self.request, self.server)

    def end(self, client: _Client, now: float, *, good: bool) -> None:
        client.busy = False
        self.busy -= 1
        self.resting.append(client)
        if good:
            self.latencies.append(now - client.started_at)
        else:
            self.failed += 1

    def look_at_clock(self, now: float) -> None:
        for client in self.by_descriptor.values():
            if not client.busy or now - client.spoke_at < _RESEND_S:
                continue
            if now - client.started_at > _GIVE_UP_S:
                self.end(client, now, good=False)
                continue
            client.spoke_at = now
            if client.block:
                client.socket.sendto(_ACKS[client.block & 0xFFFF], client.peer)
            else:
                client.socket.sendto(self.request, self.server)

    def handle(self, client: _Client, buffer: bytearray, now: float) -> bool:
        """Reads one datagram; True when it ended a transfer."""
        count, peer = client.socket.recvfrom_into(buffer)
        if not client.busy:
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


def run_load(server: tuple[str, int], name: str, size: int, *, clients: int, seconds: float, most: int = 0) -> Load:
    """Fetches `name` again and again, in blocks of 512 bytes.

    Args:
        server: address and port.
        name: the file.
        size: its bytes, to check what arrives.
        clients: transfers in progress at any time.
        seconds: no transfer begins later; those in progress then have ten seconds to end.
        most: no more transfers than these are begun; 0 is no limit.
    """
    run = _Run(server, name, size, clients)
    buffer = bytearray(1_024)
    by_descriptor, handle, poll = run.by_descriptor, run.handle, run.epoll.poll
    begun_at = now = looked_at = time.monotonic()
    left = most or 1_000_000_000
    try:
        for _ in range(min(clients, left)):
            run.begin(now)
            left -= 1
        while run.busy:
            ready = poll(0)
            now = time.monotonic()
            may_begin = now - begun_at < seconds
            for descriptor, _ in ready:
                if handle(by_descriptor[descriptor], buffer, now) and may_begin and left:
                    run.begin(now)
                    left -= 1
            if now - looked_at > 0.1:
                looked_at = now
                run.look_at_clock(now)
        return Load(len(run.latencies), run.failed, now - begun_at, tuple(sorted(run.latencies)))
    finally:
        run.close()
