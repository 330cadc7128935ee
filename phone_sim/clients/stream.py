"""A TCP or TLS connection on which nothing is said before the server's certificate is judged.

It is a plain asyncio stream, because the judging has to happen between the handshake and the first word, and may take a
question to TVS.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phone_sim.clients.errors import HostUnknown, ServerRefused, ServerUnreachable, TransferFailed
from phone_sim.trust import KeepOld
from wire.certificates import Certificate
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from base.trace import Trace
    from phone_sim.trust import Verdict


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS.

    Attributes:
        context: from `base.tls.client_context`, which accepts any server.
        judge: decides on the server's certificate before anything is sent.
    """

    context: ssl.SSLContext
    judge: Callable[[Certificate], Awaitable[Verdict]]


async def connect(
    host: str, port: int, where: str, tls: Tls | None, *, connect_s: float, limit: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects and shakes hands; `judge_server` has still to come.

    Args:
        host: name or address.
        port: TCP port.
        where: the server, for messages.
        tls: plain TCP when None.
        connect_s: for the connection and, separately, for the handshake.
        limit: bytes that the reader holds.

    Raises:
        HostUnknown: the name has no address.
        ServerUnreachable: nobody listens, no route, or no answer in time.
        TransferFailed: TLS failed.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(connect_s):
            reader, writer = await asyncio.open_connection(host, port, limit=limit)
        if tls is not None:
            async with asyncio.timeout(connect_s):
                await writer.start_tls(tls.context, server_hostname=host)
    except (TimeoutError, OSError, UnicodeError) as error:  # the last: a host that cannot be a name, such as a..b
        if writer is not None:
            writer.transport.abort()
        if writer is not None and not isinstance(error, TimeoutError):
            reason = error.reason if isinstance(error, ssl.SSLError) else type(error).__name__
            raise TransferFailed(f"TLS with {where} failed: {reason}") from error
        kind = HostUnknown if isinstance(error, socket.gaierror | UnicodeError) else ServerUnreachable
        raise kind(f"{where} cannot be reached: {str(error) or 'no answer in time'}") from error
    return reader, writer


async def judge_server(writer: asyncio.StreamWriter, where: str, tls: Tls, trace: Trace) -> None:
    """Shows the server's certificate to the judge.

    Raises:
        ServerRefused: the judge says no. Nothing was sent.
        TransferFailed: there is no certificate that can be read.
    """
    connection = writer.get_extra_info("ssl_object")
    try:
        certificate = Certificate.from_der(connection.getpeercert(binary_form=True) or b"")
    except WireError as error:
        raise TransferFailed(f"{where} shows no certificate that can be read: {error}") from error
    trace.emit(
        "tls_established",
        server=where,
        version=connection.version(),
        cipher=connection.cipher()[0],
        certificate=str(certificate.subject),
    )
    verdict = await tls.judge(certificate)
    if isinstance(verdict, KeepOld):
        raise ServerRefused(f"{where} with certificate {certificate.subject}: {verdict.reason.text()}")
