"""Certificates that an operator pastes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.uploads import MAX_UPLOAD
from services.commandline.context import InputEnded
from services.commandline.texts import Ours
from wire.errors import Refusal

if TYPE_CHECKING:
    from services.commandline.context import CommandContext

_BEGIN, _END = "-----BEGIN ", "-----END "


async def pasted(context: CommandContext) -> bytes:
    """Lines up to an empty one, or to the end of input. Empty ones before the first and in a PEM block do not count.

    Too much ends the session, too: the rest of it would be taken for commands.

    Raises:
        Refusal: nothing came, or too much.
    """
    await context.write(Ours.PASTE)
    lines: list[str] = []
    size, inside = 0, False
    while True:
        try:
            line = (await context.ask("")).strip()
        except InputEnded:
            break
        if not line:
            if lines and not inside:
                break
            continue
        inside = line.startswith(_BEGIN) or (inside and not line.startswith(_END))
        size += len(line) + 1
        if size > MAX_UPLOAD:
            context.ended = True
            raise Refusal(413, Ours.PASTE_TOO_LONG.format(limit=MAX_UPLOAD))
        lines.append(line)
    if not lines:
        raise Refusal(400, Ours.PASTE_NOTHING)
    return ("\n".join(lines) + "\n").encode()
