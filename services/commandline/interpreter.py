"""Runs a line: finds its command, checks who may, and turns every error into text in one place."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from services.commandline.context import MAX_LINE, Declined, InputEnded
from services.commandline.grammar import Found, Mistake
from services.commandline.texts import Ours
from services.commandline.tree import GRAMMAR
from wire.errors import UcmsimError

if TYPE_CHECKING:
    from services.commandline.context import CommandContext

log = logging.getLogger("ucmsim.commandline")


class Outcome(Enum):
    """How a command ended; the value is what a shell sees."""

    DONE = 0
    REFUSED = 1
    USAGE = 2


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why a line came to nothing.

    Attributes:
        wanted: the operator decided so: no failure to tell of.
    """

    reason: str
    outcome: Outcome = Outcome.REFUSED
    wanted: bool = False


async def execute(context: CommandContext, line: str) -> Outcome:
    """Runs one line; an empty one does nothing. Only cancellation gets out of here."""
    context.begin()
    if not line.strip():
        return Outcome.DONE
    found = _understand(context, line)
    problem = await _run(context, found) if isinstance(found, Found) else found
    if problem is None:
        return Outcome.DONE
    context.begin()
    await context.write(problem.reason if problem.wanted else f"{Ours.FAILED}\n{problem.reason}")
    return problem.outcome


def _understand(context: CommandContext, line: str) -> Found | _Problem:
    if len(line) > MAX_LINE:
        return _Problem(Ours.LINE_TOO_LONG.format(limit=MAX_LINE), Outcome.USAGE)
    found = GRAMMAR.find(line)
    if isinstance(found, Mistake):
        return _Problem(found.reason, Outcome.USAGE)
    command = found.command
    if command.level > context.level:
        return _Problem(Ours.LEVEL.format(needed=command.level, level=context.level))
    if command.publisher_only and not context.definition.publisher:
        publisher = context.snapshot.definition.publisher.name
        return _Problem(Ours.PUBLISHER_ONLY.format(publisher=publisher, node=context.node))
    return found


async def _run(context: CommandContext, found: Found) -> _Problem | None:
    try:
        await found.command.handler(context, found.arguments)
    except Declined:
        return _Problem(Ours.CANCELLED, wanted=True)
    except InputEnded:
        return _Problem(Ours.ABANDONED)
    except UcmsimError as error:
        return _Problem(str(error))
    except Exception:
        log.exception("command failed: %s", found.command.words)
        return _Problem(Ours.INTERNAL)
    return None


def complete(context: CommandContext, line: str) -> tuple[str, tuple[str, ...]]:
    """What tab makes of a line, and what fits when it cannot decide."""
    offer = GRAMMAR.offer(context, line)
    if not offer.words:
        return line, ()
    stem = line[: len(line) - len(offer.begun)]
    if len(offer.words) == 1:
        return f"{stem}{offer.words[0]} ", ()
    return stem + _common_beginning(offer.words, offer.begun), offer.words


def explain(context: CommandContext, line: str) -> str | None:
    """What ``?`` shows at the end of a line (layout ours); None where it is a sign of the line itself."""
    offer = GRAMMAR.offer(context, line)
    if offer.free and offer.begun.strip():
        return None
    if not offer.commands:
        return Ours.NO_COMMAND.format(word=line.strip())
    width = max(len(command.shown) for command in offer.commands)
    rows = [f"   {command.shown:<{width}}  {command.about}" for command in offer.commands]
    if len(offer.commands) == 1:
        rows += [f"      {argument.name:<12}  {argument.about}" for argument in offer.commands[0].arguments]
        rows += [f"         {word}" for word in offer.words if offer.values]
    return "\n".join(rows)


def _common_beginning(words: tuple[str, ...], begun: str) -> str:
    """What all words begin with; never less than what is typed."""
    shortest = min(words, key=len)
    length = len(begun)
    while length < len(shortest) and all(word[length] == shortest[length] for word in words):
        length += 1
    return shortest[:length]
