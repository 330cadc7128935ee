"""SFTP servers elsewhere, as the ``file get`` and ``utils itl reset remotekey`` commands see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in.

    Attributes:
        password: never printed or traced.
    """

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HostKey:
    """The key that a server showed.

    Attributes:
        public: OpenSSH's one-line form.
        fingerprint: for people: ``ssh-ed25519 SHA256:...``.
    """

    public: str
    fingerprint: str


class FileServers(Protocol):
    """Reaches SFTP servers.

    Every method raises `wire.errors.OperatorError` when the server is not reached in time, shows another key than
    `trusted`, refuses the log-in, or refuses the file.
    """

    async def host_key(self, server: ServerAddress) -> HostKey:
        """The key that it shows now."""
        ...

    async def put(
        self, server: ServerAddress, trusted: HostKey, account: Account, directory: str, name: str, data: bytes
    ) -> None:
        """Writes a file into a directory there."""
        ...

    async def get(
        self, server: ServerAddress, trusted: HostKey, account: Account, directory: str, name: str, limit: int
    ) -> bytes:
        """Reads a file of at most `limit` bytes."""
        ...
