"""The CAPF session without sockets: who may have what done, step by step (R-CAPF-1, R-CAPF-2, R-CAPF-3)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster.lsc import issue_lsc
from cluster.phonesecurity import CapfOrder, KeyOrder, Operation, PhoneSecurity
from cluster.purposes import Purpose
from services.capf.keys import KeySpec, NoKeys, plan_keys
from services.capf.session import MAX_IN_PROGRESS, Effect, Hangup, Issue, Note, Record, Send, Session, State
from tests.services.capf_cast import (
    BY_LSC,
    BY_MIC,
    BY_NULL,
    BY_STRING,
    DELETE,
    DEVICE,
    IN_PROGRESS,
    INSTALL,
    NO_KEY,
    OTHER,
    SESSION,
    STORED,
    STRING,
    TROUBLESHOOT,
    hello,
    key,
    key_made,
    lsc_for,
    said,
    scheduled,
    spki,
    with_certificate,
    with_security,
    with_sudi,
)
from tests.services.wires import identity as party
from wire.capf import AuthType, CertificateType, Command, KeyType, Message, PhoneCertificate, ReasonCode
from wire.errors import ProtocolViolation

if TYPE_CHECKING:
    from base.identity import Identity
    from cluster.management.capf import Outcome
    from cluster.snapshot import ClusterSnapshot
    from tests.shared_lab import SharedLab
    from wire.certificates import Certificate

UNKNOWN = "SEPFFFFFFFFFFFF"


@pytest.fixture
def snapshot(shared_lab: SharedLab) -> ClusterSnapshot:
    return shared_lab.snapshot


@dataclass
class Told:
    """What a session did."""

    session: Session
    sent: list[Message] = field(default_factory=list)
    records: list[Outcome] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    hung_up: bool = False
    lsc: Certificate | None = None

    @property
    def commands(self) -> list[Command]:
        return [Command(message.command) for message in self.sent]

    @property
    def end(self) -> int | None:
        """Reason of the end session, if there was one."""
        last = self.sent[-1]
        return last.reason if last.command == Command.END_SESSION else None

    @property
    def status(self) -> str:
        return self.records[-1].status if self.records else ""


def talk(
    snapshot: ClusterSnapshot,
    security: PhoneSecurity,
    *phone: Message,
    advanced: bool = False,
    late_s: float = 0,
    ca_fails: bool = False,
) -> Told:
    """A whole conversation; every effect is carried out as the daemon would."""
    view = with_security(snapshot, security, advanced=advanced)
    now = snapshot.changed_at + timedelta(seconds=late_s)
    session = Session(SESSION, lambda: view, lambda: now)
    told = Told(session)

    def carry_out(effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(message):
                    told.sent.append(message)
                case Record(device, outcome):
                    assert device == DEVICE
                    told.records.append(outcome)
                case Note():
                    told.notes.append(effect)
                case Hangup():
                    told.hung_up = True
                case Issue(device, public_key):
                    if ca_fails:
                        carry_out(session.not_issued())
                        continue
                    authority = snapshot.require("alpha-pub", Purpose.CAPF).identity
                    told.lsc = issue_lsc(authority, device, public_key, now)
                    carry_out(session.issued(told.lsc))

    carry_out(session.start())
    for message in phone:
        carry_out(session.receive(message))
    return told


A, K, S, E = Command.AUTH_REQUEST, Command.KEY_GENERATE_REQUEST, Command.STORE_REQUEST, Command.END_SESSION
F, D = Command.FETCH_REQUEST, Command.DELETE_REQUEST
OK, BAD, NOTHING, NOBODY = (
    ReasonCode.SUCCESS,
    ReasonCode.INVALID_ELEMENT,
    ReasonCode.NO_ACTION,
    ReasonCode.UNKNOWN_DEVICE,
)
NO_LSC = said(Command.FETCH_RESPONSE, NOTHING)

STORIES: dict[str, tuple[PhoneSecurity, list[Message], list[Command], int | None, str]] = {
    # what is scheduled, what the phone says, what the server says, reason of the end, status recorded
    "install by null string": (
        scheduled(INSTALL, BY_NULL),
        [hello(), key_made(), STORED],
        [A, K, S, E],
        OK,
        "Upgrade Success",
    ),
    "install by null string, and a password given all the same": (
        scheduled(INSTALL, BY_NULL),
        [hello(password="1"), key_made(), STORED],
        [A, K, S, E],
        OK,
        "Upgrade Success",
    ),
    "install by authentication string": (
        scheduled(INSTALL, BY_STRING),
        [hello(password=STRING), key_made(), STORED],
        [A, K, S, E],
        OK,
        "Upgrade Success",
    ),
    "the string is asked for when it does not come by itself": (
        scheduled(INSTALL, BY_STRING),
        [hello(), hello(password=STRING), key_made(), STORED],
        [A, A, K, S, E],
        OK,
        "Upgrade Success",
    ),
    "the string is not given even then": (
        scheduled(INSTALL, BY_STRING),
        [hello(), hello()],
        [A, A, E],
        BAD,
        "Upgrade Failed: Invalid Authentication String",
    ),
    "a wrong string": (
        scheduled(INSTALL, BY_STRING),
        [hello(password="24681")],
        [A, E],
        BAD,
        "Upgrade Failed: Invalid Authentication String",
    ),
    "a string that is longer": (
        scheduled(INSTALL, BY_STRING),
        [hello(password=STRING + "0")],
        [A, E],
        BAD,
        "Upgrade Failed: Invalid Authentication String",
    ),
    "an empty string": (
        scheduled(INSTALL, BY_STRING),
        [hello(password="")],
        [A, E],
        BAD,
        "Upgrade Failed: Invalid Authentication String",
    ),
    "a string of other characters": (
        scheduled(DELETE, BY_STRING),
        [hello(password="٢٤٦٨٠")],
        [A, E],
        BAD,
        "Delete Failed: Invalid Authentication String",
    ),
    "no certificate": (scheduled(INSTALL, BY_LSC), [hello(), hello()], [A, A, E], BAD, "Upgrade Failed: Invalid LSC"),
    "no MIC": (scheduled(INSTALL, BY_MIC), [hello(), hello()], [A, A, E], BAD, "Upgrade Failed: Invalid MIC"),
    "the phone is at work for a while": (
        scheduled(),
        [hello(), *[IN_PROGRESS] * MAX_IN_PROGRESS, key_made(), STORED],
        [A, K, S, E],
        OK,
        "Upgrade Success",
    ),
    "the phone is at work for ever": (
        scheduled(),
        [hello(), *[IN_PROGRESS] * (MAX_IN_PROGRESS + 1)],
        [A, K, E],
        BAD,
        "Upgrade Failed: Key Generation Timeout",
    ),
    "the phone makes no key": (
        scheduled(),
        [hello(), NO_KEY],
        [A, K, E],
        BAD,
        "Upgrade Failed: Key Generation Failed",
    ),
    "the phone says that all is well and gives no key": (
        scheduled(),
        [hello(), said(Command.KEY_GENERATE_RESPONSE)],
        [A, K, E],
        BAD,
        "Upgrade Failed: Key Generation Failed",
    ),
    "the key is of another size": (
        scheduled(),
        [hello(), key_made("rsa2048")],
        [A, K, E],
        BAD,
        "Upgrade Failed: Key Generation Failed",
    ),
    "the key is of another kind": (
        scheduled(),
        [hello(), key_made("ec256")],
        [A, K, E],
        BAD,
        "Upgrade Failed: Key Generation Failed",
    ),
    "the key is none": (
        scheduled(),
        [hello(), said(Command.KEY_GENERATE_RESPONSE, public_key=b"\x30\x03\x02\x01\x00")],
        [A, K, E],
        BAD,
        "Upgrade Failed: Key Generation Failed",
    ),
    "the phone does not store the certificate": (
        scheduled(),
        [hello(), key_made(), said(Command.STORE_RESPONSE, BAD)],
        [A, K, S, E],
        BAD,
        "Upgrade Failed",
    ),
    "the phone does not say whether it stored": (
        scheduled(),
        [hello(), key_made(), said(Command.STORE_RESPONSE, None)],
        [A, K, S, E],
        BAD,
        "Upgrade Failed",
    ),
    "delete": (scheduled(DELETE), [hello(), said(Command.DELETE_RESPONSE)], [A, D, E], OK, "Delete Success"),
    "the phone does not delete": (
        scheduled(DELETE),
        [hello(), said(Command.DELETE_RESPONSE, BAD)],
        [A, D, E],
        BAD,
        "Delete Failed",
    ),
    "troubleshoot a phone without certificates": (
        scheduled(TROUBLESHOOT),
        [hello(), NO_LSC, NO_LSC],
        [A, F, F, E],
        OK,
        "Troubleshoot Success",
    ),
    "nothing to do": (scheduled(Operation.NONE), [hello()], [A, E], NOTHING, ""),
    "an unknown device": (scheduled(), [hello(UNKNOWN)], [A, E], NOBODY, ""),
    "another device, which has nothing to do": (scheduled(), [hello(OTHER)], [A, E], NOTHING, ""),
    "a response for another phone in the same session": (
        scheduled(INSTALL, BY_STRING),
        [hello(), hello(OTHER, password=STRING)],
        [A, A, E],
        BAD,
        "",
    ),
    "no device name": (scheduled(), [hello(None)], [A, E], BAD, ""),
    "a device name that is none": (scheduled(), [hello("SEP0011223344")], [A, E], BAD, ""),
    "a device name in lower case": (
        scheduled(),
        [hello(DEVICE.lower()), key_made(), STORED],
        [A, K, S, E],
        OK,
        "Upgrade Success",
    ),
    "no version": (scheduled(), [hello(version=None)], [A, E], BAD, ""),
    "a version that is not known": (scheduled(), [hello(version=4)], [A, E], BAD, ""),
    "the phone refuses": (scheduled(), [hello(reason=BAD)], [A, E], NOTHING, ""),
}


@pytest.mark.parametrize("story", STORIES)
def test_session(story: str, snapshot: ClusterSnapshot) -> None:
    security, phone, server, reason, status = STORIES[story]
    told = talk(snapshot, security, *phone)
    assert told.commands == server
    assert told.end == reason
    assert told.status == status
    assert told.hung_up
    assert told.session.state is State.ENDED
    assert all(message.session == SESSION for message in told.sent)


def test_the_server_speaks_first_and_asks_for_nothing_in_particular(snapshot: ClusterSnapshot) -> None:
    told = talk(snapshot, scheduled())
    assert told.sent == [Message(A, SESSION, version=3, auth_type=AuthType.NONE)]
    assert not told.hung_up


def test_the_second_request_says_what_is_wanted(snapshot: ClusterSnapshot) -> None:
    wanted = {BY_STRING: AuthType.PASSWORD, BY_LSC: AuthType.LSC, BY_MIC: AuthType.MIC}
    for authentication, auth_type in wanted.items():
        told = talk(snapshot, scheduled(INSTALL, authentication), hello())
        assert told.sent[-1] == Message(A, SESSION, version=3, auth_type=auth_type)


def test_a_completed_operation_ends_and_a_failed_attempt_leaves_it_pending(snapshot: ClusterSnapshot) -> None:
    done = talk(snapshot, scheduled(), hello(), key_made(), STORED).records[-1]
    assert done.ends
    assert done.lsc is not None
    assert done.lsc.public_key == key("rsa1024").public_key()
    wrong = talk(snapshot, scheduled(INSTALL, BY_STRING), hello(password="0")).records[-1]
    assert (wrong.ends, wrong.wrong_string) == (False, True)
    unproven = talk(snapshot, scheduled(INSTALL, BY_MIC), hello(), hello()).records[-1]
    assert not unproven.ends
    no_key = talk(snapshot, scheduled(), hello(), NO_KEY).records[-1]
    assert no_key.ends, "asking again would change nothing"
    assert {outcome.scheduled for outcome in (done, wrong, unproven, no_key)} == {7}


def test_a_phone_that_comes_too_late_is_refused(snapshot: ClusterSnapshot) -> None:
    deadline = snapshot.changed_at + timedelta(hours=1)
    security = scheduled(complete_by=deadline)
    in_time = talk(snapshot, security, hello(), key_made(), STORED, late_s=3600)
    assert in_time.status == "Upgrade Success"
    late = talk(snapshot, security, hello(), late_s=3601)
    assert (late.status, late.end) == ("Upgrade Failed: User Initiated Request Late", NOTHING)
    assert late.records[-1].ends


# --- certificates as proof ---


def test_an_lsc_that_this_cluster_signed_counts(snapshot: ClusterSnapshot) -> None:
    lsc = lsc_for(snapshot)
    for authentication in (BY_LSC, BY_MIC):  # the precedence is the phone's
        told = talk(snapshot, scheduled(DELETE, authentication), with_certificate(lsc), said(Command.DELETE_RESPONSE))
        assert told.status == "Delete Success"
        assert told.records[-1].mic is None


def test_a_mic_of_a_trusted_manufacturer_counts_and_is_remembered(snapshot: ClusterSnapshot) -> None:
    mic = mic_of(snapshot)
    for message in (with_certificate(mic, CertificateType.MIC), with_sudi(mic)):
        told = talk(snapshot, scheduled(DELETE, BY_MIC), message, said(Command.DELETE_RESPONSE))
        assert told.status == "Delete Success"
        assert told.records[-1].mic == mic.certificate


def mic_of(snapshot: ClusterSnapshot, name: str = f"CP-8865-{DEVICE}") -> Identity:
    """Of a manufacturer that is trusted since it is the cluster's own CAPF."""
    return lsc_for(snapshot, name)


def resigned(message: Message, **changes: object) -> Message:
    return replace(message, **changes)  # type: ignore[arg-type]


def test_proofs_that_do_not_count(snapshot: ClusterSnapshot) -> None:
    lsc, mic = lsc_for(snapshot), mic_of(snapshot)
    good, stranger = with_certificate(lsc), party("phone-mic")
    other = lsc_for(snapshot, OTHER)
    cases: dict[str, tuple[Message, str, str]] = {
        "signed by another key": (with_certificate(lsc, signer="rsa2048"), "LSC", "the signature is not that"),
        "no signature": (resigned(good, signed_data=None, sha2_signed_data=None), "LSC", "no signature"),
        "only the SHA-512 signature is right": (resigned(good, signed_data=b"x"), "LSC", "the signature is not that"),
        "only the SHA-1 signature is right": (
            resigned(good, sha2_signed_data=b"x"),
            "LSC",
            "the signature is not that",
        ),
        "another phone's certificate": (with_certificate(other), "LSC", f"is not of {DEVICE}"),
        "an LSC may not be named like a MIC": (with_certificate(mic), "LSC", f"is not of {DEVICE}"),
        "a CA that nobody trusts": (
            with_certificate(stranger, CertificateType.MIC),
            "MIC",
            "is no CA of this cluster's phones",
        ),
        "no certificate at all": (
            resigned(good, certificate=PhoneCertificate(CertificateType.LSC, b"no DER")),
            "LSC",
            "not a readable X.509 certificate",
        ),
        "a SUDI of another session": (
            with_sudi(mic, signed_session=SESSION + 1),
            "MIC",
            "the signature is not that",
        ),
    }
    for case, (message, kind, reason) in cases.items():
        told = talk(snapshot, scheduled(INSTALL, BY_MIC), message)
        assert told.status == f"Upgrade Failed: Invalid {kind}", case
        assert told.end == BAD, case
        assert any(reason in note.reason for note in told.notes), (case, told.notes)


def test_one_right_signature_is_enough(snapshot: ClusterSnapshot) -> None:
    """Keys of 512 bits are too short for the longer one."""
    good = with_certificate(lsc_for(snapshot))
    for message in (resigned(good, signed_data=None), resigned(good, sha2_signed_data=None)):
        assert talk(snapshot, scheduled(DELETE, BY_LSC), message).commands == [A, D]


def test_an_expired_certificate_does_not_count(snapshot: ClusterSnapshot) -> None:
    lsc = lsc_for(snapshot)
    six_years = 6 * 366 * 86_400
    told = talk(snapshot, scheduled(INSTALL, BY_LSC), with_certificate(lsc), late_s=six_years)
    assert told.status == "Upgrade Failed: Invalid LSC"


# --- keys ---

RSA, EC = KeySpec(KeyType.RSA, 1024), KeySpec(KeyType.EC, 256)
PLANS = [
    # key order, version, parameter: what is asked for (R-CAPF-2, R-CAPF-3)
    (KeyOrder.RSA, 3, True, (RSA,)),
    (KeyOrder.RSA, 3, False, (RSA,)),
    (KeyOrder.RSA, 2, False, (RSA,)),
    (KeyOrder.EC, 3, True, (EC,)),
    (KeyOrder.EC, 3, False, NoKeys()),
    (KeyOrder.EC, 2, True, NoKeys("No Support for EC only in CAPF version 3")),
    (KeyOrder.EC_PREFERRED, 3, True, (EC, RSA)),
    (KeyOrder.EC_PREFERRED, 3, False, NoKeys()),
    (KeyOrder.EC_PREFERRED, 2, True, (RSA,)),
    (KeyOrder.EC_PREFERRED, 2, False, (RSA,)),
]


@pytest.mark.parametrize(("key_order", "version", "advanced", "plan"), PLANS)
def test_which_keys_are_asked_for(key_order: KeyOrder, version: int, *, advanced: bool, plan: object) -> None:
    order = CapfOrder(INSTALL, key_order=key_order, rsa_size=1024, ec_size=256)
    assert plan_keys(order, version, advanced=advanced) == plan


def test_a_phone_that_makes_no_ec_key_is_asked_for_the_rsa_backup(snapshot: ClusterSnapshot) -> None:
    security = scheduled(key_order=KeyOrder.EC_PREFERRED)
    told = talk(snapshot, security, hello(), NO_KEY, key_made(), STORED, advanced=True)
    assert told.commands == [A, K, K, S, E]
    assert told.sent[1].key_type == KeyType.EC
    assert (told.sent[2].key_type, told.sent[2].key_size) == (KeyType.RSA, 1024)
    assert told.status == "Upgrade Success"
    assert told.lsc is not None
    assert told.lsc.is_rsa
    twice = talk(snapshot, security, hello(), NO_KEY, NO_KEY, advanced=True)
    assert twice.status == "Upgrade Failed: Key Generation Failed"


def test_without_the_parameter_a_version_3_phone_gets_no_lsc_at_all(snapshot: ClusterSnapshot) -> None:
    """R-CAPF-3."""
    told = talk(snapshot, scheduled(key_order=KeyOrder.EC_PREFERRED), hello(), advanced=False)
    assert told.commands == [A, E]
    assert told.status == "Upgrade Failed"
    assert told.records[-1].ends
    older = talk(snapshot, scheduled(key_order=KeyOrder.EC_PREFERRED), hello(version=2), key_made(), STORED)
    assert older.status == "Upgrade Success"


@pytest.mark.parametrize("kind", ["rsa1024", "rsa2048", "ec256", "ec384", "ec521"])
def test_a_key_is_recognised_by_kind_and_size(kind: str) -> None:
    kinds = {
        "rsa1024": KeySpec(KeyType.RSA, 1024),
        "rsa2048": KeySpec(KeyType.RSA, 2048),
        "ec256": KeySpec(KeyType.EC, 256),
        "ec384": KeySpec(KeyType.EC, 384),
        "ec521": KeySpec(KeyType.EC, 521),
    }
    for name, spec in kinds.items():
        assert (spec.read(spki(kind)) is not None) is (name == kind)
        assert spec.read(spki(kind)[:-1]) is None
        assert spec.read(b"") is None


# --- interruptions ---


@pytest.mark.parametrize(
    ("security", "phone", "status"),
    [
        (scheduled(), [], ""),
        (scheduled(INSTALL, BY_STRING), [hello()], ""),
        (scheduled(), [hello()], "Upgrade Failed: Key Generation Timeout"),
        (scheduled(), [hello(), key_made()], "Upgrade Failed: Phone Communication Failure"),
        (scheduled(DELETE), [hello()], "Delete Failed: Phone Communication Failure"),
        (scheduled(TROUBLESHOOT), [hello()], "Troubleshoot Failed: Phone Communication Failure"),
        (scheduled(TROUBLESHOOT), [hello(), NO_LSC], "Troubleshoot Failed: Phone Communication Failure"),
        (scheduled(), [hello(), key_made(), STORED], "Upgrade Success"),
    ],
)
def test_a_phone_that_is_lost_may_try_again(
    security: PhoneSecurity, phone: list[Message], status: str, snapshot: ClusterSnapshot
) -> None:
    told = talk(snapshot, security, *phone)
    effects = told.session.lost()
    records = [*told.records, *(effect.outcome for effect in effects if isinstance(effect, Record))]
    assert (records[-1].status if records else "") == status
    assert len(records) <= 1
    assert isinstance(effects[-1], Hangup)
    assert all(outcome.ends is (outcome.status == "Upgrade Success") for outcome in records)
    assert told.session.lost() == [Hangup()], "it is lost once"


def test_a_ca_that_fails_is_no_fault_of_the_phone(snapshot: ClusterSnapshot) -> None:
    told = talk(snapshot, scheduled(), hello(), key_made(), ca_fails=True)
    assert told.status == "Upgrade Failed: CA Communication Failure"
    assert not told.records[-1].ends


def test_a_phone_may_abort(snapshot: ClusterSnapshot) -> None:
    told = talk(snapshot, scheduled(), hello(), said(Command.ABORT_RESPONSE, None))
    assert told.hung_up
    assert told.status == "Upgrade Failed: Key Generation Timeout"


PREFIXES: dict[State, tuple[PhoneSecurity, list[Message], set[Command]]] = {
    State.GREETED: (scheduled(), [], {Command.AUTH_RESPONSE}),
    State.PROVING: (scheduled(INSTALL, BY_STRING), [hello()], {Command.AUTH_RESPONSE}),
    State.GENERATING: (scheduled(), [hello()], {Command.KEY_GENERATE_RESPONSE, Command.IN_PROGRESS}),
    State.STORING: (scheduled(), [hello(), key_made()], {Command.STORE_RESPONSE}),
    State.FETCHING_LSC: (scheduled(TROUBLESHOOT), [hello()], {Command.FETCH_RESPONSE}),
    State.FETCHING_MIC: (scheduled(TROUBLESHOOT), [hello(), NO_LSC], {Command.FETCH_RESPONSE}),
    State.DELETING: (scheduled(DELETE), [hello()], {Command.DELETE_RESPONSE}),
    State.ENDED: (scheduled(Operation.NONE), [hello()], set()),
}


def test_every_state_that_waits_for_the_phone_is_in_the_table() -> None:
    assert set(PREFIXES) == set(State) - {State.ISSUING}


@pytest.mark.parametrize("state", PREFIXES)
def test_what_does_not_belong_into_a_state_ends_the_session(state: State, snapshot: ClusterSnapshot) -> None:
    security, phone, welcome = PREFIXES[state]
    for command in set(Command) - welcome - {Command.ABORT_RESPONSE}:
        told = talk(snapshot, security, *phone)
        assert told.session.state is state
        with pytest.raises(ProtocolViolation, match=command.name.lower()):
            told.session.receive(said(command))


def test_a_message_of_another_session_ends_this_one(snapshot: ClusterSnapshot) -> None:
    with pytest.raises(ProtocolViolation, match="of session 1 in session"):
        talk(snapshot, scheduled(), hello(session=1))


# --- what a troubleshoot brings ---


def test_a_troubleshoot_takes_certificates_of_this_phone_only(snapshot: ClusterSnapshot) -> None:
    lsc, mic, foreign = lsc_for(snapshot), mic_of(snapshot), party("phone-mic")

    def fetched(identity: Identity, kind: CertificateType) -> Message:
        return said(Command.FETCH_RESPONSE, certificate=PhoneCertificate(kind, identity.certificate.der))

    told = talk(
        snapshot,
        scheduled(TROUBLESHOOT),
        hello(),
        fetched(lsc, CertificateType.LSC),
        fetched(mic, CertificateType.MIC),
    )
    outcome = told.records[-1]
    assert (outcome.lsc, outcome.mic, outcome.lsc_gone) == (lsc.certificate, mic.certificate, False)
    told = talk(
        snapshot,
        scheduled(TROUBLESHOOT),
        hello(),
        fetched(lsc_for(snapshot, OTHER), CertificateType.LSC),
        fetched(foreign, CertificateType.MIC),
    )
    outcome = told.records[-1]
    assert (outcome.lsc, outcome.mic, outcome.lsc_gone) == (None, None, False)
    told = talk(snapshot, scheduled(TROUBLESHOOT), hello(), NO_LSC, NO_LSC)
    assert told.records[-1].lsc_gone


# --- the LSC itself ---


@pytest.mark.parametrize("kind", ["rsa1024", "ec384"])
def test_an_lsc_has_the_contents_that_capf_gives(kind: str, snapshot: ClusterSnapshot) -> None:
    authority = snapshot.require("alpha-pub", Purpose.CAPF).certificate
    lsc = lsc_for(snapshot, kind=kind).certificate
    parsed = lsc.x509
    assert lsc.issuer == authority.subject
    assert lsc.subject.common_name == DEVICE
    others = {part.oid: part.value for part in authority.x509.subject if part.oid != NameOID.COMMON_NAME}
    assert {part.oid: part.value for part in parsed.subject if part.oid != NameOID.COMMON_NAME} == others
    assert len(lsc.serial_bytes) == 16
    assert parsed.signature_hash_algorithm is not None
    assert parsed.signature_hash_algorithm.name == "sha256"
    assert (lsc.not_after.year - lsc.not_before.year, lsc.not_after.month) == (5, lsc.not_before.month)
    found = {extension.oid._name: extension for extension in parsed.extensions}
    assert set(found) == {"basicConstraints", "keyUsage", "extendedKeyUsage", "subjectAltName"}
    assert found["basicConstraints"].critical
    assert found["keyUsage"].critical
    assert not parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_encipherment, usage.key_cert_sign) == (True, True, False)
    purposes = [oid.dotted_string for oid in parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]
    assert purposes == ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.5"]
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [DEVICE]


def test_no_text_of_a_session_shows_the_authentication_string(snapshot: ClusterSnapshot) -> None:
    security = scheduled(INSTALL, BY_STRING)
    told = talk(snapshot, security, hello(password=STRING))
    assert STRING not in f"{security!r} {security.order!r} {told.sent!r} {told.notes!r} {hello(password=STRING)!r}"
