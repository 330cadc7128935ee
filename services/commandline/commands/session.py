"""``help``, ``exit`` and ``quit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours
from wire.errors import Refusal

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def leave(context: CommandContext, _arguments: Arguments) -> None:
    """Ends the session."""
    context.ended = True


async def help_command(context: CommandContext, arguments: Arguments) -> None:
    """All commands, those that begin with some words, or one in full (layout ours)."""
    from services.commandline.tree import GRAMMAR

    words = arguments.get("COMMAND", "").split()
    commands = GRAMMAR.commands(words)
    if not commands:
        raise Refusal(404, Ours.NO_COMMAND.format(word=" ".join(words)))
    if len(commands) > 1 or not words:
        width = max(len(command.words) for command in commands)
        await context.write("\n".join(f"{command.words:<{width}}  {command.about}" for command in commands))
        return
    await context.write("\n".join(_in_full(context, commands[0])))


def _in_full(context: CommandContext, command: Command) -> list[str]:
    rows = [command.shown, "", f"  {command.about}", ""]
    for argument in command.arguments:
        optional = " (may be left out)" if argument.optional else ""
        rows.append(f"  {argument.name:<10} {argument.about}{optional}")
        if argument.rest:
            rows += [f"             {offer}" for offer in argument.offers(context)]
    rows.append(f"  Privilege level: {command.level}")
    rows.append(f"  Allowed on: {'the publisher only' if command.publisher_only else 'every node'}")
    return rows


COMMANDS = (
    Command(
        "help",
        "all commands, or what is known of one",
        help_command,
        (Argument("COMMAND", "words of a command", optional=True, rest=True),),
    ),
    Command("exit", "end the session", leave),
    Command("quit", "end the session", leave),
)
