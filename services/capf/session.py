"""One CAPF session as a state machine: messages in, messages and effects out. No socket, no clock, no chance.

The server speaks first. Its first authentication request asks for nothing in particular (type 0): it does not know yet
who is there. A phone answers with its name and with what its configuration tells it to prove itself with; when that
is not what the operation needs, it is asked once more, with the type that is (ours).

=============== ====================================================================================
state           what the phone may say
=============== ====================================================================================
GREETED         authentication response
PROVING         authentication response, the second
GENERATING      key generation response, or that it is in progress
ISSUING         nothing: the CA is at work
STORING         store response
FETCHING_LSC    fetch response
FETCHING_MIC    fetch response
DELETING        delete response
ENDED           nothing
=============== ====================================================================================

An abort response ends any session. Everything else at another time ends it with an abort request.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from cluster.management.capf import Outcome
from cluster.parameters import ADVANCED_ENCRYPTION, read_bool
from cluster.phonesecurity import (
    CA_FAILURE,
    INVALID_LSC,
    INVALID_MIC,
    INVALID_STRING,
    KEY_GENERATION_FAILED,
    KEY_GENERATION_TIMEOUT,
    LATE,
    PHONE_FAILURE,
    Authentication,
    Operation,
)
from services.capf.keys import NoKeys, plan_keys
from services.capf.proof import Proven, Unproven, judge_certificate, judge_proof
from wire.capf import (
    VERSION,
    AuthType,
    CertificateType,
    Command,
    Message,
    PhoneCertificate,
    ReasonCode,
)
from wire.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cluster.phonesecurity import CapfOrder, PhoneSecurity
    from cluster.snapshot import ClusterSnapshot
    from services.capf.keys import KeySpec
    from wire.certificates import Certificate, PublicKey

MAX_IN_PROGRESS = 60
"""How often a phone may say that it is still at work."""
_DEVICE = re.compile(r"SEP[0-9A-F]{12}")
_VERSIONS = (2, 3)
"""What phones may speak; 2 is taken to be what those say that know no EC."""
_AUTH_TYPES = {
    Authentication.STRING: AuthType.PASSWORD,
    Authentication.NULL_STRING: AuthType.NO_PASSWORD,
    Authentication.LSC: AuthType.LSC,
    Authentication.MIC: AuthType.MIC,
}


class State(Enum):
    """Where a session stands; see the module."""

    GREETED = "waiting for the phone's name"
    PROVING = "waiting for another proof"
    GENERATING = "waiting for the phone's key"
    ISSUING = "issuing the LSC"
    STORING = "waiting until the LSC is stored"
    FETCHING_LSC = "waiting for the phone's LSC"
    FETCHING_MIC = "waiting for the phone's MIC"
    DELETING = "waiting until the LSC is deleted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Send:
    """Write a message."""

    message: Message


@dataclass(frozen=True, slots=True)
class Issue:
    """Issue an LSC for the device's key, and say `Session.issued` or `Session.not_issued`."""

    device: str
    public_key: PublicKey


@dataclass(frozen=True, slots=True)
class Record:
    """Write what came of it into the cluster's state, before anything else is sent."""

    device: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Note:
    """Worth a line in the trace."""

    step: str
    device: str
    reason: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the connection."""


Effect = Send | Issue | Record | Note | Hangup


class Session:
    """One session with one phone.

    Args:
        number: of the session, in every message.
        view: gives the present snapshot.
        now: the cluster's time.
    """

    def __init__(self, number: int, view: Callable[[], ClusterSnapshot], now: Callable[[], datetime]) -> None:
        self._number = number
        self._view, self._now = view, now
        self.state = State.GREETED
        self.device = ""
        self._security: PhoneSecurity | None = None
        self._version = VERSION
        self._specs: tuple[KeySpec, ...] = ()
        self._in_progress = 0
        self._seen_lsc: Certificate | None = None
        self._seen_mic: Certificate | None = None
        self._holds_none = False

    # ------------------------------------------------------------------ events

    def start(self) -> list[Effect]:
        """The connection is there."""
        return [self._ask(AuthType.NONE)]

    def receive(self, message: Message) -> list[Effect]:
        """One message from the phone.

        Raises:
            ProtocolViolation: the message does not belong here; the session has ended, and `lost` says what to record.
        """
        command = Command(message.command)
        if command is Command.ABORT_RESPONSE and self.state is not State.ENDED:
            return [Note("aborted_by_phone", self.device, message.reason_info or ""), *self.lost()]
        handler = _TABLE.get((self.state, command))
        if handler is None:
            raise ProtocolViolation(f"a session that is {self.state.value} takes no {command.name.lower()}")
        if message.session != self._number:
            raise ProtocolViolation(f"message of session {message.session} in session {self._number}")
        return handler(self, message)

    def issued(self, certificate: Certificate) -> list[Effect]:
        """The LSC is there."""
        self.state = State.STORING
        self._seen_lsc = certificate
        stored = PhoneCertificate(CertificateType.LSC, certificate.der)
        return [
            Send(Message(Command.STORE_REQUEST, self._number, certificate_type=CertificateType.LSC, certificate=stored))
        ]

    def not_issued(self) -> list[Effect]:
        """The CA failed."""
        return self._fail(CA_FAILURE, ends=False)

    def lost(self) -> list[Effect]:
        """The phone is gone, or was too slow; it may try again."""
        state, self.state = self.state, State.ENDED
        if state in {State.GREETED, State.PROVING, State.ENDED}:
            return [Hangup()]
        why = KEY_GENERATION_TIMEOUT if state is State.GENERATING else PHONE_FAILURE
        return [self._record(self._order.operation.failed(why)), Hangup()]

    # ------------------------------------------------------------------ who is there

    def _authenticate(self, message: Message) -> list[Effect]:
        device = (message.device_name or "").upper()
        if not _DEVICE.fullmatch(device) or message.version is None or message.version not in _VERSIONS:
            return self._end(ReasonCode.INVALID_ELEMENT, "no device name, or another version of the protocol")
        if self.device not in {"", device}:
            return self._end(ReasonCode.INVALID_ELEMENT, f"a response for {device} in a session of {self.device}")
        if message.reason not in {None, ReasonCode.SUCCESS}:
            return self._end(ReasonCode.NO_ACTION, f"the phone refuses with reason {message.reason}")
        self.device, self._version = device, message.version
        return self._look_up(message)

    def _look_up(self, message: Message) -> list[Effect]:
        snapshot = self._view()
        if self.device not in snapshot.devices:
            return self._end(ReasonCode.UNKNOWN_DEVICE, "no device of this cluster")
        security = self._security = snapshot.security_of(self.device)
        if not security.pending:
            return self._end(ReasonCode.NO_ACTION, "nothing to do")
        deadline = security.order.complete_by
        if deadline is not None and self._now() > deadline:
            return self._fail(LATE, reason=ReasonCode.NO_ACTION)
        return self._check_proof(message, snapshot)

    def _check_proof(self, message: Message, snapshot: ClusterSnapshot) -> list[Effect]:
        order = self._order
        match order.authentication:
            case Authentication.NULL_STRING:
                return self._begin(snapshot)
            case Authentication.STRING:
                if message.password is None:
                    return self._ask_again(INVALID_STRING)
                given, wanted = (text.encode("utf-8", "replace") for text in (message.password, order.auth_string))
                if hmac.compare_digest(given, wanted):
                    return self._begin(snapshot)
                return self._wrong_string()
            case Authentication.LSC | Authentication.MIC:
                return self._check_certificate(message, snapshot)

    def _check_certificate(self, message: Message, snapshot: ClusterSnapshot) -> list[Effect]:
        match judge_proof(message, self.device, snapshot.phone_authorities, self._now()):
            case None:
                missing = INVALID_LSC if self._order.authentication is Authentication.LSC else INVALID_MIC
                return self._ask_again(missing)
            case Unproven(kind, reason):
                note = Note("certificate_refused", self.device, reason)
                return [note, *self._fail(INVALID_LSC if kind is CertificateType.LSC else INVALID_MIC, ends=False)]
            case Proven(kind, certificate):
                if kind is CertificateType.MIC:
                    self._seen_mic = certificate
                return self._begin(snapshot)

    def _ask_again(self, missing: str) -> list[Effect]:
        if self.state is State.GREETED:
            self.state = State.PROVING
            return [self._ask(_AUTH_TYPES[self._order.authentication])]
        return self._wrong_string() if missing is INVALID_STRING else self._fail(missing, ends=False)

    def _wrong_string(self) -> list[Effect]:
        status = self._order.operation.failed(INVALID_STRING)
        return [self._record(status, wrong_string=True), *self._end(ReasonCode.INVALID_ELEMENT, status)]

    # ------------------------------------------------------------------ what is to be done

    def _begin(self, snapshot: ClusterSnapshot) -> list[Effect]:
        begun = Note("authenticated", self.device, self._order.authentication.label)
        match self._order.operation:
            case Operation.DELETE:
                self.state = State.DELETING
                return [begun, self._about_lsc(Command.DELETE_REQUEST)]
            case Operation.TROUBLESHOOT:
                self.state = State.FETCHING_LSC
                return [begun, self._about_lsc(Command.FETCH_REQUEST)]
            case _:
                return [begun, *self._begin_install(snapshot)]

    def _begin_install(self, snapshot: ClusterSnapshot) -> list[Effect]:
        advanced = read_bool(snapshot.parameter(ADVANCED_ENCRYPTION))
        planned = plan_keys(self._order, self._version, advanced=advanced)
        if isinstance(planned, NoKeys):
            return self._fail(planned.why)
        self._specs = planned
        self.state = State.GENERATING
        return [Send(self._specs[0].request(self._number))]

    def _progress(self, _message: Message) -> list[Effect]:
        self._in_progress += 1
        if self._in_progress > MAX_IN_PROGRESS:
            return self._fail(KEY_GENERATION_TIMEOUT, ends=False)
        return []

    def _key_made(self, message: Message) -> list[Effect]:
        if message.public_key is None or message.reason not in {None, ReasonCode.SUCCESS}:
            self._specs = self._specs[1:]
            if self._specs:  # the RSA backup
                return [Send(self._specs[0].request(self._number))]
            return self._fail(KEY_GENERATION_FAILED)
        key = self._specs[0].read(message.public_key)
        if key is None:
            return self._fail(KEY_GENERATION_FAILED)
        self.state = State.ISSUING
        return [Issue(self.device, key)]

    def _stored(self, message: Message) -> list[Effect]:
        if message.reason != ReasonCode.SUCCESS:
            return self._fail("")
        return self._succeed(lsc=self._seen_lsc)

    def _deleted(self, message: Message) -> list[Effect]:
        if message.reason != ReasonCode.SUCCESS:
            return self._fail("")
        return self._succeed(lsc_gone=True)

    def _fetched_lsc(self, message: Message) -> list[Effect]:
        self._seen_lsc = self._fetched(message, CertificateType.LSC)
        self._holds_none = message.certificate is None
        self.state = State.FETCHING_MIC
        request = Message(Command.FETCH_REQUEST, self._number, certificate_type=CertificateType.MIC)
        return [Send(request)]

    def _fetched_mic(self, message: Message) -> list[Effect]:
        self._seen_mic = self._fetched(message, CertificateType.MIC) or self._seen_mic
        return self._succeed(lsc=self._seen_lsc, lsc_gone=self._holds_none)

    def _fetched(self, message: Message, kind: CertificateType) -> Certificate | None:
        if message.certificate is None:
            return None
        authorities = self._view().phone_authorities
        return judge_certificate(message.certificate.der, kind, self.device, authorities, self._now())[1]

    # ------------------------------------------------------------------ ends

    def _succeed(self, *, lsc: Certificate | None = None, lsc_gone: bool = False) -> list[Effect]:
        status = self._order.operation.succeeded
        record = self._record(status, ends=True, lsc=lsc, lsc_gone=lsc_gone)
        return [record, *self._end(ReasonCode.SUCCESS, status)]

    def _fail(self, why: str, *, ends: bool = True, reason: ReasonCode = ReasonCode.INVALID_ELEMENT) -> list[Effect]:
        """Ends the session; `ends` says whether the operation is over, too."""
        status = self._order.operation.failed(why)
        return [self._record(status, ends=ends), *self._end(reason, status)]

    def _end(self, reason: ReasonCode, why: str) -> list[Effect]:
        self.state = State.ENDED
        message = Message(Command.END_SESSION, self._number, reason=reason)
        return [Note("session_ended", self.device, why), Send(message), Hangup()]

    def _record(
        self,
        status: str,
        *,
        ends: bool = False,
        wrong_string: bool = False,
        lsc: Certificate | None = None,
        lsc_gone: bool = False,
    ) -> Record:
        assert self._security is not None  # noqa: S101 - the device is known by now
        outcome = Outcome(
            status,
            self._security.scheduled,
            ends=ends,
            wrong_string=wrong_string,
            lsc=lsc,
            lsc_gone=lsc_gone,
            mic=self._seen_mic,
        )
        return Record(self.device, outcome)

    @property
    def _order(self) -> CapfOrder:
        assert self._security is not None  # noqa: S101 - as above
        return self._security.order

    def _ask(self, auth_type: AuthType) -> Send:
        return Send(Message(Command.AUTH_REQUEST, self._number, version=VERSION, auth_type=auth_type))

    def _about_lsc(self, command: Command) -> Send:
        return Send(Message(command, self._number, certificate_type=CertificateType.LSC))


_TABLE: dict[tuple[State, Command], Callable[[Session, Message], list[Effect]]] = {
    (State.GREETED, Command.AUTH_RESPONSE): Session._authenticate,  # noqa: SLF001 - the class's own table
    (State.PROVING, Command.AUTH_RESPONSE): Session._authenticate,  # noqa: SLF001
    (State.GENERATING, Command.IN_PROGRESS): Session._progress,  # noqa: SLF001
    (State.GENERATING, Command.KEY_GENERATE_RESPONSE): Session._key_made,  # noqa: SLF001
    (State.STORING, Command.STORE_RESPONSE): Session._stored,  # noqa: SLF001
    (State.FETCHING_LSC, Command.FETCH_RESPONSE): Session._fetched_lsc,  # noqa: SLF001
    (State.FETCHING_MIC, Command.FETCH_RESPONSE): Session._fetched_mic,  # noqa: SLF001
    (State.DELETING, Command.DELETE_RESPONSE): Session._deleted,  # noqa: SLF001
}
