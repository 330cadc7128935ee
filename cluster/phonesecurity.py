"""What the cluster knows of a phone's certificates, and what CAPF has to do with them: the CAPF settings of a phone.

The labels and status texts are those of the phone page. Those of failed deletions and fetches are ours, after the ones
of a failed installation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from wire.errors import Refusal

if TYPE_CHECKING:
    from wire.certificates import Certificate

RSA_SIZES = (512, 1024, 2048, 3072, 4096)
EC_SIZES = (256, 384, 521)
DEFAULT_RSA_SIZE, DEFAULT_EC_SIZE = 2048, 384
"""The first is UCM's default, the second ours."""
STRING_LENGTHS = range(4, 11)
"""Digits of an authentication string (ours)."""
MAX_WRONG_STRINGS = 3
"""After so many wrong authentication strings an operation is over (ours)."""


class Operation(Enum):
    """Certificate operation; the value is the word of configurations and commands."""

    NONE = "none"
    INSTALL = "install"
    DELETE = "delete"
    TROUBLESHOOT = "troubleshoot"

    @property
    def label(self) -> str:
        """As the phone page has it."""
        return _OPERATIONS[self][0]

    @property
    def succeeded(self) -> str:
        """Status after success."""
        return f"{_OPERATIONS[self][1]} Success"

    def failed(self, why: str = "") -> str:
        """Status after a failure, with the reason if UCM has one."""
        return f"{_OPERATIONS[self][1]} Failed{': ' if why else ''}{why}"


_OPERATIONS = {
    Operation.NONE: ("No Pending Operation", ""),
    Operation.INSTALL: ("Install/Upgrade", "Upgrade"),
    Operation.DELETE: ("Delete", "Delete"),
    Operation.TROUBLESHOOT: ("Troubleshoot", "Troubleshoot"),
}


class Authentication(Enum):
    """How the phone has to prove who it is; the value is the word of commands."""

    STRING = "string"
    NULL_STRING = "null-string"
    LSC = "lsc"
    MIC = "mic"

    @property
    def label(self) -> str:
        """As the phone page has it."""
        return _AUTHENTICATIONS[self][0]

    @property
    def mode(self) -> int:
        """``capfAuthMode`` of a phone's configuration."""
        return _AUTHENTICATIONS[self][1]


_AUTHENTICATIONS = {
    Authentication.STRING: ("By Authentication String", 1),
    Authentication.NULL_STRING: ("By Null String", 2),
    Authentication.LSC: ("By Existing Certificate (Precedence to LSC)", 3),
    Authentication.MIC: ("By Existing Certificate (Precedence to MIC)", 4),
}


class KeyOrder(Enum):
    """Which kind of key; the value is the word of commands."""

    RSA = "rsa"
    EC = "ec"
    EC_PREFERRED = "ec-preferred"

    @property
    def label(self) -> str:
        """As the phone page has it."""
        return {"rsa": "RSA Only", "ec": "EC Only", "ec-preferred": "EC Preferred, RSA Backup"}[self.value]


NO_STATUS = "None"
PENDING = "Operation Pending"
INVALID_STRING = "Invalid Authentication String"
INVALID_LSC = "Invalid LSC"
INVALID_MIC = "Invalid MIC"
KEY_GENERATION_FAILED = "Key Generation Failed"
KEY_GENERATION_TIMEOUT = "Key Generation Timeout"
PHONE_FAILURE = "Phone Communication Failure"
CA_FAILURE = "CA Communication Failure"
LATE = "User Initiated Request Late"
NO_EC = "No Support for EC only in CAPF version 3"
"""All are UCM's words; the last is taken to be what a phone gets that knows no EC."""


@dataclass(frozen=True, slots=True)
class CapfOrder:
    """What an administrator wants done.

    Attributes:
        operation: what.
        authentication: how the phone has to prove who it is.
        auth_string: digits; for `Authentication.STRING` only. Never printed or traced.
        rsa_size: bits.
        ec_size: bits.
        complete_by: a phone that comes later is refused; None for no limit.
    """

    operation: Operation = Operation.NONE
    authentication: Authentication = Authentication.NULL_STRING
    auth_string: str = field(default="", repr=False)
    key_order: KeyOrder = KeyOrder.RSA
    rsa_size: int = DEFAULT_RSA_SIZE
    ec_size: int = DEFAULT_EC_SIZE
    complete_by: datetime | None = None

    def check(self) -> None:
        """Refuses what the phone page would.

        Raises:
            Refusal: 400.
        """
        if self.rsa_size not in RSA_SIZES:
            raise Refusal(400, f"RSA key size {self.rsa_size} is not one of {', '.join(map(str, RSA_SIZES))}")
        if self.ec_size not in EC_SIZES:
            raise Refusal(400, f"EC key size {self.ec_size} is not one of {', '.join(map(str, EC_SIZES))}")
        if self.complete_by is not None and self.complete_by.tzinfo is None:
            raise Refusal(400, "the time by which an operation has to complete needs a time zone")
        if self.operation is Operation.NONE:
            return
        digits = self.auth_string.isascii() and self.auth_string.isdecimal()
        if self.authentication is Authentication.STRING:
            if not digits or len(self.auth_string) not in STRING_LENGTHS:
                shortest, longest = STRING_LENGTHS[0], STRING_LENGTHS[-1]
                raise Refusal(400, f"an authentication string has {shortest} to {longest} digits")
        elif self.auth_string:
            raise Refusal(400, f"{self.authentication.label!r} takes no authentication string")


@dataclass(frozen=True, slots=True)
class PhoneSecurity:
    """One phone's CAPF settings and certificates.

    Attributes:
        order: what is to be done; `Operation.NONE` when nothing is.
        status: certificate operation status, in UCM's words.
        wrong_strings: wrong authentication strings since the operation was scheduled.
        lsc: the certificate that CAPF issued, as far as the cluster knows.
        mic: the phone's manufacturer installed certificate, once it was seen.
        scheduled: revision in which the operation was scheduled; 0 when none ever was.
        revision: in which any of this last changed.
        changed_at: time of that revision.
    """

    order: CapfOrder = CapfOrder()
    status: str = NO_STATUS
    wrong_strings: int = 0
    lsc: Certificate | None = None
    mic: Certificate | None = None
    scheduled: int = 0
    revision: int = 0
    changed_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def pending(self) -> bool:
        """There is something to do."""
        return self.order.operation is not Operation.NONE

    @property
    def encryption_certificate(self) -> Certificate | None:
        """For whom a configuration is encrypted: the LSC, else the MIC; RSA, as an EC key cannot unwrap an RSA one."""
        return next((item for item in (self.lsc, self.mic) if item is not None and item.is_rsa), None)

    @property
    def shows_lsc_on_https(self) -> bool:
        """The LSC is EC: then the phone has to show it to get an encrypted configuration over HTTPS (R-DL-2)."""
        return self.lsc is not None and not self.lsc.is_rsa

    def ended(self) -> CapfOrder:
        """The order once it is carried out: the settings stay, the operation and the string are gone."""
        return replace(self.order, operation=Operation.NONE, auth_string="", complete_by=None)


UNKNOWN_PHONE = PhoneSecurity()
"""What holds for a phone that nobody has said anything about."""
