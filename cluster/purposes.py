"""The certificates that a UCM node owns, the trust stores it keeps, and the roles both give in TVS (R-CRT-1)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from wire.trustlist import Function

IPSEC_END_SYSTEM = ObjectIdentifier("1.3.6.1.5.5.7.3.5")
_SERVER, _CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Purpose(Enum):
    """Why a node owns a certificate; the value is UCM's name for it."""

    CALLMANAGER = "CallManager"
    CALLMANAGER_ECDSA = "CallManager-ECDSA"
    TVS = "TVS"
    CAPF = "CAPF"
    TOMCAT = "tomcat"
    TOMCAT_ECDSA = "tomcat-ECDSA"
    IPSEC = "ipsec"
    ITL_RECOVERY = "ITLRecovery"


@dataclass(frozen=True, slots=True)
class PurposeFacts:
    """How a certificate of one purpose is made and what it is trusted for.

    Attributes:
        elliptic: EC P-384 with SHA-384, else RSA with SHA-256.
        publisher_only: one for the cluster, on the publisher (ours for CAPF before release 14, where each node had
            one).
        validity_years: of ITLRecovery when it is made again; see `cluster.releases` for the first one.
        usages: extended key usages, as the administration guide lists them for signing requests.
        roles: what TVS answers for it; TVS never vouches for a TVS certificate. {SAST, CCM+TFTP} was seen for
            CallManager in a server log; the others follow from the purpose (ours).
        stores: trust stores of every node that a new one is put into. CAPF's second and ITLRecovery's follow the
            bulk import of foreign ones; that ipsec and TVS go into the store of their name is ours.
        multi_server: one certificate may serve every node.
    """

    elliptic: bool
    publisher_only: bool
    validity_years: int
    usages: tuple[ObjectIdentifier, ...]
    roles: tuple[Function, ...]
    stores: tuple[str, ...]
    multi_server: bool = False


_CALLMANAGER, _TOMCAT = ("CallManager-trust",), ("tomcat-trust",)

PURPOSES: dict[Purpose, PurposeFacts] = {
    Purpose.CALLMANAGER: PurposeFacts(
        False, False, 5, (_SERVER, _CLIENT), (Function.SAST, Function.CCM_TFTP), _CALLMANAGER, multi_server=True
    ),
    Purpose.CALLMANAGER_ECDSA: PurposeFacts(
        True, False, 5, (_SERVER, _CLIENT), (Function.CCM_TFTP,), _CALLMANAGER, multi_server=True
    ),
    Purpose.TVS: PurposeFacts(False, False, 5, (_SERVER, _CLIENT), (), ("TVS-trust",)),
    Purpose.CAPF: PurposeFacts(False, True, 5, (_SERVER,), (Function.CAPF,), ("CAPF-trust", "CallManager-trust")),
    Purpose.TOMCAT: PurposeFacts(
        False, False, 5, (_SERVER, _CLIENT), (Function.APP_SERVER,), _TOMCAT, multi_server=True
    ),
    Purpose.TOMCAT_ECDSA: PurposeFacts(
        True, False, 5, (_SERVER, _CLIENT), (Function.APP_SERVER,), _TOMCAT, multi_server=True
    ),
    Purpose.IPSEC: PurposeFacts(False, False, 5, (_SERVER, _CLIENT, IPSEC_END_SYSTEM), (), ("ipsec-trust",)),
    Purpose.ITL_RECOVERY: PurposeFacts(
        False, True, 20, (_SERVER, _CLIENT), (Function.SAST,), ("CallManager-trust", "Phone-SAST-trust")
    ),
}

TRUST_STORES: dict[str, tuple[Function, ...]] = {
    "CallManager-trust": (Function.TFTP,),
    "Phone-SAST-trust": (Function.SAST,),
    "tomcat-trust": (Function.APP_SERVER,),
    "CAPF-trust": (),
    "TVS-trust": (),
    "ipsec-trust": (),
    "Phone-trust": (),
    "Phone-CTL-trust": (),
    "Phone-CTL-ASA-trust": (),
    "Phone-Edge-trust": (),
    "Phone-VPN-trust": (),
    "directory-trust": (),
    "userlicensing-trust": (),
}
"""Trust store -> roles that TVS answers for a certificate in it. {SAST, TFTP} was seen for one in the first two."""
