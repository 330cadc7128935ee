"""The DHCP client against a server of another make, over real sockets (R-PHN-1)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from base.trace import MemorySink, Trace
from phone_sim.clients.dhcp import DhcpClient, DhcpTimes, Link, waits
from phone_sim.clients.errors import DhcpRefusal, DhcpSilence
from phone_sim.clients.interfaces import address_of, interface, is_own
from phone_sim.dhcpmessages import DhcpIdentity
from phone_sim.lease import Lease
from tests.phone_sim.tiny_dhcp import (
    ACK,
    DISCOVER,
    INFORM,
    MAC,
    NAK,
    NONE,
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
from tests.waiting import eventually
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FAST = DhcpTimes(first_s=0.05, longest_s=0.2, jitter_s=0.0, overall_s=20.0, offers_s=0.05)
HASTY = replace(FAST, overall_s=0.4)
OWN = IPv4Address(SERVER)


def client(server: TinyDhcp | Link, times: DhcpTimes = FAST, sink: MemorySink | None = None) -> DhcpClient:
    link = server if isinstance(server, Link) else server.link
    return DhcpClient(DhcpIdentity(MAC, "8865"), link, times=times, trace=Trace(sink))


# -------------------------------------------------------------------- a lease


async def test_a_lease_takes_four_messages() -> None:
    sink = MemorySink()
    async with tiny_dhcp() as server:
        lease = await client(server, sink=sink).lease()
    assert (lease.address, lease.server) == (IPv4Address("192.0.2.50"), OWN)
    assert (lease.mask, lease.routers) == (IPv4Address("255.255.255.0"), (IPv4Address("192.0.2.1"),))
    assert (lease.leased, lease.duration_s, lease.renewal_s, lease.rebinding_s) == (True, 600, 300, 525)
    assert server.kinds == [DISCOVER, REQUEST]
    assert sink.steps() == ["dhcp_sent", "dhcp_received", "dhcp_sent", "dhcp_received"]
    assert [event.data["type"] for event in sink.events] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]


async def test_the_phone_says_who_it_is_and_what_it_wants() -> None:
    async with tiny_dhcp() as server:
        await client(server).lease()
    discover, request = server.asked
    for asked in (discover, request):
        assert asked.raw[:4] == bytes((1, 1, 6, 0))
        assert asked.raw[28:44] == bytes.fromhex(MAC).ljust(16, b"\0")
        assert (asked.broadcast, asked.ciaddr) == (True, NONE)
        assert len(asked.raw) >= 300
        assert asked.options[60] == b"Cisco Systems, Inc. IP Phone CP-8865"
        assert asked.options[61] == b"\1" + bytes.fromhex(MAC)
        assert asked.options[12] == b"SEP001122334455"
        assert asked.options[57] == (1_500).to_bytes(2, "big")
        assert {1, 3, 6, 15, 66, 150} <= set(asked.options[55])
    assert (discover.requested, discover.server) == ("", "")
    assert (request.requested, request.server, request.xid) == ("192.0.2.50", SERVER, discover.xid)


async def test_a_request_has_the_seconds_of_its_discover() -> None:
    """RFC 2131, 4.4.1; more than a second lies between the two, as the offer names no TFTP server."""
    async with tiny_dhcp(offering({})) as server:
        await client(server, replace(FAST, offers_s=1.1)).lease()
    assert [asked.secs for asked in server.asked] == [0, 0]


async def test_each_exchange_has_its_own_number() -> None:
    async with tiny_dhcp() as server:
        for _ in range(3):
            await client(server).lease()
    assert len({asked.xid for asked in server.asked}) == 3


async def test_a_phone_asks_again_and_more_slowly_until_it_is_heard() -> None:
    def deaf_at_first(asked: Asked) -> Iterable[bytes]:
        return obliging(asked) if len(server.asked) not in {1, 2, 3, 5} else []

    async with tiny_dhcp(deaf_at_first) as server:
        await client(server).lease()
    assert server.kinds == [DISCOVER] * 4 + [REQUEST] * 2
    assert len({asked.xid for asked in server.asked}) == 1


def test_waits_are_those_of_the_rfc() -> None:
    """RFC 2131, 4.1: doubled up to 64 s, each a second more or less."""
    assert list(islice(waits(DhcpTimes(jitter_s=0.0)), 7)) == [4, 8, 16, 32, 64, 64, 64]
    firsts = [next(waits(DhcpTimes())) for _ in range(200)]
    assert all(3 <= wait_s <= 5 for wait_s in firsts)
    assert min(firsts) < 4 < max(firsts)


async def test_a_phone_that_nobody_answers_gives_up_and_says_where_it_asked() -> None:
    async with tiny_dhcp(lambda _asked: []) as server:
        with pytest.raises(DhcpSilence, match=r"no DHCP server on 127\.0\.0\.1:\d+ answers in 0\.4 s \(DISCOVER\)"):
            await client(server, HASTY).lease()
    assert 2 <= len(server.asked) <= 4, "after 0, 0.05, 0.15 and 0.35 s"


async def test_an_offer_that_is_not_confirmed_is_silence() -> None:
    async with tiny_dhcp(lambda asked: obliging(asked) if asked.kind == DISCOVER else []) as server:
        with pytest.raises(DhcpSilence, match=r"answers in 0\.4 s \(REQUEST\)"):
            await client(server, HASTY).lease()


IGNORED: dict[str, Callable[[Asked], bytes]] = {
    "another exchange": lambda asked: reply(asked, OFFER, xid=b"\1\2\3\4"),
    "another phone": lambda asked: reply(asked, OFFER, chaddr="001122334456"),
    "a client": lambda asked: reply(asked, OFFER, op=1),
    "garbage": lambda _asked: b"\0" * 300,
    "empty": lambda _asked: b"",
    "cut off": lambda asked: reply(asked, OFFER)[:-9],
    "oversized": lambda asked: reply(asked, OFFER) + bytes(2_000),
    "BOOTP": lambda asked: reply(asked, OFFER).replace(b"\x35\1\2", b""),
    "unknown type": lambda asked: reply(asked, 99),
    "not asked for": lambda asked: reply(asked, ACK),
    "no address": lambda asked: reply(asked, OFFER, yiaddr=NONE),
    "a broadcast address": lambda asked: reply(asked, OFFER, yiaddr="255.255.255.255"),
    "a multicast address": lambda asked: reply(asked, OFFER, yiaddr="224.0.0.1"),
    "no server": lambda asked: reply(asked, OFFER, server=None),
    "no duration": lambda asked: reply(asked, OFFER, {150: ip("192.0.2.66")}),
}


@pytest.mark.parametrize("what", IGNORED)
async def test_an_answer_that_is_none_is_passed_over(what: str) -> None:
    """It comes first, and names another address than the right one."""

    def script(asked: Asked) -> Iterable[bytes]:
        wrong = IGNORED[what](asked).replace(ip("192.0.2.50"), ip("192.0.2.66"))
        return [wrong, *obliging(asked)] if asked.kind == DISCOVER else obliging(asked)

    async with tiny_dhcp(script) as server:
        lease = await client(server).lease()
    assert lease.address == IPv4Address("192.0.2.50")
    assert server.kinds == [DISCOVER, REQUEST], "it did not have to ask again"
    assert server.asked[-1].requested == "192.0.2.50"


async def test_a_flood_of_garbage_neither_hides_the_answer_for_ever_nor_fills_the_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = MemorySink()
    async with tiny_dhcp(lambda asked: [b"x"] * 500 if len(server.asked) < 3 else obliging(asked)) as server:
        await client(server, sink=sink).lease()
    assert 0 < sink.steps().count("dhcp_ignored") <= 50
    assert not caplog.records, "what does not fit is dropped, not stumbled over"


# -------------------------------------------------------------------- several offers


def offering(*offers: dict[int, bytes]) -> Callable[[Asked], Iterable[bytes]]:
    def script(asked: Asked) -> Iterable[bytes]:
        if asked.kind == DISCOVER:
            return [
                reply(
                    asked, OFFER, {51: seconds(60), **options}, yiaddr=f"192.0.2.{number}", server=f"192.0.2.{number}"
                )
                for number, options in enumerate(offers, start=1)
            ]
        return [reply(asked, ACK, {51: seconds(60)}, yiaddr=asked.requested, server=asked.server)]

    return script


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        (({150: ip("192.0.2.7")}, {150: ip("192.0.2.8")}), 1),
        (({}, {150: ip("192.0.2.8")}), 2),
        (({}, {66: b"ucm"}), 2),
        (({}, {}), 1),
        (({66: b"ucm"}, {150: ip("192.0.2.8")}), 1),
        (({150: b"bad"}, {66: b"ucm"}), 2),
    ],
)
async def test_the_first_offer_with_tftp_servers_is_taken_else_the_first(
    offers: tuple[dict[int, bytes], ...], chosen: int
) -> None:
    async with tiny_dhcp(offering(*offers)) as server:
        lease = await client(server).lease()
    assert (str(lease.address), str(lease.server)) == (f"192.0.2.{chosen}",) * 2
    assert server.asked[-1].server == f"192.0.2.{chosen}"


async def test_the_server_that_was_not_chosen_is_not_listened_to() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        if asked.kind == DISCOVER:
            return obliging(asked)
        other = {"server": "192.0.2.99"}
        return [reply(asked, NAK, **other), reply(asked, ACK, yiaddr="192.0.2.66", **other), *obliging(asked)]  # type: ignore[arg-type]

    async with tiny_dhcp(script) as server:
        assert (await client(server).lease()).address == IPv4Address("192.0.2.50")


# -------------------------------------------------------------------- NAK


async def test_after_a_nak_it_begins_again() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        return [reply(asked, NAK)] if server.kinds == [DISCOVER, REQUEST] else obliging(asked)

    async with tiny_dhcp(script) as server:
        await client(server).lease()
    assert server.kinds == [DISCOVER, REQUEST] * 2
    assert len({asked.xid for asked in server.asked}) == 2


async def test_nothing_but_nak_ends_in_a_refusal_that_says_why() -> None:
    def script(asked: Asked) -> Iterable[bytes]:
        return obliging(asked) if asked.kind == DISCOVER else [reply(asked, NAK, {56: b"not here"})]

    async with tiny_dhcp(script) as server:
        with pytest.raises(DhcpRefusal, match=r"DHCP server 127\.0\.0\.1 on .* refuses the address: not here"):
            await client(server, HASTY).lease()
    assert 2 <= server.kinds.count(REQUEST) <= 8


# -------------------------------------------------------------------- with a lease in hand

HELD = Lease(IPv4Address("192.0.2.50"), OWN, duration_s=60, renewal_s=30.0, rebinding_s=50.0)


async def test_after_a_reset_the_phone_asks_whether_its_address_is_still_good() -> None:
    """INIT-REBOOT (RFC 2131, 4.3.2): the address as an option, no server, no ``ciaddr``."""
    async with tiny_dhcp() as server:
        lease = await client(server).confirm(HELD)
    (asked,) = server.asked
    assert (asked.kind, asked.requested, asked.server, asked.ciaddr) == (REQUEST, "192.0.2.50", "", NONE)
    assert (asked.broadcast, lease.duration_s) == (True, 600)


@pytest.mark.parametrize("rebind", [False, True])
async def test_a_lease_of_an_address_that_the_machine_has_is_extended_from_there(rebind: bool) -> None:  # noqa: FBT001
    """RFC 2131, table 5: ``ciaddr`` and neither option 50 nor 54."""
    async with tiny_dhcp() as server:
        await client(server).extend(replace(HELD, address=OWN), rebind=rebind, within_s=9)
    (asked,) = server.asked
    assert (asked.kind, asked.requested, asked.server, asked.ciaddr) == (REQUEST, "", "", SERVER)
    assert not asked.broadcast


async def test_the_server_of_the_lease_is_asked_first_and_then_any() -> None:
    async with tiny_dhcp() as server:
        nobody = replace(server.link, server="127.0.0.9")  # where a broadcast would go
        own = replace(HELD, address=OWN)
        assert (await client(nobody, HASTY).extend(own, rebind=False, within_s=9)).duration_s == 600
        with pytest.raises(DhcpSilence):
            await client(nobody, HASTY).extend(own, rebind=True, within_s=9)


async def test_a_lease_of_an_address_that_the_machine_lacks_is_extended_by_broadcast() -> None:
    async with tiny_dhcp() as server:
        await client(server).extend(replace(HELD, server=IPv4Address("127.0.0.9")), rebind=False, within_s=9)
    (asked,) = server.asked
    assert (asked.requested, asked.ciaddr, asked.broadcast) == ("192.0.2.50", NONE, True)


async def test_extending_takes_no_longer_than_there_is_time() -> None:
    async with tiny_dhcp(lambda _asked: []) as server:
        with pytest.raises(DhcpSilence, match=r"in 0\.2 s"):
            await client(server).extend(HELD, rebind=False, within_s=0.2)


async def test_a_nak_ends_the_lease() -> None:
    async with tiny_dhcp(lambda asked: [reply(asked, NAK)]) as server:
        for attempt in (client(server).confirm(HELD), client(server).extend(HELD, rebind=True, within_s=9)):
            with pytest.raises(DhcpRefusal, match=r"refuses the address$"):
                await attempt


@pytest.mark.parametrize(
    ("address", "lease_of", "broadcast_to"),
    [("192.0.2.50", "127.0.0.9", SERVER), (SERVER, SERVER, "127.0.0.9")],
    ids=["by broadcast", "from its own address"],
)
async def test_a_lease_is_given_back(address: str, lease_of: str, broadcast_to: str) -> None:
    """Nobody is at 127.0.0.9."""
    lease = replace(HELD, address=IPv4Address(address), server=IPv4Address(lease_of))
    async with tiny_dhcp() as server:
        await client(replace(server.link, server=broadcast_to)).release(lease)
        await eventually(lambda: server.kinds == [RELEASE])
    (asked,) = server.asked
    assert (asked.ciaddr, asked.server, asked.requested) == (address, lease_of, "")
    assert asked.options[61] == b"\1" + bytes.fromhex(MAC)


# -------------------------------------------------------------------- INFORM


async def test_a_machine_that_keeps_its_address_asks_for_the_rest() -> None:
    async with tiny_dhcp() as server:
        lease = await client(server).inform(OWN)
    (asked,) = server.asked
    assert (asked.kind, asked.ciaddr, asked.requested, asked.broadcast) == (INFORM, SERVER, "", False)
    assert {66, 150} <= set(asked.options[55])
    assert (lease.address, lease.leased, lease.duration_s, lease.renewal_s) == (OWN, False, None, None)
    assert [str(address) for address in lease.option_150] == ["192.0.2.7"]


async def test_an_inform_needs_an_ack() -> None:
    async with tiny_dhcp(lambda asked: [reply(asked, NAK), reply(asked, OFFER)]) as server:
        with pytest.raises(DhcpSilence, match=r"\(INFORM\)"):
            await client(server, HASTY).inform(OWN)


# -------------------------------------------------------------------- interfaces


def test_the_only_interface_or_one_by_name() -> None:
    assert interface("lo") == "lo"
    with pytest.raises(OperatorError, match=r"there is no network interface 'nowhere0' here, only .*lo"):
        interface("nowhere0")


def test_the_address_of_an_interface() -> None:
    assert address_of("lo") == OWN
    assert is_own(OWN)
    assert not is_own(IPv4Address("192.0.2.50"))


def test_phones_of_one_machine_share_the_port() -> None:
    with Link(None, 0).open() as first, Link(None, first.getsockname()[1]).open() as second:
        assert first.getsockname() == second.getsockname()


async def test_a_port_that_cannot_be_bound_is_one_sentence() -> None:
    with pytest.raises(OperatorError, match=r"DHCP on nowhere0 .*UDP port 68"):
        await client(Link("nowhere0")).lease()
