"""Own certificates: ``set cert regen``, ``set cert import own`` (R-CRT-4, R-CRT-5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.certificates import regenerate, upload_own
from cluster.management.effects import EFFECTS, regeneration_warning, restart_hint
from cluster.management.fields import owner_of
from cluster.purposes import PURPOSES, Purpose
from services.commandline.commands.pasting import pasted
from services.commandline.commands.truststores import trust_certificate
from services.commandline.commands.units import UNIT, purpose_of, unit_of
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours, Ucm

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def regen(context: CommandContext, arguments: Arguments) -> None:
    """Makes a certificate anew, after a warning; the dialog for ITLRecovery has empty lines in it."""
    purpose = purpose_of(unit_of(arguments["UNIT"]))
    owner_of(context.snapshot, context.node, purpose)  # refuses before it asks
    seen = context.snapshot.require(context.node, purpose).certificate.sha256
    airy = purpose is Purpose.ITL_RECOVERY
    gap = "\n" if airy else ""
    await context.write(f"{gap}{regeneration_warning(purpose)}{gap}")
    await context.confirm(Ucm.PROCEED_REGENERATION, "yes", "y")
    await context.finish(regenerate(context.store, context.node, purpose, context.actor, seen=seen))
    done = Ucm.REGENERATED.format(unit=purpose.value)
    await context.write(f"{gap}{done}\n{gap}{restart_hint(purpose)}")
    await context.write("\n".join(_what_else(context, purpose)))


async def import_own(context: CommandContext, arguments: Arguments) -> None:
    """Installs what a CA made of the pending request."""
    purpose = purpose_of(unit_of(arguments["UNIT"]))
    owner_of(context.snapshot, context.node, purpose)
    if "CACERT" in arguments:
        store = PURPOSES[purpose].stores[0]
        name = arguments["CACERT"]
        await trust_certificate(context, name if "/" in name else f"{store}/{name}")
    seen = context.snapshot.require(context.node, purpose).certificate.sha256
    data = await pasted(context)
    await context.finish(upload_own(context.store, context.node, purpose, data, context.actor, seen=seen))
    await context.write(Ucm.IMPORTED.format(unit=purpose.value))
    await context.write(Ucm.RESTART_AFTER_IMPORT.format(unit=purpose.value))
    await context.write("\n".join(_what_else(context, purpose)))


def _what_else(context: CommandContext, purpose: Purpose) -> list[str]:
    """What a certificate's change asks for besides (R-CRT-6); UCM leaves that to its guides."""
    effect = EFFECTS[purpose]
    rows = [Ours.RELATED.format(services=", ".join(effect.restart))]
    if effect.ctl and context.snapshot.mixed_mode:
        rows.append(Ours.CTL_HINT)
    if effect.note:
        rows.append(Ours.NOTE.format(note=effect.note))
    return rows


COMMANDS = (
    Command("set cert regen", "make a self-signed certificate and its key anew", regen, (UNIT,), level=1),
    Command(
        "set cert import own",
        "install the certificate that a CA made of the signing request",
        import_own,
        (
            UNIT,
            Argument("CACERT", "the CA's certificate in the trust store: has to be there", optional=True, rest=True),
        ),
        level=1,
    ),
)
