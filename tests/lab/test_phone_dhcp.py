"""A phone that stays up and has its servers from DHCP, beside a laboratory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from base.clock import SystemClock
from base.trace import MemorySink, Trace
from phone_sim.clients.dhcp import DhcpClient, DhcpTimes
from phone_sim.dhcpmessages import DhcpIdentity
from phone_sim.flash import MemoryFlash
from phone_sim.life import LifeEvents, PhoneLife
from phone_sim.models import model
from phone_sim.network import DhcpNetwork
from phone_sim.phone import Phone
from phone_sim.servers import TftpServer
from tests.lab.phone_bench import RECEPTION, LivePhone
from tests.phone_sim.tiny_dhcp import ACK, DISCOVER, OFFER, REQUEST, Asked, ip, reply, seconds, tiny_dhcp
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from phone_sim.clients.errors import DhcpError
    from tests.conftest import Lab
    from tests.phone_sim.tiny_dhcp import TinyDhcp

TIMES = DhcpTimes(first_s=0.05, jitter_s=0.0, overall_s=0.2, offers_s=0.0)


def pointing_here(asked: Asked) -> Iterable[bytes]:
    kind = {DISCOVER: OFFER, REQUEST: ACK}.get(asked.kind)
    return [reply(asked, kind, {51: seconds(600), 150: ip("127.0.0.1")})] if kind else []


@asynccontextmanager
async def live(lab: Lab, server: TinyDhcp) -> AsyncIterator[tuple[LivePhone, list[DhcpError]]]:
    ports, sink, troubles = lab.ports(), MemorySink(), list["DhcpError"]()
    trace = Trace(sink)
    network = DhcpNetwork(
        DhcpClient(DhcpIdentity(RECEPTION, "8865"), server.link, times=TIMES, trace=trace),
        lambda host: TftpServer(host, ports.tftp, ports.http, ports.https),
        inform=None,
        clock=SystemClock(),
        trace=trace,
    )
    phone = Phone(RECEPTION, model("8865"), network, MemoryFlash(), trace=trace)
    bench = LivePhone(lab, phone=phone)
    events = LifeEvents(bench.boots.append, bench.screen.append, no_network=troubles.append)
    bench.life = PhoneLife(phone, events, retry_s=0.05)
    async with network, bench:
        yield bench, troubles


async def test_a_phone_waits_for_dhcp_and_then_registers(lab: Lab) -> None:
    async with tiny_dhcp(lambda _asked: []) as server, live(lab, server) as (bench, troubles):
        await eventually(lambda: len(troubles) >= 2)
        assert (bench.boots, bench.phone.tftp_servers) == ([], ())
        server.script = pointing_here
        await bench.registered()
        assert bench.phone.tftp_servers == ("127.0.0.1",)
        assert [boot.outcome.value for boot in bench.boots] == ["booted"]
    assert "no DHCP server on" in str(troubles[0])
