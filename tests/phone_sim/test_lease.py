"""What a phone makes of the answer of a DHCP server, above all: which TFTP servers."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phone_sim.lease import Lease, ServerOrigin
from tests.phone_sim.tiny_dhcp import ip, seconds
from wire.dhcp import ANY, Message, Operation, decode
from wire.errors import WireError

FOLDER = Path(__file__).parents[1] / "vectors" / "dhcp"
NONE = str(ANY)
NEXT, NAME = IPv4Address("192.0.2.9"), b"boot.example"


def answer(options: dict[int, bytes], *, siaddr: IPv4Address = ANY, sname: bytes = b"") -> Message:
    given_options = {53: b"\5", 54: ip("192.0.2.1"), 51: seconds(600), **options}
    address = IPv4Address("192.0.2.50")
    return Message(Operation.REPLY, 1, b"", tuple(given_options.items()), yiaddr=address, siaddr=siaddr, sname=sname)


@pytest.mark.parametrize(
    ("options", "siaddr", "sname", "origin", "servers"),
    [
        # Option 150 comes before all else, however many servers it names.
        ({150: ip("192.0.2.7")}, ANY, b"", "option 150", ["192.0.2.7"]),
        ({150: ip("192.0.2.7", "192.0.2.8", "192.0.2.9")}, ANY, b"", "option 150",
         ["192.0.2.7", "192.0.2.8", "192.0.2.9"]),
        ({66: b"ucm", 150: ip("192.0.2.7")}, NEXT, NAME, "option 150", ["192.0.2.7"]),
        # Addresses that no server can have are passed over.
        ({150: ip(NONE, "192.0.2.7", "255.255.255.255", "224.0.0.1")}, ANY, b"", "option 150", ["192.0.2.7"]),
        ({66: b"ucm", 150: ip(NONE)}, ANY, b"", "option 66", ["ucm"]),
        ({66: b"ucm", 150: b"\1\2\3"}, ANY, b"", "option 66", ["ucm"]),
        ({66: b"ucm", 150: b""}, ANY, b"", "option 66", ["ucm"]),
        # Option 66: a name or an address, perhaps with a NUL or blanks around it.
        ({66: b"ucm.lab.example"}, NEXT, NAME, "option 66", ["ucm.lab.example"]),
        ({66: b"192.0.2.7\0"}, NEXT, NAME, "option 66", ["192.0.2.7"]),
        ({66: b" ucm "}, NEXT, NAME, "option 66", ["ucm"]),
        ({66: b"a..b"}, NEXT, NAME, "next server", ["192.0.2.9"]),
        ({66: b"a" * 64}, NEXT, NAME, "next server", ["192.0.2.9"]),
        ({66: b"one two"}, NEXT, NAME, "next server", ["192.0.2.9"]),
        ({66: b"tftp://ucm/"}, NEXT, NAME, "next server", ["192.0.2.9"]),
        ({66: b"\xff\xfe"}, NEXT, NAME, "next server", ["192.0.2.9"]),
        ({66: b"   "}, NEXT, NAME, "next server", ["192.0.2.9"]),
        # The header.
        ({}, NEXT, NAME, "next server", ["192.0.2.9"]),
        ({}, ANY, NAME, "server name", ["boot.example"]),
        ({}, IPv4Address("255.255.255.255"), NAME, "server name", ["boot.example"]),
        ({}, ANY, b"no name", "last resort", ["CiscoCM1"]),
        ({}, ANY, b"", "last resort", ["CiscoCM1"]),
    ],
)  # fmt: skip
def test_where_tftp_servers_come_from(
    options: dict[int, bytes], siaddr: IPv4Address, sname: bytes, origin: str, servers: list[str]
) -> None:
    lease = Lease.of(answer(options, siaddr=siaddr, sname=sname))
    assert lease.tftp == (ServerOrigin(origin), tuple(servers))
    assert (lease.as_json()["tftp_servers_from"], lease.as_json()["tftp_servers"]) == (origin, servers)


@pytest.mark.parametrize(
    ("options", "note"),
    [
        ({150: b"\1\2\3"}, "DHCP option 150 of 3 bytes is no list of IPv4 addresses"),
        ({150: ip(NONE)}, "DHCP option 150 has no address that a server can have"),
        ({66: b"a..b"}, "DHCP option 66 is no host name: 'a..b'"),
        ({66: b"\x1b[2J"}, "DHCP option 66 is no text: 1b5b324a"),
        ({1: b""}, "DHCP option 1 of 0 bytes is no IPv4 address"),
        ({3: b"\1"}, "DHCP option 3 of 1 bytes is no list of IPv4 addresses"),
        ({15: b"\xe9"}, "DHCP option 15 is no text: e9"),
        ({58: b"\1"}, "DHCP option 58 of 1 bytes is no time"),
    ],
)
def test_what_cannot_be_used_is_noted_and_the_rest_is_used(options: dict[int, bytes], note: str) -> None:
    lease = Lease.of(answer({6: ip("192.0.2.3"), **options}))
    assert lease.notes == (note,)
    assert lease.dns_servers == (IPv4Address("192.0.2.3"),)


def test_an_unusable_name_of_a_server_is_noted() -> None:
    assert Lease.of(answer({}, sname=b"no name")).notes == ("DHCP field sname is no host name: 'no name'",)


@pytest.mark.parametrize(
    ("duration", "t1", "t2", "expected"),
    [
        (800, None, None, (400, 700)),
        (800, 10, 20, (10, 20)),
        (800, 10, None, (10, 700)),
        (800, 800, 800, (800, 800)),
        (800, 20, 10, (400, 700)),
        (800, 10, 801, (400, 700)),
        (800, 0, 0, (400, 700)),
        (0xFFFFFFFF, 10, 20, (None, None)),
    ],
)
def test_times_of_renewal(duration: int, t1: int | None, t2: int | None, expected: tuple[float, float]) -> None:
    times = {code: seconds(value) for code, value in ((58, t1), (59, t2)) if value is not None}
    lease = Lease.of(answer({51: seconds(duration), **times}))
    assert (lease.renewal_s, lease.rebinding_s) == expected
    assert lease.duration_s == (None if duration == 0xFFFFFFFF else duration)


def test_all_of_an_offer_made_by_scapy_is_shown() -> None:
    assert Lease.of(decode((FOLDER / "scapy-offer.bin").read_bytes())).as_json() == {
        "address": "192.0.2.50",
        "mask": "255.255.255.0",
        "routers": ["192.0.2.1", "192.0.2.2"],
        "dns_servers": ["192.0.2.3"],
        "domain": "lab.example",
        "dhcp_server": "192.0.2.1",
        "leased": True,
        "lease_s": 600,
        "renewal_s": 300,
        "rebinding_s": 525,
        "option_150": ["192.0.2.7", "192.0.2.8"],
        "option_66": "ucm.lab.example",
        "next_server": "192.0.2.9",
        "server_name": "boot.example",
        "tftp_servers": ["192.0.2.7", "192.0.2.8"],
        "tftp_servers_from": "option 150",
        "notes": [],
    }


def test_what_dnsmasq_answers_to_an_inform_is_no_lease() -> None:
    own = IPv4Address("192.0.2.99")
    lease = Lease.of(decode((FOLDER / "dnsmasq-inform-ack.bin").read_bytes()), own)
    assert (lease.address, lease.leased, lease.duration_s, lease.renewal_s) == (own, False, None, None)
    assert lease.tftp == (ServerOrigin.OPTION_150, ("192.0.2.7", "192.0.2.8"))


@given(st.dictionaries(st.integers(1, 254).filter(lambda code: code != 52), st.binary(max_size=20), max_size=8))
def test_whatever_the_options_hold_a_phone_has_somewhere_to_ask(options: dict[int, bytes]) -> None:
    try:
        lease = Lease.of(answer(options))
    except WireError:
        assert {51, 54} & set(options), "only these two cannot be done without"
        return
    assert lease.tftp[1]
