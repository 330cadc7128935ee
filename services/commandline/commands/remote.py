"""The dialog about an SFTP server (ours)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from services.commandline.texts import Ours
from services.commandline.transfers import Account, ServerAddress
from wire.errors import Refusal

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.transfers import HostKey

_SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Remote:
    """A server that the operator named and whose key they accepted."""

    server: ServerAddress
    key: HostKey
    account: Account
    directory: str

    @classmethod
    async def asked(cls, context: CommandContext, host: str | None = None, user: str | None = None) -> Self:
        """Asks for what is not known yet. The password is asked for after the server's key was accepted.

        Raises:
            Declined: the key was not accepted.
            Refusal: something is missing.
            OperatorError: the server is not reached.
        """
        host = host or (await context.ask(Ours.SFTP_HOST)).strip()
        server = ServerAddress(host, _port((await context.ask(Ours.SFTP_PORT)).strip()))
        user = user or (await context.ask(Ours.SFTP_USER)).strip()
        if not host or not user:
            raise Refusal(400, "an SFTP server and a user are needed")
        key = await context.servers.host_key(server)
        await context.write(Ours.SFTP_KEY.format(host=server.host, port=server.port, key=key.fingerprint))
        await context.confirm(Ours.SFTP_KEY_QUESTION, "yes", "y")
        password = await context.ask(Ours.SFTP_PASSWORD, secret=True)
        directory = (await context.ask(Ours.SFTP_DIRECTORY)).strip()
        return cls(server, key, Account(user, password), directory)


def _port(text: str) -> int:
    if not text:
        return _SSH_PORT
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise Refusal(400, f"{text!r} is no port number")
    return int(text)


async def send(context: CommandContext, remote: Remote, name: str, data: bytes) -> None:
    """Writes a file there, and says so."""
    await context.servers.put(remote.server, remote.key, remote.account, remote.directory, name, data)
    await context.write(Ours.SENT.format(name=name, size=len(data)))


async def fetch(context: CommandContext, remote: Remote, name: str, limit: int) -> bytes:
    """Reads a file there, and says so."""
    data = await context.servers.get(remote.server, remote.key, remote.account, remote.directory, name, limit)
    await context.write(Ours.FETCHED.format(name=name, size=len(data)))
    return data
