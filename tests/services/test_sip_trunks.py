"""SIP trunks of running nodes: their ports, whose requests they take, and what operators see (R-ECC-1, R-ECC-2)."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from base.tls import client_context, server_context
from base.trace import Trace
from cluster.audit import Actor
from cluster.management.ctl import set_mixed_mode
from cluster.management.trunks import IN_SERVICE, OUT_OF_SERVICE, TrunkStatus, trunk_states
from cluster.parameters import TLS_MIN_VERSION
from cluster.purposes import Purpose
from services.callmanager.service import CiscoCallManager
from services.callmanager.trunks import NodeTrunks
from tests.conftest import lab_config
from tests.services.sip_cast import other, register
from tests.services.trunk_cast import HOST, NAME, SELF_SIGNED, far_end, issued, options_answer, secure_trunk
from tests.services.wires import any_server, shake_hands
from tests.shared_lab import PUB, SUB
from tests.waiting import PATIENCE_S, eventually
from wire.errors import OperatorError
from wire.sip import Framer, Response, decode, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.conftest import Lab, LabMaker

STRANGER = "127.0.0.9"
OPERATOR = Actor("admin", "test")
OPTIONS = encode(other("OPTIONS"))


async def states(lab: Lab, wanted: str | None = None, count: int = 1) -> dict[tuple[str, str], TrunkStatus]:
    """(trunk, node) -> what the node says, once there are so many in a state."""
    found: dict[tuple[str, str], TrunkStatus] = {}

    async def there() -> bool:
        found.clear()
        found.update({(item.trunk, item.node): item for item in await trunk_states(lab.store)})
        return wanted is None or sum(item.state == wanted for item in found.values()) >= count

    await eventually(there, lambda: f"{count} x {wanted}; found: {found}")
    return found


def port_of(lab: Lab, protocol: str, node: str = PUB) -> int:
    listeners = lab.laboratory.nodes[node].supervisor.listeners()[CiscoCallManager.name]
    return next(item.port for item in listeners if item.protocol == protocol)


async def say(
    port: int, data: bytes = OPTIONS, *, context: ssl.SSLContext | None = None, address: str = HOST
) -> Response:
    """The final answer over TCP or TLS."""
    reader, writer = await asyncio.open_connection(
        HOST, port, ssl=context, server_hostname="x" if context else None, local_addr=(address, 0)
    )
    framer = Framer()
    try:
        writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                received = await reader.read(65_536)
                assert received, "the server hung up"
                for message in framer.feed(received):
                    if isinstance(message, Response) and message.status >= 200:
                        return message
    finally:
        writer.transport.abort()


async def say_by_datagram(port: int, address: str = HOST) -> Response:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - connected
            heard.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=(HOST, port), local_addr=(address, 0))
    try:
        transport.sendto(OPTIONS)
        async with asyncio.timeout(PATIENCE_S):
            message = decode(await heard.get())
    finally:
        transport.abort()
    assert isinstance(message, Response)
    return message


# ---------------------------------------------------------------- as client


async def test_operators_see_which_trunks_are_in_service_and_why_others_are_not(make_lab: LabMaker) -> None:
    async with far_end() as good, far_end(lambda request: options_answer(request, "503 Full")) as full:
        lab = await make_lab(
            more=f"""sip_trunks:
      - {{name: good, destination: {HOST}, destination_port: {good.port}}}
      - {{name: full, destination: {HOST}, destination_port: {full.port}, incoming_port: 5070, callmanager_group: one}}
    callmanager_groups:
      - {{name: Default, members: [alpha-pub, alpha-sub1]}}
      - {{name: one, members: [alpha-sub1]}}
"""
        )
        await states(lab, IN_SERVICE, 2)
        found = await states(lab, OUT_OF_SERVICE)
        assert {key: (item.state, item.reason) for key, item in found.items()} == {
            ("good", PUB): (IN_SERVICE, "200 OK"),
            ("good", SUB): (IN_SERVICE, "200 OK"),
            ("full", SUB): (OUT_OF_SERVICE, "503 Full"),
        }
        assert found[("good", PUB)].incoming_port == lab.ports().sip
        assert found[("full", SUB)].incoming_port == port_of(lab, "SIP (trunks, 5070)", SUB)
        assert [event.data["reason"] for event in lab.sink.events if event.step == "trunk_out_of_service"] == [
            "503 Full"
        ]

        await lab.laboratory.nodes[SUB].supervisor.stop(CiscoCallManager.name)
        assert set(await states(lab)) == {("good", PUB)}, "a service that does not run says nothing"
        await lab.laboratory.nodes[SUB].supervisor.start(CiscoCallManager.name)
        await states(lab, IN_SERVICE, 2)


async def test_an_other_end_that_comes_back_is_in_service_again(make_lab: LabMaker) -> None:
    answers = {"503 Down"}
    async with far_end(lambda request: options_answer(request, next(iter(answers)))) as there:
        lab = await make_lab(more=f"sip_trunks: [{{name: gw, destination: {HOST}, destination_port: {there.port}}}]")
        before = (await states(lab, OUT_OF_SERVICE, 2))[("gw", PUB)]
        answers.clear()
        answers.add("200 OK")
        await lab.laboratory.nodes[PUB].supervisor.restart(CiscoCallManager.name)
        after = (await states(lab, IN_SERVICE))[("gw", PUB)]
        assert after.since > before.since


async def test_an_encrypted_trunk_is_in_service_when_both_ends_trust_each_other(make_lab: LabMaker) -> None:
    """The other end asks for our certificate, and shows one of CallManager-trust."""
    async with far_end(tls=server_context([SELF_SIGNED])) as there:
        trunk = f"{{name: gw, destination: {HOST}, destination_port: {there.port}, security: encrypted"
        lab = await make_lab(more=f"sip_trunks: [{trunk}, subject_names: [{NAME}]}}]")
        found = await states(lab, OUT_OF_SERVICE, 2)
        assert found[("gw", PUB)].reason == f"neither CN={NAME} nor its issuer is in CallManager-trust"
        assert there.heard == []
        await lab.store.add_trust("CallManager-trust", [SELF_SIGNED.certificate])
        await lab.laboratory.nodes[PUB].supervisor.restart(CiscoCallManager.name)
        status = (await states(lab, IN_SERVICE))[("gw", PUB)]
        assert (status.reason, status.tls) == ("200 OK", "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384")
        assert status.incoming_port == lab.ports().secured_sip


async def test_two_clusters_keep_an_encrypted_trunk_between_them(
    make_lab: LabMaker, tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]
) -> None:
    """Both ends are ours: certificate, name, source and cipher of one are what the other wants."""
    names = "[alpha-pub, alpha-pub.lab.example, alpha-sub1, alpha-sub1.lab.example]"
    trunk = f"name: over there, destination: {HOST}, security: encrypted, subject_names: {names}"
    one = await make_lab("11.5", more=f"sip_trunks: [{{{trunk}}}]", state=tmp_path / "one")
    two = await make_lab(
        "14", more=f"sip_trunks: [{{{trunk}, destination_port: {one.ports().secured_sip}}}]", state=tmp_path / "two"
    )
    await states(two, OUT_OF_SERVICE, 2)
    for here, there in ((one, two), (two, one)):
        foreign = [there.store.snapshot.require(node, Purpose.CALLMANAGER).certificate for node in (PUB, SUB)]
        await here.store.add_trust("CallManager-trust", foreign)
    await two.laboratory.nodes[PUB].supervisor.restart(CiscoCallManager.name)
    status = (await states(two, IN_SERVICE))[("over there", PUB)]
    assert (status.reason, status.tls) == ("200 OK", "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384")
    taken = [event.data for event in one.sink.events if event.step == "trunk_request"]
    assert [(item["trunk"], item["method"], item["status"]) for item in taken] == [("over there", "OPTIONS", 200)]


# ---------------------------------------------------------------- as server


OWN_PORTS = f"""sip_trunks:
      - {{name: plain, destination: {HOST}, destination_port: 9, incoming_port: 5070}}
      - {{name: secure, destination: {HOST}, destination_port: 9, incoming_port: 5071, security: encrypted, subject_names: [{NAME}]}}
"""  # noqa: E501 - one line of YAML each


async def test_a_trunks_own_port_serves_its_other_end_and_nobody_else(make_lab: LabMaker) -> None:
    lab = await make_lab(more=OWN_PORTS)
    tcp, udp = port_of(lab, "SIP (trunks, 5070)"), port_of(lab, "SIP (UDP, trunks, 5070)")
    assert tcp == udp, "one number for both"
    assert ((await say(tcp)).status, (await say_by_datagram(udp)).status) == (200, 200)
    for refused in (await say(tcp, address=STRANGER), await say_by_datagram(udp, STRANGER)):
        assert refused.status == 503
        assert f"no SIP trunk of this node leads to {STRANGER}" in refused.require("Warning")
    assert (await say(tcp, encode(register()))).status == 501, "no phone registers there"
    await lab.laboratory.nodes[PUB].supervisor.restart(CiscoCallManager.name)
    assert port_of(lab, "SIP (trunks, 5070)") == tcp
    assert (await say(tcp)).status == 200
    steps = [(event.data["trunk"], event.data["status"]) for event in lab.sink.events if event.step == "trunk_refused"]
    assert steps == [("", 503), ("", 503), ("plain", 501)]


async def test_a_secure_trunks_own_port_wants_its_certificate_and_has_the_parameters_suites(make_lab: LabMaker) -> None:
    lab = await make_lab(more=OWN_PORTS)
    port = port_of(lab, "SIP over TLS (trunks, 5071)")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake_hands(port, client_context(SELF_SIGNED))
    await lab.store.add_trust("CallManager-trust", [SELF_SIGNED.certificate])
    assert (await say(port, context=client_context(SELF_SIGNED))).status == 200
    nobody = await say(port, context=client_context())
    assert (nobody.status, "showed no certificate" in nobody.require("Warning")) == (403, True)
    await set_mixed_mode(lab.store, OPERATOR)
    await lab.laboratory.nodes[PUB].supervisor.restart(CiscoCallManager.name)
    for suite, has in (("ECDHE-ECDSA-AES256-GCM-SHA384", True), ("NULL-SHA", False), ("AES256-SHA256", False)):
        context = any_server(f"{suite}:@SECLEVEL=0", maximum=ssl.TLSVersion.TLSv1_2)
        if has:
            own = lab.store.snapshot.require(PUB, Purpose.CALLMANAGER_ECDSA).certificate
            assert (await shake_hands(port, context)).certificate == own
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await shake_hands(port, context)


async def test_a_secure_trunks_own_port_speaks_the_least_version_of_its_last_start(make_lab: LabMaker) -> None:
    lab = await make_lab(more=OWN_PORTS)
    port = port_of(lab, "SIP over TLS (trunks, 5071)")
    old = any_server("AES128-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1)
    shown = await shake_hands(port, old)
    assert (shown.version, shown.suite) == ("TLSv1", "AES128-SHA")
    await lab.store.set_parameter(TLS_MIN_VERSION, "1.1", OPERATOR)
    await lab.laboratory.nodes[PUB].supervisor.restart(CiscoCallManager.name)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake_hands(port, old)
    newer = any_server("AES128-SHA:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1)
    assert (await shake_hands(port, newer)).version == "TLSv1.1"


async def test_phones_and_trunks_share_the_usual_ports(make_lab: LabMaker) -> None:
    trunk = f"name: secure, destination: {HOST}, destination_port: 9, security: encrypted, subject_names: [{NAME}]"
    lab = await make_lab(more=f"sip_trunks: [{{name: plain, destination: {HOST}, destination_port: 9}}, {{{trunk}}}]")
    ports = lab.ports()
    assert (await say(ports.sip)).status == 200
    assert (await say(ports.sip, encode(register()))).status == 200, "a phone at the trunk's address registers"
    assert (await say(ports.sip, address=STRANGER)).status == 200, "and may ask, wherever it is"
    other_name = issued("somebody")
    await lab.store.add_trust("CallManager-trust", [SELF_SIGNED.certificate, other_name])
    assert (await say(ports.secured_sip, context=client_context(SELF_SIGNED))).status == 200
    wrong = client_context(replace(SELF_SIGNED, certificate=other_name))
    refused = await say(ports.secured_sip, context=wrong)
    assert refused.status == 403
    assert f"CN=somebody has none of the subject names {NAME}" in refused.require("Warning")
    assert {event.data["trunk"] for event in lab.sink.events if event.step == "trunk_request"} == {"plain", "secure"}


async def test_without_a_secure_trunk_callmanager_trust_counts_for_nobody_on_5061(lab: Lab) -> None:
    await lab.store.add_trust("CallManager-trust", [SELF_SIGNED.certificate])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake_hands(lab.ports().secured_sip, client_context(SELF_SIGNED))


def test_ports_of_trunks_are_moved_as_all_are() -> None:
    trunks = NodeTrunks(PUB, HOST, HOST, None, lambda: 40_001, trace=Trace())  # type: ignore[arg-type]
    assert trunks._moved(5_070, 5_060) == 5_070
    assert trunks._moved(5_070, 25_060) == 25_070
    assert trunks._moved(5_070, 0) == 40_001
    with pytest.raises(
        OperatorError, match="port 60000 of a SIP trunk is moved to 70000, and 65535 is the highest one"
    ):
        trunks._moved(60_000, 15_060)


def test_a_trunk_knows_its_usual_ports() -> None:
    config = lab_config(more="sip_trunks: [{name: a, destination: 192.0.2.1}]")
    (plain,) = config.clusters[0].trunks_of(PUB)
    assert (plain.port, plain.listens_on, plain.encrypted, plain.transport) == (5_060, 5_060, False, "tcp")
    secure = secure_trunk()
    assert (secure.port, secure.listens_on, secure.encrypted) == (5_061, 5_061, True)
    own = secure_trunk(destination_port=7_000, incoming_port=7_001)
    assert (own.port, own.listens_on) == (7_000, 7_001)
