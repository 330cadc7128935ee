"""Asks Trust Verification Services, one after the other, until one answers (R-TVS-5).

A server counts only if it shows one of the TVS certificates that the phone knows from its ITL; that, and no chain or
host name, is what authenticates it.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.tls import client_context
from wire.certificates import Certificate
from wire.errors import UcmsimError, WireError
from wire.tvs import (
    HEADER_SIZE,
    QueryRequest,
    QueryResponse,
    Status,
    VerifyRequest,
    VerifyResponse,
    body_length,
    decode,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from base.clock import Clock
    from base.trace import Trace
    from wire.tvs import Request, Response

_FIRST_SESSION = 1001  # a published trace has this number; the field is the client's to choose
_sessions = itertools.count(_FIRST_SESSION)


class TvsUnreachable(UcmsimError):  # noqa: N818 - an outcome with a name
    """No server gave an answer; the message says what each one did."""


@dataclass(frozen=True, slots=True)
class TvsAnswer:
    """What a server said.

    Attributes:
        trusted: status 0.
        roles: functions of the certificate, see `wire.trustlist.Function`.
        certificate: in the answer to a query, when found.
        ttl_s: seconds for which the answer may be kept; 0 when it may not.
        server: ``host:port`` that answered.
    """

    trusted: bool
    roles: tuple[int, ...]
    certificate: Certificate | None
    ttl_s: int
    server: str


class TvsClient:
    """Questions to a list of servers.

    Args:
        servers: (host, port), first choice first.
        certificates: TVS certificates of the phone's ITL.
        device: ``CP-<model>-SEP<MAC>``.
        connect_timeout_s: for connection and handshake, and again for the answer.
        context: from `base.tls.client_context`, which accepts any server; TLS 1.2 and above when None.
    """

    def __init__(
        self,
        servers: Sequence[tuple[str, int]],
        certificates: Sequence[Certificate],
        device: str,
        *,
        clock: Clock,
        trace: Trace,
        connect_timeout_s: float = 5.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._servers = tuple(servers)
        self._certificates = frozenset(certificate.sha256 for certificate in certificates)
        self._device = device
        self._clock, self._trace = clock, trace
        self._timeout_s = connect_timeout_s
        self._context = context or client_context()

    async def verify(self, certificate: Certificate) -> TvsAnswer:
        """Is this certificate trusted, and for what?

        Raises:
            TvsUnreachable: nobody answered.
        """
        return await self._ask(VerifyRequest(next(_sessions) & 0xFFFF_FFFF, self._device, certificate.der))

    async def query(self, subject: str, issuer: str, serial: bytes) -> TvsAnswer:
        """The certificate of a signer, from the names and the serial number in a file's header.

        Raises:
            TvsUnreachable: nobody answered.
        """
        return await self._ask(QueryRequest(next(_sessions) & 0xFFFF_FFFF, self._device, subject, issuer, serial))

    async def _ask(self, request: Request) -> TvsAnswer:
        failures: list[str] = []
        for host, port in self._servers:
            server, begun = f"{host}:{port}", self._clock.monotonic()
            try:
                answer = await self._ask_one(host, port, request)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, WireError, UnicodeError) as error:
                reason = _reason(error)
                failures.append(f"{server} {reason}")
                self._trace.emit("tvs_failed", server=server, reason=reason, duration_ms=self._since(begun))
                continue
            self._trace.emit(
                "tvs_answered",
                server=server,
                question="query" if isinstance(request, QueryRequest) else "verify",
                trusted=answer.trusted,
                roles=list(answer.roles),
                ttl_s=answer.ttl_s,
                duration_ms=self._since(begun),
            )
            return answer
        raise TvsUnreachable("; ".join(failures) or "no TVS server is configured")

    async def _ask_one(self, host: str, port: int, request: Request) -> TvsAnswer:
        message = encode(request)
        async with asyncio.timeout(self._timeout_s):
            reader, writer = await asyncio.open_connection(host, port, ssl=self._context, server_hostname=host)
        try:
            self._authenticate(writer)
            async with asyncio.timeout(self._timeout_s):
                writer.write(message)
                await writer.drain()
                header = await reader.readexactly(HEADER_SIZE)
                response = decode(header + await reader.readexactly(body_length(header)))
        finally:
            writer.transport.abort()
        return _understand(request, response, f"{host}:{port}")

    def _authenticate(self, writer: asyncio.StreamWriter) -> None:
        """The handshake proved that the server has the key; this, that it is a TVS of the ITL."""
        shown = Certificate.from_der(writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b"")
        if shown.sha256 not in self._certificates:
            raise WireError(f"shows a certificate that is no TVS of the trust list: {shown.subject}")

    def _since(self, begun: float) -> float:
        return round((self._clock.monotonic() - begun) * 1000, 3)


def _understand(request: Request, response: object, server: str) -> TvsAnswer:
    expected: type[Response] = QueryResponse if isinstance(request, QueryRequest) else VerifyResponse
    if not isinstance(response, expected):
        raise WireError(f"answers with {type(response).__name__}")
    if response.session != request.session:
        raise WireError(f"answers for session {response.session}, not {request.session}")
    der = response.certificate if isinstance(response, QueryResponse) else None
    certificate = Certificate.from_der(der) if der is not None else None
    trusted = response.status == Status.TRUSTED
    return TvsAnswer(trusted, response.roles, certificate, response.ttl_s or 0, server)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "did not answer in time"
    if isinstance(error, asyncio.IncompleteReadError):
        return "closed the connection without an answer"
    if isinstance(error, ssl.SSLError):
        return f"fails in TLS: {error.reason or error}"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or error}"
    return str(error)
