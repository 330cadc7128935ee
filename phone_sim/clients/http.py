"""One GET over HTTP or HTTPS, as phones do it: one connection for each file, and over TLS no word before
the server's certificate is judged.

The connection is a plain asyncio stream, because the judging has to happen between the handshake and the
request, and may take a question to TVS. The response is parsed by the standard library.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from phone_sim.clients.errors import FileNotFoundOnServer, ServerRefused, ServerUnreachable, TransferFailed
from phone_sim.trust import KeepOld
from wire.certificates import Certificate
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from base.trace import Trace
    from phone_sim.trust import Verdict

_MAX_HEAD_SIZE = 16 * 1024
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one GET.

    Attributes:
        connect_s: for the TCP connection and, separately, for the TLS handshake.
        transfer_s: from the request to the last byte.
        max_size: bytes of a body.
    """

    connect_s: float = 5.0
    transfer_s: float = 30.0
    max_size: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS.

    Attributes:
        context: from `base.tls.client_context`, which accepts any server.
        judge: decides on the server's certificate before anything is sent.
    """

    context: ssl.SSLContext
    judge: Callable[[Certificate], Awaitable[Verdict]]


async def get(
    host: str, port: int, path: str, *, trace: Trace, tls: Tls | None = None, limits: HttpLimits | None = None
) -> bytes:
    """Fetches one resource; redirections are not followed.

    Args:
        host: name or address.
        port: TCP port.
        path: what to ask for, with or without a leading ``/``; encoded here where it is not yet.
        trace: gets ``tls_established``.
        tls: speak HTTPS and judge the server; plain HTTP when None.
        limits: bounds; the defaults when None.

    Returns:
        The body.

    Raises:
        FileNotFoundOnServer: status 404.
        ServerUnreachable: nobody listens, no route, or no answer in time.
        ServerRefused: the server's certificate is not trusted. Nothing was sent.
        TransferFailed: TLS failed, another status, a malformed, broken or oversized answer.
    """
    limits = limits or HttpLimits()
    where = f"{'https' if tls else 'http'}://{host}:{port}"
    reader, writer = await _connect(host, port, where, tls, limits)
    answered = False
    try:
        if tls is not None:
            await _judge(writer, where, tls, trace)
        async with asyncio.timeout(limits.transfer_s):
            writer.write(_request(host, port, path))
            await writer.drain()
            head, status = await _read_head(reader, where)
            answered = True
            if status == http.client.NOT_FOUND:
                raise FileNotFoundOnServer(f"{where} has no {path}")
            if status != http.client.OK:
                raise TransferFailed(f"{where} answered {status} for {path}")
            return await _read_body(reader, head, where, limits.max_size)
    except TimeoutError as error:
        kind = TransferFailed if answered else ServerUnreachable
        raise kind(f"{where} did not send {path} in {limits.transfer_s:g} s") from error
    except (OSError, asyncio.IncompleteReadError) as error:
        raise TransferFailed(f"{where} broke off the transfer of {path}") from error
    finally:
        writer.transport.abort()  # the answer is here or nobody wants it: no waiting for a polite end


async def _connect(
    host: str, port: int, where: str, tls: Tls | None, limits: HttpLimits
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(limits.connect_s):
            reader, writer = await asyncio.open_connection(host, port, limit=_MAX_HEAD_SIZE)
        if tls is not None:
            async with asyncio.timeout(limits.connect_s):
                await writer.start_tls(tls.context, server_hostname=host)
    except (TimeoutError, OSError, UnicodeError) as error:  # the last: a host that cannot be a name, such as a..b
        if writer is not None:
            writer.transport.abort()
        if writer is not None and not isinstance(error, TimeoutError):
            reason = error.reason if isinstance(error, ssl.SSLError) else type(error).__name__
            raise TransferFailed(f"TLS with {where} failed: {reason}") from error
        raise ServerUnreachable(f"{where} cannot be reached: {str(error) or 'no answer in time'}") from error
    return reader, writer


async def _judge(writer: asyncio.StreamWriter, where: str, tls: Tls, trace: Trace) -> None:
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


def _request(host: str, port: int, path: str) -> bytes:
    target = quote("/" + path.removeprefix("/"), safe="/%?&=:;,+@!$'()*~#[]").partition("#")[0]
    name = f"[{host}]" if ":" in host else host
    return f"GET {target} HTTP/1.1\r\nHost:{name}:{port}\r\nConnection: close\r\n\r\n".encode("ascii")


async def _read_head(reader: asyncio.StreamReader, where: str) -> tuple[bytes, int]:
    try:
        head = await reader.readuntil(_END_OF_HEAD)
    except asyncio.LimitOverrunError as error:
        raise TransferFailed(f"{where} answered with a head of over {_MAX_HEAD_SIZE} bytes") from error
    return head, _parse(head, where).status


async def _read_body(reader: asyncio.StreamReader, head: bytes, where: str, max_size: int) -> bytes:
    announced = _parse(head, where).length
    if announced is not None and announced > max_size:
        raise TransferFailed(f"{where} announces {announced} bytes; the limit is {max_size}")
    if announced is not None:
        return await reader.readexactly(announced)
    raw = bytearray()
    # Without a length the end of the connection is the end of the body; chunks carry some bytes of their own.
    while chunk := await reader.read(65_536):
        raw += chunk
        if len(raw) > 2 * max_size:
            raise TransferFailed(f"{where} sends more than the limit of {max_size} bytes")
    try:
        body = _parse(head + bytes(raw), where).read()
    except (http.client.HTTPException, ValueError) as error:
        raise TransferFailed(f"{where} sends a body that cannot be read: {error!r}") from error
    if len(body) > max_size:
        raise TransferFailed(f"{where} sends {len(body)} bytes; the limit is {max_size}")
    return body


class _Received:
    """As much of a socket as `http.client` wants: something to read from."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BufferedIOBase:
        return io.BytesIO(self._data)


def _parse(data: bytes, where: str) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(_Received(data), method="GET")  # type: ignore[arg-type]
    try:
        response.begin()
    except (http.client.HTTPException, ValueError) as error:
        raise TransferFailed(f"{where} answered with something that is not HTTP: {error!r}") from error
    return response
