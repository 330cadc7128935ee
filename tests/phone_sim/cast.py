"""The parties of the vectors, with their keys, and the files that they can make."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from base.identity import Identity
from wire.certificates import Certificate
from wire.fileheader import DigestAlgorithm
from wire.signedfile import SignedFile, decode_signed_file, sign_file
from wire.signing import SigningKey
from wire.trustlist import Function, TrustList, TrustRecord, decode_trust_list, sign_trust_list

VECTORS = Path(__file__).parents[1] / "vectors"
MAC = "001122334455"
CONFIG_NAME = f"SEP{MAC}.cnf.xml.sgn"
SAST, CCM_TFTP, TFTP, TVS, APP = (
    Function.SAST,
    Function.CCM_TFTP,
    Function.TFTP,
    Function.TVS,
    Function.APP_SERVER,
)


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


@dataclasses.dataclass(frozen=True)
class Party:
    """Somebody with a certificate and its key."""

    certificate: Certificate
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    @classmethod
    def named(cls, name: str) -> Party:
        pem = vector(f"{name}.pem")
        key = load_pem_private_key(pem, None)
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
        return cls(Certificate.from_pem(pem), key)

    @property
    def identity(self) -> Identity:
        return Identity(self.certificate, self.key)

    @property
    def signer(self) -> SigningKey:
        assert isinstance(self.key, rsa.RSAPrivateKey)
        return SigningKey(self.certificate, self.key)

    def record(self, function: Function) -> TrustRecord:
        return TrustRecord.for_certificate(self.certificate, function, self.certificate.subject.common_name)


PUB, SUB, RECOVERY = Party.named("callmanager"), Party.named("callmanager-sub1"), Party.named("itlrecovery")
TVS_SERVER, TOMCAT, ROGUE, EC = (
    Party.named("tvs"),
    Party.named("tomcat"),
    Party.named("rogue"),
    Party.named("callmanager-ecdsa"),
)

ITL_RECORDS = (
    RECOVERY.record(SAST),
    PUB.record(SAST),
    PUB.record(CCM_TFTP),
    TVS_SERVER.record(TVS),
)


def list_bytes(
    signer: Party,
    records: tuple[TrustRecord, ...] = ITL_RECORDS,
    *,
    file_name: str = "ITLFile.tlv",
    timestamp: int = 1_790_000_000,
    digest: DigestAlgorithm = DigestAlgorithm.SHA1,
    signer_version: tuple[int, int] | None = (1, 0),
) -> bytes:
    return sign_trust_list(
        records,
        file_name=file_name,
        signer=signer.signer,
        digest=digest,
        timestamp=timestamp,
        signer_version=signer_version,
    )


def make_list(
    signer: Party,
    records: tuple[TrustRecord, ...] = ITL_RECORDS,
    *,
    file_name: str = "ITLFile.tlv",
    timestamp: int = 1_790_000_000,
    digest: DigestAlgorithm = DigestAlgorithm.SHA1,
) -> TrustList:
    data = list_bytes(signer, records, file_name=file_name, timestamp=timestamp, digest=digest)
    return decode_trust_list(data)


def make_ctl(signer: Party, records: tuple[TrustRecord, ...], timestamp: int = 1_790_000_000) -> TrustList:
    return make_list(signer, records, file_name="CTLFile.tlv", timestamp=timestamp)


def signed_bytes(
    signer: Party,
    body: bytes = b"<device/>",
    *,
    name: str = CONFIG_NAME,
    digest: DigestAlgorithm = DigestAlgorithm.SHA1,
) -> bytes:
    return sign_file(name, body, signer=signer.signer, digest=digest, timestamp=1_790_000_000)


def make_signed(
    signer: Party, *, name: str = CONFIG_NAME, digest: DigestAlgorithm = DigestAlgorithm.SHA1
) -> SignedFile:
    return decode_signed_file(signed_bytes(signer, name=name, digest=digest))


def flipped(data: bytes) -> bytes:
    """The same bytes with the last one changed."""
    return data[:-1] + bytes([data[-1] ^ 1])
