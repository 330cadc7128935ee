"""Signing requests: ``set csr gen``, ``show csr``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cluster.management.certificates import make_request
from services.commandline.commands.units import UNIT, purpose_of, unit_of
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours, Ucm
from wire.errors import Refusal

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def generate(context: CommandContext, arguments: Arguments) -> None:
    """Makes a request and a key; the ones before are gone (R-CRT-4)."""
    unit = unit_of(arguments["UNIT"])
    await context.finish(make_request(context.store, context.node, purpose_of(unit), context.actor))
    await context.write(Ucm.CSR_MADE.format(unit=unit))


async def list_own(context: CommandContext, _arguments: Arguments) -> None:
    """The pending requests of this node."""
    await context.write("\n".join(_names(context)) or Ours.NO_CSR)


async def show_own(context: CommandContext, arguments: Arguments) -> None:
    """One request as PEM, as CAs and their tools read it."""
    unit = unit_of(arguments["NAME"])
    pending = context.snapshot.requests.get((context.node, purpose_of(unit)))
    if pending is None:
        raise Refusal(404, f"there is no signing request {arguments['NAME']!r}; 'show csr list own' shows them")
    pem = x509.load_der_x509_csr(pending.der).public_bytes(Encoding.PEM)
    await context.write(pem.decode("ascii").rstrip("\n"))


def _names(context: CommandContext) -> list[str]:
    units = [purpose.value for node, purpose in context.snapshot.requests if node == context.node]
    return sorted(f"{unit}/{unit}.csr" for unit in units)


COMMANDS = (
    Command("show csr list own", "the signing requests that wait for their certificate", list_own, level=1),
    Command(
        "show csr own",
        "one signing request",
        show_own,
        (Argument("NAME", "as the list prints it: tomcat/tomcat.csr", choices=_names),),
        level=1,
    ),
    Command("set csr gen", "make a signing request; it replaces the unit's previous one", generate, (UNIT,), level=1),
)
