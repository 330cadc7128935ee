"""The phone's side of a CAPF session: what it answers to each request. No socket; keys are made by the caller.

What the phone proves itself with follows the request, or the configuration when a request asks for nothing in
particular. A phone answers to what it knows only; anything else it aborts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from base.identity import Identity
from phone_sim.credentials import Credential, is_pair
from phone_sim.trust import SHORT_RSA
from wire.capf import (
    AuthType,
    CertificateType,
    Command,
    Curve,
    KeyType,
    Message,
    PhoneCertificate,
    ReasonCode,
    Sudi,
    proof_of,
    sign,
    sudi_proof_of,
)
from wire.certificates import Certificate
from wire.digests import DigestAlgorithm
from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phone_sim.memory import PhoneMemory
    from wire.certificates import PrivateKey

_CURVES: dict[int, type[ec.EllipticCurve]] = {
    Curve.SECP256R1: ec.SECP256R1,
    Curve.SECP384R1: ec.SECP384R1,
    Curve.SECP521R1: ec.SECP521R1,
}
_RSA_SIZES = (1024, 2048, 3072, 4096)
"""CAPF knows 512, too; no key so short can be made here, and the phone says so."""
_AUTH_OF_MODE = {1: AuthType.PASSWORD, 2: AuthType.NO_PASSWORD, 3: AuthType.LSC, 4: AuthType.MIC}
_EC_VERSION, _RSA_VERSION = 3, 2
_ORDER = {
    AuthType.LSC: (Credential.LSC, Credential.MIC),
    AuthType.MIC: (Credential.MIC, Credential.LSC),
}
_CREDENTIALS = {CertificateType.LSC: Credential.LSC, CertificateType.MIC: Credential.MIC}


class CapfOutcome(Enum):
    """How a session ended; the value is the code in reports."""

    UPDATED = "updated"
    """An operation was carried out."""
    NOTHING_TO_DO = "nothing_to_do"
    REFUSED = "refused"
    """By the server, or the operation failed."""
    UNKNOWN_DEVICE = "unknown_device"
    RETRY_LATER = "retry_later"
    STRING_NEEDED = "string_needed"
    """Nobody typed the authentication string."""
    SERVER_NOT_TRUSTED = "server_not_trusted"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"


_ENDS: dict[int, CapfOutcome] = {
    ReasonCode.NO_ACTION: CapfOutcome.NOTHING_TO_DO,
    ReasonCode.SUCCESS: CapfOutcome.UPDATED,
    ReasonCode.UNKNOWN_DEVICE: CapfOutcome.UNKNOWN_DEVICE,
}


@dataclass(frozen=True, slots=True)
class KeyWanted:
    """Make a key of this kind, and say `PhoneSide.key_made`."""

    kind: KeyType
    size: int

    def make(self) -> PrivateKey:
        """The key. Takes up to seconds: call it in a thread."""
        if self.kind is KeyType.EC:
            return ec.generate_private_key(_CURVES[self.size]())
        return rsa.generate_private_key(public_exponent=65_537, key_size=self.size)


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; `message` is said before the phone hangs up."""

    outcome: CapfOutcome
    message: Message | None = None


Answer = Message | KeyWanted | Ended


class PhoneSide:
    """One session.

    Args:
        device: ``SEP<MAC>``.
        memory: where the certificates are.
        mode: ``capfAuthMode`` of the configuration.
        auth_string: what a person typed; None when nobody did.
        ec_known: the model knows EC keys, and says so by its version.
        ec_usable: and the ITL allows them.
        long_keys: the model knows RSA keys of more than 2048 bits.
    """

    def __init__(
        self,
        device: str,
        memory: PhoneMemory,
        *,
        mode: int,
        auth_string: str | None,
        ec_known: bool,
        ec_usable: bool,
        long_keys: bool = True,
    ) -> None:
        self._device, self._memory = device, memory
        self._mode, self._auth_string = mode, auth_string
        self._ec_known, self._ec_usable = ec_known, ec_usable
        self._rsa_sizes = tuple(size for size in _RSA_SIZES if long_keys or size <= SHORT_RSA)
        self._key: PrivateKey | None = None
        self.changed = False
        self.steps: list[str] = []

    def answer(self, request: Message) -> Answer:
        """What the phone says or does next.

        Raises:
            FlashError: flash cannot be written.
        """
        command = Command(request.command)
        self.steps.append(command.name.lower())
        handler = _TABLE.get(command)
        if handler is None:
            return Ended(CapfOutcome.BROKEN, Message(Command.ABORT_RESPONSE, request.session))
        return handler(self, request)

    def key_made(self, request: Message, key: PrivateKey) -> Message:
        """The answer to a request for a key, with the key."""
        self._key = key
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return Message(Command.KEY_GENERATE_RESPONSE, request.session, reason=ReasonCode.SUCCESS, public_key=spki)

    # --- requests ---

    def _authenticate(self, request: Message) -> Answer:
        asked = request.auth_type or _AUTH_OF_MODE.get(self._mode, AuthType.NONE)
        version = _EC_VERSION if self._ec_known else _RSA_VERSION
        response = Message(
            Command.AUTH_RESPONSE,
            request.session,
            reason=ReasonCode.SUCCESS,
            version=version,
            device_name=self._device,
        )
        if asked == AuthType.PASSWORD:
            if self._auth_string is None:
                return Ended(CapfOutcome.STRING_NEEDED, Message(Command.ABORT_RESPONSE, request.session))
            return replace(response, password=self._auth_string)
        if asked == AuthType.NO_PASSWORD:
            return replace(response, password="")
        for credential in _ORDER.get(AuthType(asked), ()) if asked in set(AuthType) else ():
            identity = self._memory.credentials.get(credential)
            if identity is not None:
                return self._with_proof(response, credential, identity)
        return response

    def _with_proof(self, response: Message, credential: Credential, identity: Identity) -> Message:
        der, key = identity.certificate.der, identity.private_key
        sha1, sha512 = _signatures(key, proof_of(self._device, der))
        mic = credential is Credential.MIC
        return replace(
            response,
            certificate=PhoneCertificate(CertificateType.MIC if mic else CertificateType.LSC, der),
            signed_data=sha1,
            sha2_signed_data=sha512 or None,
            sudi=Sudi(der, *_signatures(key, sudi_proof_of(response.session, der))) if mic else None,
        )

    def _generate(self, request: Message) -> Answer:
        if request.key_type == KeyType.EC and self._ec_usable and request.curve in _CURVES:
            return KeyWanted(KeyType.EC, request.curve)
        if request.key_type in {KeyType.RSA, None} and request.key_size in self._rsa_sizes:
            return KeyWanted(KeyType.RSA, request.key_size)
        return Message(Command.KEY_GENERATE_RESPONSE, request.session, reason=ReasonCode.INVALID_ELEMENT)

    def _store(self, request: Message) -> Answer:
        """The LSC counts if it is for the key that was made just now, and for this phone."""
        stored = self._readable(request)
        reason = ReasonCode.INVALID_ELEMENT
        if stored is not None and self._key is not None and is_pair(stored, self._key):
            self._memory.install_credential(Credential.LSC, Identity(stored, self._key))
            self.changed, reason = True, ReasonCode.SUCCESS
        return Message(Command.STORE_RESPONSE, request.session, reason=reason)

    def _readable(self, request: Message) -> Certificate | None:
        if request.certificate is None or request.certificate.kind != CertificateType.LSC:
            return None
        try:
            certificate = Certificate.from_der(request.certificate.der)
        except WireError:
            return None
        return certificate if certificate.subject.common_name.upper() == self._device else None

    def _fetch(self, request: Message) -> Answer:
        kind = CertificateType.MIC if request.certificate_type == CertificateType.MIC else CertificateType.LSC
        identity = self._memory.credentials.get(_CREDENTIALS[kind])
        if identity is None:
            return Message(Command.FETCH_RESPONSE, request.session, reason=ReasonCode.NO_ACTION)
        certificate = PhoneCertificate(kind, identity.certificate.der)
        return Message(Command.FETCH_RESPONSE, request.session, reason=ReasonCode.SUCCESS, certificate=certificate)

    def _delete(self, request: Message) -> Answer:
        """A MIC cannot be deleted."""
        if request.certificate_type == CertificateType.MIC:
            return Message(Command.DELETE_RESPONSE, request.session, reason=ReasonCode.INVALID_ELEMENT)
        if Credential.LSC in self._memory.credentials:
            self._memory.erase_credential(Credential.LSC)
            self.changed = True
        return Message(Command.DELETE_RESPONSE, request.session, reason=ReasonCode.SUCCESS)

    def _end(self, request: Message) -> Answer:
        reason = request.reason if request.reason is not None else ReasonCode.NO_ACTION
        return Ended(_ENDS.get(reason, CapfOutcome.REFUSED))

    def _later(self, _request: Message) -> Answer:
        return Ended(CapfOutcome.RETRY_LATER)

    def _abort(self, request: Message) -> Answer:
        return Ended(CapfOutcome.BROKEN, Message(Command.ABORT_RESPONSE, request.session))


def _signatures(key: PrivateKey, data: bytes) -> tuple[bytes, bytes]:
    """With SHA-1 and SHA-512; the second is empty for an RSA key that is too short for it."""
    sha1 = sign(key, DigestAlgorithm.SHA1, data)
    try:
        return sha1, sign(key, DigestAlgorithm.SHA512, data)
    except WireError:
        return sha1, b""


_TABLE: Mapping[Command, Callable[[PhoneSide, Message], Answer]] = {
    Command.AUTH_REQUEST: PhoneSide._authenticate,  # noqa: SLF001 - the class's own table
    Command.KEY_GENERATE_REQUEST: PhoneSide._generate,  # noqa: SLF001
    Command.STORE_REQUEST: PhoneSide._store,  # noqa: SLF001
    Command.FETCH_REQUEST: PhoneSide._fetch,  # noqa: SLF001
    Command.DELETE_REQUEST: PhoneSide._delete,  # noqa: SLF001
    Command.END_SESSION: PhoneSide._end,  # noqa: SLF001
    Command.RETRY_LATER: PhoneSide._later,  # noqa: SLF001
    Command.ABORT_REQUEST: PhoneSide._abort,  # noqa: SLF001
}
