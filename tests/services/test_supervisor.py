"""A node starts its services in order, stops them in reverse, and leaves nothing behind when it cannot start."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from base.trace import MemorySink, Trace
from cluster.endpoints import Endpoints, Ports
from lab.adversary import NoFiles
from lab.laboratory import Laboratory
from lab.ports import PortPlan
from services.binding import BindingError
from services.composite import CompositeService, Part
from services.http import HttpListener
from services.service import Health
from services.supervisor import Supervisor
from services.tftp.http import FileHandler
from services.tftp.service import CiscoTftp
from services.tomcat.service import CiscoTomcat
from services.tvs.daemon import TvsDaemon
from tests.conftest import Lab, LabMaker, lab_config
from tests.services.wires import HOST, get
from tests.shared_lab import PUB, SUB
from wire.errors import OperatorError, Refusal


class Little(CompositeService):
    """A service of one or more plain listeners."""

    def __init__(self, name: str, *ports: int, host: str = HOST) -> None:
        super().__init__()
        self.name, self._ports, self._host = name, ports, host

    def make_parts(self) -> list[Part]:
        handler = FileHandler(NoFiles(), "http", Trace())
        return [HttpListener("HTTP", self._host, port, handler, trace=Trace()) for port in self._ports]


def supervise(*services: Little) -> tuple[Supervisor, MemorySink]:
    sink = MemorySink()
    return Supervisor(services, Trace(sink)), sink


def started_and_stopped(sink: MemorySink) -> list[tuple[str, str]]:
    steps = {"service_started", "service_stopped"}
    return [(event.step, str(event.data["name"])) for event in sink.events if event.step in steps]


async def test_services_start_in_order_and_stop_in_reverse() -> None:
    supervisor, sink = supervise(Little("first", 0), Little("second", 0), Little("third", 0))
    await supervisor.start_all()
    await supervisor.stop_all(0)
    await supervisor.stop_all(0)
    assert started_and_stopped(sink) == [
        *(("service_started", name) for name in ("first", "second", "third")),
        *(("service_stopped", name) for name in ("third", "second", "first")),
    ]
    assert {service.health() for service in supervisor.services} == {Health.STOPPED}


async def test_what_listens_is_told_per_service_and_gone_when_stopped() -> None:
    supervisor, _ = supervise(Little("one", 0), Little("two", 0, 0))
    await supervisor.start_all()
    assert {name: len(found) for name, found in supervisor.listeners().items()} == {"one": 1, "two": 2}
    await supervisor.stop("TWO")
    assert {name: len(found) for name, found in supervisor.listeners().items()} == {"one": 1, "two": 0}
    await supervisor.start("two")
    assert supervisor.health("two") is Health.STARTED
    await supervisor.stop_all(0)


async def test_an_unknown_service_is_refused_with_the_names_of_those_there_are() -> None:
    supervisor, _ = supervise(Little("Cisco One"), Little("Cisco Two"))
    for switch in (supervisor.start, supervisor.stop, supervisor.restart):
        with pytest.raises(Refusal, match="there is no service 'Cisco Three' on this node; services: Cisco One, Cisco"):
            await switch("Cisco Three")


async def test_when_one_service_cannot_start_those_before_it_are_stopped_again() -> None:
    first = Little("first", 0)
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        second = Little("second", 0, port)
        supervisor, _ = supervise(first, second, Little("third", 0))
        with pytest.raises(BindingError, match=f"HTTP cannot listen on {HOST} port {port}: the port is in use"):
            await supervisor.start_all()
    assert supervisor.listeners() == {"first": (), "second": (), "third": ()}
    assert {service.health() for service in supervisor.services} == {Health.STOPPED}


async def test_a_failed_start_can_be_tried_again() -> None:
    with socket.create_server((HOST, 0)) as taken:
        service = Little("only", 0, taken.getsockname()[1])
        supervisor, _ = supervise(service)
        with pytest.raises(BindingError):
            await supervisor.start_all()
    await supervisor.start_all()
    assert len(service.listeners) == 2
    await supervisor.stop_all(0)


@pytest.mark.parametrize(
    ("host", "sentence", "moving_helps"),
    [
        ("192.0.2.1", "this machine has no such address; correct 'address' \\(or set 'bind'\\) of the node$", False),
        ("127.0.0.1", "the port is in use; stop the program that has it, or move all ports with --port-offset$", True),
    ],
)
async def test_why_an_address_cannot_be_bound_is_one_sentence_with_the_remedy(
    host: str, sentence: str, *, moving_helps: bool
) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BindingError, match=f"^HTTP cannot listen on {host} port {port}: {sentence}") as refused:
            await Little("only", port, host=host).start()
    assert refused.value.moving_helps is moving_helps


async def test_a_service_with_several_busy_listeners_stops_as_fast_as_one() -> None:
    """Clients that have not asked anything yet are not waited for, however many listeners they sit on."""
    service = Little("busy", 0, 0, 0)
    await service.start()
    clients = [await asyncio.open_connection(HOST, listener.port) for listener in service.listeners]
    begun = asyncio.get_running_loop().time()
    await service.stop(5)
    assert asyncio.get_running_loop().time() - begun < 4
    for _, writer in clients:
        writer.close()


# --- whole nodes ---


@pytest.mark.parametrize("service", [TvsDaemon.name, CiscoTftp.name, CiscoTomcat.name])
async def test_a_restarted_service_has_its_ports_again(lab: Lab, service: str) -> None:
    """Also those that the system chose: phones have them in their configuration."""
    supervisor = lab.laboratory.nodes[PUB].supervisor
    before = supervisor.listeners()[service]
    await supervisor.restart(service)
    assert supervisor.listeners()[service] == before
    await supervisor.stop(service)
    assert supervisor.listeners()[service] == ()
    await supervisor.start(service)
    assert supervisor.listeners()[service] == before


async def test_nodes_have_only_the_services_that_they_are_given(make_lab: LabMaker) -> None:
    more = "\n  - name: beta\n    nodes: [{name: b, publisher: true, address: 127.0.0.1, services: [tvs]}]\n"
    lab = await make_lab(more=more)
    listening = {service: found for node, service, found in lab.laboratory.listeners() if node == "b"}
    assert {TvsDaemon.name, CiscoTftp.name, CiscoTomcat.name} & listening.keys() == {TvsDaemon.name}
    assert lab.ports("b").http == 0


async def test_a_laboratory_of_which_one_port_is_taken_leaves_nothing_bound(make_lab: LabMaker) -> None:
    lab = await make_lab()
    state, taken = lab.laboratory.state, lab.ports(SUB).http
    await lab.laboratory.close()
    with socket.create_server((HOST, taken)):
        ports = {PUB: Ports.any_free(), SUB: replace(Ports.any_free(), http=taken)}
        sink = MemorySink()
        laboratory = Laboratory(PortPlan(lab_config(), Endpoints(Ports(), ports)), state, trace=Trace(sink))
        with pytest.raises(OperatorError, match=f"port {taken}: the port is in use"):
            async with laboratory:
                pytest.fail("it started")
    bound = [str(event.data["address"]) for event in sink.events if "address" in event.data]
    assert len(bound) >= 7  # the first node was up
    for address in bound:
        host, _, rest = address.partition(":")
        port, _, transport = rest.partition("/")
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) if transport == "tcp" else None
            free.bind((host, int(port)))
    again = Laboratory(PortPlan(lab_config(), Endpoints(Ports.any_free())), state)
    async with again:
        assert (await get(again.endpoints.of(SUB).http, "/ITLFile.tlv")).status == 200
