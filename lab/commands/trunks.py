"""``ucmsim trunks``: the SIP trunks of a cluster and whether their other ends answer, as its running nodes see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from lab.console import out, print_json, say
from lab.options import DEFAULT_STATE, JsonOption, StateOption
from lab.stores import ClusterOption, with_store

if TYPE_CHECKING:
    from cluster.store import ClusterStore

app = typer.Typer(help="See the SIP trunks and whether they are in service.", no_args_is_help=True)
_COLUMNS = {
    "Trunk": "trunk",
    "Destination": "destination",
    "Security": "security",
    "Node": "node",
    "Port": "incoming_port",
    "Status": "state",
    "Reason": "reason",
}


@app.callback()
def _trunks() -> None:
    """Keeps ``list`` a command of its own."""


@app.command("list")
def list_trunks(
    state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None, *, as_json: JsonOption = False
) -> None:
    """List the SIP trunks: on each node of its group, whether the other end answers OPTIONS, and why not."""

    async def work(store: ClusterStore) -> list[dict[str, object]]:
        from cluster.management.trunks import UNKNOWN, TrunkStatus, trunk_states

        found = {(item.trunk, item.node): item for item in await trunk_states(store) if store.runs(item.node)}
        definition = store.snapshot.definition
        rows: list[dict[str, object]] = []
        for trunk in definition.sip_trunks:
            for node in definition.group(trunk.callmanager_group).members:
                silent = "node is not running" if not store.runs(node) else "Cisco CallManager does not run there"
                nothing = TrunkStatus(node, trunk.name, UNKNOWN, silent, "", 0, "")
                status = found.get((trunk.name, node), nothing)
                rows.append(
                    {
                        "trunk": trunk.name,
                        "destination": f"{trunk.destination}:{trunk.port}",
                        "security": trunk.security,
                        "node": node,
                        "incoming_port": status.incoming_port or None,
                        "state": status.state,
                        "since": status.since,
                        "reason": status.reason,
                        "tls": status.tls,
                    }
                )
        return rows

    rows = with_store(state, cluster, work)
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("this cluster has no SIP trunks; 'sip_trunks' of the configuration makes them")
        return
    table = Table()
    for heading in _COLUMNS:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if row[key] is None else str(row[key])) for key in _COLUMNS.values()))
    out.print(table)
