"""The cluster at one revision: immutable, indexed, and all that a daemon ever asks.

An operator's change makes a new snapshot that shares its large maps with the old one, so that a change costs the same
with ten trusted certificates and with a hundred thousand (R-TVS-2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING

from base.identity import Identity
from cluster.devices import Device, Line
from cluster.keys import load_key
from cluster.parameters import CATALOGUE, ROLLBACK, SECURITY_MODE, TVS_TTL, read_bool, read_ttl
from cluster.phonesecurity import UNKNOWN_PHONE, PhoneSecurity
from cluster.purposes import PURPOSES, TRUST_STORES, Purpose
from cluster.releases import RELEASES, Release
from wire.certificates import Certificate
from wire.trustlist import CTL_FILE, decode_trust_list

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import immutables

    from cluster.definition import ClusterDefinition
    from cluster.people import User
    from wire.certificates import PrivateKey
    from wire.names import DistinguishedName


@dataclass(frozen=True)
class OwnCertificate:
    """A certificate that a node owns, with its key as stored.

    Attributes:
        key_pem: PKCS#8, unencrypted. Never printed, traced or sent.
        installed_at: when it came into use.
        chain: issuing certificates, nearest first; empty when self-signed.
    """

    node: str
    purpose: Purpose
    certificate: Certificate
    key_pem: bytes
    installed_at: datetime
    chain: tuple[Certificate, ...] = ()

    @cached_property
    def private_key(self) -> PrivateKey:
        """The key; loaded once.

        Raises:
            OperatorError: it is damaged.
        """
        return load_key(self.key_pem, f"{self.node}'s {self.purpose.value}")

    @property
    def identity(self) -> Identity:
        """For a TLS listener."""
        return Identity(self.certificate, self.private_key, self.chain)

    def __repr__(self) -> str:
        return f"<OwnCertificate {self.node} {self.purpose.value} {self.certificate!r}>"


@dataclass(frozen=True)
class PendingRequest:
    """A certificate signing request that waits for its certificate; at most one for each node and purpose (R-CRT-4).

    Attributes:
        der: PKCS#10.
        key_pem: PKCS#8 of the key that was made with it. Never printed, traced or sent.
        multi_server: the certificate will be every node's.
    """

    node: str
    purpose: Purpose
    der: bytes
    key_pem: bytes
    multi_server: bool
    created_at: datetime

    def __repr__(self) -> str:
        return f"<PendingRequest {self.node} {self.purpose.value}>"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a command made.

    Attributes:
        data: its bytes.
        modified_at: when.
    """

    data: bytes
    modified_at: datetime


@dataclass(frozen=True)
class ItlReset:
    """The reset ITL that a TFTP node serves until its TFTP service starts anew (R-REC-4).

    Attributes:
        base: node whose ITL was taken.
        certificate: who signs it instead.
        key_pem: PKCS#8 of the signer. Never printed, traced or sent.
    """

    base: str
    certificate: Certificate
    key_pem: bytes

    @cached_property
    def private_key(self) -> PrivateKey:
        """The signer's key; loaded once.

        Raises:
            OperatorError: it is damaged.
        """
        return load_key(self.key_pem, "the reset ITL's signer")

    def __repr__(self) -> str:
        return f"<ItlReset {self.base} {self.certificate!r}>"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What operators want of a service.

    Attributes:
        activated: may run at all.
        stopped: an operator stopped it ("Commanded Out of Service").
        starts: orders to start anew so far.
    """

    activated: bool
    stopped: bool = False
    starts: int = 0

    @property
    def runs(self) -> bool:
        """Whether it shall run."""
        return self.activated and not self.stopped


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """One certificate that the cluster trusts, wherever from.

    Attributes:
        der: the certificate.
        lookup_key: see `lookup_key`.
        stores: the trust stores that hold it.
        purposes: for which a node owns it; empty when none does.
        roles: what TVS answers, ascending; empty when it is trusted for nothing that phones ask.
    """

    der: bytes
    lookup_key: str
    stores: frozenset[str]
    purposes: frozenset[Purpose]
    roles: tuple[int, ...]

    @classmethod
    def combine(cls, der: bytes, lookup: str, stores: frozenset[str], purposes: frozenset[Purpose]) -> TrustEntry:
        """What its uses as an own certificate give; for another's, what its stores give.

        A cluster's own certificates are in its trust stores, too, and were seen with the roles of their purpose alone.
        """
        return cls(der, lookup, *_uses(stores, purposes))


@cache
def _uses(
    stores: frozenset[str], purposes: frozenset[Purpose]
) -> tuple[frozenset[str], frozenset[Purpose], tuple[int, ...]]:
    """Both, and the roles that follow; the same objects for equal ones, since a store has very many certificates."""
    roles = {int(role) for purpose in purposes for role in PURPOSES[purpose].roles}
    if not purposes:
        roles = {int(role) for store in stores for role in TRUST_STORES[store]}
    return stores, purposes, tuple(sorted(roles))


@dataclass(frozen=True, slots=True)
class Stamp:
    """When the content of a generated file last changed (R-ITL-4).

    Attributes:
        content: SHA-256 of the content, without signature and timestamp, in hex.
        timestamp: Unix seconds.
    """

    content: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class PhoneOrder:
    """An order to phones.

    Attributes:
        revision: in which it was given.
        action: ``reset``, ``restart``, ``check-version`` or ``apply-config``.
        target: ``all``, a device, ``model:8865`` or ``pool:Default``.
    """

    revision: int
    action: str
    target: str


@dataclass(frozen=True, slots=True)
class AutoDevice:
    """A device that was made when a phone registered itself (R-DL-5).

    Attributes:
        device: ``SEP<MAC>``.
        number: its one directory number.
    """

    device: str
    model: str
    number: str
    device_pool: str


@dataclass(frozen=True, slots=True)
class MobilityLogin:
    """Who is logged in to a phone by Extension Mobility.

    Attributes:
        user: id in lower case; empty for nobody.
        changed_at: when that last changed.
        revision: in which.
    """

    user: str
    changed_at: datetime
    revision: int


def lookup_key(issuer: DistinguishedName, serial: int) -> str:
    """Index key of a certificate: serial in hex, then the issuer's parts in an order that all writers agree on.

    Two names give the same key when they are equal and only then, whatever characters a certificate's issuer put
    into them.
    """
    return f"{serial:X} {name_key(issuer)}"


def name_key(name: DistinguishedName) -> str:
    """Index key of a name: equal names, equal keys."""
    return ";".join(f"{_escaped(kind)}={_escaped(value)}" for kind, value in name.key)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


_ESCAPES = str.maketrans({"\\": "\\\\", ";": "\\;", "=": "\\=", "\0": "\\0"})


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
        by_issuer_serial: `lookup_key` -> SHA-256 of each trusted certificate with that issuer and serial number.
        stamps: (node name, file name) -> stamp.
        overrides: parameters that differ from their default.
        requests: (node name, purpose) -> pending signing request.
        files: (node name, file name) -> a file that a command made.
        itl_resets: node name -> the reset ITL that it serves.
        services: (node name, UCM's name) -> what operators want of it, where that differs from the default.
        phone_orders: the latest orders to phones, oldest first.
        phone_security: device -> its CAPF settings and certificates; see `security_of`.
        auto_devices: device -> what was made when it registered itself; see `configured_devices`.
        logins: device -> the last log-in or log-out by Extension Mobility there; see `user_on`.
    """

    revision: int
    changed_at: datetime
    configured: int
    configured_at: datetime
    definition: ClusterDefinition
    overrides: Mapping[str, str]
    own: Mapping[tuple[str, Purpose], OwnCertificate]
    trusted: immutables.Map[bytes, TrustEntry]
    by_issuer_serial: immutables.Map[str, tuple[bytes, ...]]
    stamps: Mapping[tuple[str, str], Stamp]
    requests: Mapping[tuple[str, Purpose], PendingRequest] = field(default_factory=dict)
    files: Mapping[tuple[str, str], StoredFile] = field(default_factory=dict)
    itl_resets: Mapping[str, ItlReset] = field(default_factory=dict)
    services: Mapping[tuple[str, str], ServiceState] = field(default_factory=dict)
    phone_orders: tuple[PhoneOrder, ...] = ()
    phone_security: Mapping[str, PhoneSecurity] = field(default_factory=dict)
    auto_devices: Mapping[str, AutoDevice] = field(default_factory=dict)
    logins: Mapping[str, MobilityLogin] = field(default_factory=dict)

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
        """A node's certificate; the publisher's where there is one for the cluster.

        None for a purpose that the present release does not know, though a later one left a certificate for it.
        """
        if not self.release.knows(purpose):
            return None
        owner = self.definition.publisher.name if PURPOSES[purpose].publisher_only else node
        return self.own.get((owner, purpose))

    def require(self, node: str, purpose: Purpose) -> OwnCertificate:
        """`own_certificate` for a purpose that every installation has."""
        own = self.own_certificate(node, purpose)
        assert own is not None, f"{node} has no {purpose.value} certificate"  # noqa: S101 - made at installation
        return own

    @cached_property
    def phone_authorities(self) -> tuple[Certificate, ...]:
        """CAs of what phones show: the cluster's CAPF, and what CAPF-trust holds (old CAPFs, manufacturers)."""
        own = [item.certificate for (_, purpose), item in self.own.items() if purpose is Purpose.CAPF]
        trusted = (Certificate.from_der(entry.der) for entry in self.trusted.values() if "CAPF-trust" in entry.stores)
        return tuple(dict.fromkeys((*own, *trusted)))

    @cached_property
    def trunk_authorities(self) -> tuple[Certificate, ...]:
        """Who may be, or may have signed, the other end of a SIP trunk: what CallManager-trust holds."""
        found = (entry for entry in self.trusted.values() if "CallManager-trust" in entry.stores)
        return tuple(Certificate.from_der(entry.der) for entry in found)

    def security_of(self, device: str) -> PhoneSecurity:
        """CAPF settings and certificates of a phone; nothing to do and none known for one that nobody spoke of."""
        return self.phone_security.get(device, UNKNOWN_PHONE)

    def user_on(self, device: str) -> User | None:
        """Who is logged in to a phone by Extension Mobility; nobody once the definition has no such user or profile."""
        login = self.logins.get(device)
        user = self.definition.users_by_id.get(login.user) if login is not None else None
        return user if user is not None and user.lines else None

    @cached_property
    def devices(self) -> Mapping[str, Device]:
        """``SEP<MAC>`` -> device as it is now: with the lines of the user who is logged in to it, else its own."""
        configured = self.configured_devices
        users = {name: user for name in self.logins if name in configured and (user := self.user_on(name)) is not None}
        if not users:
            return configured
        changed = {name: configured[name].model_copy(update={"lines": user.lines}) for name, user in users.items()}
        return {**configured, **changed}

    @cached_property
    def configured_devices(self) -> Mapping[str, Device]:
        """``SEP<MAC>`` -> device with its own lines: those of the definition, and those that registered themselves."""
        definition = self.definition
        if not self.auto_devices:
            return definition.devices_by_name
        found = {
            item.device: Device(
                mac=item.device,
                model=item.model,
                description=f"Auto {item.number}",
                device_pool=item.device_pool,
                callmanager_group=definition.groups[0].name,
                lines=(Line(number=item.number),),
            )
            for item in self.auto_devices.values()
        }
        return {**found, **definition.devices_by_name}

    @cached_property
    def ctl_entries(self) -> Mapping[bytes | str, TrustEntry]:
        """The certificates of the CTL, by SHA-256 and by `lookup_key`, with the roles of their records.

        TVS looks here for what the trust stores lack. All nodes have the same CTL, or none.
        """
        data = next((file.data for (_, name), file in self.files.items() if name == CTL_FILE), None)
        roles: dict[Certificate, set[int]] = {}
        for record in decode_trust_list(data).records if data is not None else ():
            if record.x509 is not None:
                roles.setdefault(record.x509, set()).add(record.function)
        entries: dict[bytes | str, TrustEntry] = {}
        for certificate, functions in roles.items():
            key = lookup_key(certificate.issuer, certificate.serial)
            entry = TrustEntry(certificate.der, key, frozenset(), frozenset(), tuple(sorted(functions)))
            entries[certificate.sha256] = entries[key] = entry
        return entries

    def find_by_digest(self, sha256: bytes) -> TrustEntry | None:
        """The trusted certificate of that SHA-256."""
        return self.trusted.get(sha256)

    def find_by_issuer_serial(self, issuer: DistinguishedName, serial: int) -> TrustEntry | None:
        """The trusted certificate of that issuer and serial number.

        Should there be several (somebody's CA gave a number twice), the cluster's own goes first, then one that phones
        may trust for something, then the lowest SHA-256, so that every node gives the same one.
        """
        digests = self.by_issuer_serial.get(lookup_key(issuer, serial), ())
        entries = {digest: self.trusted[digest] for digest in digests}
        best = min(entries, key=lambda it: (not entries[it].purposes, not entries[it].roles, it), default=None)
        return None if best is None else entries[best]

    def __repr__(self) -> str:
        return f"<ClusterSnapshot {self.definition.name} revision {self.revision}>"
