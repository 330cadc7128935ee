"""Chooses ports that this user may bind: the real numbers where possible, else moved by an offset, said clearly."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cluster.endpoints import Endpoints, Ports

if TYPE_CHECKING:
    from cluster.config import LabConfig
    from cluster.definition import NodeDefinition

FALLBACK_OFFSET = 10_000
"""TFTP on 10069, HTTP on 16970 ... where low ports are refused."""
_STEP = 10_000


@dataclass(frozen=True, slots=True)
class PortPlan:
    """Where each node listens, and what the operator should be told about it.

    Attributes:
        config: the configuration, with addresses replaced where this machine does not have them.
        endpoints: the ports of every node.
        notes: sentences for people; empty when everything is as configured.
    """

    config: LabConfig
    endpoints: Endpoints
    notes: tuple[str, ...] = ()


def plan_ports(config: LabConfig, only: str | None = None) -> PortPlan:
    """Tries the addresses and a low port, and moves what is refused.

    A port that another program has is not moved, but for SSH: that is reported when it is bound.

    Args:
        config: the laboratory.
        only: the one node that will run here; all when None.
    """
    offset = config.lab.port_offset
    nodes = [node for cluster in config.clusters for node in cluster.nodes if only in (None, node.name)]
    if any(_lacks_address(node) for node in nodes):
        return _on_one_address(config)
    if offset == 0 and any(
        _refusal(node, Ports().tftp, socket.SOCK_DGRAM) in {errno.EACCES, errno.EPERM} for node in nodes
    ):
        note = (
            f"this user may not bind ports below 1024: every port is moved up by {FALLBACK_OFFSET} "
            f"(TFTP {Ports().tftp + FALLBACK_OFFSET}, HTTP {Ports().http + FALLBACK_OFFSET} ...); "
            "run as root for the real numbers"
        )
        return PortPlan(config, Endpoints(Ports.moved(FALLBACK_OFFSET)), (note,))
    return _beside_own_ssh(config, Ports.moved(offset), nodes)


def _beside_own_ssh(config: LabConfig, ports: Ports, nodes: list[NodeDefinition]) -> PortPlan:
    """A machine's own SSH server usually has the port on every address: then the nodes' moves, alone."""
    if not any(_refusal(node, ports.ssh, socket.SOCK_STREAM, reuse=True) == errno.EADDRINUSE for node in nodes):
        return PortPlan(config, Endpoints(ports))
    moved = replace(ports, ssh=ports.ssh + FALLBACK_OFFSET)
    note = (
        f"port {ports.ssh} is in use, most likely by this machine's own SSH server: "
        f"the nodes' command line is on port {moved.ssh}"
    )
    return PortPlan(config, Endpoints(moved), (note,))


def any_free_ports(config: LabConfig, only: str | None = None) -> PortPlan:
    """Every port left to the system; for demonstrations and tests beside a laboratory that has the real ones.

    Nodes share 127.0.0.1 where this machine has no further loopback addresses.
    """
    nodes = [node for cluster in config.clusters for node in cluster.nodes if only in (None, node.name)]
    shared = any(_lacks_address(node) for node in nodes)
    return PortPlan(_on_loopback(config) if shared else config, Endpoints(Ports.any_free()))


def _on_one_address(config: LabConfig) -> PortPlan:
    """Every node on 127.0.0.1, each with an offset of its own."""
    names = [node.name for cluster in config.clusters for node in cluster.nodes]
    ports = {name: Ports.moved(FALLBACK_OFFSET + _STEP * index) for index, name in enumerate(names)}
    note = "this machine has no loopback addresses but 127.0.0.1: all nodes share it, each with its own port offset"
    return PortPlan(_on_loopback(config), Endpoints(Ports.moved(FALLBACK_OFFSET), ports), (note,))


def _on_loopback(config: LabConfig) -> LabConfig:
    clusters = [
        cluster.model_copy(
            update={
                "nodes": tuple(node.model_copy(update={"address": "127.0.0.1", "bind": None}) for node in cluster.nodes)
            }
        )
        for cluster in config.clusters
    ]
    return config.model_copy(update={"clusters": tuple(clusters)})


def _lacks_address(node: NodeDefinition) -> bool:
    address = node.bind or node.address
    return address.startswith("127.") and _refusal(node, 0, socket.SOCK_STREAM) == errno.EADDRNOTAVAIL


def _refusal(node: NodeDefinition, port: int, kind: socket.SocketKind, *, reuse: bool = False) -> int | None:
    """The system's error number for binding there; None when it may be bound.

    With `reuse` connections of a moment ago do not count, only somebody who listens.
    """
    with socket.socket(socket.AF_INET, kind) as probe:
        if reuse:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((node.bind or node.address, port))
        except OSError as error:
            return error.errno
    return None
