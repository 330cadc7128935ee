"""Whom the phone trusts: what flash holds and what arrived go in, a decision with a named reason comes out.

Nothing here reads a socket, a file or a clock. Where the phone's own lists do not settle a question,
the decision is `AskTvs`; the caller asks and judges again with the answer. Each function named ``_..._rule``
is one row of the table; rows are tried in order and the first that decides wins.

=============  =====================================================================================
what arrived   rows, in order
=============  =====================================================================================
CTL or ITL     unchanged; another file's name; a digest or key length that the model lacks; does not
               hold its own signer; empty ITL and no CTL; no list at all (leap of faith); signer in
               CTL, then in ITL; TVS
signed file    encrypted, or not, against its name; another file's name; a digest or key length that
               the model lacks; empty ITL and no CTL; signer in CTL, then in ITL; TVS
unsigned file  came over HTTPS from a trusted server; no list at all; empty ITL and no CTL; refused
HTTPS server   outside its validity; a key length that the model lacks; certificate in CTL, then in ITL; TVS
=============  =====================================================================================

A list is the phone's own once it is accepted: a new CTL that was accepted in this boot already judges the ITL
after it. Validity dates are checked for HTTPS servers only. What real phones do with the dates of a list's
signer is not known, and a phone that refused expired signers could never be mended: this project's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING

from phone_sim.reasons import Reason
from wire.encryptedfile import VERSION as ENCRYPTED_VERSION
from wire.encryptedfile import EncryptedFile, decode_encrypted_file
from wire.errors import WireError
from wire.fileheader import DigestAlgorithm, decode_header
from wire.signedfile import decode_signed_file
from wire.signing import verify_file
from wire.trustlist import MAX_PHONE_FILE_SIZE, Function, TrustList, TrustRecord, decode_trust_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from wire.certificates import Certificate
    from wire.fileheader import FileHeader
    from wire.signedfile import SignedFile

SHORT_RSA = 2048
"""Bits of an RSA key that every model knows."""
MAX_SAST_RECORDS = 2
"""Phones honour this many SAST records of a list if their model has no number of its own; later ones sign nothing."""


class ListKind(Enum):
    """The two trust lists; the value is the generic file name, which the header may always carry."""

    CTL = "CTLFile.tlv"
    ITL = "ITLFile.tlv"


class ServerPurpose(Enum):
    """What an HTTPS server is asked for; the value holds the functions that its certificate may have."""

    CONFIGURATION = (Function.TFTP, Function.CCM_TFTP)
    APPLICATION = (Function.APP_SERVER,)
    CAPF = (Function.CAPF,)
    CALL_CONTROL = (Function.CCM, Function.CCM_TFTP)


_ENCRYPTED_NAME = ".enc.sgn"
_DATE = "%Y-%m-%d %H:%M:%S UTC"
_SIGNS_LISTS = (Function.SAST,)
_SIGNS_FILES = (Function.TFTP, Function.CCM_TFTP)
_CONFIG_AND_TVS = (Function.TVS, Function.TFTP, Function.CCM_TFTP)


@dataclass(frozen=True, slots=True)
class Held:
    """What the phone has to judge with.

    Attributes:
        ctl: the installed CTL.
        itl: the installed ITL.
        tvs_configured: the last good configuration names at least one TVS server.
        sha256: the model knows SHA-256 signatures.
        sha512: the model knows SHA-512 signatures.
        long_keys: the model knows RSA keys of more than `SHORT_RSA` bits.
        sast_limit: how many SAST records of a list count.
    """

    ctl: TrustList | None = None
    itl: TrustList | None = None
    tvs_configured: bool = False
    sha256: bool = True
    sha512: bool = True
    long_keys: bool = True
    sast_limit: int = MAX_SAST_RECORDS

    @property
    def is_empty(self) -> bool:
        """Neither list is installed."""
        return self.ctl is None and self.itl is None

    @property
    def in_rollback(self) -> bool:
        """An ITL without TVS and TFTP certificates, and no CTL: the phone accepts anything (R-RBK-1)."""
        return self.ctl is None and self.itl is not None and not any(_usable(self.itl, *_CONFIG_AND_TVS))

    @property
    def tvs_certificates(self) -> tuple[Certificate, ...]:
        """The TVS servers that the ITL lists."""
        if self.itl is None:
            return ()
        return tuple(record.x509 for record in _usable(self.itl, Function.TVS) if record.x509 is not None)


@dataclass(frozen=True, slots=True)
class Accept:
    """Take it."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class KeepOld:
    """Refuse it and go on with what there was.

    Attributes:
        detail: particulars for a person who looks closer; may be empty.
    """

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WhoSigned:
    """TVS query: the certificate of this signer, please. Names and serial as the file's header has them."""

    subject: str
    issuer: str
    serial: bytes


@dataclass(frozen=True, slots=True)
class IsTrusted:
    """TVS verify: is this certificate trusted, and for what?"""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class AskTvs:
    """The phone's own lists do not settle it."""

    question: WhoSigned | IsTrusted


@dataclass(frozen=True, slots=True)
class TvsSaid:
    """An answer of a TVS server.

    Attributes:
        trusted: status 0.
        roles: functions that the certificate has in the cluster.
        certificate: in the answer to `WhoSigned` only.
    """

    trusted: bool
    roles: tuple[int, ...] = ()
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class TvsSilent:
    """No TVS server answered (R-TVS-5); `detail` says what was tried."""

    detail: str = ""


Answer = TvsSaid | TvsSilent
Verdict = Accept | KeepOld
Decision = Verdict | AskTvs


@lru_cache(maxsize=16)
def read_list(data: bytes, limit: int = MAX_PHONE_FILE_SIZE) -> TrustList | KeepOld:
    """Parses a list as a phone loads it: over its limit, usually 64 KiB, it is not loaded at all (R-ITL-8).

    Equal bytes give the same object, as all phones of a fleet hold the same few lists.
    """
    if len(data) > limit:
        return KeepOld(Reason.TOO_LARGE, f"{len(data)} bytes; the limit is {limit}")
    try:
        return decode_trust_list(data)
    except WireError as error:
        return KeepOld(Reason.UNREADABLE, str(error))


def read_installed_list(
    data: bytes, limit: int = MAX_PHONE_FILE_SIZE, sast_limit: int = MAX_SAST_RECORDS
) -> TrustList | KeepOld:
    """Reads a list back from flash: it has to be whole by its own signer still, as it was when it was accepted.

    A list that was cut off between two records is a list, too; only its signature tells.
    """
    trust_list = read_list(data, limit)
    if isinstance(trust_list, KeepOld):
        return trust_list
    try:
        return _own_signer_rule(trust_list, sast_limit) or trust_list
    except WireError as error:
        return KeepOld(Reason.UNREADABLE, str(error))


def read_signed(data: bytes) -> SignedFile | EncryptedFile | KeepOld:
    """Parses the answer to a ``.sgn`` name. Plain XML there is unsigned, anything else unreadable.

    `Reason.UNSIGNED` is a finding only: whether unsigned files are welcome, `judge_unsigned` decides.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return KeepOld(Reason.UNSIGNED, "plain XML came under a signed file's name")
    try:
        encrypted = decode_header(data).version == ENCRYPTED_VERSION
        return decode_encrypted_file(data) if encrypted else decode_signed_file(data)
    except WireError as error:
        return KeepOld(Reason.UNREADABLE, str(error))


def judge_list(
    kind: ListKind, asked_name: str, arrived: TrustList, held: Held, answer: Answer | None = None
) -> Decision:
    """Decides on a CTL or an ITL (R-ITL-7, R-CTL-2).

    `asked_name` is the name that the phone asked for, `answer` what TVS said after an `AskTvs`.
    """
    names = (asked_name, kind.value)
    case = _SignedCase(arrived.header, arrived.data, names, _SIGNS_LISTS, held, answer)
    current = held.ctl if kind is ListKind.CTL else held.itl
    return _first(
        lambda: _unchanged_rule(arrived, current),
        lambda: _name_rule(case),
        lambda: _digest_rule(case),
        lambda: _key_length_rule(case),
        lambda: _own_signer_rule(arrived, held.sast_limit),
        lambda: _empty_itl_rule(held),
        lambda: _leap_of_faith_rule(held),
        lambda: _own_lists_rule(case),
        lambda: _tvs_rule(case),
    )


def judge_signed(
    asked_name: str, arrived: SignedFile | EncryptedFile, held: Held, answer: Answer | None = None
) -> Decision:
    """Decides on a signed configuration; the role needed is TFTP or CCM+TFTP.

    The name in the header has to be the one asked for: an old or another phone's file, replayed, is refused.
    """
    case = _SignedCase(arrived.header, arrived.data, (asked_name,), _SIGNS_FILES, held, answer)
    return _first(
        lambda: _encrypted_rule(asked_name, arrived),
        lambda: _name_rule(case),
        lambda: _digest_rule(case),
        lambda: _key_length_rule(case),
        lambda: _empty_itl_rule(held),
        lambda: _own_lists_rule(case),
        lambda: _tvs_rule(case),
    )


def judge_unsigned(held: Held, *, over_trusted_https: bool = False) -> Verdict:
    """Decides on a configuration without signature."""
    if over_trusted_https:
        return Accept(Reason.CAME_OVER_TRUSTED_HTTPS)
    if held.is_empty:
        return Accept(Reason.NO_TRUST_LIST)
    return _empty_itl_rule(held) or KeepOld(Reason.UNSIGNED)


def judge_server(
    certificate: Certificate,
    purpose: ServerPurpose,
    held: Held,
    now: datetime,
    answer: Answer | None = None,
) -> Decision:
    """Decides on an HTTPS server, before anything is sent to it. `now` is the phone's time."""
    return _first(
        lambda: _validity_rule(certificate, now),
        lambda: _server_key_rule(certificate, held),
        lambda: _listed_server_rule(certificate, purpose, held),
        lambda: _server_tvs_rule(certificate, purpose, held, answer),
    )


# --- rules for whatever carries a signature ---


@dataclass(frozen=True, slots=True)
class _SignedCase:
    header: FileHeader
    data: bytes
    names: tuple[str, ...]
    functions: tuple[Function, ...]
    held: Held
    answer: Answer | None


def _first(*rules: Callable[[], Decision | None]) -> Decision:
    try:
        return next(decision for decision in (rule() for rule in rules) if decision is not None)
    except WireError as error:  # a name in a header or record that is no distinguished name
        return KeepOld(Reason.UNREADABLE, str(error))


def _unchanged_rule(arrived: TrustList, current: TrustList | None) -> Accept | None:
    return Accept(Reason.UNCHANGED) if current is not None and current.data == arrived.data else None


def _encrypted_rule(asked_name: str, arrived: SignedFile | EncryptedFile) -> KeepOld | None:
    if asked_name.endswith(_ENCRYPTED_NAME):
        return None if isinstance(arrived, EncryptedFile) else KeepOld(Reason.UNREADABLE, "it is not encrypted")
    return KeepOld(Reason.ENCRYPTED) if isinstance(arrived, EncryptedFile) else None


def _name_rule(case: _SignedCase) -> KeepOld | None:
    # Without regard to case: servers look names up that way. ITLSEP<MAC>.tlv carries ITLFile.tlv inside.
    if case.header.file_name.lower() in {name.lower() for name in case.names}:
        return None
    return KeepOld(Reason.WRONG_FILE_NAME, f"asked for {case.names[0]}, the header names {case.header.file_name}")


def _digest_rule(case: _SignedCase) -> KeepOld | None:
    digest, held = case.header.digest, case.held
    known = {DigestAlgorithm.SHA256: held.sha256, DigestAlgorithm.SHA512: held.sha512}.get(digest, True)
    return None if known else KeepOld(Reason.DIGEST_NOT_SUPPORTED, f"signed with {digest.name.replace('SHA', 'SHA-')}")


def _key_length_rule(case: _SignedCase) -> KeepOld | None:
    bits = 8 * len(case.header.signature)
    too_long = bits > SHORT_RSA and not case.held.long_keys
    return KeepOld(Reason.KEY_TOO_LONG, f"signed with a key of {bits} bits") if too_long else None


def _own_signer_rule(arrived: TrustList, sast_limit: int) -> KeepOld | None:
    """A list holds its signer as SAST and is whole by that record. Who it is, later rows ask."""
    own = _signers(arrived, arrived.header, _SIGNS_LISTS, sast_limit)
    if not own:
        return KeepOld(Reason.SIGNER_NOT_IN_OWN_LIST, f"signer {arrived.header.signer.name}")
    return None if _verifies(arrived.data, own) else KeepOld(Reason.BAD_SIGNATURE)


def _empty_itl_rule(held: Held) -> Accept | None:
    return Accept(Reason.EMPTY_ITL) if held.in_rollback else None


def _leap_of_faith_rule(held: Held) -> Accept | None:
    return Accept(Reason.LEAP_OF_FAITH) if held.is_empty else None


def _own_lists_rule(case: _SignedCase) -> Verdict | None:
    """CTL, then ITL. A list that knows the signer in the right role settles it, either way."""
    for trust_list, reason in ((case.held.ctl, Reason.SIGNED_BY_CTL), (case.held.itl, Reason.SIGNED_BY_ITL)):
        signers = _signers(trust_list, case.header, case.functions, case.held.sast_limit) if trust_list else ()
        if signers:
            return Accept(reason) if _verifies(case.data, signers) else KeepOld(Reason.BAD_SIGNATURE)
    return None


def _tvs_rule(case: _SignedCase) -> Decision:
    """Not in the lists in the right role: TVS decides."""
    signer = case.header.signer
    known = tuple(
        record
        for trust_list in (case.held.ctl, case.held.itl)
        if trust_list
        for record in trust_list.find(signer.issuer_dn, signer.serial_number)
    )
    if known and all(record.function == Function.TVS for record in known):
        return KeepOld(Reason.TVS_CANNOT_VOUCH_FOR_TVS)
    obstacle = _no_tvs(case.held)
    if obstacle:
        return KeepOld(Reason.SIGNER_LACKS_ROLE, obstacle.text()) if known else KeepOld(obstacle, signer.name)
    if case.answer is None:
        return AskTvs(WhoSigned(signer.name, signer.issuer, signer.serial))
    return _refused_by_tvs(case.answer, case.functions) or _vouched_rule(case, case.answer)


def _vouched_rule(case: _SignedCase, answer: Answer) -> Verdict:
    """The signature is checked with the certificate that TVS returned, which has to be the signer's."""
    certificate = answer.certificate if isinstance(answer, TvsSaid) else None
    if certificate is None or not case.header.signer.matches(certificate):
        return KeepOld(Reason.TVS_SENT_ANOTHER_CERTIFICATE, str(certificate))
    if not verify_file(case.data, certificate.public_key):
        return KeepOld(Reason.BAD_SIGNATURE)
    return Accept(Reason.SIGNER_VOUCHED_BY_TVS)


# --- rules for HTTPS servers ---


def _validity_rule(certificate: Certificate, now: datetime) -> KeepOld | None:
    if now < certificate.not_before:
        return KeepOld(Reason.CERTIFICATE_NOT_YET_VALID, f"valid from {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC")
    if now > certificate.not_after:
        return KeepOld(Reason.CERTIFICATE_EXPIRED, f"valid until {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC")
    return None


def _server_key_rule(certificate: Certificate, held: Held) -> KeepOld | None:
    bits = certificate.public_key.key_size
    too_long = certificate.is_rsa and bits > SHORT_RSA and not held.long_keys
    return KeepOld(Reason.KEY_TOO_LONG, f"a key of {bits} bits") if too_long else None


def _listed_server_rule(certificate: Certificate, purpose: ServerPurpose, held: Held) -> Accept | None:
    for trust_list, reason in ((held.ctl, Reason.SERVER_IN_CTL), (held.itl, Reason.SERVER_IN_ITL)):
        if trust_list and any(_is(record, certificate) for record in _usable(trust_list, *purpose.value)):
            return Accept(reason)
    return None


def _server_tvs_rule(certificate: Certificate, purpose: ServerPurpose, held: Held, answer: Answer | None) -> Decision:
    if certificate in held.tvs_certificates:
        return KeepOld(Reason.TVS_CANNOT_VOUCH_FOR_TVS)
    if obstacle := _no_tvs(held):
        return KeepOld(obstacle, str(certificate.subject))
    if answer is None:
        return AskTvs(IsTrusted(certificate))
    return _refused_by_tvs(answer, purpose.value) or Accept(Reason.SERVER_VOUCHED_BY_TVS)


# --- shared parts ---


def _no_tvs(held: Held) -> Reason | None:
    if not held.tvs_certificates:
        return Reason.TVS_NOT_IN_TRUST_LIST
    return None if held.tvs_configured else Reason.TVS_NOT_CONFIGURED


def _refused_by_tvs(answer: Answer, functions: tuple[Function, ...]) -> KeepOld | None:
    if isinstance(answer, TvsSilent):
        return KeepOld(Reason.TVS_UNREACHABLE, answer.detail)
    if not answer.trusted:
        return KeepOld(Reason.TVS_DOES_NOT_KNOW)
    if not set(functions) & set(answer.roles):
        return KeepOld(Reason.TVS_ROLE_MISSING, f"TVS gives the roles {sorted(answer.roles)}")
    return None


def _usable(trust_list: TrustList, *functions: Function, sast_limit: int = MAX_SAST_RECORDS) -> Iterator[TrustRecord]:
    """Records of these functions that hold a key; of SAST the first `sast_limit` only."""
    sast_seen = 0
    for record in trust_list.records:
        if record.function not in functions or record.is_blank:
            continue
        sast_seen += record.function == Function.SAST
        if record.function != Function.SAST or sast_seen <= sast_limit:
            yield record


def _signers(
    trust_list: TrustList, header: FileHeader, functions: tuple[Function, ...], sast_limit: int
) -> tuple[TrustRecord, ...]:
    """Records of the header's issuer and serial among those that may sign."""
    found = trust_list.find(header.signer.issuer_dn, header.signer.serial_number)
    return tuple(record for record in _usable(trust_list, *functions, sast_limit=sast_limit) if record in found)


def _verifies(data: bytes, signers: tuple[TrustRecord, ...]) -> bool:
    return any(record.x509 is not None and verify_file(data, record.x509.public_key) for record in signers)


def _is(record: TrustRecord, certificate: Certificate) -> bool:
    return record.certificate == certificate.der
