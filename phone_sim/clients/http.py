"""One GET over HTTP or HTTPS, as phones do it: one connection for each file, and over TLS no word before
the server's certificate is judged.

The response is parsed by the standard library.
"""

from __future__ import annotations

import asyncio
import http.client
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from phone_sim.clients.errors import FileNotFoundOnServer, ServerUnreachable, TransferFailed
from phone_sim.clients.stream import Tls, connect, judge_server

if TYPE_CHECKING:
    from base.trace import Trace

__all__ = ["HttpAnswer", "HttpLimits", "Tls", "fetch", "get"]

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
class HttpAnswer:
    """What a server sent.

    Attributes:
        refresh: value of its ``Refresh``, empty when it had none.
    """

    status: int
    body: bytes
    refresh: str = ""


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
        FetchError: as `fetch`.
    """
    return (await fetch(host, port, path, trace=trace, tls=tls, limits=limits)).body


async def fetch(
    host: str,
    port: int,
    path: str,
    *,
    trace: Trace,
    tls: Tls | None = None,
    limits: HttpLimits | None = None,
    authorization: str = "",
    wanted: frozenset[int] = frozenset({http.client.OK}),
) -> HttpAnswer:
    """`get` with more of the answer, and for answers of other kinds.

    Args:
        host: as for `get`, as are those that are not named here.
        port: TCP port.
        path: never in messages beyond its ``?``, where secrets may stand.
        trace: gets ``tls_established``.
        tls: speak HTTPS.
        limits: bounds.
        authorization: value of that header; none when empty.
        wanted: statuses that are no failure.

    Raises:
        FileNotFoundOnServer: status 404.
        ServerUnreachable: nobody listens, no route, or no answer in time.
        ServerRefused: the server's certificate is not trusted. Nothing was sent.
        TransferFailed: TLS failed, another status, a malformed, broken or oversized answer.
    """
    limits, shown = limits or HttpLimits(), path.partition("?")[0]
    where = f"{'https' if tls else 'http'}://{host}:{port}"
    reader, writer = await connect(host, port, where, tls, connect_s=limits.connect_s, limit=_MAX_HEAD_SIZE)
    answered = False
    try:
        if tls is not None:
            await judge_server(writer, where, tls, trace)
        async with asyncio.timeout(limits.transfer_s):
            writer.write(_request(host, port, path, authorization))
            await writer.drain()
            head = await _read_head(reader, where)
            parsed = _parse(head, where)
            answered = True
            if parsed.status == http.client.NOT_FOUND:
                raise FileNotFoundOnServer(f"{where} has no {shown}")
            if parsed.status not in wanted:
                raise TransferFailed(f"{where} answered {parsed.status} for {shown}")
            if parsed.length is not None:
                body = await _read_announced(reader, parsed.length, where, limits.max_size)
            else:
                body = await _read_to_end(reader, head, where, limits.max_size)
            return HttpAnswer(parsed.status, body, parsed.headers.get("Refresh", ""))
    except TimeoutError as error:
        kind = TransferFailed if answered else ServerUnreachable
        raise kind(f"{where} did not send {shown} in {limits.transfer_s:g} s") from error
    except (OSError, asyncio.IncompleteReadError) as error:
        raise TransferFailed(f"{where} broke off the transfer of {shown}") from error
    finally:
        writer.transport.abort()  # the answer is here or nobody wants it: no waiting for a polite end


def _request(host: str, port: int, path: str, authorization: str) -> bytes:
    target = quote("/" + path.removeprefix("/"), safe="/%?&=:;,+@!$'()*~#[]").partition("#")[0]
    name = f"[{host}]" if ":" in host else host
    credentials = f"Authorization: {authorization}\r\n" if authorization else ""
    return f"GET {target} HTTP/1.1\r\nHost:{name}:{port}\r\n{credentials}Connection: close\r\n\r\n".encode("ascii")


async def _read_head(reader: asyncio.StreamReader, where: str) -> bytes:
    try:
        return await reader.readuntil(_END_OF_HEAD)
    except asyncio.LimitOverrunError as error:
        raise TransferFailed(f"{where} answered with a head of over {_MAX_HEAD_SIZE} bytes") from error


async def _read_announced(reader: asyncio.StreamReader, announced: int, where: str, max_size: int) -> bytes:
    if announced > max_size:
        raise TransferFailed(f"{where} announces {announced} bytes; the limit is {max_size}")
    return await reader.readexactly(announced)


async def _read_to_end(reader: asyncio.StreamReader, head: bytes, where: str, max_size: int) -> bytes:
    """Without a length the end of the connection is the end of the body; chunks carry some bytes of their own."""
    raw = bytearray()
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
