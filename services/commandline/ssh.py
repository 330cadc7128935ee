"""System SSH: the daemon on port 22. Log-in, limits, and where sessions come from; what they do is `shell`'s."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncssh

from cluster.servicecatalogue import SYSTEM_SSH
from services.binding import binding_error
from services.commandline.channel import ChannelLimits
from services.commandline.context import DEFAULT_IDLE_MINUTES, MAX_LINE
from services.commandline.hostkey import host_key
from services.commandline.logins import Gatekeeper, LoginLimits
from services.commandline.sftp import SftpServers
from services.commandline.shell import Office, ShellSession
from services.commandline.texts import Ours
from services.service import Health, Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from cluster.config import Administrator
    from cluster.store import ClusterStore
    from services.commandline.transfers import FileServers

_VERSION = "ucmsim"
_HISTORY = 100
_WINDOW = 64 * 1024
"""Bytes that a client may send ahead on one channel."""


@dataclass(frozen=True, slots=True)
class SshLimits:
    """Bounds on what clients may do.

    Attributes:
        connections: at once.
        connections_of_source: at once from one address, logged in or not.
        sessions: shells and commands at once.
        login_s: from the connection to the log-in.
        keepalive_s: silence after which a client is asked whether it is there; three times, then it is cut off.
        idle_minutes: that a session begins with.
        logins: on guessing passwords.
        channel: on one session.
    """

    connections: int = 64
    connections_of_source: int = 32
    sessions: int = 32
    login_s: float = 60.0
    keepalive_s: float = 60.0
    idle_minutes: float = DEFAULT_IDLE_MINUTES
    logins: LoginLimits = field(default_factory=LoginLimits)
    channel: ChannelLimits = field(default_factory=ChannelLimits)


@dataclass(slots=True)
class _Present:
    """Who is connected."""

    connections: dict[asyncssh.SSHServerConnection, str] = field(default_factory=dict)
    sessions: set[ShellSession] = field(default_factory=set)

    def opened(self, session: ShellSession) -> None:
        self.sessions.add(session)

    def closed(self, session: ShellSession) -> None:
        self.sessions.discard(session)


class SystemSsh:
    """Implements `services.service.Service`. One account; password and keyboard-interactive log-in.

    Args:
        node: whose command line.
        host: address to bind.
        port: asked at each start.
        store: the node's cluster.
        administrator: the account.
    """

    name = SYSTEM_SSH

    def __init__(
        self,
        node: str,
        host: str,
        port: Callable[[], int],
        store: ClusterStore,
        administrator: Administrator,
        *,
        trace: Trace,
        limits: SshLimits | None = None,
        servers: FileServers | None = None,
    ) -> None:
        self._node = node
        self._host = host
        self._port = port
        self._store = store
        self._limits = limits or SshLimits()
        self._trace = trace.bind(service=self.name)
        self._gatekeeper = Gatekeeper(administrator, self._limits.logins)
        self._office = Office(
            node, store, servers or SftpServers(), self._limits.channel, self._limits.idle_minutes, self._trace
        )
        self._present = _Present()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._health = Health.STOPPED

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """See `services.service.Service`."""
        if self._acceptor is None:
            return ()
        return (Listener("SSH", "tcp", self._host, self._acceptor.get_port()),)

    def health(self) -> Health:
        """See `services.service.Service`."""
        return self._health

    async def start(self) -> None:
        """See `services.service.Service`."""
        if self._health is not Health.STOPPED:
            return
        self._health = Health.STARTING
        logging.getLogger("asyncssh").setLevel(
            logging.ERROR
        )  # it tells of every connection, and of every client's slip
        port = self._port()
        try:
            self._acceptor = await asyncssh.listen(
                self._host,
                port,
                server_factory=lambda: _Client(self._gatekeeper, self._office, self._present, self._limits),
                server_host_keys=[await host_key(self._store, self._node)],
                server_version=_VERSION,
                encoding="utf-8",
                errors="replace",
                line_history=_HISTORY,
                max_line_length=MAX_LINE + 1,
                window=_WINDOW,
                login_timeout=self._limits.login_s,
                keepalive_interval=self._limits.keepalive_s,
                public_key_auth=False,
                gss_host=None,
                x11_forwarding=False,
                agent_forwarding=False,
                config=None,
            )
        except OSError as error:
            self._health = Health.STOPPED
            raise binding_error(error, "SSH", self._host, port) from error
        except BaseException:
            self._health = Health.STOPPED
            raise
        self._health = Health.STARTED

    async def stop(self, grace_s: float) -> None:
        """See `services.service.Service`. Sessions are told and ended; operations in progress come to their end."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is None:
            return
        self._health = Health.STOPPING
        try:
            acceptor.close()
            sessions = list(self._present.sessions)
            await asyncio.gather(*(session.close(Ours.CLOSING_DOWN) for session in sessions))
            tasks = [session.task for session in sessions if session.task is not None]
            if tasks:
                await asyncio.wait(tasks, timeout=grace_s)
            connections = list(self._present.connections)
            for connection in connections:
                connection.close()
            await self._gone(connections)
        finally:
            self._health = Health.STOPPED

    @staticmethod
    async def _gone(connections: list[asyncssh.SSHServerConnection]) -> None:
        """Waits a moment for what is on its way to clients, then drops them."""
        closing = [asyncio.ensure_future(connection.wait_closed()) for connection in connections]
        if closing:
            await asyncio.wait(closing, timeout=0.5)
        for connection in connections:
            connection.abort()
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)


class _Client(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, gatekeeper: Gatekeeper, office: Office, present: _Present, limits: SshLimits) -> None:
        self._gatekeeper = gatekeeper
        self._office = office
        self._present = present
        self._limits = limits
        self._connection: asyncssh.SSHServerConnection | None = None
        self._source = ""
        self._user = ""
        self._wrong = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Too many are cut off at once."""
        self._connection = conn
        peer = conn.get_extra_info("peername") or ("unknown",)
        self._source = str(peer[0])
        connections = self._present.connections
        of_source = sum(source == self._source for source in connections.values())
        if len(connections) >= self._limits.connections or of_source >= self._limits.connections_of_source:
            self._office.trace.emit("connection_refused", source=self._source, reason="too many connections")
            conn.abort()
            return
        connections[conn] = self._source

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See `asyncssh.SSHServer`."""
        if self._connection is not None:
            self._present.connections.pop(self._connection, None)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - the same for every name
        """Everybody has to log in."""
        return True

    def password_auth_supported(self) -> bool:
        """Password, and through asyncssh's default keyboard-interactive, which asks for the same password."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """See `services.commandline.logins`."""
        right = await self._gatekeeper.admits(self._source, username, password)
        if right:
            self._user = username
            self._office.trace.emit("logged_in", user=username, source=self._source)
            return True
        self._wrong += 1
        self._office.trace.emit("login_refused", source=self._source)
        if self._wrong >= self._limits.logins.attempts and self._connection is not None:
            reason = "Too many authentication failures"
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, reason)
        return False

    def session_requested(self) -> ShellSession:
        """A shell or a command."""
        if len(self._present.sessions) >= self._limits.sessions:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, Ours.TOO_MANY_SESSIONS)
        return ShellSession(self._office, self._present, self._user, self._source)
