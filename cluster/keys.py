"""Private keys as the store keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wire.errors import OperatorError

if TYPE_CHECKING:
    from wire.certificates import PrivateKey


def load_key(pem: bytes, whose: str) -> PrivateKey:
    """A key that this store wrote.

    Its arithmetic is not checked again: a full check takes about 50 ms for each key.

    Args:
        pem: PKCS#8.
        whose: for the message, e.g. ``alpha-pub's CallManager``.

    Raises:
        OperatorError: it is damaged.
    """
    try:
        key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
    except ValueError:  # not chained: the message could quote the key
        raise OperatorError(f"the private key of {whose} is damaged") from None
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)  # noqa: S101 - written by this store
    return key
