"""What a trusted configuration says: read, decrypted where it is encrypted, and of the kind that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from phone_sim.boot import Part
from phone_sim.memory import read_config
from phone_sim.reasons import Reason
from phone_sim.trust import KeepOld
from wire.encryptedfile import EncryptedFile, decrypt_file
from wire.errors import WireError
from wire.phoneconfig import PhoneConfig

if TYPE_CHECKING:
    from phone_sim.memory import Config, PhoneMemory


@dataclass(frozen=True, slots=True)
class Understood:
    """A configuration.

    Attributes:
        plain: its bytes.
        obstacle: it is a stub, and the phone or its model cannot decrypt what it announces.
    """

    config: Config
    plain: bytes
    obstacle: KeepOld | None = None


def understand(
    part: Part, body: bytes | EncryptedFile, memory: PhoneMemory, stub: Config | None
) -> Understood | KeepOld:
    """Reads what arrived; a trusted file has to be a configuration of the expected kind, too.

    Args:
        part: what was asked for.
        body: plain bytes, or what has to be decrypted.
        memory: where the phone's certificates are.
        stub: what announced an encrypted configuration.
    """
    plain = _decrypt(body, memory, stub) if isinstance(body, EncryptedFile) else body
    if isinstance(plain, KeepOld):
        return plain
    try:
        config = read_config(plain)
    except WireError as error:
        return KeepOld(Reason.UNREADABLE, str(error))
    of_device = isinstance(config, PhoneConfig)
    if of_device is (part is Part.DEFAULT) or (part is Part.ENCRYPTED and is_stub(config)):
        return KeepOld(Reason.UNREADABLE, f"another kind of configuration than the {part.value}")
    return Understood(config, plain, _lacks_key(config, memory) if is_stub(config) else None)


def is_stub(config: Config | None) -> bool:
    """It only announces the encrypted configuration."""
    return isinstance(config, PhoneConfig) and config.encrypted and not config.full_config


def _lacks_key(stub: Config, memory: PhoneMemory) -> KeepOld | None:
    if not memory.reads_encrypted:
        return KeepOld(Reason.ENCRYPTED, "the model reads no encrypted configurations")
    cert_hash = stub.cert_hash if isinstance(stub, PhoneConfig) else ""
    identity = memory.credential_for(cert_hash)
    if identity is None:
        held = ", ".join(credential.value for credential in memory.credentials) or "neither LSC nor MIC"
        return KeepOld(Reason.ENCRYPTED, f"for the certificate with MD5 {cert_hash[:32]}; the phone has {held}")
    if not identity.certificate.is_rsa:
        return KeepOld(Reason.ENCRYPTED, f"{identity.certificate.subject} has an EC key, which decrypts nothing")
    return None


def _decrypt(file: EncryptedFile, memory: PhoneMemory, stub: Config | None) -> bytes | KeepOld:
    identity = memory.credential_for(stub.cert_hash) if isinstance(stub, PhoneConfig) else None
    if identity is None or not isinstance(identity.private_key, rsa.RSAPrivateKey):
        return KeepOld(Reason.ENCRYPTED)
    try:
        return decrypt_file(file, identity.private_key)
    except WireError as error:
        return KeepOld(Reason.NOT_DECRYPTED, str(error))
