"""A small SFTP server on one folder, with one user: where trainers send ``file get`` and fetch from again.

A client sees the folder as its root. Links, in it or made by a client, lead nowhere outside.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from services.binding import binding_error
from services.commandline.logins import Gatekeeper, LoginLimits

if TYPE_CHECKING:
    from asyncssh.misc import MaybeAwait

    from cluster.config import Administrator

_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class SftpOptions:
    """What is served, and to whom.

    Attributes:
        folder: the root that clients see.
        account: who may log in.
        max_size: bytes that one file may grow to.
        logins: on guessing passwords.
    """

    folder: Path
    account: Administrator
    max_size: int = 64 * 1024 * 1024
    logins: LoginLimits = field(default_factory=LoginLimits)


class LabSftp:
    """The server; `start` and `stop`."""

    def __init__(self, options: SftpOptions) -> None:
        self._options = options
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._key = asyncssh.generate_private_key("ssh-ed25519")

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._acceptor is not None  # noqa: S101 - started
        return self._acceptor.get_port()

    @property
    def fingerprint(self) -> str:
        """Of the host key, which is another at each start."""
        return f"{self._key.get_algorithm()} {self._key.get_fingerprint()}"

    async def start(self, host: str, port: int) -> None:
        """Listens.

        Raises:
            OperatorError: the port is not to be had.
        """
        gatekeeper = Gatekeeper(self._options.account, self._options.logins)
        try:
            self._acceptor = await asyncssh.listen(
                host,
                port,
                server_factory=lambda: _Client(gatekeeper, self._connections, self._options.logins.attempts),
                server_host_keys=[self._key],
                sftp_factory=lambda channel: _Files(channel, self._options),
                allow_scp=False,
                login_timeout=30,
                public_key_auth=False,
                gss_host=None,
                config=None,
            )
        except OSError as error:
            raise binding_error(error, "SFTP", host, port) from error

    async def stop(self) -> None:
        """Drops every client."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            acceptor.close()
            for connection in list(self._connections):
                connection.abort()


class _Client(asyncssh.SSHServer):
    def __init__(self, gatekeeper: Gatekeeper, present: set[asyncssh.SSHServerConnection], attempts: int) -> None:
        self._gatekeeper = gatekeeper
        self._present = present
        self._attempts = attempts
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        if len(self._present) >= _CONNECTIONS:
            conn.abort()
            return
        self._connection = conn
        self._present.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._connection is not None:
            self._present.discard(self._connection)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        return True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        connection = self._connection
        assert connection is not None  # noqa: S101 - who was not admitted is gone
        source = str(connection.get_extra_info("peername")[0])
        if await self._gatekeeper.admits(source, username, password):
            return True
        self._attempts -= 1
        if self._attempts <= 0:
            connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many authentication failures")
        return False


class _Files(asyncssh.SFTPServer):
    """Plain files and folders below the root, none of them larger than the limit."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], options: SftpOptions) -> None:
        self._root = options.folder.resolve()
        self._max_size = options.max_size
        super().__init__(channel, chroot=os.fsencode(self._root))

    def map_path(self, path: bytes) -> bytes:
        """A path that leads outside through a link is not there."""
        mapped = super().map_path(path)
        if not Path(os.fsdecode(mapped)).resolve().is_relative_to(self._root):
            raise asyncssh.SFTPNoSuchFile("no such file")
        return mapped

    def write(self, file_obj: object, offset: int, data: bytes) -> MaybeAwait[int]:
        """A file grows to the limit and no further."""
        if offset + len(data) > self._max_size:
            raise asyncssh.SFTPFailure(f"a file may have {self._max_size} bytes")
        return super().write(file_obj, offset, data)

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> MaybeAwait[object]:  # noqa: ARG002
        """Modes are this machine's affair."""
        return super().open(path, pflags, asyncssh.SFTPAttrs())

    def open56(
        self,
        path: bytes,
        desired_access: int,
        flags: int,
        attrs: asyncssh.SFTPAttrs,  # noqa: ARG002
    ) -> MaybeAwait[object]:
        """See `open`."""
        return super().open56(path, desired_access, flags, asyncssh.SFTPAttrs())

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002
        """Not possible here."""
        raise asyncssh.SFTPPermissionDenied("links are not possible here")

    def link(self, oldpath: bytes, newpath: bytes) -> None:  # noqa: ARG002
        """Not possible here."""
        raise asyncssh.SFTPPermissionDenied("links are not possible here")

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs, *, follow_symlinks: bool = True) -> None:
        """Owner, mode and times stay this machine's affair; clients ask for them after an upload, so it is no error."""

    def lsetstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """See `setstat`."""

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        """See `setstat`."""
