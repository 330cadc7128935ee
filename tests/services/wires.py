"""Clients that say exactly what a test wants said, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from base.identity import Identity
from tests.waiting import PATIENCE_S
from wire.certificates import Certificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST = "127.0.0.1"
VECTORS = Path(__file__).parents[1] / "vectors"


def identity(name: str) -> Identity:
    """A party of the vectors, with its key."""
    pem = (VECTORS / f"{name}.pem").read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return Identity(Certificate.from_pem(pem), key)


def any_server(
    ciphers: str | None = None,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
) -> ssl.SSLContext:
    """A client's context that trusts everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ciphers is not None:
        context.set_ciphers(ciphers)
    context.minimum_version, context.maximum_version = minimum, maximum
    return context


@dataclass(frozen=True)
class Answer:
    """An HTTP response as it stood on the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        (value,) = (value for key, value in self.headers if key.lower() == name.lower())
        return value

    @classmethod
    def parse(cls, data: bytes) -> Answer:
        head, separator, body = data.partition(b"\r\n\r\n")
        assert separator, data
        first, *lines = head.decode("ascii").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        return cls(int(first.split()[1]), [(name, value) for name, value in pairs], body)


@asynccontextmanager
async def connection(
    port: int, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """All that the server sends until it ends the connection, in whichever way it does."""
    received = bytearray()
    async with asyncio.timeout(PATIENCE_S):
        try:
            while piece := await reader.read(65_536):
                received += piece
        except ConnectionError:
            pass
    return bytes(received)


async def send(port: int, data: bytes, context: ssl.SSLContext | None = None) -> bytes:
    """Says `data` on a connection of its own and listens until the server hangs up."""
    async with connection(port, context) as (reader, writer):
        writer.write(data)
        return await until_closed(reader)


async def get(port: int, target: str, context: ssl.SSLContext | None = None, method: str = "GET") -> Answer:
    """One request; `target` goes out as it is."""
    request = f"{method} {target} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    return Answer.parse(await send(port, request.encode("ascii"), context))


@dataclass(frozen=True)
class Handshake:
    certificate: Certificate
    suite: str
    version: str


async def shake_hands(port: int, context: ssl.SSLContext) -> Handshake:
    """What a TLS server shows to this client."""
    async with connection(port, context) as (_, writer):
        tls = writer.get_extra_info("ssl_object")
        certificate = Certificate.from_der(tls.getpeercert(binary_form=True))
        return Handshake(certificate, tls.cipher()[0], tls.version())
