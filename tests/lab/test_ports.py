"""On which ports a laboratory listens, and what its operator is told about it."""

from __future__ import annotations

import errno
import json
import socket
from typing import TYPE_CHECKING

import pytest

from cluster.endpoints import Ports
from lab.neighbours import Neighbours, ports_file
from lab.ports import FALLBACK_OFFSET, any_free_ports, plan_ports
from services.node import EndpointBook
from tests.conftest import lab_config

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = lab_config()


def may_bind_low_ports() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", Ports().tftp))
        except OSError as error:
            return error.errno not in {errno.EACCES, errno.EPERM}
    return True


def test_the_real_numbers_are_used_where_this_user_may() -> None:
    plan = plan_ports(CONFIG)
    if may_bind_low_ports():
        assert (plan.endpoints.of("alpha-pub"), plan.notes) == (Ports(), ())
    else:
        assert plan.endpoints.of("alpha-pub") == Ports.moved(FALLBACK_OFFSET)
        assert "this user may not bind ports below 1024: every port is moved up by 10000" in plan.notes[0]


def test_an_offset_moves_every_port_and_needs_no_note() -> None:
    config = CONFIG.model_copy(update={"lab": CONFIG.lab.model_copy(update={"port_offset": 20_000})})
    plan = plan_ports(config)
    assert (plan.endpoints.of("alpha-sub1"), plan.notes) == (Ports.moved(20_000), ())


@pytest.mark.parametrize("only", [None, "alpha-sub1"])
def test_the_system_may_choose_every_port(only: str | None) -> None:
    plan = any_free_ports(CONFIG, only)
    ports = plan.endpoints.of("alpha-pub")
    assert {ports.tftp, ports.http, ports.https, ports.https_tomcat, ports.tvs, ports.web, ports.secure_web} == {0}
    assert plan.config == CONFIG


# --- nodes in other processes ---


def told(node: str, **ports: int) -> str:
    return json.dumps({"listeners": [{"node": node, "protocol": name, "port": port} for name, port in ports.items()]})


@pytest.fixture
def book() -> EndpointBook:
    return EndpointBook(Ports.any_free())


def test_a_neighbours_ports_are_taken_up_when_it_tells_them(tmp_path: Path, book: EndpointBook) -> None:
    neighbours = Neighbours(tmp_path, ["alpha-sub1"], book)
    neighbours.look()
    assert book.endpoints.of("alpha-sub1").tvs == 0
    ports_file(tmp_path, "alpha-sub1").write_text(told("alpha-sub1", TVS=4_001, HTTP=4_002))
    neighbours.look()
    assert (book.endpoints.of("alpha-sub1").tvs, book.endpoints.of("alpha-sub1").http) == (4_001, 4_002)
    ports_file(tmp_path, "alpha-sub1").write_text(told("alpha-sub1", TVS=4_003))
    neighbours.look()
    assert (book.endpoints.of("alpha-sub1").tvs, book.endpoints.of("alpha-sub1").http) == (4_003, 4_002)
    assert book.endpoints.of("alpha-pub").tvs == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"listeners": 5}',
        '{"listeners": [5]}',
        '{"listeners": [{"node": "alpha-sub1", "protocol": "TVS"}]}',
        '{"listeners": [{"node": "alpha-sub1", "protocol": "TVS", "port": "x"}]}',
        '{"listeners": [{"node": "another", "protocol": "TVS", "port": 4001}]}',
        '{"listeners": [{"node": "alpha-sub1", "protocol": "something new", "port": 4001}]}',
    ],
)
def test_a_ports_file_that_is_not_whole_says_nothing(tmp_path: Path, book: EndpointBook, text: str) -> None:
    ports_file(tmp_path, "alpha-sub1").write_text(text)
    Neighbours(tmp_path, ["alpha-sub1"], book).look()
    assert book.endpoints.of("alpha-sub1") == Ports.any_free()
