"""The cluster at one revision: immutable, indexed, and all that a daemon ever asks.

An operator's change makes a new snapshot that shares its large maps with the old one, so that a change costs the same
with ten trusted certificates and with a hundred thousand (R-TVS-2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import immutables
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from base.tls import Identity
from cluster.parameters import CATALOGUE, ROLLBACK, SECURITY_MODE, TVS_TTL, read_bool, read_ttl
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from cluster.releases import RELEASES, Release

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.definition import ClusterDefinition, Device
    from wire.certificates import Certificate, PrivateKey
    from wire.names import DistinguishedName


@dataclass(frozen=True)
class OwnCertificate:
    """A certificate that a node owns, with its key as stored.

    Attributes:
        key_pem: PKCS#8, unencrypted. Never printed, traced or sent.
        installed_at: when it came into use.
    """

    node: str
    purpose: Purpose
    certificate: Certificate
    key_pem: bytes
    installed_at: datetime

    @cached_property
    def private_key(self) -> PrivateKey:
        """The key; loaded once.

        Its arithmetic is not checked again: this store wrote it, and a full check takes about 50 ms for each key.
        """
        key = load_pem_private_key(self.key_pem, None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)  # noqa: S101 - written by this store
        return key

    @property
    def identity(self) -> Identity:
        """For a TLS listener."""
        return Identity(self.certificate, self.private_key)

    def __repr__(self) -> str:
        return f"<OwnCertificate {self.node} {self.purpose.value} {self.certificate!r}>"


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """One certificate that the cluster trusts, wherever from.

    Attributes:
        der: the certificate.
        lookup_key: see `lookup_key`.
        stores: the trust stores that hold it.
        roles: what TVS answers, ascending; empty when it is trusted for nothing that phones ask.
    """

    der: bytes
    lookup_key: str
    stores: frozenset[str]
    roles: tuple[int, ...]

    @classmethod
    def combine(cls, der: bytes, lookup: str, stores: frozenset[str], purposes: frozenset[Purpose]) -> TrustEntry:
        """The union of what its stores and its uses as an own certificate give."""
        roles = {int(role) for store in stores for role in TRUST_STORES[store]}
        roles |= {int(role) for purpose in purposes for role in PURPOSES[purpose].roles}
        return cls(der, lookup, stores, tuple(sorted(roles)))


@dataclass(frozen=True, slots=True)
class Stamp:
    """When the content of a generated file last changed (R-ITL-4).

    Attributes:
        content: SHA-256 of the content, without signature and timestamp, in hex.
        timestamp: Unix seconds.
    """

    content: str
    timestamp: int


def lookup_key(issuer: DistinguishedName, serial: int) -> str:
    """Index key of a certificate: serial in hex, then the issuer's parts in an order that all writers agree on."""
    return f"{serial:X} " + ";".join(f"{kind}={value}" for kind, value in issuer.key)


@dataclass(frozen=True)
class ClusterSnapshot:
    """Everything about the cluster at one revision.

    Attributes:
        revision: grows by one with every change.
        changed_at: time of that revision.
        configured: revision in which topology, devices or parameters last changed.
        configured_at: time of that revision; timestamp of configuration files.
        own: (node name, purpose) -> certificate.
        trusted: SHA-256 -> entry.
        by_issuer_serial: `lookup_key` -> SHA-256.
        stamps: (node name, file name) -> stamp.
        overrides: parameters that differ from their default.
    """

    revision: int
    changed_at: datetime
    configured: int
    configured_at: datetime
    definition: ClusterDefinition
    overrides: Mapping[str, str]
    own: Mapping[tuple[str, Purpose], OwnCertificate]
    trusted: immutables.Map[bytes, TrustEntry]
    by_issuer_serial: immutables.Map[str, bytes]
    stamps: Mapping[tuple[str, str], Stamp]

    @property
    def release(self) -> Release:
        """What the configured release does."""
        return RELEASES[self.definition.release]

    def parameter(self, name: str) -> str:
        """Value of an enterprise parameter as text."""
        return self.overrides.get(name, CATALOGUE[name].default(self.release))

    @property
    def mixed_mode(self) -> bool:
        """Cluster security mode."""
        return self.parameter(SECURITY_MODE) == "1"

    @property
    def rollback(self) -> bool:
        """True while the cluster is prepared for a release that knows no ITL."""
        return read_bool(self.parameter(ROLLBACK))

    @property
    def ttl_s(self) -> int:
        """Seconds that a phone may keep an answer of TVS."""
        return read_ttl(self.parameter(TVS_TTL))

    def own_certificate(self, node: str, purpose: Purpose) -> OwnCertificate | None:
        """A node's certificate; the publisher's where there is one for the cluster."""
        owner = self.definition.publisher.name if PURPOSES[purpose].publisher_only else node
        return self.own.get((owner, purpose))

    def require(self, node: str, purpose: Purpose) -> OwnCertificate:
        """`own_certificate` for a purpose that every installation has."""
        own = self.own_certificate(node, purpose)
        assert own is not None, f"{node} has no {purpose.value} certificate"  # noqa: S101 - made at installation
        return own

    @cached_property
    def devices(self) -> Mapping[str, Device]:
        """``SEP<MAC>`` -> device."""
        return {device.name: device for device in self.definition.devices}

    def find_by_digest(self, sha256: bytes) -> TrustEntry | None:
        """The trusted certificate of that SHA-256."""
        return self.trusted.get(sha256)

    def find_by_issuer_serial(self, issuer: DistinguishedName, serial: int) -> TrustEntry | None:
        """The trusted certificate of that issuer and serial number."""
        digest = self.by_issuer_serial.get(lookup_key(issuer, serial))
        return None if digest is None else self.trusted.get(digest)
