"""A phone's life with DHCP: a lease at each boot, more time before it ends, and back with it when it is unplugged."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from phone_sim.clients.errors import DhcpError, DhcpRefusal, DhcpSilence
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from ipaddress import IPv4Address

    from base.clock import Clock
    from base.trace import Trace
    from phone_sim.clients.dhcp import DhcpClient
    from phone_sim.lease import Lease
    from phone_sim.servers import TftpServer

RETRY_S = 60.0
"""Least time between two attempts to extend a lease (RFC 2131, 4.4.5)."""
_LEAST_S = 1.0
"""A lease is not extended sooner than this, however short a server makes it."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A lease and since when, by the monotonic clock."""

    lease: Lease
    since: float

    def stage(self, after_s: float | None) -> float:
        return math.inf if after_s is None else self.since + after_s

    def is_over(self, now: float) -> bool:
        return now >= self.stage(self.lease.duration_s)


class DhcpNetwork:
    """Where a phone with DHCP has its TFTP servers from; ``async with`` keeps the lease and returns it at the end.

    New servers are used from the next boot on, as real phones look for files at a boot only (R-MIG-3).

    Args:
        client: asks.
        server_at: ports of a server, given its host.
        inform: the address that the machine keeps; None to lease one.
        clock: tells when the lease ends.
        trace: takes what was given.
        retry_s: see `RETRY_S`.
    """

    def __init__(
        self,
        client: DhcpClient,
        server_at: Callable[[str], TftpServer],
        *,
        inform: IPv4Address | None,
        clock: Clock,
        trace: Trace,
        retry_s: float = RETRY_S,
    ) -> None:
        self._client, self._server_at, self._inform = client, server_at, inform
        self._clock, self._trace, self._retry_s = clock, trace, retry_s
        self._held: _Held | None = None
        self._act_at: float | None = None
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self.on_lease: Callable[[Lease], None] = lambda _lease: None
        """Told of each lease that differs from the one before."""

    @property
    def lease(self) -> Lease | None:
        """What the phone has now."""
        return self._held.lease if self._held else None

    async def servers(self) -> tuple[TftpServer, ...]:
        """See `ServerSource.servers`: asks DHCP; a lease that runs on is good enough when nobody answers.

        Raises:
            DhcpError: no server gives a lease.
            OperatorError: the interface cannot be used.
        """
        async with self._one_at_a_time:
            lease = await self._ask()
        origin, hosts = lease.tftp
        self._trace.emit("tftp_servers_chosen", origin=origin.value, servers=list(hosts))
        return tuple(map(self._server_at, hosts))

    async def _ask(self) -> Lease:
        if self._inform is not None:
            return self._take(await self._client.inform(self._inform), self._clock.monotonic())
        begun = self._clock.monotonic()
        held = self._held
        if held is not None and not held.is_over(begun):
            try:
                return self._take(await self._client.confirm(held.lease), begun)
            except DhcpRefusal as error:
                self._lose(str(error))
            except DhcpSilence as error:
                self._trace.emit("dhcp_failed", detail=str(error))
                return held.lease
        begun = self._clock.monotonic()
        return self._take(await self._client.lease(), begun)

    def _take(self, lease: Lease, since: float) -> Lease:
        """A lease counts from when it was asked for (RFC 2131, 4.4.1)."""
        before = self.lease
        self._held = _Held(lease, since)
        self._act_at = None if lease.renewal_s is None else since + max(lease.renewal_s, _LEAST_S)
        self._changed.set()
        self._trace.emit("lease_held", **lease.as_json())
        if lease != before:
            self.on_lease(lease)
        return lease

    def _lose(self, why: str) -> None:
        self._held, self._act_at = None, self._clock.monotonic()
        self._trace.emit("lease_lost", detail=why)

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        held = self._held
        self._held = None
        if held is not None and self._inform is None and not held.is_over(self._clock.monotonic()):
            with contextlib.suppress(OperatorError):  # unplugged is unplugged
                await self._client.release(held.lease)

    async def _keep(self) -> None:
        """RENEWING, REBINDING and, when the lease is over, INIT again (RFC 2131, figure 5)."""
        while True:
            self._changed.clear()
            try:
                async with asyncio.timeout(self._wait_s()):
                    await self._changed.wait()
            except TimeoutError:
                async with self._one_at_a_time:
                    await self._act()

    def _wait_s(self) -> float | None:
        return None if self._act_at is None else max(self._act_at - self._clock.monotonic(), 0)

    async def _act(self) -> None:
        now, held = self._clock.monotonic(), self._held
        if self._wait_s() != 0:
            return  # a boot has seen to it meanwhile
        stage = math.inf
        try:
            if held is None:
                self._take(await self._client.lease(), now)
            elif held.is_over(now):
                self._lose("it is over")
            else:
                second = held.stage(held.lease.rebinding_s)
                rebind = now >= second
                stage = held.stage(held.lease.duration_s) if rebind else second
                self._take(await self._client.extend(held.lease, rebind=rebind, within_s=stage - now), now)
        except DhcpRefusal as error:
            self._lose(str(error))
        except (DhcpError, OperatorError) as error:
            self._trace.emit("dhcp_failed", detail=str(error))
            self._act_at = self._next_try(stage)

    def _next_try(self, stage: float) -> float:
        """After half of what is left until the next stage, and no sooner than `retry_s` (RFC 2131, 4.4.5)."""
        now = self._clock.monotonic()
        half_s = 0.0 if math.isinf(stage) else (stage - now) / 2
        return min(now + max(half_s, self._retry_s), stage)
