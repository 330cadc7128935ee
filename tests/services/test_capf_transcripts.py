"""The session says what the transcripts say: messages that another hand packed, answered to the byte."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from cluster.phonesecurity import Authentication, Operation
from services.capf.session import Hangup, Issue, Record, Send, Session
from tests.capf_transcripts import NAMES, transcript
from tests.services.capf_cast import SHA512, STRING, scheduled, with_security
from tests.services.wires import identity
from wire.capf import decode, encode
from wire.certificates import Certificate

if TYPE_CHECKING:
    from cluster.phonesecurity import PhoneSecurity
    from tests.shared_lab import SharedLab

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SCHEDULED: dict[str, tuple[PhoneSecurity, str]] = {
    "install-by-string": (scheduled(Operation.INSTALL, Authentication.STRING, rsa_size=2048), "Upgrade Success"),
    "troubleshoot-by-mic": (scheduled(Operation.TROUBLESHOOT, Authentication.MIC), "Troubleshoot Success"),
    "delete-by-null-string": (scheduled(Operation.DELETE), "Delete Success"),
    "unknown-device": (scheduled(), ""),
}


def test_every_transcript_is_played() -> None:
    assert set(SCHEDULED) == set(NAMES)
    assert SHA512.size == 64
    assert STRING == "24680"


@pytest.mark.parametrize("name", NAMES)
def test_the_server_says_what_the_transcript_says(name: str, shared_lab: SharedLab) -> None:
    security, status = SCHEDULED[name]
    lines = transcript(name)
    mic = identity("phone-mic").certificate
    snapshot = with_security(shared_lab.snapshot, security)
    trusted = replace(snapshot)
    trusted.__dict__["phone_authorities"] = (mic,)  # it is its own CA, and CAPF-trust holds it
    session = Session(decode(lines[0].data).session, lambda: trusted, lambda: NOW)
    stored = next((decode(line.data).certificate for line in lines if line.what == "store request"), None)
    said: list[bytes] = []
    recorded = []
    effects = session.start()
    heard = [line for line in lines if line.speaker == "phone"]
    while effects or heard:
        if not effects:
            effects = session.receive(decode(heard.pop(0).data))
            continue
        effect, *effects = effects
        match effect:
            case Send(message):
                said.append(encode(message))
            case Issue():
                assert stored is not None
                effects = session.issued(Certificate.from_der(stored.der))
            case Record(_, outcome):
                recorded.append(outcome.status)
            case Hangup():
                assert not heard
    assert said == [line.data for line in lines if line.speaker == "server"]
    assert recorded == ([status] if status else [])
