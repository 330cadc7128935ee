"""Commands as data, and which command a line means.

A line is words with blanks between them. The words of a command are matched exactly: whether UCM takes shortened words
is not known (ours). What follows them are its arguments; the last one may take the rest of the line, blanks included.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.commandline.texts import Ours

if TYPE_CHECKING:
    from services.commandline.context import CommandContext

Arguments = Mapping[str, str]
"""Name -> what was typed; optional ones that were not typed are missing."""

Handler = Callable[["CommandContext", Arguments], Awaitable[None]]
Choices = Callable[["CommandContext"], Iterable[str]]


def nothing_known(_context: CommandContext) -> Iterable[str]:
    """Completes nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command.

    Attributes:
        name: as help shows it, in capitals.
        about: one line for people.
        choices: what tab offers; other values are possible all the same.
        fixed: the only possible values, when there are such.
        optional: may be left out; only the last ones may.
        rest: takes all that follows.
    """

    name: str
    about: str
    choices: Choices = nothing_known
    fixed: tuple[str, ...] = ()
    optional: bool = False
    rest: bool = False

    @property
    def shown(self) -> str:
        """As in the first line of a command's help."""
        inner = "|".join(self.fixed) if self.fixed else self.name
        return f"[{inner}]" if self.optional else inner

    def offers(self, context: CommandContext) -> list[str]:
        """What may be typed here, as far as it is known."""
        return list(self.fixed) or sorted(set(self.choices(context)))


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        words: ``utils ctl update CTLFile``.
        about: one line for people.
        handler: does it. Raises `wire.errors.Refusal` or `OperatorError` with the reason to print.
        arguments: in their order.
        level: privilege level that it needs; the command references' where they tell, else ours.
        publisher_only: subscribers refuse it (R-CLI-3).
    """

    words: str
    about: str
    handler: Handler
    arguments: tuple[Argument, ...] = ()
    level: int = 0
    publisher_only: bool = False

    @property
    def shown(self) -> str:
        """Words and arguments."""
        return " ".join([self.words, *(argument.shown for argument in self.arguments)])


@dataclass(slots=True)
class _Place:
    """What may follow some words: more words, or the arguments of a command."""

    following: dict[str, _Place] = field(default_factory=dict)
    command: Command | None = None

    def commands(self) -> list[Command]:
        """All commands from here on, in their order."""
        found = [self.command] if self.command is not None else []
        for place in self.following.values():
            found += place.commands()
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """A line that means a command."""

    command: Command
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line that means none.

    Attributes:
        reason: for people.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What may come at the end of an unfinished line.

    Attributes:
        begun: the last word, as far as it is typed; empty after a blank.
        words: what fits.
        commands: those that the line may still become.
        values: the words are values of an argument.
        free: the place takes any text, so that ``?`` is a sign like others.
    """

    begun: str
    words: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()
    values: bool = False
    free: bool = False


class Grammar:
    """A tree of commands.

    Args:
        commands: in the order in which help lists them; no command's words begin another's.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self._root = _Place()
        for command in commands:
            place = self._root
            for word in command.words.split():
                assert place.command is None, f"{command.words} goes on after a command"  # noqa: S101
                place = place.following.setdefault(word, _Place())
            assert place == _Place(), f"{command.words} is there twice"  # noqa: S101
            place.command = command

    def commands(self, words: Iterable[str] = ()) -> list[Command]:
        """The commands that begin with these words; none when no command does."""
        place, left = self._walk(list(words))
        return [] if left else place.commands()

    def find(self, line: str) -> Found | Mistake:
        """The command that a line means."""
        words = line.split()
        place, left = self._walk(words)
        command = place.command
        if command is None:
            if left:
                return Mistake(Ours.NO_COMMAND.format(word=left[0]))
            return Mistake(Ours.INCOMPLETE.format(line=" ".join(words)))
        return _arguments(command, left, line)

    def offer(self, context: CommandContext, line: str) -> Offer:
        """What may come at the end of `line`."""
        words = line.split()
        begun = "" if not words or line[-1].isspace() else words.pop()
        place, left = self._walk(words)
        command = place.command
        if command is None:
            if left:
                return Offer(begun)
            fitting = tuple(word for word in place.following if word.startswith(begun))
            commands = tuple(item for word in fitting for item in place.following[word].commands())
            return Offer(begun, fitting, commands)
        return _offer_argument(context, command, left, begun, line)

    def _walk(self, words: list[str]) -> tuple[_Place, list[str]]:
        """As far as the words lead; and the words that are left."""
        place = self._root
        for number, word in enumerate(words):
            if word not in place.following:
                return place, words[number:]
            place = place.following[word]
        return place, []


def _arguments(command: Command, words: list[str], line: str) -> Found | Mistake:
    arguments: dict[str, str] = {}
    left = list(words)
    for argument in command.arguments:
        if not left:
            if argument.optional:
                break
            return Mistake(Ours.INCOMPLETE.format(line=" ".join(line.split())))
        value = " ".join(left) if argument.rest else left[0]
        if argument.fixed and value not in argument.fixed:
            possible = ", ".join(argument.fixed)
            return Mistake(Ours.WRONG_VALUE.format(name=argument.name, value=value, possible=possible))
        arguments[argument.name] = value
        left = [] if argument.rest else left[1:]
    if left:
        before = " ".join(line.split()[: -len(left)])
        return Mistake(Ours.TOO_MANY.format(word=left[0], line=before))
    return Found(command, arguments)


def _offer_argument(context: CommandContext, command: Command, typed: list[str], begun: str, line: str) -> Offer:
    """Typed are the whole words after the command's; an argument that takes the rest is completed as one text."""
    commands = (command,)
    for number, argument in enumerate(command.arguments):
        if argument.rest:
            text = " ".join([*typed[number:], begun])
            fits = text.lower() if line.endswith(text) else None  # not after several blanks in a row
            offers = [item for item in argument.offers(context) if fits is not None and item.lower().startswith(fits)]
            return Offer(text, tuple(offers), commands, values=True, free=not offers)
        if number == len(typed):
            offers = [item for item in argument.offers(context) if item.startswith(begun)]
            return Offer(begun, tuple(offers), commands, values=True)
    return Offer(begun, (), commands)
