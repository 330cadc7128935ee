"""``ucmsim parameter``: the enterprise parameters, which UCM has on a web page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import out, print_json, say
from lab.options import DEFAULT_STATE, JsonOption, StateOption
from lab.stores import ClusterOption, with_store
from lab.tables import Rows

if TYPE_CHECKING:
    from cluster.store import ClusterStore

app = typer.Typer(
    help="Show and set enterprise parameters of a cluster. A running cluster takes changes up at once.",
    no_args_is_help=True,
)


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    value: str
    takes: str
    about: str


@app.command("list")
def list_parameters(
    state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None, *, as_json: JsonOption = False
) -> None:
    """List every parameter with its value, what it takes, and what it does."""

    async def work(store: ClusterStore) -> list[_Row]:
        from cluster.parameters import CATALOGUE

        snapshot = store.snapshot
        return [_Row(item.name, snapshot.parameter(item.name), item.kind, item.about) for item in CATALOGUE.values()]

    rows = with_store(state, cluster, work)
    if as_json:
        print_json([{"name": row.name, "value": row.value, "takes": row.takes, "about": row.about} for row in rows])
        return
    headings = ("Parameter", "Value", "Takes", "What it does")
    out.print(Rows(headings, [(row.name, row.value, row.takes, row.about) for row in rows], prose=headings))


@app.command("set")
def set_parameter(
    name: Annotated[str, typer.Argument(help="Name as listed; case counts for nothing.")],
    value: Annotated[str, typer.Argument(help="New value.")],
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
) -> None:
    """Set a parameter. Security mode, FIPS mode and least TLS version are set at the node's command line instead."""
    from cluster.audit import Actor
    from cluster.parameters import CATALOGUE, SET_BY_COMMAND
    from wire.errors import Refusal

    known = next((label for label in CATALOGUE if label.lower() == name.lower()), name)
    command = SET_BY_COMMAND.get(known)
    if command is not None:
        raise Refusal(403, f"{known} is set by '{command} ...' at a node's command line, see 'ucmsim admin --help'")

    async def work(store: ClusterStore) -> str:
        await store.set_parameter(known, value, Actor("admin", "parameter command"))
        return store.snapshot.parameter(known)

    say(f"{known} = {with_store(state, cluster, work)}")
