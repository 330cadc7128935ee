"""The fields of a certificate or a signing request as an operator gives them, and the rules they have to keep.

Rules are those of the security guide (R-CRT-2, R-CRT-3, R-CRT-4). Some are ours: keys that sign phone files may not
have 3072 bits, for which those files have no code; FIPS mode wants RSA keys of 2048 bits or more; alternative names
are bounded, so that the certificate stays one that everybody reads.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cluster.issuing import COMMON_NAME_LIMIT, CURVES, DIGESTS, CertificateSpec, default_spec
from cluster.parameters import FIPS_MODE, read_bool
from cluster.purposes import PURPOSES, Purpose
from wire.errors import Refusal

if TYPE_CHECKING:
    from cluster.definition import NodeDefinition
    from cluster.snapshot import ClusterSnapshot

RSA_LENGTHS = (1024, 2048, 3072, 4096)
SIGNS_PHONE_FILES = frozenset({Purpose.CALLMANAGER, Purpose.ITL_RECOVERY})
_UNSIGNABLE = 3072
FIPS_RSA_MINIMUM = 2048
_MAX_NAMES = 100
_MAX_NAMES_LENGTH = 8_192
_COMMON_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*")


@dataclass(frozen=True, slots=True)
class CertificateFields:
    """What an operator asks for; None leaves a field to UCM.

    Attributes:
        common_name: CN of the subject.
        alt_names: further subject alternative names, beside the node's own.
        key_type: ``rsa`` or ``ec``; fixed by purpose, so only the right one may be named.
        key_length: RSA 1024, 2048, 3072 or 4096; EC 256, 384 or 521.
        digest: ``SHA256``, ``SHA384`` or ``SHA512``.
        multi_server: one certificate for every node; signing requests only.
    """

    common_name: str | None = None
    alt_names: tuple[str, ...] = ()
    key_type: str | None = None
    key_length: int | None = None
    digest: str | None = None
    multi_server: bool = False


def settle(
    snapshot: ClusterSnapshot, node: str, purpose: Purpose, fields: CertificateFields, *, for_request: bool
) -> CertificateSpec:
    """Every field decided and checked.

    Raises:
        Refusal: 404 no such node or purpose here; 400 a field that breaks a rule.
    """
    owner = owner_of(snapshot, node, purpose)
    usual = default_spec(snapshot.definition, owner, purpose, key_length=_usual_rsa_length(snapshot))
    if purpose is Purpose.CAPF:  # a new name, so that the old certificate stays beside it in the trust stores
        usual = replace(usual, common_name=f"CAPF-{secrets.token_hex(4)}")
    if fields.multi_server:
        usual = _for_every_node(snapshot, usual, purpose, for_request=for_request)
    _check_key_type(purpose, fields.key_type)
    length = usual.key_length if fields.key_length is None else fields.key_length
    spec = replace(
        usual,
        common_name=fields.common_name or usual.common_name,
        dns_names=tuple(dict.fromkeys((*usual.dns_names, *fields.alt_names))),
        key_length=length,
        digest=_digest(purpose, fields.digest, length),
    )
    check_key(snapshot, spec)
    _check_names(owner, snapshot, purpose, spec)
    return spec


def owner_of(snapshot: ClusterSnapshot, node: str, purpose: Purpose) -> NodeDefinition:
    """The node that owns the certificate of `purpose` which an operator manages at `node`.

    Raises:
        Refusal: 404 no such node, or no such certificate there.
    """
    owner = find_node(snapshot, node)
    if not snapshot.release.knows(purpose):
        raise Refusal(404, f"release {snapshot.release.name} has no {purpose.value} certificate")
    if PURPOSES[purpose].publisher_only and not owner.publisher:
        raise Refusal(404, f"{purpose.value} is managed on the publisher, {snapshot.definition.publisher.name}")
    return owner


def find_node(snapshot: ClusterSnapshot, node: str) -> NodeDefinition:
    """A node of the cluster, its name in any case.

    Raises:
        Refusal: 404.
    """
    found = snapshot.definition.node(node)
    if found is None:
        raise Refusal(404, f"there is no node {node!r} in cluster {snapshot.definition.name}")
    return found


def _for_every_node(
    snapshot: ClusterSnapshot, usual: CertificateSpec, purpose: Purpose, *, for_request: bool
) -> CertificateSpec:
    if not for_request:
        raise Refusal(400, "a multi-server certificate is signed by a CA: make a signing request")
    if not PURPOSES[purpose].multi_server:
        raise Refusal(400, f"{purpose.value} certificates cannot be multi-server")
    definition = snapshot.definition
    host = f"{usual.node}-EC-ms" if PURPOSES[purpose].elliptic else f"{usual.node}-ms"
    common_name = f"{host}.{definition.domain}" if definition.domain else host
    return replace(
        usual,
        common_name=common_name[:COMMON_NAME_LIMIT],
        dns_names=tuple(definition.fqdn(node) for node in definition.nodes),
    )


def _usual_rsa_length(snapshot: ClusterSnapshot) -> int:
    usual = snapshot.release.key_length
    return max(usual, FIPS_RSA_MINIMUM) if read_bool(snapshot.parameter(FIPS_MODE)) else usual


def _check_key_type(purpose: Purpose, key_type: str | None) -> None:
    right = "ec" if PURPOSES[purpose].elliptic else "rsa"
    if key_type is not None and key_type.lower() != right:
        raise Refusal(400, f"{purpose.value} certificates have {right.upper()} keys, not {key_type}")


def _digest(purpose: Purpose, asked: str | None, key_length: int) -> str:
    if asked is not None:
        return asked.upper().replace("-", "")
    if not PURPOSES[purpose].elliptic:
        return "SHA256"
    return {256: "SHA256", 384: "SHA384", 521: "SHA512"}.get(key_length, "SHA384")


def key_lengths(purpose: Purpose) -> tuple[int, ...]:
    """The bits that a key may have."""
    if PURPOSES[purpose].elliptic:
        return tuple(CURVES)
    return tuple(length for length in RSA_LENGTHS if length != _UNSIGNABLE or purpose not in SIGNS_PHONE_FILES)


def check_key(snapshot: ClusterSnapshot, spec: CertificateSpec) -> None:
    """Refuses a key or a hash algorithm that is not possible for the purpose or in the present mode.

    Raises:
        Refusal: 400.
    """
    purpose = spec.purpose
    elliptic = PURPOSES[purpose].elliptic
    if purpose in SIGNS_PHONE_FILES and spec.key_length == _UNSIGNABLE:
        raise Refusal(
            400, f"{purpose.value} signs files for phones, which have no code for 3072-bit keys; take 2048 or 4096"
        )
    if spec.key_length not in key_lengths(purpose):
        known = ", ".join(map(str, key_lengths(purpose)))
        raise Refusal(400, f"key length {spec.key_length} is not possible for {purpose.value}; possible: {known}")
    if spec.digest not in DIGESTS:
        raise Refusal(400, f"hash algorithm {spec.digest} is not possible; possible: {', '.join(DIGESTS)}")
    if elliptic and int(spec.digest.removeprefix("SHA")) < min(spec.key_length, 512):
        raise Refusal(400, f"hash algorithm {spec.digest} is weaker than an EC key of {spec.key_length} bits")
    if not elliptic and read_bool(snapshot.parameter(FIPS_MODE)):
        if spec.digest != "SHA256":
            raise Refusal(400, f"in FIPS mode RSA certificates are signed with SHA256, not {spec.digest}")
        if spec.key_length < FIPS_RSA_MINIMUM:
            raise Refusal(400, f"in FIPS mode RSA keys have {FIPS_RSA_MINIMUM} bits or more, not {spec.key_length}")


def _check_names(owner: NodeDefinition, snapshot: ClusterSnapshot, purpose: Purpose, spec: CertificateSpec) -> None:
    if not _COMMON_NAME.fullmatch(spec.common_name):
        raise Refusal(
            400, f"common name {spec.common_name!r} is not possible: 1 to 64 letters, digits, hyphens and dots"
        )
    hosts = {owner.name.lower(), snapshot.definition.fqdn(owner).lower()}
    if PURPOSES[purpose].elliptic and spec.common_name.lower() in hosts:
        raise Refusal(400, f"an EC certificate needs a common name other than the host name {owner.name}")
    if len(spec.dns_names) > _MAX_NAMES:
        raise Refusal(400, f"{len(spec.dns_names)} alternative names are more than {_MAX_NAMES}")
    if sum(map(len, spec.dns_names)) > _MAX_NAMES_LENGTH:
        raise Refusal(400, f"the alternative names have more than {_MAX_NAMES_LENGTH} characters together")
    for name in spec.dns_names:
        if not _DNS_NAME.fullmatch(name):
            raise Refusal(400, f"alternative name {name!r} is no DNS name; wildcards are not possible")
