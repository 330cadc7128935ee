"""Climbs the ladder of a file: one transport after the other, from the server that the phone is with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim.boot import Attempt, Transport
from phone_sim.clients.errors import (
    FileNotFoundOnServer,
    HostUnknown,
    ServerRefused,
    ServerUnreachable,
    TransferFailed,
)
from phone_sim.clients.http import get
from phone_sim.clients.tftp import fetch
from phone_sim.report import FetchReport
from phone_sim.trust import ServerPurpose

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.clock import Clock
    from base.trace import Json, Trace
    from phone_sim.judging import ServerJudge
    from phone_sim.options import Timeouts
    from phone_sim.report import DecisionReport
    from phone_sim.servers import TftpServer


@dataclass(frozen=True, slots=True)
class Download:
    """A file that arrived.

    Attributes:
        name: as it was asked for.
        server: ``host:port``.
        asked_at: monotonic seconds.
    """

    name: str
    data: bytes
    transport: Transport
    server: str
    asked_at: float


class Downloads:
    """What one boot fetches, and from where.

    Args:
        servers: first choice first; at least one.
        judge: whom to trust over HTTPS.
        record: takes its decisions.

    Attributes:
        reports: every attempt, in order.
    """

    def __init__(
        self,
        servers: tuple[TftpServer, ...],
        judge: ServerJudge,
        record: Callable[[DecisionReport], None],
        *,
        clock: Clock,
        trace: Trace,
        timeouts: Timeouts,
    ) -> None:
        self._servers, self._judge, self._record = servers, judge, record
        self._clock, self._trace, self._timeouts = clock, trace, timeouts
        self._index = 0
        self.reports: list[FetchReport] = []

    @property
    def hosts(self) -> list[Json]:
        """The servers, for the trace."""
        return [server.host for server in self._servers]

    @property
    def another_server(self) -> bool:
        """The list has one left."""
        return self._index + 1 < len(self._servers)

    def use_next_server(self) -> None:
        """From now on, the next server of the list."""
        self._index += 1
        self._trace.emit("next_server", server=self._server.host)

    async def climb(self, name: str, rungs: tuple[Transport, ...]) -> Download | tuple[Attempt, ...]:
        """The file, or how each rung ended without it."""
        attempts: list[Attempt] = []
        for transport in rungs:
            asked_at = self._clock.monotonic()
            where = f"{self._server.host}:{self._port(transport)}"
            failure, detail, data = None, "", b""
            try:
                data = await self._get(name, transport)
            except FileNotFoundOnServer as error:
                failure, detail = Attempt.NOT_FOUND, str(error)
            except HostUnknown as error:
                failure, detail = Attempt.UNKNOWN_HOST, str(error)
            except ServerUnreachable as error:
                failure, detail = Attempt.SILENT, str(error)
            except ServerRefused as error:
                failure, detail = Attempt.NOT_TRUSTED, str(error)
            except TransferFailed as error:
                failure, detail = Attempt.BROKEN, str(error)
            duration_ms = round((self._clock.monotonic() - asked_at) * 1000, 3)
            self.reports.append(FetchReport(name, transport, where, failure, detail, len(data), duration_ms))
            self._trace.emit(
                "file_asked",
                file=name,
                transport=transport.value,
                server=where,
                outcome=failure.name.lower() if failure else "arrived",
                detail=detail,
                bytes=len(data),
                duration_ms=duration_ms,
            )
            if failure is None:
                return Download(name, data, transport, where, asked_at)
            attempts.append(failure)
        return tuple(attempts)

    @property
    def _server(self) -> TftpServer:
        return self._servers[self._index]

    async def _get(self, name: str, transport: Transport) -> bytes:
        server, port = self._server, self._port(transport)
        if transport is Transport.TFTP:
            client = self._trace.bind(service="TFTP client")
            return await fetch(server.host, port, name, timeout_s=self._timeouts.tftp_s, trace=client)
        secure = transport is Transport.HTTPS
        tls = self._judge.tls(ServerPurpose.CONFIGURATION, f"{server.host}:{port}", self._record) if secure else None
        client = self._trace.bind(service="HTTP client")
        return await get(server.host, port, name, trace=client, tls=tls, limits=self._timeouts.http)

    def _port(self, transport: Transport) -> int:
        return {
            Transport.TFTP: self._server.tftp_port,
            Transport.HTTP: self._server.http_port,
            Transport.HTTPS: self._server.https_port,
        }[transport]
