"""``file``: the node's TFTP folder, as far as the command line sees it. Dialogs are ours but for ``file delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.ctl import delete_file
from cluster.management.itl import RECOVERY_FILE, export_recovery
from services.commandline.commands.remote import Remote, send
from services.commandline.folder import Folder
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours, Ucm
from wire.errors import Refusal

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments

_ACTIVE_FOLDER = "cm/tftpdata/"
"""Where ``activelog`` has the same files."""


def _folder(context: CommandContext) -> Folder:
    return Folder(context.snapshot, context.node)


def _names(context: CommandContext) -> list[str]:
    return _folder(context).names()


async def list_files(context: CommandContext, arguments: Arguments) -> None:
    """Names that fit a pattern, and how many there are."""
    names = _folder(context).matching(arguments.get("PATTERN", "*"))
    await context.write("\n".join([*names, Ours.LISTED.format(count=len(names))]))


async def view(context: CommandContext, arguments: Arguments) -> None:
    """A text file."""
    name = arguments["NAME"]
    try:
        text = (await _read(context, name)).decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise Refusal(400, Ours.NO_TEXT.format(name=name))
    await context.write(text.replace("\r\n", "\n").rstrip("\n"))


async def get(context: CommandContext, arguments: Arguments) -> None:
    """Sends a file to an SFTP server; the recovery key leaves only with a password around it."""
    name = arguments["NAME"]
    found = _folder(context).find(name)
    if found is None:
        raise Refusal(404, Ours.NO_FILE.format(name=name, node=context.node))
    await context.write(f"{Ours.GATHERING}\n{Ours.AFFECTED.format(count=1)}")
    await context.confirm(Ours.PROCEED_FILE, "y", "yes")
    remote = await Remote.asked(context)
    if found == RECOVERY_FILE:
        password = await _new_password(context, found)
        data = await context.finish(export_recovery(context.store, password, context.actor))
    else:
        data = await _read(context, found)
    await send(context, remote, found.rpartition("/")[2], data)


async def delete_tftp(context: CommandContext, arguments: Arguments) -> None:
    """Deletes a file that a command made, on this node alone."""
    await _delete(context, arguments["NAME"])


async def delete_active(context: CommandContext, arguments: Arguments) -> None:
    """The same, by its path below ``activelog``."""
    path = arguments["PATH"]
    if not path.startswith(_ACTIVE_FOLDER):
        raise Refusal(404, Ours.NO_FILE.format(name=path, node=context.node))
    await _delete(context, path.removeprefix(_ACTIVE_FOLDER))


async def _delete(context: CommandContext, name: str) -> None:
    folder = _folder(context)
    found = folder.find(name)
    if found is not None and not folder.is_stored(found):
        reason = Ours.GENERATED_FILE if folder.is_generated(found) else Ours.LAB_FILE
        raise Refusal(403, reason.format(name=found))
    if found is None:
        await context.write(Ucm.DELETED.format(found=0, deleted=0))
        raise Refusal(404, Ours.NO_FILE.format(name=name, node=context.node))
    await context.write(Ucm.DELETE_QUESTION.format(name=found))
    await context.confirm(Ucm.DELETE_CONTINUE, "y", "yes")
    deleted = await context.finish(delete_file(context.store, context.node, found, context.actor))
    await context.write(Ucm.DELETED.format(found=1, deleted=int(deleted)))


async def _read(context: CommandContext, name: str) -> bytes:
    data = await _folder(context).read(name)
    if data is None:
        raise Refusal(404, Ours.NO_FILE.format(name=name, node=context.node))
    return data


async def _new_password(context: CommandContext, name: str) -> str:
    password = await context.ask(Ours.P12_PASSWORD.format(name=name), secret=True)
    if await context.ask(Ours.P12_AGAIN, secret=True) != password:
        raise Refusal(400, Ours.P12_DIFFERENT)
    return password


_NAME = Argument("NAME", "as 'file list tftp' prints it", choices=_names)

COMMANDS = (
    Command(
        "file list tftp",
        "files of the TFTP folder",
        list_files,
        (Argument("PATTERN", "with * and ?; all by default", optional=True),),
        level=1,
    ),
    Command("file view tftp", "show a text file", view, (_NAME,)),
    Command("file get tftp", "send a file to an SFTP server", get, (_NAME,), level=1),
    Command("file delete tftp", "delete a file from this node's TFTP folder", delete_tftp, (_NAME,), level=1),
    Command(
        "file delete activelog",
        "delete a file by its path",
        delete_active,
        (Argument("PATH", "cm/tftpdata/CTLFile.tlv"),),
        level=1,
    ),
)
