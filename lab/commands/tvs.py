"""``ucmsim tvs``: asks any Trust Verification Service, ours or not."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated

import typer

from lab.console import err, print_json, say
from lab.options import JsonOption, TraceOption, host_and_port, open_trace, read_certificate

app = typer.Typer(help="Ask a Trust Verification Service about certificates.", no_args_is_help=True)
_DEVICE = re.compile(r"[ -~]{1,64}")


@app.callback()
def _group() -> None:
    """Keeps ``verify`` a sub-command."""


@app.command("verify")
def verify(
    server: Annotated[str, typer.Argument(metavar="HOST[:PORT]", help="TVS server; port 2445 by default.")],
    certificate: Annotated[Path, typer.Argument(metavar="CERT", help="Certificate to ask about, PEM or DER.")],
    tvs: Annotated[
        Path, typer.Option("--tvs", help="The server's own TVS certificate, as phones know it from their ITL.")
    ],
    device: Annotated[str, typer.Option("--device", help="Name of the asking phone.")] = "CP-8865-SEP001122334455",
    trace: TraceOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Ask whether a certificate is trusted, and for what: exit 0 valid, 1 invalid, 4 unreachable."""
    from base.clock import SystemClock
    from phone_sim.clients.tvs import TvsClient, TvsUnreachable
    from wire.trustlist import Function

    if not _DEVICE.fullmatch(device):
        raise typer.BadParameter("a device name is 1 to 64 printable characters", param_hint="--device")
    address = host_and_port(server, 2445)
    asked, known = read_certificate(certificate), read_certificate(tvs)
    with open_trace(trace) as events:
        client = TvsClient([address], [known], device, clock=SystemClock(), trace=events)
        try:
            answer = asyncio.run(client.verify(asked))
        except TvsUnreachable as error:
            if as_json:
                print_json({"server": server, "reachable": False, "reason": str(error)})
            err.print(f"ucmsim: {error}")
            raise typer.Exit(4) from error
    known_roles = {int(function) for function in Function}
    roles = [Function(role).name if role in known_roles else str(role) for role in answer.roles]
    if as_json:
        print_json(
            {"server": server, "reachable": True, "valid": answer.trusted, "roles": roles, "ttl_s": answer.ttl_s}
        )
    elif answer.trusted:
        for line in (f"valid: {asked.subject}", f"roles: {', '.join(roles)}", f"TTL: {answer.ttl_s} s"):
            say(line)
    else:
        say(f"invalid: {asked.subject} is not known to {server}")
    raise typer.Exit(0 if answer.trusted else 1)
