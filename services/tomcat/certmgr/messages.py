"""Requests and answers of the API as JSON. Requests are read leniently: what is not known is passed over."""

from __future__ import annotations

import json
import ssl
import uuid
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from cluster.issuing import DIGESTS
from cluster.management.effects import EFFECTS
from cluster.management.fields import CertificateFields, key_lengths
from cluster.management.uploads import read_upload
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from services.tomcat.certmgr.names import service_of
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from base.trace import Json
    from cluster.releases import Release
    from cluster.snapshot import OwnCertificate, PendingRequest

THIS_SERVER, MULTI_SERVER = "this-server", "multi-server"
_MAX_ITEMS = 128
_BOM = b"\xef\xbb\xbf"
_SHOWN_PROBLEMS = 5

Message = TypeVar("Message", bound="_Message")
Document = dict[str, "Json"]


class _Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


def _listed(value: object) -> object:
    """One name for a list of one; nothing for an empty one."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed), Field(max_length=_MAX_ITEMS)]


class CertificateRequest(_Message):
    """Fields of a signing request or of a self-signed certificate."""

    service: str
    distribution: str | None = None
    common_name: str | None = None
    key_type: str | None = None
    key_length: int | None = None
    hash_algorithm: str | None = None
    alt_names: Names = []

    @property
    def fields(self) -> CertificateFields:
        """What is asked for; empty text is as good as nothing.

        Raises:
            Refusal: 400, an unknown distribution.
        """
        distribution = (self.distribution or THIS_SERVER).lower()
        if distribution not in {THIS_SERVER, MULTI_SERVER}:
            raise Refusal(
                400, f"distribution {distribution[:64]!r} is not possible; possible: {THIS_SERVER}, {MULTI_SERVER}"
            )
        return CertificateFields(
            common_name=self.common_name or None,
            alt_names=tuple(self.alt_names),
            key_type=self.key_type or None,
            key_length=self.key_length,
            digest=self.hash_algorithm or None,
            multi_server=distribution == MULTI_SERVER,
        )


class CertificateUpload(_Message):
    """Certificates for one own certificate, or for several trust stores."""

    service: Annotated[Names, Field(min_length=1)]
    certificates: Annotated[Names, Field(min_length=1)]
    description: Annotated[str, Field(max_length=255)] | None = None

    @property
    def pem(self) -> bytes:
        """All certificates in their order, each of which was looked at.

        Raises:
            Refusal: 400, one of them is none.
        """
        pieces = [certificate for text in self.certificates for certificate in read_upload(text.encode())]
        return "".join(certificate.pem for certificate in pieces).encode()


def decode(kind: type[Message], body: bytes) -> Message:
    """A request.

    Raises:
        Refusal: 400, no JSON or not what it should be; says all that is wrong.
    """
    try:
        return kind.model_validate_json(body.removeprefix(_BOM))
    except ValidationError as error:
        found = [
            ": ".join(filter(None, [".".join(map(str, item["loc"])), str(item["msg"])]))
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        more = [f"and {len(found) - _SHOWN_PROBLEMS} more"] if len(found) > _SHOWN_PROBLEMS else []
        raise Refusal(400, "; ".join([*found[:_SHOWN_PROBLEMS], *more])) from None


def encode(document: Json) -> str:
    """JSON text. A big trust store takes a while: call it in a thread, which it lets others run beside."""
    return "".join(json.JSONEncoder().iterencode(document))


def refusal(message: str) -> Document:
    """What every error looks like."""
    return {"message": message}


def certificate(own: OwnCertificate) -> Document:
    """An own certificate."""
    shown = own.certificate
    return {
        "service": own.purpose.value,
        "certificate": shown.pem,
        "chain": [issuer.pem for issuer in own.chain],
        "subject": str(shown.subject),
        "issuer": str(shown.issuer),
        "serialNumber": f"{shown.serial:X}",
        "notBefore": shown.not_before.isoformat(),
        "notAfter": shown.not_after.isoformat(),
        "keyType": "rsa" if shown.is_rsa else "ec",
        "keyLength": shown.public_key.key_size,
        "sha256": shown.sha256.hex(),
        "restart": list(EFFECTS[own.purpose].restart),
    }


def request(pending: PendingRequest) -> Document:
    """A pending signing request."""
    return {
        "service": pending.purpose.value,
        "csr": request_pem(pending),
        "distribution": MULTI_SERVER if pending.multi_server else THIS_SERVER,
        "createdAt": pending.created_at.isoformat(),
    }


def request_pem(pending: PendingRequest) -> str:
    """The request itself."""
    return x509.load_der_x509_csr(pending.der).public_bytes(Encoding.PEM).decode("ascii")


def file_name(common_name: str, sha256: bytes, *, unique: bool = True) -> str:
    """What a trusted certificate is called: by its common name where that is one and says which."""
    return f"{common_name if common_name and unique else sha256.hex()[:16]}.pem"


def trusted(rows: Iterable[tuple[str, bytes, bytes]]) -> list[Json]:
    """The certificates of one trust store, from (common name, SHA-256, DER)."""
    found = list(rows)
    names = [name for name, _, _ in found]
    repeated = {name for name, after in pairwise(names) if name == after}
    return [
        {
            "filename": file_name(name, digest, unique=name not in repeated),
            "certificate": ssl.DER_cert_to_PEM_cert(der),
        }
        for name, digest, der in found
    ]


def server_snapshot(
    server: str,
    own: Sequence[OwnCertificate],
    requests: Mapping[Purpose, PendingRequest],
    trust: Mapping[str, Sequence[tuple[str, bytes, bytes]]],
) -> Document:
    """Everything of one server, in the product's own shape."""
    return {
        "trackingId": str(uuid.uuid4()),
        "server": server,
        "identities": [
            {
                "service": item.purpose.value,
                "certificate": item.certificate.pem,
                "csr": request_pem(requests[item.purpose]) if item.purpose in requests else None,
            }
            for item in own
        ],
        "trusts": [{"service": service_of(store), "certificate_data": trusted(rows)} for store, rows in trust.items()],
        "revokedCertificates": [],
    }


def options(release: Release, purposes: Iterable[Purpose]) -> Document:
    """What may be asked for on this server."""
    return {
        "release": release.name,
        "services": [_option(purpose) for purpose in purposes],
        "trustServices": [service_of(store) for store in TRUST_STORES],
    }


def _option(purpose: Purpose) -> Document:
    facts = PURPOSES[purpose]
    distributions = [THIS_SERVER, MULTI_SERVER] if facts.multi_server else [THIS_SERVER]
    return {
        "service": purpose.value,
        "csr": purpose is not Purpose.ITL_RECOVERY,
        "distribution": [*distributions],
        "keyType": "ec" if facts.elliptic else "rsa",
        "keyLength": [*key_lengths(purpose)],
        "hashAlgorithm": [digest.lower() for digest in DIGESTS],
    }
