"""A lease over time: at each boot, before it ends, when a server changes its mind, when the phone is unplugged."""

from __future__ import annotations

from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from base.clock import SystemClock
from base.trace import Trace
from phone_sim.clients.dhcp import DhcpClient, DhcpTimes
from phone_sim.clients.errors import DhcpSilence
from phone_sim.dhcpmessages import DhcpIdentity
from phone_sim.network import DhcpNetwork
from phone_sim.servers import TftpServer
from tests.phone_sim.tiny_dhcp import (
    ACK,
    DISCOVER,
    INFORM,
    MAC,
    NAK,
    OFFER,
    RELEASE,
    REQUEST,
    SERVER,
    Asked,
    TinyDhcp,
    ip,
    obliging,
    reply,
    seconds,
    tiny_dhcp,
)
from tests.waiting import WatchedSink, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from phone_sim.lease import Lease

TIMES = DhcpTimes(first_s=0.05, longest_s=0.2, jitter_s=0.0, overall_s=0.5, offers_s=0.05)
SHORT = {58: seconds(1), 59: seconds(2), 51: seconds(3)}
"""A lease that is renewed after one second, rebound after two and over after three."""


class Plugged:
    """A network, and what became of it."""

    def __init__(self, server: TinyDhcp, inform: IPv4Address | None, retry_s: float) -> None:
        self.sink, self.told = WatchedSink(), list["Lease"]()
        trace = Trace(self.sink)
        client = DhcpClient(DhcpIdentity(MAC, "8865"), server.link, times=TIMES, trace=trace)
        self.network = DhcpNetwork(client, TftpServer, inform=inform, clock=SystemClock(), trace=trace, retry_s=retry_s)
        self.network.on_lease = self.told.append

    async def hosts(self) -> list[str]:
        return [server.host for server in await self.network.servers()]


@asynccontextmanager
async def plugged(server: TinyDhcp, inform: IPv4Address | None = None, retry_s: float = 0.1) -> AsyncIterator[Plugged]:
    made = Plugged(server, inform, retry_s)
    async with made.network:
        yield made


def giving(tftp: str, lease: dict[int, bytes] | None = None, **fields: str) -> Callable[[Asked], Iterable[bytes]]:
    def script(asked: Asked) -> Iterable[bytes]:
        kind = {DISCOVER: OFFER, REQUEST: ACK, INFORM: ACK}.get(asked.kind)
        options = {51: seconds(600), 150: ip(tftp), **(lease or {})}
        return [reply(asked, kind, options, **fields)] if kind else []  # type: ignore[arg-type]

    return script


def silent_to_renewals(lease: dict[int, bytes]) -> Callable[[Asked], Iterable[bytes]]:
    give = giving("192.0.2.7", lease)
    return lambda asked: give(asked) if asked.kind == DISCOVER or asked.server else []


async def test_the_first_boot_leases_and_the_last_moment_gives_back() -> None:
    async with tiny_dhcp(giving("192.0.2.7")) as server:
        async with plugged(server) as phone:
            assert await phone.hosts() == ["192.0.2.7"]
            assert phone.network.lease is not None
        await eventually(lambda: server.kinds == [DISCOVER, REQUEST, RELEASE])
    assert phone.network.lease is None
    assert [str(lease.address) for lease in phone.told] == ["192.0.2.50"]


async def test_a_reset_asks_again_and_uses_what_option_150_says_now() -> None:
    """R-MIG-3"""
    async with tiny_dhcp(giving("192.0.2.7")) as server, plugged(server) as phone:
        await phone.hosts()
        server.script = giving("192.0.2.8")
        assert await phone.hosts() == ["192.0.2.8"]
        assert await phone.hosts() == ["192.0.2.8"]
        assert server.kinds == [DISCOVER, REQUEST, REQUEST, REQUEST]
    assert len(phone.told) == 2, "the third was no news"


async def test_a_lease_that_runs_on_is_good_enough_when_nobody_answers() -> None:
    async with tiny_dhcp(giving("192.0.2.7")) as server, plugged(server) as phone:
        await phone.hosts()
        server.script = lambda _asked: []
        assert await phone.hosts() == ["192.0.2.7"]
    assert "dhcp_failed" in phone.sink.steps()


async def test_a_reset_on_another_network_begins_again() -> None:
    def moved(asked: Asked) -> Iterable[bytes]:
        if asked.kind == REQUEST and not asked.server:
            return [reply(asked, NAK)]
        return giving("192.0.2.8", yiaddr="192.0.2.51")(asked)

    async with tiny_dhcp(giving("192.0.2.7")) as server, plugged(server) as phone:
        await phone.hosts()
        server.script = moved
        assert await phone.hosts() == ["192.0.2.8"]
        assert server.kinds == [DISCOVER, REQUEST, REQUEST, DISCOVER, REQUEST]
    assert phone.sink.steps().count("lease_lost") == 1


async def test_without_a_server_there_are_no_tftp_servers() -> None:
    async with tiny_dhcp(lambda _asked: []) as server:
        async with plugged(server) as phone:
            with pytest.raises(DhcpSilence):
                await phone.hosts()
        assert RELEASE not in server.kinds


async def test_a_machine_that_keeps_its_address_has_nothing_to_give_back() -> None:
    async with tiny_dhcp(giving("192.0.2.7")) as server:
        async with plugged(server, IPv4Address(SERVER)) as phone:
            await phone.hosts()
            server.script = giving("192.0.2.8")
            assert await phone.hosts() == ["192.0.2.8"]
        assert server.kinds == [INFORM, INFORM]
    sent = [event.data["type"] for event in phone.sink.events if event.step == "dhcp_sent"]
    assert sent == ["INFORM", "INFORM"]


async def test_a_lease_is_renewed_in_time_and_new_servers_are_told() -> None:
    async with tiny_dhcp(giving("192.0.2.7", SHORT)) as server, plugged(server) as phone:
        await phone.hosts()
        server.script = giving("192.0.2.8")
        await eventually(lambda: len(phone.told) == 2)
        assert server.kinds == [DISCOVER, REQUEST, REQUEST]
        assert (server.asked[-1].requested, server.asked[-1].server) == ("192.0.2.50", "")
    assert [str(lease.option_150[0]) for lease in phone.told] == ["192.0.2.7", "192.0.2.8"]


async def test_when_its_server_is_gone_any_other_is_asked() -> None:
    """REBINDING. Nobody is at 127.0.0.9; the machine has the address, so that renewals go there alone."""
    lease = {**SHORT, 51: seconds(60)}
    absent = giving("192.0.2.7", lease, yiaddr=SERVER, server="127.0.0.9")
    async with tiny_dhcp(absent) as server, plugged(server, retry_s=60) as phone:
        await phone.hosts()
        server.script = giving("192.0.2.8", yiaddr=SERVER)
        await eventually(lambda: len(phone.told) == 2)
        (_, taken, rebound) = server.asked
        assert (taken.kind, rebound.kind, rebound.ciaddr, rebound.requested) == (REQUEST, REQUEST, SERVER, "")
    sent = [event.data["to"] for event in phone.sink.events if event.step == "dhcp_sent"]
    assert any(str(to).startswith("127.0.0.9:") for to in sent), "its own server was asked first"


async def test_a_lease_that_nobody_extends_ends_and_a_new_one_is_asked_for() -> None:
    async with tiny_dhcp(silent_to_renewals(SHORT)) as server, plugged(server) as phone:
        await phone.hosts()
        await eventually(lambda: server.kinds.count(DISCOVER) == 2)
        assert server.kinds.count(REQUEST) > 2
        steps = phone.sink.steps()
        assert steps[: steps.index("lease_lost")].count("dhcp_failed") >= 3, "more than once in each stage"
        await phone.sink.seen("lease_held", count=2)


async def test_a_renewal_that_is_refused_begins_again_at_once() -> None:
    def refusing(asked: Asked) -> Iterable[bytes]:
        return [reply(asked, NAK)] if asked.kind == REQUEST and not asked.server else obliging(asked)

    lease = {**SHORT, 59: seconds(60), 51: seconds(90)}
    async with tiny_dhcp(giving("192.0.2.7", lease)) as server, plugged(server) as phone:
        await phone.hosts()
        server.script = refusing
        await phone.sink.seen("lease_held", count=2)
        assert server.kinds == [DISCOVER, REQUEST, REQUEST, DISCOVER, REQUEST]


async def test_a_lease_without_end_is_left_alone() -> None:
    async with tiny_dhcp(giving("192.0.2.7", {51: b"\xff" * 4})) as server:
        async with plugged(server) as phone:
            await phone.hosts()
            assert phone.network.lease is not None
            assert phone.network.lease.renewal_s is None
        await eventually(lambda: server.kinds == [DISCOVER, REQUEST, RELEASE])
