"""SFTP servers elsewhere, reached with asyncssh. A server's key is trusted because the operator accepted it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
from typing import TYPE_CHECKING

import asyncssh

from services.commandline.transfers import HostKey
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.commandline.transfers import Account, ServerAddress

TIMEOUT_S = 20.0
"""For a whole transfer; the files are small."""


class SftpServers:
    """Implements `services.commandline.transfers.FileServers`."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s

    async def host_key(self, server: ServerAddress) -> HostKey:
        """See `FileServers.host_key`."""
        async with self._explained(server):
            key = await asyncssh.get_server_host_key(server.host, server.port, config=None)
        if key is None:
            raise OperatorError(f"{server.host} port {server.port} shows no host key")
        public = key.export_public_key().decode("ascii").strip()
        return HostKey(public, f"{key.get_algorithm()} {key.get_fingerprint()}")

    async def put(
        self, server: ServerAddress, trusted: HostKey, account: Account, directory: str, name: str, data: bytes
    ) -> None:
        """See `FileServers.put`."""
        path = posixpath.join(directory or ".", name)
        async with (
            self._explained(server),
            self._client(server, trusted, account) as client,
            client.open(path, "wb") as file,
        ):
            await file.write(data)

    async def get(
        self, server: ServerAddress, trusted: HostKey, account: Account, directory: str, name: str, limit: int
    ) -> bytes:
        """See `FileServers.get`."""
        path = posixpath.join(directory or ".", name)
        async with (
            self._explained(server),
            self._client(server, trusted, account) as client,
            client.open(path, "rb") as file,
        ):
            data = await file.read(limit + 1)
        assert isinstance(data, bytes)  # noqa: S101 - it was opened as binary
        if len(data) > limit:
            raise OperatorError(f"{name} on {server.host} is larger than {limit} bytes")
        return data

    @contextlib.asynccontextmanager
    async def _client(
        self, server: ServerAddress, trusted: HostKey, account: Account
    ) -> AsyncIterator[asyncssh.SFTPClient]:
        async with (
            asyncssh.connect(
                server.host,
                server.port,
                username=account.user,
                password=account.password,
                known_hosts=([asyncssh.import_public_key(trusted.public)], [], []),
                client_keys=None,
                agent_path=None,
                config=None,
            ) as connection,
            connection.start_sftp_client() as client,
        ):
            yield client

    @contextlib.asynccontextmanager
    async def _explained(self, server: ServerAddress) -> AsyncIterator[None]:
        """What went wrong as a sentence."""
        where = f"SFTP server {server.host} port {server.port}"
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError as error:
            raise OperatorError(f"{where}: no answer within {self._timeout_s:g} s") from error
        except asyncssh.PermissionDenied as error:
            raise OperatorError(f"{where} refuses the user or the password") from error
        except asyncssh.HostKeyNotVerifiable as error:
            raise OperatorError(f"{where} shows another host key than it did just before") from error
        except asyncssh.SFTPError as error:
            raise OperatorError(f"{where} refuses the file: {error.reason}") from error
        except asyncssh.Error as error:
            raise OperatorError(f"{where}: {error.reason}") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno is not None else str(error)
            raise OperatorError(f"{where} is not reached: {reason}") from error
