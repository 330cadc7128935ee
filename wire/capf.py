"""Messages of the Certificate Authority Proxy Function, version 3, as they pass through TLS on TCP 3804.

A message is eight bytes of header (protocol 0x55, command, session u32, length u16) and elements of tag, u16 length and
value. Requests come from the server, responses from the phone; the server speaks first. A message has to be written in
one piece: real phones stall when header and elements come in two.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo

from wire.certificates import MAX_CERTIFICATE_SIZE
from wire.digests import DigestAlgorithm
from wire.errors import WireError
from wire.tlv import Reader, element, read_integer, read_text, write_integer, write_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from wire.certificates import Certificate, PrivateKey

PROTOCOL, VERSION = 0x55, 3
HEADER_SIZE = 8
MAX_BODY = 2 * MAX_CERTIFICATE_SIZE
"""Bytes of elements accepted: a LSC and a MIC with their signatures."""

_HEADER = struct.Struct(">BBIH")


class Command(IntEnum):
    """What a message is."""

    AUTH_REQUEST = 1
    AUTH_RESPONSE = 2
    KEY_GENERATE_REQUEST = 3
    KEY_GENERATE_RESPONSE = 4
    ENCRYPT_RESPONSE = 5
    ENCRYPT_REQUEST = 6
    DECRYPT_REQUEST = 7
    DECRYPT_RESPONSE = 8
    STORE_REQUEST = 9
    STORE_RESPONSE = 10
    FETCH_REQUEST = 11
    FETCH_RESPONSE = 12
    DELETE_REQUEST = 13
    DELETE_RESPONSE = 14
    END_SESSION = 15
    RETRY_LATER = 16
    IN_PROGRESS = 17
    STATUS_REQUEST = 18
    STATUS_RESPONSE = 19
    ABORT_REQUEST = 20
    ABORT_RESPONSE = 21
    SIGN_REQUEST = 22
    SIGN_RESPONSE = 23


class ReasonCode(IntEnum):
    """Outcome of a step or a session."""

    NO_ACTION = 0
    SUCCESS = 1
    INVALID_ELEMENT = 7
    UNKNOWN_DEVICE = 9


class CertificateType(IntEnum):
    """Which of a phone's certificates."""

    LSC = 1
    MIC = 2


class AuthType(IntEnum):
    """How a phone has to prove who it is."""

    NONE = 0
    PASSWORD = 1
    """Authentication string."""
    NO_PASSWORD = 2
    """Null string."""
    LSC = 3
    MIC = 4


class KeyType(IntEnum):
    """Kind of a phone's key."""

    RSA = 0
    EC = 1


class Curve(IntEnum):
    """Curve of an EC key; the name is that of the standard."""

    SECP256R1 = 0
    SECP384R1 = 1
    SECP521R1 = 2


RSA_SIZES = (512, 1024, 2048, 3072, 4096)


@dataclass(frozen=True, slots=True)
class PhoneCertificate:
    """A certificate of the phone: element 4.

    Attributes:
        kind: see `CertificateType`.
        der: the certificate.
    """

    kind: int
    der: bytes


@dataclass(frozen=True, slots=True)
class Sudi:
    """What a phone proves its SUDI certificate with: element 16; empty parts are left out."""

    certificate: bytes = b""
    sha1_signature: bytes = b""
    sha512_signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """One message; elements that are None are not in it.

    Attributes:
        command: see `Command`.
        session: number that the server gave the session.
        reason: see `ReasonCode`.
        certificate_type: see `CertificateType`.
        signed_data: SHA-1 signature, see `sign`.
        auth_type: see `AuthType`.
        public_key: SubjectPublicKeyInfo, DER.
        key_size: RSA bits.
        retry_delay: as it came; its unit is not known.
        device_name: ``SEP<MAC>``.
        sha2_signed_data: SHA-512 signature.
    """

    command: int
    session: int
    reason: int | None = None
    reason_info: str | None = None
    certificate_type: int | None = None
    certificate: PhoneCertificate | None = None
    certificate_id: bytes | None = None
    signed_data: bytes | None = None
    version: int | None = None
    auth_type: int | None = None
    public_key: bytes | None = None
    key_size: int | None = None
    password: str | None = None
    retry_delay: bytes | None = None
    device_name: str | None = None
    sudi: Sudi | None = None
    key_type: int | None = None
    curve: int | None = None
    digest_type: int | None = None
    sha2_signed_data: bytes | None = None

    def __repr__(self) -> str:
        """Never shows the password."""
        shown = ((item.name, getattr(self, item.name)) for item in fields(self) if item.name != "password")
        return "Message(" + ", ".join(f"{name}={value!r}" for name, value in shown if value is not None) + ")"


def body_length(header: bytes) -> int:
    """Bytes that follow a header.

    Raises:
        WireError: the eight bytes are no header of this protocol, or announce more than `MAX_BODY`.
    """
    return _read_header(header)[2]


def decode(message: bytes) -> Message:
    """Reads one whole message.

    Raises:
        WireError: another protocol, an unknown command, a wrong length, an unknown or repeated element, or a value that
            does not fit its element.
    """
    command, session, length = _read_header(message[:HEADER_SIZE])
    if len(message) != HEADER_SIZE + length:
        raise WireError(f"CAPF message of {len(message)} bytes says that it has {HEADER_SIZE + length}")
    where = f"CAPF {command.name.lower().replace('_', ' ')}"
    values: dict[str, Any] = {}
    for tag, value in Reader(message[HEADER_SIZE:], where).children().items():
        codec = _ELEMENTS.get(tag)
        if codec is None:
            raise WireError(f"{where}: element {tag} is unknown")
        values[codec.name] = codec.read(f"{where}: {codec.name}", value)
    return Message(int(command), session, **values)


def encode(message: Message) -> bytes:
    """Writes a message, its elements by ascending tag.

    Raises:
        WireError: a value that its element cannot carry.
    """
    parts = []
    for tag, codec in _ELEMENTS.items():
        value = getattr(message, codec.name)
        if value is not None:
            parts.append(element(tag, codec.write(codec.name, value)))
    body = b"".join(parts)
    if len(body) > MAX_BODY:
        raise WireError(f"CAPF message of {len(body)} bytes is over the limit of {MAX_BODY}")
    if message.command not in set(Command):
        raise WireError(f"CAPF command {message.command} is unknown")
    try:
        return _HEADER.pack(PROTOCOL, message.command, message.session, len(body)) + body
    except struct.error as error:
        raise WireError(f"CAPF session number {message.session} does not fit into 32 bits") from error


def proof_of(device_name: str, certificate: bytes) -> bytes:
    """What a phone signs to prove that it has the key of a certificate: name, NUL, DER."""
    return device_name.encode("ascii", "replace") + b"\0" + certificate


def sudi_proof_of(session: int, certificate: bytes) -> bytes:
    """What a phone signs with its SUDI key: the session number in little-endian order, DER."""
    return session.to_bytes(4, "little") + certificate


def sign(key: PrivateKey, digest: DigestAlgorithm, data: bytes) -> bytes:
    """A signature as phones make it: ECDSA, or RSA with PKCS#1 type 1 padding around the bare digest.

    Raises:
        WireError: the key is too short for the digest.
    """
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(digest.digest(data), PKCS1v15(), NoDigestInfo())
        return key.sign(data, ec.ECDSA(digest.hash))
    except ValueError as error:
        raise WireError(f"a key of {key.key_size} bits is too short for a {digest.name} signature") from error


def verify(certificate: Certificate, digest: DigestAlgorithm, data: bytes, signature: bytes) -> bool:
    """True when the certificate's key made the signature; see `sign`."""
    key = certificate.public_key
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest.digest(data), PKCS1v15(), NoDigestInfo())  # type: ignore[arg-type]
        else:
            key.verify(signature, data, ec.ECDSA(digest.hash))
    except (InvalidSignature, ValueError):
        return False
    return True


def _read_header(header: bytes) -> tuple[Command, int, int]:
    if len(header) != HEADER_SIZE:
        raise WireError(f"CAPF header of {len(header)} bytes, not {HEADER_SIZE}")
    protocol, command, session, length = _HEADER.unpack(header)
    if protocol != PROTOCOL:
        raise WireError(f"CAPF protocol byte is {protocol:#04x}, not {PROTOCOL:#04x}")
    if command not in set(Command):
        raise WireError(f"CAPF command {command} is unknown")
    if length > MAX_BODY:
        raise WireError(f"CAPF message of {length} bytes is over the limit of {MAX_BODY}")
    return Command(command), session, length


class _Codec(NamedTuple):
    name: str
    read: Callable[[str, bytes], Any]
    write: Callable[[str, Any], bytes]


def _integer(name: str, size: int) -> _Codec:
    return _Codec(
        name,
        lambda where, value: read_integer(where, value, size),
        lambda where, value: write_integer(where, value, size),
    )


def _text(name: str) -> _Codec:
    return _Codec(name, read_text, write_text)


def _bytes(name: str) -> _Codec:
    def check(where: str, value: bytes) -> bytes:
        if not value:
            raise WireError(f"{where}: empty")
        return value

    return _Codec(name, check, check)


def _read_certificate(where: str, value: bytes) -> PhoneCertificate:
    inner = Reader(value, where).element()
    if inner.tag != 1 or len(value) != 3 + len(inner.value) or len(inner.value) < 3 or inner.value[0] != 0:
        raise WireError(f"{where}: not 1, length, 0, type and certificate")
    if len(inner.value) - 2 > MAX_CERTIFICATE_SIZE:
        raise WireError(f"{where}: certificate of {len(inner.value) - 2} bytes is over {MAX_CERTIFICATE_SIZE}")
    return PhoneCertificate(inner.value[1], inner.value[2:])


def _write_certificate(where: str, value: PhoneCertificate) -> bytes:
    if not value.der:
        raise WireError(f"{where}: empty")
    return element(1, b"\0" + write_integer(where, value.kind, 1) + value.der)


_SUDI_PARTS = {0: "certificate", 1: "sha1_signature", 3: "sha512_signature"}


def _read_sudi(where: str, value: bytes) -> Sudi:
    found = Reader(value, where).children()
    if strangers := [tag for tag in found if tag not in _SUDI_PARTS]:
        raise WireError(f"{where}: part {strangers[0]} is unknown")
    return Sudi(**{_SUDI_PARTS[tag]: part for tag, part in found.items()})


def _write_sudi(_where: str, value: Sudi) -> bytes:
    return b"".join(element(tag, getattr(value, name)) for tag, name in _SUDI_PARTS.items() if getattr(value, name))


def _read_sha2(where: str, value: bytes) -> bytes:
    inner = Reader(value, where).element()
    if inner.tag != DigestAlgorithm.SHA512 or len(value) != 3 + len(inner.value) or not inner.value:
        raise WireError(f"{where}: not a SHA-512 signature")
    return inner.value


def _write_sha2(where: str, value: bytes) -> bytes:
    if not value:
        raise WireError(f"{where}: empty")
    return element(DigestAlgorithm.SHA512, value)


_ELEMENTS: dict[int, _Codec] = {
    1: _integer("reason", 1),
    2: _text("reason_info"),
    3: _integer("certificate_type", 1),
    4: _Codec("certificate", _read_certificate, _write_certificate),
    5: _bytes("certificate_id"),
    6: _bytes("signed_data"),
    7: _integer("version", 1),
    8: _integer("auth_type", 1),
    9: _bytes("public_key"),
    10: _integer("key_size", 2),
    11: _text("password"),
    12: _bytes("retry_delay"),
    13: _text("device_name"),
    16: _Codec("sudi", _read_sudi, _write_sudi),
    17: _integer("key_type", 1),
    18: _integer("curve", 1),
    19: _integer("digest_type", 1),
    20: _Codec("sha2_signed_data", _read_sha2, _write_sha2),
}
