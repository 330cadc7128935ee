"""The configuration server: HTTP 6970, HTTPS 6971 (CallManager) and 6972 (tomcat), with the headers of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from aiohttp import web

from wire.errors import Refusal

if TYPE_CHECKING:
    from base.trace import Trace
    from services.tftp.source import FileSource

_STATUS_OF_TFTP_CODE = {1: 404, 2: 403}


class FileHandler:
    """Answers GET and HEAD from a `FileSource`.

    Args:
        source: the node's files.
        transport: ``http`` or ``https``, passed on to the source.
    """

    def __init__(self, source: FileSource, transport: str, trace: Trace) -> None:
        self._source = source
        self._transport = transport
        self._trace = trace

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        peer = request.remote or ""
        if request.method not in {"GET", "HEAD"}:
            return _response(405, b"", Allow="GET, HEAD")
        try:
            name = unquote_to_bytes(urlsplit(request.raw_path).path).decode("utf-8").removeprefix("/")
        except (ValueError, UnicodeDecodeError):
            return _response(400, b"")
        try:
            data = self._source.read(name, peer, self._transport)
        except Refusal as refusal:
            status = _STATUS_OF_TFTP_CODE.get(refusal.code, 500)
            self._trace.emit("file_refused", peer=peer, file=name[:255], status=status, reason=str(refusal))
            return _response(status, b"")
        tls = request.transport.get_extra_info("cipher") if request.transport else None
        suite = {"tls": f"{tls[1]} {tls[0]}"} if tls else {}
        self._trace.emit("file_sent", peer=peer, file=name, bytes=len(data), **suite)
        return _response(200, data)


def _response(status: int, body: bytes, **extra: str) -> web.Response:
    headers = {"Content-length": str(len(body)), "Cache-Control": "no-store", "Content-type": "*/*", **extra}
    return web.Response(status=status, body=body, headers=headers)
