"""``ucmsim phones``: what an administrator sees and does under Device > Phone, on a running cluster or not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import err, out, print_json, say
from lab.options import DEFAULT_STATE, JsonOption, StateOption
from lab.stores import ClusterOption, with_store
from lab.tables import Rows

if TYPE_CHECKING:
    from cluster.management.phones import RegisteredPhone
    from cluster.store import ClusterStore

app = typer.Typer(help="List registered phones and give them orders.", no_args_is_help=True)
TargetOption = Annotated[
    str, typer.Option("--to", help="'all', SEP<MAC>, model:<model> or pool:<device pool>.", metavar="TARGET")
]


@app.command("list")
def list_phones(
    state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None, *, as_json: JsonOption = False
) -> None:
    """List the cluster's phones: where each is registered, and whether its ITL is the current one."""

    async def work(store: ClusterStore) -> list[dict[str, object]]:
        from cluster.management.phones import registered_phones

        found = {phone.device: phone for phone in await registered_phones(store) if store.runs(phone.node)}
        return [
            {
                "device": device.name,
                "model": device.model,
                "description": device.description,
                **_state(found, device.name),
            }
            for device in store.snapshot.devices.values()
        ]

    rows = with_store(state, cluster, work)
    if as_json:
        print_json(rows)
        return
    keys = ("device", "model", "description", "status", "node", "address", "lines", "itl")
    headings = ("Device", "Model", "Description", "Status", "Registered with", "Address", "Lines", "ITL")
    out.print(Rows(headings, [tuple(_shown(row[key]) for key in keys) for row in rows], prose=("Description", "Lines")))


@app.command("reset")
def reset(to: TargetOption, state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None) -> None:
    """Reset phones: they boot anew."""
    _order("reset", to, state, cluster)


@app.command("restart")
def restart(to: TargetOption, state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None) -> None:
    """Restart phones: they unregister and read their configuration again."""
    _order("restart", to, state, cluster)


@app.command("apply-config")
def apply_config(to: TargetOption, state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None) -> None:
    """Tell phones the version of their configuration; those with another one restart."""
    _order("apply-config", to, state, cluster)


@app.command("check-version")
def check_version(to: TargetOption, state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None) -> None:
    """Have phones compare the version of their configuration; those with another one restart."""
    _order("check-version", to, state, cluster)


def _order(action: str, target: str, state: StateOption, cluster: ClusterOption) -> None:
    from cluster.audit import Actor
    from cluster.management.phones import order_phones

    async def work(store: ClusterStore) -> tuple[int, list[str]]:
        count = await order_phones(store, action, target, Actor("admin", "phones command"))
        nodes = [node.name for node in store.snapshot.definition.nodes]
        return count, [] if any(store.runs(node) for node in nodes) else nodes

    count, stopped = with_store(state, cluster, work)
    if stopped:
        err.print(f"warning: none of {', '.join(stopped)} is running, so nobody gets the order", style="yellow")
    else:
        say(f"{action}: ordered for {count} device(s); those that are registered get it now")


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _state(found: dict[str, RegisteredPhone], device: str) -> dict[str, object]:
    phone = found.get(device)
    if phone is None:
        return {
            "status": "Unregistered",
            "node": "",
            "address": "",
            "transport": "",
            "lines": (),
            "itl": "",
            "since": "",
        }
    values = asdict(phone)
    values.pop("device")
    return {"status": "Registered", **values}
