"""``utils itl reset`` (R-REC-4). The output is UCM's; that ``remotekey`` asks for what it was not given is ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.itl import MAX_P12_SIZE, RECOVERY_FILE, reset_localkey, reset_remotekey
from services.commandline.commands.remote import Remote, fetch
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours, Ucm

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def localkey(context: CommandContext, _arguments: Arguments) -> None:
    """Signs the ITL with the key on this server that is not its usual signer's."""
    await _reset(context, reset_localkey(context.store, context.actor), name="None")


async def remotekey(context: CommandContext, arguments: Arguments) -> None:
    """Signs the ITL with an exported recovery key, fetched from an SFTP server."""
    name = arguments.get("FILE", RECOVERY_FILE)
    remote = await Remote.asked(context, host=arguments.get("HOST"), user=arguments.get("USER"))
    data = await fetch(context, remote, name, MAX_P12_SIZE)
    password = await context.ask(Ours.P12_OPEN.format(name=name), secret=True)
    await _reset(context, reset_remotekey(context.store, data, password, context.actor), name=name)


async def _reset(context: CommandContext, operation: Coroutine[object, object, list[str]], *, name: str) -> None:
    await context.write(f"{Ucm.RESET_NAME.format(name=name)}\n\n{Ucm.RESET_GENERATING}\n")
    nodes = await context.finish(operation)
    servers = "\n".join(nodes)
    count = Ucm.RESET_COUNT.format(count=len(nodes))
    await context.write(f"{Ucm.RESET_GENERATED}\n\n{Ucm.RESET_LOCATING}\n\n{Ucm.RESET_FOLLOWING}\n")
    await context.write(f"{Ucm.RESET_RULE_ABOVE}\n{servers}\n{Ucm.RESET_RULE_BELOW}\n{count}\n")
    await context.write(f"{Ucm.RESET_TRANSFERRING}\n")
    await context.write("\n".join(Ucm.RESET_TRANSFERRED.format(node=node) for node in nodes))


COMMANDS = (
    Command(
        "utils itl reset localkey",
        "sign the ITL with the local key that phones know beside the usual signer's",
        localkey,
        level=4,
        publisher_only=True,
    ),
    Command(
        "utils itl reset remotekey",
        "sign the ITL with an exported ITLRecovery.p12 from an SFTP server",
        remotekey,
        (
            Argument("HOST", "SFTP server; asked for when not given", optional=True),
            Argument("USER", "who logs in there", optional=True),
            Argument("FILE", "name of the file there, ITLRecovery.p12 by default", optional=True),
        ),
        level=4,
        publisher_only=True,
    ),
)
