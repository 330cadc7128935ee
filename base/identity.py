"""Who a node or phone is in TLS: a certificate with its key. Data only, so that floors without sockets can hold one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wire.certificates import Certificate, PrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its private key, and what stands between it and its root.

    Attributes:
        chain: issuing certificates, nearest first; empty when self-signed.
    """

    certificate: Certificate
    private_key: PrivateKey
    chain: tuple[Certificate, ...] = ()
