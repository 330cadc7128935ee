"""The command line's port beside a machine's own SSH server."""

from __future__ import annotations

import socket
from contextlib import closing

from lab.ports import FALLBACK_OFFSET, plan_ports
from tests.conftest import lab_config


def _free_offset() -> tuple[int, socket.socket]:
    """An offset that puts SSH on a port which the given socket, of somebody else, listens on."""
    while True:
        taken = socket.create_server(("0.0.0.0", 0))  # noqa: S104 - as a machine's own SSH server does
        port = taken.getsockname()[1]
        if 22 <= port <= 50_000 + 22:
            return port - 22, taken
        taken.close()


def test_ssh_moves_alone_when_somebody_else_has_its_port() -> None:
    offset, taken = _free_offset()
    config = lab_config()
    config = config.model_copy(update={"lab": config.lab.model_copy(update={"port_offset": offset})})
    with closing(taken):
        plan = plan_ports(config)
    assert plan.endpoints.default.ssh == 22 + offset + FALLBACK_OFFSET
    assert plan.endpoints.default.tftp == 69 + offset
    (note,) = plan.notes
    assert f"port {22 + offset} is in use" in note
    assert str(plan.endpoints.default.ssh) in note


def test_ssh_keeps_its_port_when_it_is_free() -> None:
    offset, taken = _free_offset()
    taken.close()
    config = lab_config()
    config = config.model_copy(update={"lab": config.lab.model_copy(update={"port_offset": offset})})
    plan = plan_ports(config)
    assert plan.endpoints.default.ssh == 22 + offset
    assert plan.notes == ()
