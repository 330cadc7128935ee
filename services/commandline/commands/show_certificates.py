"""``show cert``. The lines of ``show cert list own`` are known from a program that reads them; the rest is ours, and
keeps one row that programs look for: the end of the validity after ``To:``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from cluster.purposes import IPSEC_END_SYSTEM
from services.commandline.commands.truststores import trust_certificate, trust_rows
from services.commandline.commands.units import own_certificates, own_names, unit_of
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours, Ucm
from wire.errors import Refusal
from wire.showrows import time_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.snapshot import OwnCertificate
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments
    from wire.certificates import Certificate

_COMPLETED_TRUST = 500
"""Trust certificates up to which tab knows their names."""


async def list_own(context: CommandContext, _arguments: Arguments) -> None:
    """One line for each certificate of this node."""
    await context.write("\n".join(_line(own) for own in own_certificates(context)))


async def list_trust(context: CommandContext, _arguments: Arguments) -> None:
    """One line for each certificate in a trust store."""
    empty = True
    async for rows in trust_rows(context):
        await context.write("\n".join(f"{row.name}: {row.description}" for row in rows))
        empty = False
    if empty:
        await context.write(Ours.NO_ROWS)


async def show_own(context: CommandContext, arguments: Arguments) -> None:
    """One certificate of this node in full."""
    unit = unit_of(arguments["NAME"])
    own = next((own for own in own_certificates(context) if own.purpose.value == unit), None)
    if own is None:
        raise Refusal(404, f"there is no certificate {arguments['NAME']!r}; 'show cert list own' shows them")
    await context.write("\n".join(certificate_rows(own.certificate)))


async def show_trust(context: CommandContext, arguments: Arguments) -> None:
    """One trusted certificate in full."""
    certificate = await trust_certificate(context, arguments["NAME"])
    await context.write("\n".join(certificate_rows(certificate)))


def _line(own: OwnCertificate) -> str:
    unit = own.purpose.value
    origin = Ucm.SIGNED_BY.format(issuer=own.certificate.issuer.common_name) if own.chain else Ucm.SELF_SIGNED
    return f"{unit}/{unit}.pem: {origin}"


def _trust_names(context: CommandContext) -> Iterator[str]:
    from wire.certificates import Certificate

    if len(context.snapshot.trusted) > _COMPLETED_TRUST:
        return
    for entry in context.snapshot.trusted.values():
        name = Certificate.from_der(entry.der).subject.common_name
        if name and not any(mark.isspace() for mark in name):
            yield from (f"{store}/{name}.pem" for store in entry.stores)


def certificate_rows(certificate: Certificate) -> Iterator[str]:
    """A certificate for people, then as PEM."""
    parsed = certificate.x509
    yield "["
    yield f"  Version: V{parsed.version.value + 1}"
    yield f"  Serial Number: {certificate.serial:X}"
    yield f"  SignatureAlgorithm: {_signature(parsed)}"
    yield f"  Issuer Name: {certificate.issuer}"
    yield f"  Validity From: {time_text(certificate.not_before)}"
    yield f"           To:   {time_text(certificate.not_after)}"
    yield f"  Subject Name: {certificate.subject}"
    yield f"  Key: {'RSA' if certificate.is_rsa else 'EC'} {certificate.public_key.key_size}"
    key = certificate.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield f"    Key value: {key.hex()}"
    yield from _extensions(parsed)
    yield f"  SHA1: {certificate.sha1.hex(':').upper()}"
    yield f"  SHA256: {certificate.sha256.hex(':').upper()}"
    yield "]"
    yield certificate.pem.rstrip("\n")


def _signature(parsed: x509.Certificate) -> str:
    oid = parsed.signature_algorithm_oid.dotted_string
    try:
        digest = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        digest = None
    kind = "ECDSA" if oid.startswith("1.2.840.10045.") else "RSA"
    return oid if digest is None else f"{digest.name.upper()}with{kind} ({oid})"


def _extensions(parsed: x509.Certificate) -> Iterator[str]:
    try:
        extensions = list(parsed.extensions)
    except ValueError as error:
        yield f"  Extensions: cannot be read: {error}"
        return
    yield f"  Extensions: {len(extensions)} present"
    for extension in extensions:
        yield "  ["
        yield f"     Extension: {type(extension.value).__name__} (OID.{extension.oid.dotted_string})"
        yield f"     Critical: {str(extension.critical).lower()}"
        yield f"     {_extension(extension.value)}"
        yield "  ]"


_USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
_EXTENDED_USAGES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    IPSEC_END_SYSTEM: "ipsecEndSystem",
}


def _extension(value: x509.ExtensionType) -> str:
    text = f"Value: {value.public_bytes().hex()}"
    match value:
        case x509.KeyUsage():
            text = "Usages: " + ", ".join(name for attribute, name in _USAGES.items() if getattr(value, attribute))
        case x509.ExtendedKeyUsage():
            text = "Usages: " + ", ".join(_EXTENDED_USAGES.get(oid, oid.dotted_string) for oid in value)
        case x509.SubjectAlternativeName():
            text = "Names: " + ", ".join(str(name.value) for name in value)
        case x509.BasicConstraints():
            text = f"CA: {str(value.ca).lower()}"
        case x509.SubjectKeyIdentifier():
            text = f"keyID: {value.digest.hex()}"
    return text


COMMANDS = (
    Command("show cert list own", "the certificates of this node", list_own, level=1),
    Command("show cert list trust", "the certificates in the trust stores", list_trust, level=1),
    Command(
        "show cert own",
        "one certificate of this node",
        show_own,
        (Argument("NAME", "as the list prints it: tomcat/tomcat.pem", choices=own_names),),
        level=1,
    ),
    Command(
        "show cert trust",
        "one trusted certificate",
        show_trust,
        (Argument("NAME", "as the list prints it: tomcat-trust/NAME.pem", choices=_trust_names, rest=True),),
        level=1,
    ),
)
