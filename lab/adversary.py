"""Those who try to fool a phone in the demonstration and in tests: real servers that lie.

`LyingFileServer` stands where DHCP option 150 would point after an attack: it hands on the true files of a node over
HTTP, except for those that it replaces. `ImpostorWebServer` answers for a phone service with a certificate of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from aiohttp import web

from base.identity import Identity
from base.tls import server_context
from base.trace import Trace
from cluster.definition import ClusterDefinition, NodeDefinition
from cluster.issuing import Issued, issue
from cluster.purposes import Purpose
from services.http import HttpListener
from services.tftp.http import FileHandler
from wire.errors import Refusal
from wire.fileheader import DigestAlgorithm
from wire.signing import SigningKey
from wire.trustlist import Function, TrustRecord, sign_trust_list

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from services.tftp.source import FileSource

_KEY_LENGTH = 2048


class Stranger:
    """Somebody with certificates that look right and that no cluster has ever seen."""

    def __init__(self, name: str = "stranger") -> None:
        self._definition = ClusterDefinition(
            name=name, nodes=(NodeDefinition(name=name, address="127.0.0.1", publisher=True),)
        )
        self._made: dict[Purpose, Issued] = {}

    def issued(self, purpose: Purpose) -> Issued:
        """A certificate for `purpose`, made at first use."""
        if purpose not in self._made:
            node, now = self._definition.nodes[0], datetime.now(UTC)
            self._made[purpose] = issue(self._definition, node, purpose, key_length=_KEY_LENGTH, now=now)
        return self._made[purpose]

    def identity(self, purpose: Purpose) -> Identity:
        """The same for a TLS listener."""
        issued = self.issued(purpose)
        return Identity(issued.certificate, issued.private_key)

    def itl(self) -> bytes:
        """A well-formed trust list of the stranger's own, its signature valid in itself."""
        issued = self.issued(Purpose.CALLMANAGER)
        host = self._definition.nodes[0].name
        functions = (Function.SAST, Function.CCM_TFTP)
        records = [TrustRecord.for_certificate(issued.certificate, function, host) for function in functions]
        tvs = self.issued(Purpose.TVS).certificate
        records.append(TrustRecord.for_certificate(tvs, Function.TVS, host))
        return sign_trust_list(
            tuple(records),
            file_name="ITLFile.tlv",
            signer=SigningKey.of(issued.certificate, issued.private_key),
            digest=DigestAlgorithm.SHA1,
            timestamp=int(datetime.now(UTC).timestamp()),
            signer_version=(1, 0),
        )


class _Replaced:
    """A file source with some files replaced."""

    def __init__(self, truth: FileSource, lies: Mapping[str, bytes]) -> None:
        self._truth = truth
        self._lies = lies

    def read(self, name: str, peer: str, transport: str) -> bytes:
        if name in self._lies:
            return self._lies[name]
        return self._truth.read(name, peer, transport)


class NoFiles:
    """A file source with nothing in it."""

    def read(self, name: str, peer: str, transport: str) -> bytes:
        """Always refuses."""
        del peer, transport
        raise Refusal(1, f"{name} does not exist")


class LyingFileServer:
    """An HTTP configuration server that replaces some files; ``async with`` gives it, bound.

    Args:
        truth: where the other files come from.
        lies: file name -> bytes served instead.
        host: address to bind; the port is any free one.
    """

    def __init__(
        self, truth: FileSource, lies: Mapping[str, bytes], *, host: str = "127.0.0.1", trace: Trace | None = None
    ) -> None:
        bound = (trace or Trace()).bind(where="attacker", service="Lying file server")
        handler = FileHandler(_Replaced(truth, lies), "http", bound)
        self._listener = HttpListener("HTTP", host, 0, handler, trace=bound)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.listeners[0].port

    async def __aenter__(self) -> Self:
        await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._listener.stop(0)


class ImpostorWebServer:
    """An HTTPS server that offers a phone service with a stranger's certificate; ``async with`` gives it, bound."""

    def __init__(self, stranger: Stranger, *, host: str = "127.0.0.1", trace: Trace | None = None) -> None:
        bound = (trace or Trace()).bind(where="attacker", service="Impostor")
        context = server_context([stranger.identity(Purpose.TOMCAT)])
        self.requests: list[str] = []
        """Paths that were asked for: stays empty as long as phones check before they ask."""
        self._listener = HttpListener("HTTPS", host, 0, self._answer, trace=bound, context=context)
        self._host = host

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path)
        return web.Response(
            text="<CiscoIPPhoneMenu><Title>Directory</Title></CiscoIPPhoneMenu>", content_type="text/xml"
        )

    @property
    def url(self) -> str:
        """What a phone would be told to open."""
        return f"https://{self._host}:{self._listener.listeners[0].port}/ccmcip/xmldirectory.jsp"

    async def __aenter__(self) -> Self:
        await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._listener.stop(0)
