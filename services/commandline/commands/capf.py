"""``utils capf stale-lsc``: LSCs of which the CAPF certificate was regenerated, or that have expired.

The commands are UCM's. What they print, and that deleting makes the cluster forget an LSC, is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.capf import forget_stale_lscs, stale_lscs
from services.commandline.grammar import Command
from services.commandline.texts import Ours

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def list_stale(context: CommandContext, _arguments: Arguments) -> None:
    """One line for each phone."""
    await context.write(_told(_stale(context)))


async def delete_stale(context: CommandContext, _arguments: Arguments) -> None:
    """The cluster forgets them; the phones need new ones."""
    stale = _stale(context)
    await context.write(_told(stale))
    if not stale:
        return
    await context.confirm(Ours.STALE_LSC_QUESTION, "yes", "y")
    forgotten = await context.finish(forget_stale_lscs(context.store, context.actor))
    await context.write(Ours.STALE_LSC_DELETED.format(count=len(forgotten)))


def _stale(context: CommandContext) -> list[str]:
    found = stale_lscs(context.snapshot, context.store.now())
    return [Ours.STALE_LSC.format(device=item.device, serial=f"{item.lsc.serial:x}", why=item.why) for item in found]


def _told(stale: list[str]) -> str:
    return "\n".join(stale) or Ours.NO_STALE_LSC


COMMANDS = (
    Command("utils capf stale-lsc list", "phones whose LSC should be replaced", list_stale),
    Command("utils capf stale-lsc delete", "forget those LSCs", delete_stale, level=1),
)
