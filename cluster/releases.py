"""What differs between UCM releases, in one table.

The signer and the records of the ITL follow the security guides of each age. What no public source states is marked
"ours" beside the field: a choice of this project, to be corrected here when somebody learns better.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.purposes import PURPOSES, Purpose
from wire.fileheader import DigestAlgorithm


@dataclass(frozen=True, slots=True)
class Release:
    """One supported release.

    Attributes:
        name: as written in a configuration, e.g. ``12.5``.
        itl_recovery: the ITL carries an ITLRecovery record (10.0 on).
        recovery_signs: ITLRecovery signs the ITL, not CallManager (12.0 on, R-ITL-3).
        ecdsa: CallManager-ECDSA and tomcat-ECDSA exist and are in the ITL (11.0 on, R-ITL-2).
        tokenless_ctl: the CTL is made by ``utils ctl`` (10.0 on), not with security tokens.
        signer_version: the trust-list header carries element 28 (ours: from 11.0, when EC came).
        file_digest: default of "TFTP File Signature Algorithm" (ours: SHA-1 until 12.5, SHA-512 from 14).
        key_length: RSA bits of certificates made at install (ours: 1024 on 8.6, 2048 from 10.5).
        recovery_years: validity of an ITLRecovery made at installation (R-REC-1; ours: 20 from 12.0, when it became
            the signer, 5 before, so that a cluster which came through an upgrade has 5 until it makes a new one).
        legacy_tls: HTTPS listeners still accept TLS 1.0 and 1.1 (ours: below 12.0, as 7900 phones need).
    """

    name: str
    itl_recovery: bool
    recovery_signs: bool
    ecdsa: bool
    tokenless_ctl: bool
    signer_version: bool
    file_digest: DigestAlgorithm
    key_length: int
    recovery_years: int
    legacy_tls: bool

    @property
    def rollback_resets(self) -> bool:
        """Phones are reset when the cluster is prepared for rollback (10.5 on)."""
        return self.name != "8.6"

    def knows(self, purpose: Purpose) -> bool:
        """Whether nodes of this release own certificates for `purpose`."""
        if purpose is Purpose.ITL_RECOVERY:
            return self.itl_recovery
        return self.ecdsa or not PURPOSES[purpose].elliptic


_SHA1, _SHA512 = DigestAlgorithm.SHA1, DigestAlgorithm.SHA512

RELEASES: dict[str, Release] = {
    release.name: release
    for release in (
        Release("8.6", False, False, False, False, False, _SHA1, 1024, 5, True),
        Release("10.5", True, False, False, True, False, _SHA1, 2048, 5, True),
        Release("11.5", True, False, True, True, True, _SHA1, 2048, 5, True),
        Release("12.5", True, True, True, True, True, _SHA1, 2048, 20, False),
        Release("14", True, True, True, True, True, _SHA512, 2048, 20, False),
    )
}
