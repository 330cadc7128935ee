"""``ucmsim phones``: what an administrator sees and does under Device > Phone, on a running cluster or not."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import err, out, print_json, say
from lab.options import DEFAULT_STATE, JsonOption, StateOption
from lab.progress import OrderProgress
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
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
    *,
    outdated: Annotated[
        bool, typer.Option("--outdated", help="Only registered phones whose CTL or ITL is not the current one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the cluster's phones: where each is registered, and whether its CTL and ITL are the current ones."""

    async def work(store: ClusterStore) -> list[dict[str, object]]:
        from cluster.management.phones import is_outdated, registered_phones

        found = {phone.device: phone for phone in await registered_phones(store) if store.runs(phone.node)}
        return [
            {
                "device": device.name,
                "model": device.model,
                "description": device.description,
                **_state(found, device.name),
            }
            for device in store.snapshot.devices.values()
            if not outdated or is_outdated(found.get(device.name), store.snapshot)
        ]

    rows = with_store(state, cluster, work)
    if as_json:
        print_json(rows)
        return
    keys = ("device", "model", "description", "status", "node", "address", "lines", "ctl", "itl")
    headings = ("Device", "Model", "Description", "Status", "Registered with", "Address", "Lines", "CTL", "ITL")
    out.print(Rows(headings, [tuple(_shown(row[key]) for key in keys) for row in rows], prose=("Description", "Lines")))


WaitOption = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", help="Wait so long for the phones to be registered again.", min=0),
]


@app.command("reset")
def reset(
    to: TargetOption,
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
    wait: WaitOption = 0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Reset phones: they boot anew. Exit 0 when every registered one answered and, with --wait, is back; else 1."""
    _give("reset", to, state, cluster, wait_s=wait, as_json=as_json)


@app.command("restart")
def restart(
    to: TargetOption,
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
    wait: WaitOption = 0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Restart phones: they unregister and read their configuration again. Exit codes are those of reset."""
    _give("restart", to, state, cluster, wait_s=wait, as_json=as_json)


@app.command("apply-config")
def apply_config(
    to: TargetOption, state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None, *, as_json: JsonOption = False
) -> None:
    """Tell phones the version of their configuration; those with another one restart."""
    _give("apply-config", to, state, cluster, as_json=as_json)


@app.command("check-version")
def check_version(
    to: TargetOption, state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None, *, as_json: JsonOption = False
) -> None:
    """Have phones compare the version of their configuration; those with another one restart."""
    _give("check-version", to, state, cluster, as_json=as_json)


def _give(
    action: str,
    target: str,
    state: StateOption,
    cluster: ClusterOption,
    *,
    wait_s: float = 0,
    as_json: bool = False,
) -> None:
    from lab.ordering import give_order

    progress = OrderProgress(err)
    with progress:
        result = with_store(state, cluster, lambda store: give_order(store, action, target, wait_s, progress.show))
    if not result.running:
        err.print("warning: no node of the cluster is running, so nobody gets the order", style="yellow")
    if as_json:
        print_json(result.as_json())
    else:
        say(result.text())
    raise typer.Exit(0 if result.good else 1)


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
            "ctl": "",
            "itl": "",
            "since": "",
        }
    values = asdict(phone)
    values.pop("device")
    return {"status": "Registered", **values}
