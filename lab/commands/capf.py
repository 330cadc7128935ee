"""``ucmsim capf``: what the phone page has on certificates, for a cluster that runs or not."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.phonesecurity import (
    DEFAULT_EC_SIZE,
    DEFAULT_RSA_SIZE,
    Authentication,
    CapfOrder,
    KeyOrder,
    Operation,
)
from lab.console import out, print_json, say
from lab.options import DEFAULT_STATE, JsonOption, StateOption
from lab.tables import Rows

if TYPE_CHECKING:
    from cluster.phonesecurity import PhoneSecurity
    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate

app = typer.Typer(
    help="Say what CAPF has to do with a phone's certificate, and see what came of it. A running cluster takes it up "
    "at once; the phone does at its next reset.",
    no_args_is_help=True,
)
ClusterOption = Annotated[str | None, typer.Option("--cluster", help="Which cluster, when the folder holds several.")]
_GENERATED_DIGITS = 10


@app.command("schedule")
def schedule(
    device: Annotated[str, typer.Argument(help="SEP<MAC>.")],
    operation: Annotated[Operation, typer.Argument(help="What to do; none takes back what was scheduled.")],
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
    authentication: Annotated[
        Authentication, typer.Option("--auth", help="How the phone proves who it is.")
    ] = Authentication.NULL_STRING,
    string: Annotated[
        str, typer.Option("--string", help="Authentication string, 4 to 10 digits; one is made up when not given.")
    ] = "",
    key_order: Annotated[KeyOrder, typer.Option("--key-order", help="Kind of key.")] = KeyOrder.RSA,
    rsa_size: Annotated[int, typer.Option("--rsa-size", help="512, 1024, 2048, 3072 or 4096 bits.")] = DEFAULT_RSA_SIZE,
    ec_size: Annotated[int, typer.Option("--ec-size", help="256, 384 or 521 bits.")] = DEFAULT_EC_SIZE,
    hours: Annotated[
        int | None, typer.Option("--hours", help="Operation completes by: so many hours from now.", min=0, max=87_600)
    ] = None,
) -> None:
    """Schedule an operation for the next time that the phone comes to CAPF."""
    from cluster.audit import Actor
    from cluster.management import capf
    from lab.stores import opened_store

    by_string = authentication is Authentication.STRING and operation is not Operation.NONE
    if by_string and not string:
        string = "".join(secrets.choice("0123456789") for _ in range(_GENERATED_DIGITS))
    order = CapfOrder(
        operation=operation,
        authentication=authentication,
        auth_string=string,
        key_order=key_order,
        rsa_size=rsa_size,
        ec_size=ec_size,
        complete_by=None if hours is None else datetime.now(UTC) + timedelta(hours=hours),
    )

    async def work() -> str:
        async with opened_store(state, cluster) as store:
            name = capf.find_device(store.snapshot, device)
            await capf.schedule(store, name, order, Actor("operator", "capf command"))
            return name

    name = asyncio.run(work())
    say(f"{name}: {operation.label}, {authentication.label}, {key_order.label}")
    if by_string:
        say(f"authentication string: {string}")


@app.command("status")
def status(
    device: Annotated[str | None, typer.Argument(help="SEP<MAC>; every device when left out.")] = None,
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what is scheduled, what came of it, and which certificates the phones have."""
    from cluster.management import capf
    from lab.stores import opened_store

    async def work() -> list[dict[str, str | int | None]]:
        async with opened_store(state, cluster) as store:
            snapshot = store.snapshot
            names = sorted(snapshot.devices) if device is None else [capf.find_device(snapshot, device)]
            return [_row(snapshot, name) for name in names]

    rows = asyncio.run(work())
    if as_json:
        print_json(rows)
        return
    keys = ("device", "operation", "authentication", "key_order", "status", "lsc", "mic")
    headings = ("Device", "Operation", "Authentication", "Key order", "Status", "LSC", "MIC")
    shown = [tuple(str(row[key] or "-") for key in keys) for row in rows]
    out.print(Rows(headings, shown, prose=headings[1:]))


def _row(snapshot: ClusterSnapshot, name: str) -> dict[str, str | int | None]:
    """The authentication string is told when it is made, and never again."""
    security: PhoneSecurity = snapshot.security_of(name)
    order = security.order
    return {
        "device": name,
        "operation": order.operation.label,
        "authentication": order.authentication.label,
        "key_order": order.key_order.label,
        "rsa_size": order.rsa_size,
        "ec_size": order.ec_size,
        "complete_by": order.complete_by.isoformat() if order.complete_by else None,
        "status": security.status,
        "lsc": _told(security.lsc),
        "mic": _told(security.mic),
    }


def _told(certificate: Certificate | None) -> str | None:
    if certificate is None:
        return None
    kind = "RSA" if certificate.is_rsa else "EC"
    key = f"{kind} {certificate.public_key.key_size}"
    return f"{key}, serial {certificate.serial:x}, until {certificate.not_after:%Y-%m-%d}"
