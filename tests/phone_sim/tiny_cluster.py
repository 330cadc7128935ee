"""The smallest thing that a phone can boot from: dictionaries of files behind real sockets.

None of it is the project's own server code. Everything that is asked is written down.
"""

from __future__ import annotations

import asyncio
import struct
from contextlib import AsyncExitStack
from typing import Self, cast

from aiohttp import web

from base.tls import server_context
from phone_sim.servers import TftpServer
from phone_sim.trust import Answer, TvsSaid, TvsSilent
from tests.phone_sim.cast import PUB, TVS_SERVER, Party, vector
from wire import tvs

HOST = "127.0.0.1"
UNBIDDEN = ("AppDialRules.xml", "Ringlist.xml")
"""What a phone asks for after every configuration, whether it names more or not."""
_ERROR, _DATA, _ACK, _RRQ, _BLOCK = 5, 3, 4, 1, 512


def asked_unbidden(ending: str = ".sgn") -> list[str]:
    """How a phone asks in vain for what no configuration has to name."""
    return [f"{transport} {name}{ending}" for name in UNBIDDEN for transport in ("HTTP", "TFTP")]


class TinyTftp(asyncio.DatagramProtocol):
    """RFC 1350 without options, one small file at a time."""

    def __init__(self, files: dict[str, bytes], asked: list[str]) -> None:
        self.files, self.asked = files, asked
        self.sending: dict[object, bytes] = {}
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        opcode = int.from_bytes(data[:2], "big")
        if opcode == _RRQ:
            name = data[2:].split(b"\0")[0].decode()
            self.asked.append(f"TFTP {name}")
            if name not in self.files:
                self.transport.sendto(struct.pack("!HH", _ERROR, 1) + b"File not found\0", addr)
                return
            self.sending[addr] = self.files[name]
            block = 0
        elif opcode == _ACK and addr in self.sending:
            block = int.from_bytes(data[2:4], "big")
        else:
            return
        content = self.sending[addr]
        if block * _BLOCK <= len(content):
            part = content[block * _BLOCK : (block + 1) * _BLOCK]
            self.transport.sendto(struct.pack("!HH", _DATA, block + 1) + part, addr)


class TinyTvs:
    """Answers from dictionaries: certificate -> roles. What it `says`, if anything, comes before those."""

    def __init__(self, asked: list[str], name: str = "TVS") -> None:
        self.asked, self.name = asked, name
        self.known: dict[bytes, tuple[int, ...]] = {}
        self.parties: list[Party] = []
        self.says: Answer | None = None
        self.port = 0

    def knows(self, party: Party, *roles: int) -> None:
        self.known[party.certificate.der] = roles
        self.parties.append(party)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            header = await reader.readexactly(tvs.HEADER_SIZE)
            request = tvs.decode(header + await reader.readexactly(tvs.body_length(header)))
            writer.write(tvs.encode(self.answer(request)))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, request: tvs.Message) -> tvs.VerifyResponse | tvs.QueryResponse:
        if isinstance(self.says, TvsSilent):
            raise ConnectionError("it hangs up")
        if self.says is not None:
            return self._scripted(request, self.says)
        if isinstance(request, tvs.VerifyRequest):
            self.asked.append(f"{self.name} verify")
            roles = self.known.get(request.certificate)
            if roles is None:
                return tvs.VerifyResponse(request.session, status=1, roles=(), ttl_s=None)
            return tvs.VerifyResponse(request.session, status=0, roles=roles, ttl_s=86_400)
        assert isinstance(request, tvs.QueryRequest)
        self.asked.append(f"{self.name} query")
        serial = int.from_bytes(request.serial, "big")
        found = next((party.certificate for party in self.parties if party.certificate.serial == serial), None)
        if found is None:
            return tvs.QueryResponse(request.session, status=1, certificate=None, roles=(), ttl_s=None)
        roles = self.known[found.der]
        return tvs.QueryResponse(request.session, status=0, certificate=found.der, roles=roles, ttl_s=86_400)

    @staticmethod
    def _scripted(request: tvs.Message, said: TvsSaid) -> tvs.VerifyResponse | tvs.QueryResponse:
        status, ttl_s = (0, 86_400) if said.trusted else (1, None)
        if isinstance(request, tvs.VerifyRequest):
            return tvs.VerifyResponse(request.session, status, said.roles, ttl_s)
        der = said.certificate.der if said.certificate else None
        return tvs.QueryResponse(request.session, status, der, said.roles, ttl_s)


class TinyCluster:
    """Files over HTTP, HTTPS and TFTP, and two TVS servers; ``async with`` starts it.

    Attributes:
        files: served over HTTP and HTTPS by name.
        tftp_files: served over TFTP by name.
        last_file: once this was asked for over HTTP, no file is served any more, nor refused.
        asked: everything that was asked, in order: ``HTTP name``, ``TFTP name``, ``TVS query`` …
    """

    def __init__(self, https_party: Party = PUB) -> None:
        self.files: dict[str, bytes] = {}
        self.https_files: dict[str, bytes] = {}
        self.tftp_files: dict[str, bytes] = {}
        self.last_file = ""
        self._sites: list[web.TCPSite] = []
        self.asked: list[str] = []
        self.tvs = TinyTvs(self.asked)
        self.backup_tvs = TinyTvs(self.asked, "backup TVS")
        self.server = TftpServer(HOST)
        self._https_party = https_party
        self._stack = AsyncExitStack()
        self._tvs_server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        http = await self._web("HTTP", self.files, None)
        https = await self._web("HTTPS", self.https_files, self._https_party)
        loop = asyncio.get_running_loop()
        self._tftp, _ = await loop.create_datagram_endpoint(
            lambda: TinyTftp(self.tftp_files, self.asked), local_addr=(HOST, 0)
        )
        self._stack.callback(self._tftp.close)
        self.server = TftpServer(HOST, self._tftp.get_extra_info("sockname")[1], http, https)
        self._tvs_server = await self._start_tvs(self.tvs)
        await self._start_tvs(self.backup_tvs)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def stop_first_tvs(self) -> None:
        assert self._tvs_server is not None
        self._tvs_server.close()
        await self._tvs_server.wait_closed()

    async def serve_menu(self, party: Party, body: bytes) -> int:
        """An application server at a port of its own; what it is asked is written down like all else."""
        return await self._web("menu", {"directory": body}, party)

    def config(self, directory_url: str = "") -> bytes:
        """The configuration of the vectors, with this cluster's TVS servers in it."""
        plain = vector("SEP001122334455.cnf.xml").decode()
        old = '<member priority="0"><port>2445</port><address>127.0.1.1</address></member>'
        assert old in plain
        members = "".join(
            f'<member priority="{number}"><port>{port}</port><address>{HOST}</address></member>'
            for number, port in enumerate((self.tvs.port, self.backup_tvs.port))
        )
        secure = f"<secureDirectoryURL>{directory_url}</secureDirectoryURL></device>"
        return plain.replace(old, members).replace("</device>", secure).encode()

    async def _web(self, scheme: str, files: dict[str, bytes], party: Party | None) -> int:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            name = request.path.removeprefix("/")
            self.asked.append(f"{scheme} {name}")
            body = files.get(name)
            if name == self.last_file:
                self._tftp.close()
                for site in self._sites:
                    await site.stop()
            return web.Response(body=body) if body is not None else web.Response(status=404)

        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        context = server_context([party.identity]) if party else None
        site = web.TCPSite(runner, HOST, 0, ssl_context=context)
        await site.start()
        self._sites.append(site)
        port: int = runner.addresses[0][1]
        return port

    async def _start_tvs(self, responder: TinyTvs) -> asyncio.Server:
        server = await asyncio.start_server(responder.serve, HOST, 0, ssl=server_context([TVS_SERVER.identity]))
        self._stack.callback(server.close)
        responder.port = server.sockets[0].getsockname()[1]
        return server
