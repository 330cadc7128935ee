"""Trust stores: ``set cert import trust``, ``set cert delete``. They are the whole cluster's (R-TVS-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.certificates import delete_trust, upload_trust
from cluster.purposes import Purpose
from services.commandline.commands.pasting import pasted
from services.commandline.commands.truststores import trust_certificate
from services.commandline.commands.units import TRUST_UNIT, trust_store_of
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours, Ucm
from wire.errors import Refusal

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def import_trust(context: CommandContext, arguments: Arguments) -> None:
    """Puts what is pasted into a trust store."""
    unit = arguments["UNIT"]
    store = trust_store_of(unit)
    data = await pasted(context)
    await context.finish(upload_trust(context.store, store, data, context.actor))
    await context.write(Ucm.IMPORTED.format(unit=unit))
    await context.write(Ucm.RESTART_AFTER_IMPORT.format(unit=unit))


async def delete(context: CommandContext, arguments: Arguments) -> None:
    """Takes a certificate out of a trust store of every node."""
    unit, name = arguments["UNIT"], arguments["NAME"].rpartition("/")[2]
    if any(purpose.value == unit for purpose in Purpose) and name.removesuffix(".pem") == unit:
        raise Refusal(409, Ours.NO_OWN_DELETION.format(unit=unit))
    store = trust_store_of(unit)
    seen = await trust_certificate(context, f"{store}/{name}")
    await context.confirm(Ours.DELETE_TRUST_QUESTION.format(name=name, store=store), "yes", "y")
    await context.finish(delete_trust(context.store, store, seen.sha256.hex(), context.actor))
    await context.write(Ours.DELETED_TRUST.format(name=name, store=store))


COMMANDS = (
    Command("set cert import trust", "put a certificate into a trust store", import_trust, (TRUST_UNIT,), level=1),
    Command(
        "set cert delete",
        "take a certificate out of a trust store",
        delete,
        (TRUST_UNIT, Argument("NAME", "as 'show cert list trust' prints it after the slash", rest=True)),
        level=1,
    ),
)
