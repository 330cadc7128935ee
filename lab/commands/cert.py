"""``ucmsim cert``: the certificates in a state folder, whether or not the cluster is running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import err, out, print_json, say
from lab.options import DEFAULT_STATE, JsonOption, StateOption, read_file
from lab.stores import ClusterOption, with_store
from lab.tables import Rows
from wire.certificates import Certificate
from wire.errors import OperatorError, WireError

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore

app = typer.Typer(
    help="List, export, trust and distrust certificates of a cluster. A running cluster takes changes up at once.",
    no_args_is_help=True,
)

_DIGITS = 16
"""Of a SHA-256, enough to name a certificate by."""


@app.command("list")
def list_certificates(
    state: StateOption = DEFAULT_STATE, cluster: ClusterOption = None, *, as_json: JsonOption = False
) -> None:
    """List own and trusted certificates with their validity, and warn of those that end soon."""

    async def work(store: ClusterStore) -> tuple[list[dict[str, object]], list[str]]:
        from cluster.management.warnings import warnings_of

        return _rows(store.snapshot), warnings_of(store.snapshot, store.now())

    rows, warnings = with_store(state, cluster, work)
    for warning in warnings:
        err.print(f"warning: {warning}", style="yellow")
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            str(row["name"]),
            str(row["where"]),
            str(row["subject"]),
            str(row["key"]),
            str(row["not_after"])[:10],
            str(row["sha256"])[:_DIGITS] + "…",
        )
        for row in rows
    ]
    headings = ("Certificate", "Where", "Subject", "Key", "Valid until", "SHA-256")
    out.print(Rows(headings, shown, prose=("Subject",)))


@app.command("export")
def export(
    name: Annotated[
        str, typer.Argument(help="Purpose (TVS, CallManager, tomcat ...) or the first digits of a SHA-256.")
    ],
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
    node: Annotated[str | None, typer.Option("--node", help="Which node's; the publisher's by default.")] = None,
    output: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; stdout by default.")] = None,
    *,
    der: Annotated[bool, typer.Option("--der", help="DER instead of PEM; needs --out.")] = False,
) -> None:
    """Write one certificate as PEM (never its key)."""
    if der and output is None:
        raise typer.BadParameter("--der needs --out FILE")

    async def work(store: ClusterStore) -> Certificate:
        return _find(store.snapshot, name, node)

    certificate = with_store(state, cluster, work)
    if output is None:
        typer.echo(certificate.pem, nl=False)
        return
    try:
        output.write_bytes(certificate.der if der else certificate.pem.encode())
    except OSError as error:
        raise OperatorError(f"cannot write {output}: {error.strerror}") from error


@app.command("add")
def add(
    store_name: Annotated[str, typer.Argument(metavar="STORE", help="Trust store: tomcat-trust, Phone-SAST-trust ...")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Certificates, PEM (one or more each) or DER.")
    ],
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
) -> None:
    """Put certificates into a trust store of every node; TVS answers for them at once."""
    certificates = [certificate for path in files for certificate in _read_all(path)]

    async def work(store: ClusterStore) -> int:
        return await store.add_trust(store_name, certificates)

    added = with_store(state, cluster, work)
    say(f"{added} certificate(s) added to {store_name}, {len(certificates) - added} already there")


@app.command("delete")
def delete(
    store_name: Annotated[str, typer.Argument(metavar="STORE", help="Trust store.")],
    name: Annotated[str, typer.Argument(help="First digits of the certificate's SHA-256, at least 8.")],
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
) -> None:
    """Take a certificate out of a trust store of every node."""

    async def work(store: ClusterStore) -> str:
        certificate = _find(store.snapshot, name, None)
        await store.delete_trust(store_name, certificate.sha256)
        return str(certificate.subject)

    say(f"deleted from {store_name}: {with_store(state, cluster, work)}")


def _rows(snapshot: ClusterSnapshot) -> list[dict[str, object]]:
    rows = [
        _row("own", own.node, own.purpose.value, own.certificate)
        for own in sorted(snapshot.own.values(), key=lambda item: (item.node, item.purpose.value))
    ]
    trusted = [
        _row("trust", store, "", Certificate.from_der(entry.der))
        for entry in snapshot.trusted.values()
        for store in entry.stores
    ]
    return rows + sorted(trusted, key=lambda row: (row["where"], row["subject"], row["sha256"]))


def _row(kind: str, where: str, name: str, certificate: Certificate) -> dict[str, object]:
    key = certificate.public_key
    return {
        "kind": kind,
        "where": where,
        "name": name,
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "serial": f"{certificate.serial:X}",
        "key": f"{'RSA' if certificate.is_rsa else 'EC'} {key.key_size}",
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "sha1": certificate.sha1.hex(),
        "sha256": certificate.sha256.hex(),
    }


def _find(snapshot: ClusterSnapshot, name: str, node: str | None) -> Certificate:
    owner = node or snapshot.definition.publisher.name
    if snapshot.definition.node(owner) is None:
        known = ", ".join(item.name for item in snapshot.definition.nodes)
        raise OperatorError(f"there is no node {owner!r}; nodes: {known}")
    for (own_node, purpose), own in snapshot.own.items():
        if purpose.value.lower() == name.lower() and own_node.lower() == owner.lower():
            return own.certificate
    wanted = name.lower()
    matches = [digest for digest in snapshot.trusted if len(wanted) >= 8 and digest.hex().startswith(wanted)]
    if len(matches) == 1:
        return Certificate.from_der(snapshot.trusted[matches[0]].der)
    purposes = ", ".join(purpose.value for own_node, purpose in snapshot.own if own_node.lower() == owner.lower())
    reason = f"{len(matches)} certificates match it" if matches else "nothing matches it"
    raise OperatorError(
        f"no certificate {name!r} of {owner}: {reason}; purposes: {purposes}; or give 8 digits or more of a SHA-256"
    )


def _read_all(path: Path) -> list[Certificate]:
    data = read_file(path)
    begin = b"-----BEGIN CERTIFICATE-----"
    try:
        if begin not in data:
            return [Certificate.from_der(data)]
        return [Certificate.from_pem(begin + block) for block in data.split(begin)[1:]]
    except WireError as error:
        raise OperatorError(f"{path}: {error}") from error
