"""The decision tables of trust, one row a case: what the phone holds, what arrives, the reason, what its screen says.

`judge` of a row asks the rules alone; tests boot whole phones from the same rows. Each name quotes the requirement that
the row comes from, where there is one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from phone_sim.messages import Status, TrustListAlarm
from phone_sim.reasons import Reason
from phone_sim.trust import (
    Accept,
    Answer,
    AskTvs,
    Decision,
    Held,
    KeepOld,
    ListKind,
    ServerPurpose,
    TvsSaid,
    TvsSilent,
    judge_list,
    judge_server,
    judge_signed,
    judge_unsigned,
    read_installed_list,
    read_list,
    read_signed,
)
from tests.phone_sim.cast import (
    APP,
    CCM_TFTP,
    CONFIG_NAME,
    EC,
    ITL_RECORDS,
    MAC,
    PUB,
    RECOVERY,
    ROGUE,
    SAST,
    SUB,
    TFTP,
    TOMCAT,
    TVS,
    TVS_SERVER,
    Party,
    flipped,
    list_bytes,
    make_ctl,
    make_list,
    signed_bytes,
    vector,
)
from wire.certificates import Certificate
from wire.fileheader import DigestAlgorithm
from wire.trustlist import MAX_PHONE_FILE_SIZE, Function, TrustRecord

ITL_NAME, CTL_NAME = f"ITLSEP{MAC}.tlv", f"CTLSEP{MAC}.tlv"
ENCRYPTED_NAME = f"SEP{MAC}.cnf.xml.enc.sgn"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
ASKS = "asks TVS"
Outcome = Reason | str


def outcome(decision: Decision) -> Outcome:
    """The reason, which has to be of the decision's own kind, or `ASKS`."""
    match decision:
        case Accept(reason):
            assert reason.accepts
            return reason
        case KeepOld(reason):
            assert not reason.accepts
            return reason
        case AskTvs():
            return ASKS


def dated(name: str, begins: datetime, ends: datetime) -> Party:
    """A stranger with a self-signed certificate of these dates; its key is the rogue's."""
    dn = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(dn, dn, ROGUE.key.public_key(), 77, begins, ends)
    return Party(Certificate.from_der(builder.sign(ROGUE.key, hashes.SHA256()).public_bytes(Encoding.DER)), ROGUE.key)


def impersonating(party: Party) -> Party:
    """A stranger whose certificate has the names and the serial number of another's: whole by itself, and forged."""
    real = x509.load_der_x509_certificate(party.certificate.der)
    builder = x509.CertificateBuilder(
        real.issuer,
        real.subject,
        ROGUE.key.public_key(),
        real.serial_number,
        real.not_valid_before_utc,
        real.not_valid_after_utc,
    )
    return Party(Certificate.from_der(builder.sign(ROGUE.key, hashes.SHA256()).public_bytes(Encoding.DER)), ROGUE.key)


def tampered(data: bytes, timestamp: int = 1_790_000_000) -> bytes:
    """The same list with a changed time, so that its signature is wrong and all else is well."""
    stamp = timestamp.to_bytes(4, "big")
    assert data.count(stamp) == 1
    return data.replace(stamp, (timestamp + 1).to_bytes(4, "big"))


EXPIRED = dated("expired", datetime(2010, 1, 1), datetime(2015, 1, 1))
FUTURE = dated("future", datetime(2100, 1, 1), datetime(2110, 1, 1))
FALSE_SUB = impersonating(SUB)
LONG_KEY = Party.named("long-key")

BLANKS = tuple(TrustRecord.blank("alpha-pub", function, bytes(4)) for function in (Function.TFTP, Function.TVS))
ITL = make_list(RECOVERY)
CTL = make_ctl(PUB, (PUB.record(SAST), PUB.record(CCM_TFTP)))
EMPTY_ITL = make_list(RECOVERY, (RECOVERY.record(SAST), PUB.record(SAST), *BLANKS))
NO_TVS_ITL = make_list(RECOVERY, (RECOVERY.record(SAST), PUB.record(CCM_TFTP)))

NOTHING = Held()
HAS_ITL = Held(itl=ITL, tvs_configured=True)
HAS_ITL_NO_CONFIG = Held(itl=ITL)
HAS_NO_TVS = Held(itl=NO_TVS_ITL, tvs_configured=True)
HAS_CTL = Held(ctl=CTL)
HAS_BOTH = Held(ctl=CTL, itl=ITL, tvs_configured=True)
IN_ROLLBACK = Held(itl=EMPTY_ITL, tvs_configured=True)
ROLLBACK_WITH_CTL = Held(ctl=CTL, itl=EMPTY_ITL, tvs_configured=True)
OLD_MODEL = dataclasses.replace(HAS_ITL, sha512=False, long_keys=False)
NEW_OLD_MODEL = Held(sha512=False, long_keys=False)


def itl_with(*more: TrustRecord) -> Held:
    """The usual ITL and these records."""
    return Held(itl=make_list(RECOVERY, (*ITL_RECORDS, *more)), tvs_configured=True)


KNOWS_SUB = TvsSaid(trusted=True, roles=(0, 2), certificate=SUB.certificate)
KNOWS_NOBODY = TvsSaid(trusted=False)
SILENT = TvsSilent("no answer")


def knows(party: Party, *roles: int) -> TvsSaid:
    return TvsSaid(trusted=True, roles=roles, certificate=party.certificate)


# --- lists ---

FAILED, UPDATED = Status.TRUST_LIST_UPDATE_FAILED, Status.TRUST_LIST_UPDATED
GOOD, NO_TL = TrustListAlarm.TL_SUCCESS, TrustListAlarm.TL_FAILED_NO_TL
OLD_CTL, OLD_ITL, OLD_TL = (
    TrustListAlarm.TL_FAILED_OLD_CTL,
    TrustListAlarm.TL_FAILED_OLD_ITL,
    TrustListAlarm.TL_FAILED_OLD_TL,
)
FIRST_ITL = (Status.ITL_INSTALLED, TrustListAlarm.ITL_INITIAL_SUCCESS)
FIRST_CTL = (Status.CTL_INSTALLED, TrustListAlarm.CTL_INITIAL_SUCCESS)
NEWER = (UPDATED, GOOD)
SAME = (None, GOOD)


@dataclass(frozen=True)
class ListRow:
    """A CTL or an ITL arrives.

    Attributes:
        shows: the status message about it, and the alarm; None where a question to TVS is still open.
    """

    kind: ListKind
    data: bytes
    held: Held
    answer: Answer | None
    reason: Outcome
    shows: tuple[Status | None, TrustListAlarm] | None

    @property
    def name(self) -> str:
        return ITL_NAME if self.kind is ListKind.ITL else CTL_NAME

    def judge(self) -> Decision:
        read = read_list(self.data)
        return read if isinstance(read, KeepOld) else judge_list(self.kind, self.name, read, self.held, self.answer)


def itl(
    data: bytes,
    held: Held,
    reason: Outcome,
    shows: tuple[Status | None, TrustListAlarm] | TrustListAlarm | None = None,
    answer: Answer | None = None,
    kind: ListKind = ListKind.ITL,
) -> ListRow:
    """An alarm alone stands for a failed update."""
    return ListRow(kind, data, held, answer, reason, (FAILED, shows) if isinstance(shows, TrustListAlarm) else shows)


def ctl(
    data: bytes,
    held: Held,
    reason: Outcome,
    shows: tuple[Status | None, TrustListAlarm] | TrustListAlarm | None = None,
    answer: Answer | None = None,
) -> ListRow:
    return itl(data, held, reason, shows, answer, ListKind.CTL)


SUB_RECORDS = (SUB.record(SAST), SUB.record(CCM_TFTP), TVS_SERVER.record(TVS))
LATER = 1_790_000_001
BY_RECOVERY, BY_PUB, BY_SUB = (
    list_bytes(RECOVERY, timestamp=LATER),
    list_bytes(PUB, timestamp=LATER),
    list_bytes(SUB, SUB_RECORDS),
)
ROGUE_ITL = vector("rogue/ITLFile.tlv")
ROGUE_CTL = list_bytes(ROGUE, (ROGUE.record(SAST), ROGUE.record(CCM_TFTP)), file_name="CTLFile.tlv")
SUB_CTL = list_bytes(SUB, SUB_RECORDS, file_name="CTLFile.tlv")
PUB_CTL = list_bytes(PUB, (PUB.record(SAST),), file_name="CTLFile.tlv", timestamp=LATER)
BY_FALSE_SUB = list_bytes(FALSE_SUB, (FALSE_SUB.record(SAST), FALSE_SUB.record(CCM_TFTP)))
BAD_NAME = make_list(RECOVERY).data.replace(b"CN=", b"CN!")
FULL = list_bytes(RECOVERY)
TWO_THEN_SUB = (RECOVERY.record(SAST), PUB.record(SAST), SUB.record(SAST))
REPEATED_SAST = Held(
    itl=make_list(RECOVERY, (RECOVERY.record(SAST), PUB.record(SAST), RECOVERY.record(SAST), TVS_SERVER.record(TVS))),
    tvs_configured=True,
)


def too_many_records() -> bytes:
    """An ITL over 64 KiB, as with more than 39 certificates."""
    data = list_bytes(RECOVERY, (*ITL_RECORDS, *(SUB.record(TFTP) for _ in range(50))))
    assert len(data) > MAX_PHONE_FILE_SIZE
    return data


LISTS: dict[str, ListRow] = {
    # read
    "R-ITL-8 an ITL over 64 KiB": itl(too_many_records(), NOTHING, Reason.TOO_LARGE, NO_TL),
    "R-ITL-8 an ITL over 64 KiB, an old one held": itl(too_many_records(), HAS_ITL, Reason.TOO_LARGE, OLD_ITL),
    "R-ITL-8 one of exactly 64 KiB is read": itl(
        FULL + bytes(MAX_PHONE_FILE_SIZE - len(FULL)), NOTHING, Reason.UNREADABLE, NO_TL
    ),
    "R-ITL-8 one byte more is not": itl(bytes(MAX_PHONE_FILE_SIZE + 1), HAS_BOTH, Reason.TOO_LARGE, OLD_TL),
    "R-ITL-8 a CTL over 64 KiB": ctl(bytes(MAX_PHONE_FILE_SIZE + 1), HAS_CTL, Reason.TOO_LARGE, OLD_CTL),
    "an empty file": itl(b"", NOTHING, Reason.UNREADABLE, NO_TL),
    "a page of a web server": itl(b"<html>hello</html>", HAS_ITL, Reason.UNREADABLE, OLD_ITL),
    "a signed file": itl(vector(CONFIG_NAME), HAS_ITL, Reason.UNREADABLE, OLD_ITL),
    "half a list": itl(FULL[:700], HAS_ITL, Reason.UNREADABLE, OLD_ITL),
    "a signer's name that is no name": itl(BAD_NAME, HAS_ITL, Reason.UNREADABLE, OLD_ITL),
    # nothing held
    "R-ITL-7 the first ITL is trusted blindly": itl(FULL, NOTHING, Reason.LEAP_OF_FAITH, FIRST_ITL),
    "R-ITL-7 even a stranger's first ITL is": itl(ROGUE_ITL, NOTHING, Reason.LEAP_OF_FAITH, FIRST_ITL),
    "R-ITL-7 even that of an expired signer": itl(
        list_bytes(EXPIRED, (EXPIRED.record(SAST), EXPIRED.record(CCM_TFTP))), NOTHING, Reason.LEAP_OF_FAITH, FIRST_ITL
    ),
    "R-CTL-2 the first CTL is trusted blindly": ctl(CTL.data, NOTHING, Reason.LEAP_OF_FAITH, FIRST_CTL),
    "R-RBK-1 the first ITL is the empty one": itl(EMPTY_ITL.data, NOTHING, Reason.LEAP_OF_FAITH, FIRST_ITL),
    "R-ITL-7 a first ITL must verify by itself": itl(tampered(FULL), NOTHING, Reason.BAD_SIGNATURE, NO_TL),
    "R-ITL-7 a first ITL must hold its own signer": itl(list_bytes(SUB), NOTHING, Reason.SIGNER_NOT_IN_OWN_LIST, NO_TL),
    "a signer that its list holds in another role": itl(
        list_bytes(SUB, (*ITL_RECORDS, SUB.record(CCM_TFTP))), NOTHING, Reason.SIGNER_NOT_IN_OWN_LIST, NO_TL
    ),
    # two SAST records
    "a list signed by its second SAST record": itl(BY_PUB, NOTHING, Reason.LEAP_OF_FAITH, FIRST_ITL),
    "a list signed by its third SAST record": itl(
        list_bytes(SUB, (*TWO_THEN_SUB, SUB.record(CCM_TFTP))), NOTHING, Reason.SIGNER_NOT_IN_OWN_LIST, NO_TL
    ),
    "a third SAST record of the held ITL signs nothing": itl(
        BY_SUB,
        Held(itl=make_list(RECOVERY, (*TWO_THEN_SUB, TVS_SERVER.record(TVS)))),
        Reason.SIGNER_LACKS_ROLE,
        OLD_ITL,
    ),
    "a first SAST record stays one when it comes again as the third": itl(
        BY_RECOVERY, REPEATED_SAST, Reason.SIGNED_BY_ITL, NEWER
    ),
    "blank SAST records are not counted": itl(
        BY_SUB,
        Held(
            itl=make_list(RECOVERY, (RECOVERY.record(SAST), TrustRecord.blank("x", SAST, bytes(4)), SUB.record(SAST)))
        ),
        Reason.EMPTY_ITL,
        NEWER,
    ),
    # an ITL alone
    "R-ITL-4 the same bytes again": itl(FULL, HAS_ITL, Reason.UNCHANGED, SAME),
    "R-ITL-7 the old ITL judges the new one": itl(BY_RECOVERY, HAS_ITL, Reason.SIGNED_BY_ITL, NEWER),
    "R-ITL-7 so does its second SAST record": itl(BY_PUB, HAS_ITL, Reason.SIGNED_BY_ITL, NEWER),
    "R-CTL-2 an ITL judges the first CTL": ctl(CTL.data, HAS_ITL, Reason.SIGNED_BY_ITL, FIRST_CTL),
    "R-CTL-2 a stranger's first CTL goes to TVS": ctl(ROGUE_CTL, HAS_ITL, ASKS),
    "R-CTL-2 and is refused": ctl(ROGUE_CTL, HAS_ITL, Reason.TVS_DOES_NOT_KNOW, OLD_ITL, KNOWS_NOBODY),
    "R-ITL-7 a known signer, a wrong signature": itl(tampered(BY_PUB, LATER), HAS_ITL, Reason.BAD_SIGNATURE, OLD_ITL),
    "R-ITL-7 a stranger's ITL goes to TVS": itl(ROGUE_ITL, HAS_ITL, ASKS),
    "R-RBK-1 the empty ITL, signed by the old one's signer": itl(EMPTY_ITL.data, HAS_ITL, Reason.SIGNED_BY_ITL, NEWER),
    # a CTL alone
    "R-ITL-7 a CTL judges the first ITL": itl(BY_PUB, HAS_CTL, Reason.SIGNED_BY_CTL, FIRST_ITL),
    "R-ITL-7 no TVS helps a first ITL whose signer the CTL lacks": itl(
        FULL, HAS_CTL, Reason.TVS_NOT_IN_TRUST_LIST, OLD_CTL
    ),
    "R-ITL-7 a first ITL with a forged signature": itl(tampered(BY_PUB, LATER), HAS_CTL, Reason.BAD_SIGNATURE, OLD_CTL),
    "R-CTL-2 the same CTL again": ctl(CTL.data, HAS_CTL, Reason.UNCHANGED, SAME),
    "R-CTL-2 the old CTL judges the new one": ctl(PUB_CTL, HAS_CTL, Reason.SIGNED_BY_CTL, NEWER),
    "R-CTL-2 a stranger's CTL, and no ITL to name a TVS": ctl(
        ROGUE_CTL, HAS_CTL, Reason.TVS_NOT_IN_TRUST_LIST, OLD_CTL
    ),
    # both
    "R-ITL-7 both: the CTL is asked first": itl(BY_PUB, HAS_BOTH, Reason.SIGNED_BY_CTL, NEWER),
    "R-ITL-7 both: the ITL where the CTL does not know": itl(BY_RECOVERY, HAS_BOTH, Reason.SIGNED_BY_ITL, NEWER),
    "R-ITL-7 both: the CTL's no is not overruled by the ITL": itl(
        tampered(BY_PUB, LATER), HAS_BOTH, Reason.BAD_SIGNATURE, OLD_TL
    ),
    "R-ITL-7 both: TVS where neither knows": itl(BY_SUB, HAS_BOTH, Reason.SIGNER_VOUCHED_BY_TVS, NEWER, KNOWS_SUB),
    "R-ITL-7 both: a stranger": itl(ROGUE_ITL, HAS_BOTH, Reason.TVS_DOES_NOT_KNOW, OLD_TL, KNOWS_NOBODY),
    "R-ITL-4 both: the same ITL again": itl(FULL, HAS_BOTH, Reason.UNCHANGED, SAME),
    "R-CTL-2 both: the old CTL judges the new": ctl(PUB_CTL, HAS_BOTH, Reason.SIGNED_BY_CTL, NEWER),
    "R-CTL-2 both: the ITL where the old CTL does not know": ctl(
        list_bytes(RECOVERY, (RECOVERY.record(SAST),), file_name="CTLFile.tlv"), HAS_BOTH, Reason.SIGNED_BY_ITL, NEWER
    ),
    "R-CTL-2 both: a stranger's CTL goes to TVS": ctl(ROGUE_CTL, HAS_BOTH, ASKS),
    "R-CTL-2 both: TVS knows the new CTL's signer": ctl(
        SUB_CTL, HAS_BOTH, Reason.SIGNER_VOUCHED_BY_TVS, NEWER, KNOWS_SUB
    ),
    "R-CTL-2 both: TVS does not": ctl(ROGUE_CTL, HAS_BOTH, Reason.TVS_DOES_NOT_KNOW, OLD_TL, KNOWS_NOBODY),
    # TVS
    "R-MIG-1 the new cluster's ITL, its signer unknown to TVS": itl(
        ROGUE_ITL, HAS_ITL, Reason.TVS_DOES_NOT_KNOW, OLD_ITL, KNOWS_NOBODY
    ),
    "R-TVS-5 no TVS answers": itl(BY_SUB, HAS_ITL, Reason.TVS_UNREACHABLE, OLD_ITL, SILENT),
    "R-MIG-3 old TVS knows the new cluster's signer": itl(
        BY_SUB, HAS_ITL, Reason.SIGNER_VOUCHED_BY_TVS, NEWER, KNOWS_SUB
    ),
    "R-ITL-5 a signer listed for files only goes to TVS": itl(BY_SUB, itl_with(SUB.record(CCM_TFTP)), ASKS),
    "R-ITL-5 and is refused where no TVS can be asked": itl(
        BY_SUB,
        dataclasses.replace(itl_with(SUB.record(CCM_TFTP)), tvs_configured=False),
        Reason.SIGNER_LACKS_ROLE,
        OLD_ITL,
    ),
    "R-TVS-1 TVS knows the signer, but not as SAST": itl(
        BY_SUB, HAS_ITL, Reason.TVS_ROLE_MISSING, OLD_ITL, knows(SUB, 2, 3)
    ),
    "R-TVS-4 TVS sends no certificate": itl(
        BY_SUB, HAS_ITL, Reason.TVS_SENT_ANOTHER_CERTIFICATE, OLD_ITL, TvsSaid(trusted=True, roles=(0,))
    ),
    "R-TVS-4 TVS sends another's certificate": itl(
        BY_SUB, HAS_ITL, Reason.TVS_SENT_ANOTHER_CERTIFICATE, OLD_ITL, knows(PUB, 0)
    ),
    "R-TVS-4 an impostor under the names of a signer that TVS knows": itl(
        BY_FALSE_SUB, HAS_ITL, Reason.BAD_SIGNATURE, OLD_ITL, KNOWS_SUB
    ),
    "R-ITL-7 an impostor under the names of a signer that the ITL lists": itl(
        BY_FALSE_SUB,
        Held(itl=make_list(RECOVERY, (RECOVERY.record(SAST), SUB.record(SAST), TVS_SERVER.record(TVS)))),
        Reason.BAD_SIGNATURE,
        OLD_ITL,
    ),
    "the ITL lists no TVS": itl(BY_SUB, HAS_NO_TVS, Reason.TVS_NOT_IN_TRUST_LIST, OLD_ITL),
    "the configuration names no TVS": itl(BY_SUB, HAS_ITL_NO_CONFIG, Reason.TVS_NOT_CONFIGURED, OLD_ITL),
    "a TVS certificate is never checked through TVS": itl(
        BY_SUB, itl_with(SUB.record(TVS)), Reason.TVS_CANNOT_VOUCH_FOR_TVS, OLD_ITL
    ),
    "unless the lists know it in another role, too": itl(BY_SUB, itl_with(SUB.record(TVS), SUB.record(TFTP)), ASKS),
    # rollback
    "R-RBK-1 an empty ITL takes any ITL": itl(ROGUE_ITL, IN_ROLLBACK, Reason.EMPTY_ITL, NEWER),
    "R-RBK-1 and any CTL": ctl(ROGUE_CTL, IN_ROLLBACK, Reason.EMPTY_ITL, FIRST_CTL),
    "R-RBK-1 but no tampered one": itl(tampered(BY_SUB), IN_ROLLBACK, Reason.BAD_SIGNATURE, OLD_ITL),
    "R-RBK-1 mixed mode: the CTL beside the empty ITL blocks": itl(
        ROGUE_ITL, ROLLBACK_WITH_CTL, Reason.TVS_NOT_IN_TRUST_LIST, OLD_TL
    ),
    "R-RBK-1 mixed mode: it blocks a stranger's CTL": ctl(
        ROGUE_CTL, ROLLBACK_WITH_CTL, Reason.TVS_NOT_IN_TRUST_LIST, OLD_TL
    ),
    "R-RBK-1 mixed mode: what the CTL signs is taken": itl(BY_PUB, ROLLBACK_WITH_CTL, Reason.SIGNED_BY_CTL, NEWER),
    "R-RBK-2 the full ITL comes back": itl(FULL, IN_ROLLBACK, Reason.EMPTY_ITL, NEWER),
    # dates of signers, which are not looked at
    "an expired signer that the ITL lists": itl(list_bytes(EXPIRED, (EXPIRED.record(SAST),)), itl_with(), ASKS),
    "an expired signer that TVS knows": itl(
        list_bytes(EXPIRED, (EXPIRED.record(SAST),)), HAS_ITL, Reason.SIGNER_VOUCHED_BY_TVS, NEWER, knows(EXPIRED, 0)
    ),
    "a signer that the ITL lists and that has expired since": itl(
        list_bytes(EXPIRED, (EXPIRED.record(SAST),), timestamp=LATER),
        Held(itl=make_list(EXPIRED, (EXPIRED.record(SAST), TVS_SERVER.record(TVS)))),
        Reason.SIGNED_BY_ITL,
        NEWER,
    ),
    "a signer that the CTL lists and that is not valid yet": itl(
        list_bytes(FUTURE, (FUTURE.record(SAST),)),
        Held(ctl=make_ctl(FUTURE, (FUTURE.record(SAST),))),
        Reason.SIGNED_BY_CTL,
        FIRST_ITL,
    ),
    # names and abilities
    "R-ITL-6 a CTL under the ITL's name": itl(CTL.data, HAS_ITL, Reason.WRONG_FILE_NAME, OLD_ITL),
    "R-ITL-6 a CTL under the ITL's name, first": itl(CTL.data, NOTHING, Reason.WRONG_FILE_NAME, NO_TL),
    "R-CTL-2 an ITL under the CTL's name": ctl(FULL, HAS_CTL, Reason.WRONG_FILE_NAME, OLD_CTL),
    "R-ITL-6 the phone's own name inside": itl(
        list_bytes(RECOVERY, file_name=ITL_NAME), HAS_ITL, Reason.SIGNED_BY_ITL, NEWER
    ),
    "R-CTL-2 the phone's own name inside": ctl(
        list_bytes(PUB, (PUB.record(SAST),), file_name=CTL_NAME.lower()), HAS_CTL, Reason.SIGNED_BY_CTL, NEWER
    ),
    "R-ITL-6 another phone's name inside": itl(
        list_bytes(RECOVERY, file_name="ITLSEP665544332211.tlv"), HAS_ITL, Reason.WRONG_FILE_NAME, OLD_ITL
    ),
    "SHA-512": itl(list_bytes(RECOVERY, digest=DigestAlgorithm.SHA512), HAS_ITL, Reason.SIGNED_BY_ITL, NEWER),
    "SHA-512 on a model without": itl(
        list_bytes(RECOVERY, digest=DigestAlgorithm.SHA512), OLD_MODEL, Reason.DIGEST_NOT_SUPPORTED, OLD_ITL
    ),
    "R-CRT-8 a long key on a model without": itl(
        list_bytes(LONG_KEY, (LONG_KEY.record(SAST),)), NEW_OLD_MODEL, Reason.KEY_TOO_LONG, NO_TL
    ),
    "R-CRT-8 a long key": itl(
        list_bytes(LONG_KEY, (LONG_KEY.record(SAST), LONG_KEY.record(TFTP))), NOTHING, Reason.LEAP_OF_FAITH, FIRST_ITL
    ),
}


# --- configurations ---


@dataclass(frozen=True)
class ConfigRow:
    """A file arrives in answer to a configuration's name; over trusted HTTPS, or not."""

    data: bytes
    held: Held
    answer: Answer | None
    reason: Outcome
    asked: str = CONFIG_NAME
    https: bool = False

    @property
    def shows(self) -> Status:
        accepted = isinstance(self.reason, Reason) and self.reason.accepts
        return Status.CONFIG_IN_USE if accepted else Status.CONFIG_REFUSED

    def judge(self) -> Decision:
        read = read_signed(self.data)
        if not isinstance(read, KeepOld):
            return judge_signed(self.asked, read, self.held, self.answer)
        return judge_unsigned(self.held, over_trusted_https=self.https) if read.reason is Reason.UNSIGNED else read


def config(data: bytes, held: Held, reason: Outcome, answer: Answer | None = None) -> ConfigRow:
    return ConfigRow(data, held, answer, reason)


PLAIN, BOM = b"<device/>", b"\xef\xbb\xbf"
FILE_BY_PUB, FILE_BY_SUB, FILE_BY_ROGUE = signed_bytes(PUB), signed_bytes(SUB), signed_bytes(ROGUE)
ENCRYPTED = vector(f"enc/{ENCRYPTED_NAME}")

CONFIGS: dict[str, ConfigRow] = {
    "R-SBD-2 the ITL lists the signer as CCM+TFTP": config(FILE_BY_PUB, HAS_ITL, Reason.SIGNED_BY_ITL),
    "R-SBD-2 or as TFTP": config(FILE_BY_SUB, itl_with(SUB.record(TFTP)), Reason.SIGNED_BY_ITL),
    "R-SBD-5 the CTL lists the signer": config(FILE_BY_PUB, HAS_BOTH, Reason.SIGNED_BY_CTL),
    "SAST does not sign files": config(signed_bytes(RECOVERY), HAS_ITL, ASKS),
    "SAST does not sign files, and no TVS": config(signed_bytes(RECOVERY), HAS_ITL_NO_CONFIG, Reason.SIGNER_LACKS_ROLE),
    "R-PHN-3 a tampered file": config(flipped(FILE_BY_PUB), HAS_ITL, Reason.BAD_SIGNATURE),
    "R-PHN-3 a tampered file, which the CTL refuses before the ITL": config(
        flipped(FILE_BY_PUB), HAS_BOTH, Reason.BAD_SIGNATURE
    ),
    "R-PHN-3 a stranger's file goes to TVS": config(FILE_BY_ROGUE, HAS_ITL, ASKS),
    "R-PHN-3 a stranger's file": config(FILE_BY_ROGUE, HAS_ITL, Reason.TVS_DOES_NOT_KNOW, KNOWS_NOBODY),
    "R-TVS-4 TVS vouches as CCM+TFTP": config(FILE_BY_SUB, HAS_ITL, Reason.SIGNER_VOUCHED_BY_TVS, KNOWS_SUB),
    "R-TVS-4 TVS vouches, the file is tampered": config(flipped(FILE_BY_SUB), HAS_ITL, Reason.BAD_SIGNATURE, KNOWS_SUB),
    "R-TVS-4 TVS vouches for lists only": config(FILE_BY_SUB, HAS_ITL, Reason.TVS_ROLE_MISSING, knows(SUB, 0)),
    "R-TVS-5 no TVS answers": config(FILE_BY_SUB, HAS_ITL, Reason.TVS_UNREACHABLE, SILENT),
    "no TVS in the ITL": config(FILE_BY_SUB, HAS_NO_TVS, Reason.TVS_NOT_IN_TRUST_LIST),
    "no TVS in the configuration": config(FILE_BY_SUB, HAS_ITL_NO_CONFIG, Reason.TVS_NOT_CONFIGURED),
    "signed with a TVS certificate": config(signed_bytes(TVS_SERVER), HAS_ITL, Reason.TVS_CANNOT_VOUCH_FOR_TVS),
    "an expired signer that TVS knows": config(
        signed_bytes(EXPIRED), HAS_ITL, Reason.SIGNER_VOUCHED_BY_TVS, knows(EXPIRED, 3)
    ),
    "an expired signer that the ITL lists": config(
        signed_bytes(EXPIRED), itl_with(EXPIRED.record(TFTP)), Reason.SIGNED_BY_ITL
    ),
    "another phone's file, replayed": config(
        signed_bytes(PUB, name="SEP665544332211.cnf.xml.sgn"), HAS_ITL, Reason.WRONG_FILE_NAME
    ),
    "R-RBK-1 an empty ITL takes a stranger's file": config(FILE_BY_ROGUE, IN_ROLLBACK, Reason.EMPTY_ITL),
    "R-RBK-1 mixed mode: the CTL beside it blocks": config(
        FILE_BY_ROGUE, ROLLBACK_WITH_CTL, Reason.TVS_NOT_IN_TRUST_LIST
    ),
    "R-RBK-1 mixed mode: what the CTL signs is taken": config(FILE_BY_PUB, ROLLBACK_WITH_CTL, Reason.SIGNED_BY_CTL),
    "R-SBD-3 an encrypted file under a plain name": config(ENCRYPTED, HAS_ITL, Reason.ENCRYPTED),
    "R-SBD-3 a plain file under an encrypted name": ConfigRow(
        signed_bytes(PUB, name=ENCRYPTED_NAME), HAS_ITL, None, Reason.UNREADABLE, ENCRYPTED_NAME
    ),
    "R-SBD-3 an encrypted file under its own name": ConfigRow(
        ENCRYPTED, HAS_ITL, None, Reason.SIGNED_BY_ITL, ENCRYPTED_NAME
    ),
    "a model without SHA-512": config(
        signed_bytes(PUB, digest=DigestAlgorithm.SHA512), OLD_MODEL, Reason.DIGEST_NOT_SUPPORTED
    ),
    "R-CRT-8 a model without long keys": config(signed_bytes(LONG_KEY), OLD_MODEL, Reason.KEY_TOO_LONG),
    "R-SBD-2 an unsigned file": config(PLAIN, HAS_ITL, Reason.UNSIGNED),
    "R-SBD-2 an unsigned file with a byte order mark": config(BOM + PLAIN, HAS_CTL, Reason.UNSIGNED),
    "R-RBK-1 an unsigned file and an empty ITL": config(PLAIN, IN_ROLLBACK, Reason.EMPTY_ITL),
    "R-RBK-1 mixed mode: an unsigned file": config(PLAIN, ROLLBACK_WITH_CTL, Reason.UNSIGNED),
    "a phone without any list": ConfigRow(PLAIN, NOTHING, None, Reason.NO_TRUST_LIST, f"SEP{MAC}.cnf.xml"),
    "R-DL-1 over HTTPS 6971": ConfigRow(PLAIN, HAS_ITL, None, Reason.CAME_OVER_TRUSTED_HTTPS, https=True),
    "what is no file at all": config(b"\x01\x00", HAS_ITL, Reason.UNREADABLE),
    "half a signed file": config(FILE_BY_PUB[: len(FILE_BY_PUB) // 3], HAS_ITL, Reason.UNREADABLE),
}


# --- servers ---


@dataclass(frozen=True)
class ServerRow:
    """An HTTPS server shows its certificate."""

    party: Party
    purpose: ServerPurpose
    held: Held
    reason: Outcome
    answer: Answer | None = None
    now: datetime = NOW

    @cached_property
    def shows(self) -> Status | None:
        accepted = isinstance(self.reason, Reason) and self.reason.accepts
        return None if accepted else Status.HOST_NOT_FOUND

    def judge(self) -> Decision:
        return judge_server(self.party.certificate, self.purpose, self.held, self.now, self.answer)


APPLICATION, CONFIGURATION = ServerPurpose.APPLICATION, ServerPurpose.CONFIGURATION
LISTS_TOMCAT = itl_with(TOMCAT.record(APP))
BEGINS, ENDS, SECOND = TOMCAT.certificate.not_before, TOMCAT.certificate.not_after, timedelta(seconds=1)

SERVERS: dict[str, ServerRow] = {
    "R-SBD-4 an application server goes to TVS": ServerRow(TOMCAT, APPLICATION, HAS_ITL, ASKS),
    "R-SBD-4 TVS knows it as application server": ServerRow(
        TOMCAT, APPLICATION, HAS_ITL, Reason.SERVER_VOUCHED_BY_TVS, TvsSaid(trusted=True, roles=(7,))
    ),
    "R-SBD-4 TVS knows it as something else": ServerRow(
        TOMCAT, APPLICATION, HAS_ITL, Reason.TVS_ROLE_MISSING, TvsSaid(trusted=True, roles=(0, 2))
    ),
    "R-SBD-4 an impostor": ServerRow(ROGUE, APPLICATION, HAS_ITL, Reason.TVS_DOES_NOT_KNOW, KNOWS_NOBODY),
    "R-TVS-5 no TVS answers": ServerRow(TOMCAT, APPLICATION, HAS_ITL, Reason.TVS_UNREACHABLE, SILENT),
    "R-SBD-4 the ITL lists it": ServerRow(TOMCAT, APPLICATION, LISTS_TOMCAT, Reason.SERVER_IN_ITL),
    "R-SBD-4 the CTL lists it": ServerRow(
        TOMCAT, APPLICATION, Held(ctl=make_ctl(PUB, (PUB.record(SAST), TOMCAT.record(APP)))), Reason.SERVER_IN_CTL
    ),
    "R-SBD-4 both list it": ServerRow(
        TOMCAT,
        APPLICATION,
        dataclasses.replace(LISTS_TOMCAT, ctl=make_ctl(PUB, (PUB.record(SAST), TOMCAT.record(APP)))),
        Reason.SERVER_IN_CTL,
    ),
    "listed in another role": ServerRow(PUB, APPLICATION, HAS_ITL, ASKS),
    "R-DL-1 the ITL lists the configuration server": ServerRow(PUB, CONFIGURATION, HAS_ITL, Reason.SERVER_IN_ITL),
    "R-DL-1 with an EC certificate": ServerRow(EC, CONFIGURATION, itl_with(EC.record(TFTP)), Reason.SERVER_IN_ITL),
    "R-DL-1 TVS knows the configuration server": ServerRow(
        SUB, CONFIGURATION, HAS_ITL, Reason.SERVER_VOUCHED_BY_TVS, KNOWS_SUB
    ),
    "a TVS certificate is never checked through TVS": ServerRow(
        TVS_SERVER, APPLICATION, HAS_ITL, Reason.TVS_CANNOT_VOUCH_FOR_TVS
    ),
    "R-RBK-1 an empty ITL makes HTTPS services fail": ServerRow(
        TOMCAT, APPLICATION, IN_ROLLBACK, Reason.TVS_NOT_IN_TRUST_LIST
    ),
    "no list at all": ServerRow(TOMCAT, APPLICATION, NOTHING, Reason.TVS_NOT_IN_TRUST_LIST),
    "the configuration names no TVS": ServerRow(TOMCAT, APPLICATION, HAS_ITL_NO_CONFIG, Reason.TVS_NOT_CONFIGURED),
    "R-CRT-8 a long key on a model without": ServerRow(LONG_KEY, CONFIGURATION, OLD_MODEL, Reason.KEY_TOO_LONG),
    "an EC key on a model without long keys": ServerRow(EC, CONFIGURATION, OLD_MODEL, ASKS),
    # the phone's clock
    "the first second of its validity": ServerRow(TOMCAT, APPLICATION, LISTS_TOMCAT, Reason.SERVER_IN_ITL, now=BEGINS),
    "the last second of its validity": ServerRow(TOMCAT, APPLICATION, LISTS_TOMCAT, Reason.SERVER_IN_ITL, now=ENDS),
    "a second before its validity, though listed": ServerRow(
        TOMCAT, APPLICATION, LISTS_TOMCAT, Reason.CERTIFICATE_NOT_YET_VALID, now=BEGINS - SECOND
    ),
    "a second after its validity, though listed": ServerRow(
        TOMCAT, APPLICATION, LISTS_TOMCAT, Reason.CERTIFICATE_EXPIRED, now=ENDS + SECOND
    ),
    "a phone whose clock was never set": ServerRow(
        TOMCAT, APPLICATION, HAS_ITL, Reason.CERTIFICATE_NOT_YET_VALID, now=datetime(1970, 1, 1, tzinfo=UTC)
    ),
    "a clock of the far future, though TVS would vouch": ServerRow(
        TOMCAT,
        APPLICATION,
        HAS_ITL,
        Reason.CERTIFICATE_EXPIRED,
        TvsSaid(trusted=True, roles=(7,)),
        datetime(9990, 1, 1, tzinfo=UTC),
    ),
    "an expired certificate": ServerRow(
        EXPIRED, APPLICATION, itl_with(EXPIRED.record(APP)), Reason.CERTIFICATE_EXPIRED
    ),
    "a certificate of the future": ServerRow(
        FUTURE, CONFIGURATION, itl_with(FUTURE.record(TFTP)), Reason.CERTIFICATE_NOT_YET_VALID
    ),
}


# --- lists that flash holds ---


@dataclass(frozen=True)
class InstalledRow:
    """A list is read back from flash; `Reason.UNCHANGED` stands for one that is as it was accepted."""

    data: bytes
    reason: Reason

    def judge(self) -> Decision:
        read = read_installed_list(self.data)
        return read if isinstance(read, KeepOld) else Accept(Reason.UNCHANGED)


INSTALLED: dict[str, InstalledRow] = {
    "whole": InstalledRow(FULL, Reason.UNCHANGED),
    "cut off between two records": InstalledRow(
        FULL[: len(list_bytes(RECOVERY, ITL_RECORDS[:-1]))], Reason.BAD_SIGNATURE
    ),
    "changed": InstalledRow(tampered(FULL), Reason.BAD_SIGNATURE),
    "without its signer": InstalledRow(list_bytes(SUB), Reason.SIGNER_NOT_IN_OWN_LIST),
    "of a signer whose name is no name": InstalledRow(BAD_NAME, Reason.UNREADABLE),
    "no list": InstalledRow(b"damaged", Reason.UNREADABLE),
    "R-ITL-8 too large": InstalledRow(too_many_records(), Reason.TOO_LARGE),
}


# --- roles: every function against everything that needs one ---

MAY_SERVE = {
    ServerPurpose.CONFIGURATION: {Function.TFTP, Function.CCM_TFTP},
    ServerPurpose.APPLICATION: {Function.APP_SERVER},
    ServerPurpose.CAPF: {Function.CAPF},
    ServerPurpose.CALL_CONTROL: {Function.CCM, Function.CCM_TFTP},
}
MAY_SIGN_FILES = {Function.TFTP, Function.CCM_TFTP}
MAY_SIGN_LISTS = {Function.SAST}


def _listed_server(purpose: ServerPurpose, role: Function) -> ServerRow:
    if role in MAY_SERVE[purpose]:
        return ServerRow(SUB, purpose, itl_with(SUB.record(role)), Reason.SERVER_IN_ITL)
    return ServerRow(
        SUB, purpose, itl_with(SUB.record(role)), Reason.TVS_CANNOT_VOUCH_FOR_TVS if role is Function.TVS else ASKS
    )


def _vouched_server(purpose: ServerPurpose, role: Function) -> ServerRow:
    good = role in MAY_SERVE[purpose]
    said = TvsSaid(trusted=True, roles=(role,))
    return ServerRow(SUB, purpose, HAS_ITL, Reason.SERVER_VOUCHED_BY_TVS if good else Reason.TVS_ROLE_MISSING, said)


def _signed_file(role: Function) -> ConfigRow:
    if role in MAY_SIGN_FILES:
        return config(FILE_BY_SUB, itl_with(SUB.record(role)), Reason.SIGNED_BY_ITL)
    return config(
        FILE_BY_SUB, itl_with(SUB.record(role)), Reason.TVS_CANNOT_VOUCH_FOR_TVS if role is Function.TVS else ASKS
    )


def _signed_list(role: Function) -> ListRow:
    held = Held(
        itl=make_list(RECOVERY, (RECOVERY.record(SAST), SUB.record(role), TVS_SERVER.record(TVS))), tvs_configured=True
    )
    if role in MAY_SIGN_LISTS:
        return itl(BY_SUB, held, Reason.SIGNED_BY_ITL, NEWER)
    if role is Function.TVS:
        return itl(BY_SUB, held, Reason.TVS_CANNOT_VOUCH_FOR_TVS, OLD_ITL)
    return itl(BY_SUB, held, ASKS)


def _vouched_file(role: Function) -> ConfigRow:
    good = role in MAY_SIGN_FILES
    return config(
        FILE_BY_SUB,
        HAS_ITL,
        Reason.SIGNER_VOUCHED_BY_TVS if good else Reason.TVS_ROLE_MISSING,
        knows(SUB, role),
    )


def _vouched_list(role: Function) -> ListRow:
    if role in MAY_SIGN_LISTS:
        return itl(BY_SUB, HAS_ITL, Reason.SIGNER_VOUCHED_BY_TVS, NEWER, knows(SUB, role))
    return itl(BY_SUB, HAS_ITL, Reason.TVS_ROLE_MISSING, OLD_ITL, knows(SUB, role))


ROLES: dict[str, ListRow | ConfigRow | ServerRow] = {
    **{f"listed as {r.name}, serves as {p.name}": _listed_server(p, r) for p in ServerPurpose for r in Function},
    **{f"TVS says {r.name}, serves as {p.name}": _vouched_server(p, r) for p in ServerPurpose for r in Function},
    **{f"listed as {role.name}, signs a file": _signed_file(role) for role in Function},
    **{f"listed as {role.name}, signs a list": _signed_list(role) for role in Function},
    **{f"TVS says {role.name}, signs a file": _vouched_file(role) for role in Function},
    **{f"TVS says {role.name}, signs a list": _vouched_list(role) for role in Function},
}

ALL: dict[str, ListRow | ConfigRow | ServerRow | InstalledRow] = {
    **{f"in flash: {name}": row for name, row in INSTALLED.items()},
    **{f"list: {name}": row for name, row in LISTS.items()},
    **{f"configuration: {name}": row for name, row in CONFIGS.items()},
    **{f"server: {name}": row for name, row in SERVERS.items()},
    **{f"role: {name}": row for name, row in ROLES.items()},
}
"""Every row, under a name of its own."""


def wrong_rows() -> dict[str, tuple[Outcome, Outcome]]:
    """Rows whose decision is another than they say: (decided, expected)."""
    decided = {name: outcome(row.judge()) for name, row in ALL.items()}
    return {name: (decided[name], row.reason) for name, row in ALL.items() if decided[name] != row.reason}
