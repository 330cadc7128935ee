"""Which keys a phone is asked to make for its LSC, and whether it made them (R-CAPF-2, R-CAPF-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cluster.phonesecurity import NO_EC, KeyOrder
from wire.capf import Command, Curve, KeyType, Message

if TYPE_CHECKING:
    from cluster.phonesecurity import CapfOrder
    from wire.certificates import PublicKey

_EC_SINCE = 3
"""Version of the protocol from which phones know EC keys."""
_CURVES = {256: Curve.SECP256R1, 384: Curve.SECP384R1, 521: Curve.SECP521R1}


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One kind of key.

    Attributes:
        size: bits, of the modulus or the curve.
    """

    kind: KeyType
    size: int

    def request(self, session: int) -> Message:
        """What asks a phone for it."""
        if self.kind is KeyType.EC:
            return Message(Command.KEY_GENERATE_REQUEST, session, key_type=self.kind, curve=_CURVES[self.size])
        return Message(Command.KEY_GENERATE_REQUEST, session, key_type=self.kind, key_size=self.size)

    def read(self, spki: bytes) -> PublicKey | None:
        """The public key, if it is one of this kind."""
        try:
            key = load_der_public_key(spki)
        except (ValueError, UnsupportedAlgorithm):
            return None
        wanted = rsa.RSAPublicKey if self.kind is KeyType.RSA else ec.EllipticCurvePublicKey
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not isinstance(key, wanted):
            return None
        known_curve = isinstance(key, rsa.RSAPublicKey) or key.curve.name == _CURVES[self.size].name.lower()
        return key if key.key_size == self.size and known_curve else None


@dataclass(frozen=True, slots=True)
class NoKeys:
    """No LSC is issued; `why` in UCM's words, empty when it has none for it."""

    why: str = ""


def plan_keys(order: CapfOrder, version: int, *, advanced: bool) -> tuple[KeySpec, ...] | NoKeys:
    """What to ask a phone for, first choice first.

    With the enterprise parameter off, a phone that knows version 3 gets no LSC at all when its key order has EC in it,
    not even the RSA backup; an older one gets RSA whatever the parameter says. That this holds for "EC Only", too, is
    ours.

    Args:
        order: the phone's CAPF settings.
        version: of the protocol, as the phone says.
        advanced: "Endpoint Advanced Encryption Algorithms Support".
    """
    rsa_key, ec_key = KeySpec(KeyType.RSA, order.rsa_size), KeySpec(KeyType.EC, order.ec_size)
    if order.key_order is KeyOrder.RSA:
        return (rsa_key,)
    if version < _EC_SINCE:
        return (rsa_key,) if order.key_order is KeyOrder.EC_PREFERRED else NoKeys(NO_EC)
    if not advanced:
        return NoKeys()
    return (ec_key, rsa_key) if order.key_order is KeyOrder.EC_PREFERRED else (ec_key,)
