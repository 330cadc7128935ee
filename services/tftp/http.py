"""The configuration server: HTTP 6970, HTTPS 6971 (CallManager) and 6972 (tomcat), with the headers of a capture."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from aiohttp import web

from base.tls import spoken
from services.tftp.source import check_name
from wire.certificates import Certificate
from wire.errors import Refusal, UcmsimError, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from services.tftp.source import FileSource

log = logging.getLogger("ucmsim.http")

_CHUNK = 65_536
_STATUS_OF_TFTP_CODE = {1: 404, 2: 403}


class FileHandler:
    """Answers GET and HEAD from a `FileSource`.

    Args:
        source: the node's files.
        transport: ``http`` or ``https``, passed on to the source.
        showing: gives the files for a client that shows a certificate; the same as for everybody when None.
    """

    def __init__(
        self,
        source: FileSource,
        transport: str,
        trace: Trace,
        showing: Callable[[Certificate], FileSource] | None = None,
    ) -> None:
        self._source = source
        self._showing = showing
        self._transport = transport
        self._trace = trace

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        peer = request.remote or ""
        if request.method not in {"GET", "HEAD"}:
            return _response(405, b"", Allow="GET, HEAD")
        try:
            name = _file_name(request.raw_path)
        except ValueError:
            return _response(400, b"")
        try:
            check_name(name)
            data = self._source_for(request).read(name, peer, self._transport)
        except UcmsimError as error:
            code = error.code if isinstance(error, Refusal) else 0
            status = _STATUS_OF_TFTP_CODE.get(code, 500)
            self._trace.emit("file_refused", peer=peer, file=name[:255], status=status, reason=str(error))
            if status == 500:
                log.warning("%s cannot be served: %s", name[:255], error)
            return _response(status, b"")
        tls = spoken(request.transport.get_extra_info("ssl_object")) if request.transport else ""
        suite = {"tls": tls} if tls else {}
        step = "file_sent" if request.method == "GET" else "file_size_told"
        self._trace.emit(step, peer=peer, file=name, bytes=len(data), **suite)
        return await self._send(request, data) if len(data) > _CHUNK else _response(200, data)

    def _source_for(self, request: web.Request) -> FileSource:
        shown = _shown(request) if self._showing is not None else None
        return self._showing(shown) if self._showing is not None and shown is not None else self._source

    @staticmethod
    async def _send(request: web.Request, data: bytes) -> web.StreamResponse:
        """A large file piece by piece, so that many slow readers of a firmware image share its bytes."""
        response = web.StreamResponse(headers=_headers(len(data)))
        await response.prepare(request)
        if request.method == "GET":
            for start in range(0, len(data), _CHUNK):
                await response.write(data[start : start + _CHUNK])
        return response


def _shown(request: web.Request) -> Certificate | None:
    """The client's certificate; the handshake has seen to its CA."""
    connection = request.transport.get_extra_info("ssl_object") if request.transport else None
    der = connection.getpeercert(binary_form=True) if connection is not None else None
    try:
        return Certificate.from_der(der) if der else None
    except WireError:
        return None


def _file_name(target: str) -> str:
    """What a request's target names, without the slash at its beginning.

    Raises:
        ValueError: not a URL, or not UTF-8.
    """
    path = target.partition("?")[0] if target.startswith("/") else urlsplit(target).path
    return unquote_to_bytes(path).decode("utf-8").removeprefix("/")


def _headers(size: int) -> dict[str, str]:
    return {"Content-length": str(size), "Cache-Control": "no-store", "Content-type": "*/*"}


def _response(status: int, body: bytes, **extra: str) -> web.Response:
    return web.Response(status=status, body=body, headers={**_headers(len(body)), **extra})
