"""The "TLS Ciphers" enterprise parameter: what each choice offers, in order (R-ECC-1).

The order counts where UCM is the client; as a server it follows the client's. The labels are those of the guides, whose
spacing is irregular; blanks are therefore not compared. That there are choices of ECDSA alone, which refuse every
device without it (R-ECC-3), is known; their labels were not found and are ours.
"""

from __future__ import annotations

_RSA_256, _EC_256 = "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"
_RSA_128, _EC_128 = "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"
_RSA_CBC = "AES128-SHA"

NULL_SUITE = "NULL-SHA"
"""Of authenticated mode: who is there is proven, what is said is not encrypted."""

DEFAULT = "All Ciphers RSA Preferred"

TLS_CIPHER_CHOICES: dict[str, tuple[str, ...]] = {
    "Strongest- AES-256 SHA-384 Only: RSA Preferred": (_RSA_256, _EC_256),
    "Strongest-AES-256 SHA-384 Only: ECDSA Preferred": (_EC_256, _RSA_256),
    "Medium-AES-256 AES-128 Only: RSA Preferred": (_RSA_256, _EC_256, _RSA_128, _EC_128),
    "Medium-AES-256 AES-128 Only: ECDSA Preferred": (_EC_256, _RSA_256, _EC_128, _RSA_128),
    DEFAULT: (_RSA_256, _EC_256, _RSA_128, _EC_128, _RSA_CBC),
    "All Ciphers ECDSA Preferred": (_EC_256, _RSA_256, _EC_128, _RSA_128, _RSA_CBC),
    "Medium-AES-256 AES-128 Only: ECDSA Only": (_EC_256, _EC_128),
    "Strongest-AES-256 SHA-384 Only: ECDSA Only": (_EC_256,),
}
"""Label -> OpenSSL's names of its suites, in order."""


def _folded(label: str) -> str:
    return "".join(label.split()).lower()


def tls_ciphers_text(label: str) -> str:
    """The label as it is kept.

    Raises:
        ValueError: there is no such choice.
    """
    found = next((known for known in TLS_CIPHER_CHOICES if _folded(known) == _folded(label)), None)
    if found is None:
        raise ValueError(label)
    return found


def sip_line_suites(label: str, *, mixed_mode: bool) -> tuple[str, ...]:
    """What phones may use: the choice's suites, and NULL-SHA for authenticated profiles.

    That authenticated mode has NULL-SHA, and nothing else has it, is known. It needs an RSA certificate, so a choice of
    ECDSA alone leaves it out; so does a cluster that is not in mixed mode, which has no authenticated profiles (ours).
    """
    suites = TLS_CIPHER_CHOICES[label]
    with_rsa = any("ECDSA" not in suite for suite in suites)
    return (*suites, NULL_SUITE) if mixed_mode and with_rsa else suites
