"""``ucmsim sftp``: an SFTP server for the laboratory."""

from __future__ import annotations

import asyncio
import errno
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import say
from wire.errors import OperatorError

if TYPE_CHECKING:
    from cluster.config import Administrator

DEFAULT_PORT = 10_222
DEFAULT_PASSWORD = "ucmsim"  # noqa: S105 - a laboratory's, known to everybody


def sftp(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that clients see as their root.")],
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on; 0 for any free one.", min=0, max=65_535)
    ] = DEFAULT_PORT,
    user: Annotated[str, typer.Option("--user", help="Who may log in.")] = "ucmsim",
    password: Annotated[
        str, typer.Option("--password", envvar="UCMSIM_SFTP_PASSWORD", help="With which password.")
    ] = DEFAULT_PASSWORD,
) -> None:
    """Run an SFTP server on a folder until Ctrl-C: for 'file get tftp' and 'utils itl reset remotekey'."""
    from pydantic import SecretStr, ValidationError

    from cluster.config import Administrator

    try:
        account = Administrator(name=user, password=SecretStr(password))
    except ValidationError as error:
        raise typer.BadParameter("a user is 1 to 32 letters, digits and _.-, a password 1 to 256 characters") from error
    try:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "there is no such folder")
    except OSError as error:
        raise OperatorError(f"{folder} cannot be served: {error.strerror}") from error
    asyncio.run(_serve(folder, host, port, account))


async def _serve(folder: Path, host: str, port: int, account: Administrator) -> None:
    from lab.sftpserver import LabSftp, SftpOptions

    server = LabSftp(SftpOptions(folder, account))
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await server.start(host, port)
    try:
        say(f"SFTP on {host} port {server.port}, user {account.name}, folder {folder}. Stop with Ctrl-C.")
        say(f"Host key {server.fingerprint}")
        await stopping.wait()
    finally:
        await server.stop()
