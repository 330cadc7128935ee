"""Orders to the services of running nodes, seen on their sockets (R-CLI-1, R-CLI-2, R-CRT-6, R-DL-3)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from base.trace import MemorySink, Trace
from cluster.audit import Actor
from cluster.claims import is_claimed
from cluster.endpoints import Endpoints, Ports
from cluster.management import itl
from cluster.management.certificates import regenerate
from cluster.management.services import Order, carry_out, follow, give_order, service_statuses
from cluster.purposes import Purpose
from cluster.servicecatalogue import CALLMANAGER, CATALOGUE, CTI_MANAGER, SYSTEM_SSH, TFTP, TOMCAT, TVS, Health
from cluster.store import ClusterStore
from lab.laboratory import Laboratory, database_path
from lab.ports import PortPlan
from phone_sim.clients import tftp
from phone_sim.clients.errors import ServerUnreachable
from tests.conftest import CONFIG, Lab, LabMaker, lab_config
from tests.waiting import PATIENCE_S, eventually

PUB, SUB = "alpha-pub", "alpha-sub1"
OPERATOR = Actor("admin", "ssh 192.0.2.7")
CAPF = "Cisco Certificate Authority Proxy Function"
ON_EVERY_NODE = (TFTP, TVS, TOMCAT, CALLMANAGER, CTI_MANAGER)
REAL = (*ON_EVERY_NODE, CAPF)

if TYPE_CHECKING:
    from services.service import Listener

StoreOpener = Callable[[], Awaitable[ClusterStore]]


@pytest.fixture
async def other_store(tmp_path: Path) -> AsyncIterator[StoreOpener]:
    """Opens the laboratory's database once more, as another process does."""
    async with contextlib.AsyncExitStack() as stack:

        async def make() -> ClusterStore:
            store = await ClusterStore.open(database_path(tmp_path / "state", "alpha"))
            stack.push_async_callback(store.close)
            return store

        yield make


async def order(store: ClusterStore, name: str, what: Order, node: str = PUB) -> list[str]:
    """Gives an order and returns what an operator reads until it is carried out."""
    return [status.line async for status in carry_out(store, node, name, what, OPERATOR, PATIENCE_S)]


async def line(store: ClusterStore, name: str, node: str = PUB) -> str:
    return next(status.line for status in await service_statuses(store, node) if status.name == name)


async def reads(store: ClusterStore, name: str, expected: str) -> None:
    """Waits until an operator reads this line: a store beside the node's own is told of nothing."""

    async def so() -> bool:
        return await line(store, name) == expected

    await eventually(so, expected)


def listeners(lab: Lab | Laboratory, name: str, node: str = PUB) -> tuple[Listener, ...]:
    laboratory = lab.laboratory if isinstance(lab, Lab) else lab
    return laboratory.nodes[node].supervisor.listeners()[name]


async def listens(where: Listener) -> bool:
    """Whether anybody has the port: TCP takes a connection, UDP cannot be bound."""
    if where.transport == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            return _bind(probe, where) == errno.EADDRINUSE
    try:
        _, writer = await asyncio.open_connection(where.host, where.port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


def _bind(probe: socket.socket, where: Listener) -> int:
    """0, or why it cannot be bound."""
    try:
        probe.bind((where.host, where.port))
    except OSError as error:
        return error.errno or -1
    return 0


async def all_listen(found: tuple[Listener, ...]) -> set[bool]:
    return {await listens(where) for where in found}


async def certificate_on(host: str, port: int, ciphers: str) -> bytes:
    """What a TLS client of these suites is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert isinstance(der, bytes)
    return der


# ------------------------------------------------------------------ what listens


@pytest.mark.parametrize("name", ON_EVERY_NODE)
async def test_what_is_stopped_does_not_listen_and_what_is_started_does_on_the_same_ports(lab: Lab, name: str) -> None:
    before = listeners(lab, name)
    assert await all_listen(before) == {True}

    assert await order(lab.store, name, Order.STOP) == [
        f"{name}[STOPPING]",
        f"{name}[STOPPED]  Commanded Out of Service",
    ]
    assert listeners(lab, name) == ()
    assert await all_listen(before) == {False}
    assert await line(lab.store, name) == f"{name}[STOPPED]  Commanded Out of Service"
    assert await line(lab.store, name, SUB) == f"{name}[STARTED]"
    assert await all_listen(listeners(lab, name, SUB)) == {True}

    assert await order(lab.store, name, Order.START) == [f"{name}[STARTING]", f"{name}[STARTED]"]
    assert listeners(lab, name) == before
    assert await all_listen(before) == {True}


@pytest.mark.parametrize("name", [*REAL, SYSTEM_SSH])
async def test_restart_keeps_the_ports(lab: Lab, name: str) -> None:
    before = listeners(lab, name)
    told = await order(lab.store, name, Order.RESTART)
    shown = f"{name} " if name == SYSTEM_SSH else name
    assert told == [f"{shown}[STOPPING]", f"{shown}[STARTING]", f"{shown}[STARTED]"]
    assert listeners(lab, name) == before
    assert await all_listen(before) == {True}


async def test_deactivated_tftp_serves_no_file_until_it_is_activated(lab: Lab) -> None:
    before, port = listeners(lab, TFTP), lab.ports().tftp

    async def itl_file() -> bytes:
        return await tftp.fetch("127.0.0.1", port, "ITLFile.tlv", timeout_s=10, trace=Trace())

    first = await itl_file()
    assert await order(lab.store, TFTP, Order.DEACTIVATE) == [
        "Cisco Tftp[STOPPING]",
        "Cisco Tftp[STOPPED]  Service Not Activated",
    ]
    assert await all_listen(before) == {False}
    with pytest.raises(ServerUnreachable):
        await itl_file()
    assert await order(lab.store, TFTP, Order.ACTIVATE) == ["Cisco Tftp[STARTING]", "Cisco Tftp[STARTED]"]
    assert await itl_file() == first


@dataclass(frozen=True)
class Documented:
    """A row of the table in docs/services.md."""

    name: str
    kind: str
    default: str
    listens: set[tuple[str, int]]


def documented() -> list[Documented]:
    text = (Path(__file__).parents[2] / "docs" / "services.md").read_text("utf-8")
    table = text.split("| service | class | by default | listens on |\n")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[1:]]
    found = []
    for name, kind, default, where in rows:
        ports: set[tuple[str, int]] = set()
        transport = ""
        for word in where.replace(",", "").split():
            if word.isdigit():
                ports.add((transport, int(word)))
            else:
                transport = word.lower()
        found.append(Documented(name, kind.split()[0], default, ports))
    return found


def test_documented_services_are_those_of_the_catalogue() -> None:
    assert [(row.name, row.kind) for row in documented()] == [
        (facts.name, facts.kind.value) for facts in CATALOGUE.values()
    ]
    assert [row.default.startswith("started") for row in documented()] == [it.activated for it in CATALOGUE.values()]


async def test_documented_ports_are_those_that_are_bound(lab: Lab) -> None:
    """Told by the port of the same service that has this number when nothing is moved."""
    ours, usual = lab.ports(), Ports()
    number = {getattr(ours, name): getattr(usual, name) for name in Ports.__slots__}
    for row in documented():
        bound = {(where.transport, number[where.port]) for where in listeners(lab, row.name)}
        assert bound == row.listens, row.name


async def test_services_without_a_daemon_have_a_state_all_the_same(lab: Lab) -> None:
    for name in CATALOGUE:
        if name not in {*REAL, SYSTEM_SSH, "Service Manager"}:
            if not (await line(lab.store, name)).endswith("[STARTED]"):
                await order(lab.store, name, Order.ACTIVATE)
            assert listeners(lab, name) == ()
            assert (await order(lab.store, name, Order.STOP))[-1].endswith("Commanded Out of Service")
            assert (await order(lab.store, name, Order.START))[-1].endswith("[STARTED]")
            assert (await order(lab.store, name, Order.RESTART))[0].endswith("[STOPPING]")


async def test_node_that_is_configured_without_a_service_starts_it_when_it_is_activated(
    tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]
) -> None:
    """The port, which the system chooses, is told to phones and to other processes as if it had been there before."""
    state = tmp_path / "state"
    shutil.copytree(await state_templates("12.5"), state)
    config = lab_config()
    nodes = tuple(
        node.model_copy(update={"services": ("tvs", "tomcat")} if node.name == PUB else {})
        for node in config.clusters[0].nodes
    )
    config = config.model_copy(update={"clusters": (config.clusters[0].model_copy(update={"nodes": nodes}),)})
    async with Laboratory(PortPlan(config, Endpoints(Ports.any_free())), state) as laboratory:
        store = laboratory.clusters["alpha"].store
        ports_file = laboratory.write_ports_file()

        def in_file() -> set[int]:
            return {item["port"] for item in json.loads(ports_file.read_text("utf-8"))["listeners"]}

        assert listeners(laboratory, TFTP) == ()
        assert await line(store, TFTP) == "Cisco Tftp[STOPPED]  Service Not Activated"
        assert laboratory.endpoints.of(PUB).tftp == 0

        await order(store, TFTP, Order.ACTIVATE)
        found = listeners(laboratory, TFTP)
        assert len(found) == 4
        assert await all_listen(found) == {True}
        assert laboratory.endpoints.of(PUB).tftp == found[0].port
        assert {where.port for where in found} <= in_file()

        await order(store, TFTP, Order.STOP)
        assert not {where.port for where in found} & in_file()
        assert laboratory.endpoints.of(PUB).tftp == found[0].port  # phones are told what they were told before


# ------------------------------------------------------------------ certificates


RSA, EC = "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"
REACTIVATE, RESTART, STOP_START = (Order.DEACTIVATE, Order.ACTIVATE), (Order.RESTART,), (Order.STOP, Order.START)


@pytest.mark.parametrize(
    ("purpose", "name", "port", "ciphers", "orders"),
    [
        (Purpose.CALLMANAGER, TFTP, "https", RSA, REACTIVATE),
        (Purpose.CALLMANAGER, TFTP, "https", RSA, RESTART),
        (Purpose.CALLMANAGER, TFTP, "https", RSA, STOP_START),
        (Purpose.CALLMANAGER_ECDSA, TFTP, "https", EC, REACTIVATE),
        (Purpose.TOMCAT, TFTP, "https_tomcat", RSA, REACTIVATE),
        (Purpose.TOMCAT_ECDSA, TFTP, "https_tomcat", EC, RESTART),
        (Purpose.TOMCAT, TOMCAT, "secure_web", RSA, RESTART),
        (Purpose.TOMCAT_ECDSA, TOMCAT, "secure_web", EC, STOP_START),
        (Purpose.CALLMANAGER, CALLMANAGER, "secured_sip", RSA, RESTART),
        (Purpose.CALLMANAGER_ECDSA, CALLMANAGER, "secured_sip", EC, RESTART),
        (Purpose.TVS, TVS, "tvs", RSA, RESTART),
        (Purpose.TVS, TVS, "tvs", RSA, STOP_START),
    ],
)
async def test_new_certificate_is_served_from_the_next_start_on(
    lab: Lab, purpose: Purpose, name: str, port: str, ciphers: str, orders: tuple[Order, ...]
) -> None:
    """R-CRT-6, R-DL-3."""
    number = getattr(lab.ports(), port)
    old = lab.store.snapshot.require(PUB, purpose).certificate.der
    new = (await regenerate(lab.store, PUB, purpose, OPERATOR)).certificate.der
    assert new != old
    assert await certificate_on("127.0.0.1", number, ciphers) == old
    other = TOMCAT if name != TOMCAT else TVS
    await order(lab.store, other, Order.RESTART)  # of another service: changes nothing here
    assert await certificate_on("127.0.0.1", number, ciphers) == old
    for what in orders:
        await order(lab.store, name, what)
    assert await certificate_on("127.0.0.1", number, ciphers) == new


async def test_restart_of_tftp_ends_a_reset_itl_on_that_node_alone(lab: Lab) -> None:
    """R-REC-4."""
    await itl.reset_localkey(lab.store, OPERATOR)
    assert set(lab.store.snapshot.itl_resets) == {PUB, SUB}
    await order(lab.store, TVS, Order.RESTART)
    assert set(lab.store.snapshot.itl_resets) == {PUB, SUB}
    await order(lab.store, TFTP, Order.RESTART)
    assert set(lab.store.snapshot.itl_resets) == {SUB}


async def test_start_of_a_node_ends_a_reset_itl(make_lab: LabMaker) -> None:
    lab = await make_lab()
    await itl.reset_localkey(lab.store, OPERATOR)
    await lab.laboratory.close()
    again = await make_lab()
    assert dict(again.store.snapshot.itl_resets) == {}


# ------------------------------------------------------------------ who gives the order, and when


async def test_other_process_gives_an_order_and_sees_it_carried_out(lab: Lab, other_store: StoreOpener) -> None:
    elsewhere = await other_store()
    before = listeners(lab, TFTP)
    assert await order(elsewhere, TFTP, Order.STOP) == [
        "Cisco Tftp[STOPPING]",
        "Cisco Tftp[STOPPED]  Commanded Out of Service",
    ]
    assert await all_listen(before) == {False}
    assert await order(elsewhere, TFTP, Order.RESTART) == ["Cisco Tftp[STARTING]", "Cisco Tftp[STARTED]"]
    assert await all_listen(before) == {True}


async def test_changed_definition_starts_and_stops_what_nobody_ordered(lab: Lab, other_store: StoreOpener) -> None:
    elsewhere = await other_store()
    definition, before = elsewhere.snapshot.definition, listeners(lab, TVS)
    nodes = [node.model_copy(update={"services": ("tftp",)} if node.name == PUB else {}) for node in definition.nodes]
    await elsewhere.install(definition.model_copy(update={"nodes": tuple(nodes)}))
    await reads(elsewhere, TVS, f"{TVS}[STOPPED]  Service Not Activated")
    assert await all_listen(before) == {False}
    await elsewhere.install(definition)
    await reads(elsewhere, TVS, f"{TVS}[STARTED]")
    assert listeners(lab, TVS) == before


async def test_two_orders_at_once_leave_what_the_later_one_wants(lab: Lab, other_store: StoreOpener) -> None:
    elsewhere = await other_store()
    before = listeners(lab, TVS)
    for last, expected in ((Order.STOP, False), (Order.RESTART, True)):
        await asyncio.gather(*(give_order(of, PUB, TVS, Order.RESTART, OPERATOR) for of in (lab.store, elsewhere)))
        await order(elsewhere, TVS, last)
        assert await all_listen(before) == {expected}


@contextlib.asynccontextmanager
async def stubborn_client(lab: Lab) -> AsyncIterator[None]:
    """Reads a file and never acknowledges: Cisco Tftp takes all of its grace to stop."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.bind(("127.0.0.1", 0))
        await loop.sock_sendto(client, b"\x00\x01ITLFile.tlv\x00octet\x00", ("127.0.0.1", lab.ports().tftp))
        async with asyncio.timeout(PATIENCE_S):
            assert (await loop.sock_recv(client, 2048)).startswith(b"\x00\x03")
        yield


async def order_until(store: ClusterStore, name: str, what: Order, state: Health) -> None:
    """Gives an order and leaves it when it has come as far as that state."""
    async with contextlib.aclosing(carry_out(store, PUB, name, what, OPERATOR, PATIENCE_S)) as states:
        async for status in states:
            if status.state is state:
                return


def turns(lab: Lab, *names: str) -> list[tuple[str, str]]:
    """(step, service) of the orders to these services on the publisher."""
    return [
        (event.step, str(event.data["name"]))
        for event in lab.sink.events
        if event.where == PUB and event.step.startswith("order_") and event.data["name"] in names
    ]


async def test_order_that_comes_during_another_is_carried_out_after_it(lab: Lab) -> None:
    before = listeners(lab, TFTP)
    async with stubborn_client(lab):
        await order_until(lab.store, TFTP, Order.RESTART, Health.STOPPING)
        told = await order(lab.store, TFTP, Order.STOP)
    assert told[-1] == "Cisco Tftp[STOPPED]  Commanded Out of Service"
    assert await all_listen(before) == {False}
    assert turns(lab, TFTP) == [("order_taken", TFTP), ("order_carried_out", TFTP)] * 2


async def test_order_does_not_wait_for_another_services(lab: Lab) -> None:
    async with stubborn_client(lab):
        await order_until(lab.store, TFTP, Order.RESTART, Health.STOPPING)
        await order(lab.store, TOMCAT, Order.RESTART)
        last = [status.line async for status in follow(lab.store, PUB, TFTP, PATIENCE_S)][-1]
    assert last == "Cisco Tftp[STARTED]"
    assert turns(lab, TFTP, TOMCAT) == [
        ("order_taken", TFTP),
        ("order_taken", TOMCAT),
        ("order_carried_out", TOMCAT),
        ("order_carried_out", TFTP),
    ]


async def test_whole_node_is_restarted_service_by_service(lab: Lab) -> None:
    names = [status.name for status in await service_statuses(lab.store, PUB) if status.state is Health.STARTED]
    for name in names:
        await give_order(lab.store, PUB, name, Order.RESTART, OPERATOR)
    for name in names:
        last = [status.line async for status in follow(lab.store, PUB, name, PATIENCE_S)][-1]
        assert last.endswith("[STARTED]")
    assert await all_listen(tuple(where for name in REAL for where in listeners(lab, name))) == {True}


async def test_trace_tells_the_order_and_every_state(lab: Lab) -> None:
    begin = len(lab.sink.events)
    await order(lab.store, TVS, Order.RESTART)
    mine = [event for event in lab.sink.events[begin:] if event.service == "Service Manager" and event.where == PUB]
    assert [event.step for event in mine] == [
        "order_taken",
        "service_stopping",
        "service_stopped",
        "service_starting",
        "service_started",
        "order_carried_out",
    ]
    assert {event.data["name"] for event in mine} == {TVS}


# ------------------------------------------------------------------ what goes wrong


async def test_service_that_cannot_start_says_why_and_takes_nothing_with_it(lab: Lab) -> None:
    before = listeners(lab, TOMCAT)
    await order(lab.store, TOMCAT, Order.STOP)
    with socket.create_server((before[0].host, before[0].port)):
        told = await order(lab.store, TOMCAT, Order.START)
        assert told[:-1] == ["Cisco Tomcat[STARTING]"]
        assert told[-1].startswith("Cisco Tomcat[STOPPED]  HTTPS (phone services) cannot listen on 127.0.0.1 port")
        assert "the port is in use" in told[-1]
        assert await line(lab.store, TOMCAT) == told[-1]
        assert not await listens(before[1])
        assert await all_listen((*listeners(lab, TFTP), *listeners(lab, TVS))) == {True}
        assert "service_failed" in lab.sink.steps(where=PUB, service="Service Manager")
    assert await order(lab.store, TOMCAT, Order.START) == ["Cisco Tomcat[STARTING]", "Cisco Tomcat[STARTED]"]
    assert listeners(lab, TOMCAT) == before


async def test_node_outlives_its_database_and_tells_afterwards_what_happened(
    lab: Lab, other_store: StoreOpener, tmp_path: Path
) -> None:
    elsewhere = await other_store()
    path = database_path(tmp_path / "state", "alpha")
    away = path.with_suffix(".away")
    path.rename(away)
    await lab.laboratory.nodes[PUB].supervisor.stop(TVS)
    assert await all_listen(listeners(lab, TFTP)) == {True}
    away.rename(path)
    await reads(elsewhere, TVS, f"{TVS}[STOPPED]")


# ------------------------------------------------------------------ nodes that come and go


async def test_start_of_a_node_keeps_deactivation_and_forgets_stops(make_lab: LabMaker) -> None:
    """As when a server starts: activated services start, whatever was done to them by hand (ours)."""
    lab = await make_lab()
    await order(lab.store, TFTP, Order.DEACTIVATE)
    await order(lab.store, TOMCAT, Order.STOP)
    await lab.laboratory.close()

    again = await make_lab()
    assert listeners(again, TFTP) == ()
    assert await line(again.store, TFTP) == "Cisco Tftp[STOPPED]  Service Not Activated"
    assert await all_listen(listeners(again, TOMCAT)) == {True}
    assert await line(again.store, TOMCAT) == "Cisco Tomcat[STARTED]"
    assert again.laboratory.warnings() == ["Cisco Tftp is deactivated on alpha-pub"]
    assert (await order(again.store, TFTP, Order.ACTIVATE))[-1] == "Cisco Tftp[STARTED]"


async def test_activation_of_a_node_that_does_not_run_counts_at_its_next_start(
    make_lab: LabMaker, other_store: StoreOpener
) -> None:
    lab = await make_lab()
    elsewhere = await other_store()
    await lab.laboratory.close()
    assert await order(elsewhere, TFTP, Order.DEACTIVATE) == ["Cisco Tftp[STOPPED]  Service Not Activated"]
    assert await line(elsewhere, TOMCAT) == "Cisco Tomcat[STOPPED]  node is not running"
    again = await make_lab()
    assert listeners(again, TFTP) == ()
    assert len(listeners(again, TFTP, SUB)) == 4
    assert await line(elsewhere, TOMCAT) == "Cisco Tomcat[STARTED]"


async def test_killed_node_is_seen_to_be_down_and_keeps_what_was_ordered(
    tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]], other_store: StoreOpener
) -> None:
    state, config, ready = tmp_path / "state", tmp_path / "lab.yaml", tmp_path / "ready.json"
    shutil.copytree(await state_templates("12.5"), state)
    config.write_text(CONFIG.format(release="12.5", parameters="{}", more=""), "utf-8")
    store = await other_store()

    async with running_node(config, state, ready) as process:
        assert await order(store, TFTP, Order.DEACTIVATE) == [
            "Cisco Tftp[STOPPING]",
            "Cisco Tftp[STOPPED]  Service Not Activated",
        ]
        assert (await order(store, TOMCAT, Order.STOP))[-1] == "Cisco Tomcat[STOPPED]  Commanded Out of Service"
        assert await line(store, TVS) == f"{TVS}[STARTED]"
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert await line(store, TVS) == f"{TVS}[STOPPED]  node is not running"
    assert not is_claimed(state / "alpha", PUB)

    ready.unlink()
    async with running_node(config, state, ready):
        assert await line(store, TFTP) == "Cisco Tftp[STOPPED]  Service Not Activated"
        assert await line(store, TOMCAT) == "Cisco Tomcat[STARTED]"
        assert (await order(store, TFTP, Order.ACTIVATE))[-1] == "Cisco Tftp[STARTED]"


@contextlib.asynccontextmanager
async def running_node(config: Path, state: Path, ready: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """``ucmsim node alpha-pub`` in a process of its own, until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from lab.cli import main; main()",
        *("node", PUB, "--any-ports", "--config", str(config), "--state", str(state), "--ready-file", str(ready)),
        stdout=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        await eventually(lambda: ready.exists() or process.returncode is not None, "the node is ready")
        assert process.returncode is None, "the node ended"
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def test_failing_start_of_a_node_leaves_nothing_bound_and_no_claim(
    make_lab: LabMaker, tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]
) -> None:
    sink = MemorySink()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = Ports(**{**dict.fromkeys(Ports.__slots__, 0), "secure_web": taken.getsockname()[1]})
        state = tmp_path / "state"
        shutil.copytree(await state_templates("12.5"), state)
        laboratory = Laboratory(PortPlan(lab_config(), Endpoints(ports)), state, trace=Trace(sink))
        with pytest.raises(Exception, match="port is in use"):
            await laboratory.__aenter__()
    assert not is_claimed(state / "alpha", PUB)
    started = {event.data["name"] for event in sink.events if event.step == "service_started"}
    stopped = {event.data["name"] for event in sink.events if event.step == "service_stopped"}
    assert started == stopped == {TVS, TFTP}
