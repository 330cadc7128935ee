"""What a node says of itself. Layouts and values of these reports are ours: a simulator has neither CPU nor disks."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from cluster.parameters import CATALOGUE
from services.commandline.grammar import Command
from wire.showrows import time_text

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def show_version(context: CommandContext, _arguments: Arguments) -> None:
    """The release that the cluster simulates, and who simulates it."""
    await context.write(
        f"Active Master Version: {context.snapshot.release.name}\n"
        "Active Version Installed Software Options:\n"
        f"ucmsim-{version('ucmsim')}"
    )


async def show_status(context: CommandContext, _arguments: Arguments) -> None:
    """The node at a glance."""
    snapshot, node = context.snapshot, context.definition
    rows = {
        "Host Name": node.name,
        "Date": time_text(context.store.now()),
        "Time Zone": "UTC",
        "Product Ver": snapshot.release.name,
        "Role": "Publisher" if node.publisher else "Subscriber",
        "Cluster": snapshot.definition.name,
        "Security Mode": "Mixed" if snapshot.mixed_mode else "Non-secure",
        "Revision": str(snapshot.revision),
    }
    await context.write(_columns(rows))


async def show_network(context: CommandContext, _arguments: Arguments) -> None:
    """The address that phones are told, and the one that is listened on when it is another."""
    snapshot, node = context.snapshot, context.definition
    rows = {
        "DHCP": "disabled",
        "Status": "up",
        "IP Address": node.address,
        **({"Bound Address": node.bind} if node.bind is not None else {}),
        "Host Name": node.name,
        "Domain": snapshot.definition.domain or "not set",
    }
    await context.write(f"Ethernet 0\n{_columns(rows)}")


async def show_hosts(context: CommandContext, _arguments: Arguments) -> None:
    """Every node of the cluster."""
    definition = context.snapshot.definition
    await context.write(
        "\n".join(f"{node.address} {definition.fqdn(node)} {node.name}".rstrip() for node in definition.nodes)
    )


async def show_parameters(context: CommandContext, _arguments: Arguments) -> None:
    """The enterprise parameters that the simulator acts on."""
    await context.write(_columns({name: context.snapshot.parameter(name) for name in CATALOGUE}))


def _columns(rows: dict[str, str]) -> str:
    width = max(len(name) for name in rows)
    return "\n".join(f"{name:<{width}} : {value}".rstrip() for name, value in rows.items())


COMMANDS = (
    Command("show version active", "the release of this node", show_version),
    Command("show status", "the node at a glance", show_status),
    Command("show network eth0", "addresses and names of this node", show_network),
    Command("show tech version", "the same as show version active", show_version, level=1),
    Command("show tech network hosts", "the nodes of the cluster", show_hosts, level=1),
    Command("show tech params enterprise", "the enterprise parameters", show_parameters, level=1),
)
