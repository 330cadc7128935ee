"""The enterprise parameters that this simulator acts on: names as UCM's page prints them, types and defaults.

A parameter that nothing reads is not in the catalogue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.ciphers import DEFAULT, TLS_CIPHER_CHOICES, tls_ciphers_text
from wire.errors import Refusal
from wire.fileheader import DigestAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.releases import Release

ROLLBACK = "Prepare Cluster for Rollback to pre 8.0"
ADVANCED_ENCRYPTION = "Endpoint Advanced Encryption Algorithms Support"
FILE_SIGNATURE = "TFTP File Signature Algorithm"
SECURITY_MODE = "Cluster Security Mode"
FIPS_MODE = "FIPS Mode"
TLS_MIN_VERSION = "TLS Minimum Version"
TVS_TTL = "TVS Certificate Cache Time"
AUTO_REGISTRATION = "Auto-registration"
CONTACT_SEARCH_URL = "Secure Contact Search URL"
TLS_CIPHERS = "TLS Ciphers"
PHONE_RESET = "Phone Interaction on Certificate Update"
RESET_AUTOMATICALLY = "Automatically Reset Phones"
RESET_MANUALLY = "Manually Reset Phones"
MULTIPLE_LOGIN = "Multiple Login Behavior"
LOGINS_NOT_ALLOWED = "Multiple Logins Not Allowed"
LOGINS_ALLOWED = "Multiple Logins Allowed"
AUTO_LOGOUT = "Auto Logout"

SET_BY_COMMAND: dict[str, str] = {
    SECURITY_MODE: "utils ctl set-cluster",
    FIPS_MODE: "utils fips",
    TLS_MIN_VERSION: "set tls min-version",
}
"""Parameter -> the command of a node's command line that alone sets it."""

TLS_VERSIONS = ("1.0", "1.1", "1.2")
"""What "TLS Minimum Version" may be. TLS 1.3 alone is left out: SIP and CTI do not speak it."""

_URL = re.compile(r"(?=.{1,255}$)(https?://|Application:)[!-~]+")
_DIGESTS = {"SHA-1": DigestAlgorithm.SHA1, "SHA-512": DigestAlgorithm.SHA512}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One entry of the catalogue.

    Attributes:
        name: UCM's label.
        kind: what values look like, for people: ``True or False``, ``SHA-1 or SHA-512``, ``1..604800 seconds``.
        default: text, by release.
        read: a value as it is kept and shown; raises ValueError for one that does not fit.
        about: one line for people.
    """

    name: str
    kind: str
    default: Callable[[Release], str]
    read: Callable[[str], str]
    about: str


def read_bool(text: str) -> bool:
    """``True`` and ``False`` in any case."""
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    raise ValueError(text)


def read_digest(text: str) -> DigestAlgorithm:
    """``SHA-1`` or ``SHA-512``."""
    if text not in _DIGESTS:
        raise ValueError(text)
    return _DIGESTS[text]


def read_ttl(text: str) -> int:
    """Seconds from 1 to a week."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 604_800:
        raise ValueError(text)
    return int(text)


def _bool_text(text: str) -> str:
    return str(read_bool(text))


def _digest_text(text: str) -> str:
    read_digest(text)
    return text


def _ttl_text(text: str) -> str:
    return str(read_ttl(text))


def _mode_text(text: str) -> str:
    if text not in {"0", "1"}:
        raise ValueError(text)
    return text


def _url_text(text: str) -> str:
    if text and not _URL.fullmatch(text):
        raise ValueError(text)
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    """One of some texts, in any case."""
    known = {choice.lower(): choice for choice in choices}

    def read(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(text)
        return known[text.lower()]

    return read


def _file_digest_default(release: Release) -> str:
    return next(label for label, digest in _DIGESTS.items() if digest is release.file_digest)


def _fixed(text: str) -> Callable[[Release], str]:
    return lambda _release: text


URL_ELEMENTS: dict[str, str] = {
    "URL Authentication": "authenticationURL",
    "URL Directories": "directoryURL",
    "URL Information": "informationURL",
    "URL Services": "servicesURL",
    "Secured Authentication URL": "secureAuthenticationURL",
    "Secured Directory URL": "secureDirectoryURL",
    "Secured Information URL": "secureInformationURL",
    "Secured Services URL": "secureServicesURL",
    CONTACT_SEARCH_URL: "secureUDSUsersAccessURL",
}
"""Parameter -> the element of a phone's configuration that carries it."""

URL_PATHS: dict[str, str] = {
    "authenticationURL": "/ccmcip/authenticate.jsp",
    "directoryURL": "/ccmcip/xmldirectory.jsp",
    "informationURL": "/ccmcip/GetTelecasterHelpText.jsp",
    "servicesURL": "/ccmcip/getservicesmenu.jsp",
    "secureAuthenticationURL": "/ccmcip/authenticate.jsp",
    "secureDirectoryURL": "/ccmcip/xmldirectory.jsp",
    "secureInformationURL": "/ccmcip/GetTelecasterHelpText.jsp",
    "secureServicesURL": "/ccmcip/getservicesmenu.jsp",
    "secureUDSUsersAccessURL": "/cucm-uds/users",
}
"""Paths as an observed configuration has them; an empty parameter gives them on the node's own Tomcat."""

CATALOGUE: dict[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter(SECURITY_MODE, "0 non-secure, 1 mixed", _fixed("0"), _mode_text, "security mode of the cluster"),
        Parameter(FIPS_MODE, "True or False", _fixed("False"), _bool_text, "rules for keys and hashes"),
        Parameter(
            TLS_MIN_VERSION,
            " or ".join(TLS_VERSIONS),
            _fixed(TLS_VERSIONS[0]),
            _one_of(*TLS_VERSIONS),
            "least TLS version of SIP, CTI and TVS; needs a restart of their services",
        ),
        Parameter(ROLLBACK, "True or False", _fixed("False"), _bool_text, "empty TVS and TFTP sections in the ITL"),
        Parameter(
            ADVANCED_ENCRYPTION,
            "True or False",
            _fixed("False"),
            _bool_text,
            "ITL signer version 1.1: phones fetch their configuration by HTTPS on 6971",
        ),
        Parameter(FILE_SIGNATURE, "SHA-1 or SHA-512", _file_digest_default, _digest_text, "digest of signed files"),
        Parameter(
            TVS_TTL,
            "1..604800 seconds",
            _fixed("86400"),
            _ttl_text,
            "how long phones may keep an answer of TVS",
        ),
        Parameter(
            AUTO_REGISTRATION,
            "True or False",
            _fixed("True"),
            _bool_text,
            "unknown phones get XMLDefault.cnf.xml",
        ),
        Parameter(
            TLS_CIPHERS,
            f"one of: {'; '.join(TLS_CIPHER_CHOICES)}",
            _fixed(DEFAULT),
            tls_ciphers_text,
            "suites of the SIP listeners; needs a restart of Cisco CallManager",
        ),
        Parameter(
            PHONE_RESET,
            f"{RESET_AUTOMATICALLY} or {RESET_MANUALLY}",
            _fixed(RESET_AUTOMATICALLY),
            _one_of(RESET_AUTOMATICALLY, RESET_MANUALLY),
            "whether registered phones are reset when the ITL changes",
        ),
        Parameter(
            MULTIPLE_LOGIN,
            f"{LOGINS_NOT_ALLOWED}, {LOGINS_ALLOWED} or {AUTO_LOGOUT}",
            _fixed(LOGINS_NOT_ALLOWED),
            _one_of(LOGINS_NOT_ALLOWED, LOGINS_ALLOWED, AUTO_LOGOUT),
            "what becomes of a user of Extension Mobility who is logged in to another phone",
        ),
        *(
            Parameter(label, "URL, or empty for the node's own", _fixed(""), _url_text, f"<{element}> of phones")
            for label, element in URL_ELEMENTS.items()
        ),
    )
}


def check_parameter(name: str, value: str) -> str:
    """The value as it is kept and shown: ``True`` for ``true``.

    Raises:
        Refusal: unknown parameter, or the value does not fit; the message says what would.
    """
    parameter = CATALOGUE.get(name)
    if parameter is None:
        raise Refusal(404, f"there is no enterprise parameter {name!r}; known: {', '.join(CATALOGUE)}")
    try:
        return parameter.read(value)
    except ValueError:
        raise Refusal(400, f"enterprise parameter {name!r} cannot be {value!r}; it takes {parameter.kind}") from None
