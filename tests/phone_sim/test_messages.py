"""What the screen says, and the alarm codes beside it."""

from __future__ import annotations

import json

import pytest

from phone_sim.messages import (
    MAX_MESSAGES,
    ListOutcome,
    Status,
    StatusLog,
    StatusMessage,
    TrustListAlarm,
    trust_list_alarm,
    trust_list_status,
)
from phone_sim.models import Family

ABSENT, SAME, FIRST, NEW, FAILED = (
    ListOutcome.ABSENT,
    ListOutcome.UNCHANGED,
    ListOutcome.INSTALLED,
    ListOutcome.UPDATED,
    ListOutcome.FAILED,
)


@pytest.mark.parametrize(
    ("status", "family", "words"),
    [
        (Status.NO_TRUST_LIST, Family.P8800, "No Trust List installed"),
        (Status.NO_TRUST_LIST, Family.P7800, "No Trust List Installed"),
        (Status.TRUST_LIST_UPDATE_FAILED, Family.P8800, "Trust List update failed"),
        (Status.TRUST_LIST_UPDATE_FAILED, Family.P7800, "Trust List Update Failed"),
        (Status.TRUST_LIST_UPDATED, Family.P8800, "Trust List updated"),
        (Status.TRUST_LIST_UPDATED, Family.P7800, "Trust List Updated"),
        (Status.CTL_AND_ITL_INSTALLED, Family.P8800, "CTL and ITL installed"),
        (Status.CTL_NOT_FOUND, Family.P8800, "File Not Found <CTLFile.tlv>"),
        (Status.ITL_NOT_LOADED, Family.P8800, "Could not load ITL File from persistent memory."),
    ],
)
def test_words_on_the_screen_by_family(status: Status, family: Family, words: str) -> None:
    assert status.text(family) == words


def test_a_message_about_a_file_names_it() -> None:
    text = Status.CONFIG_NOT_FOUND.text(Family.P8800, "SEP001122334455.cnf.xml.sgn")
    assert text == "File not found SEP001122334455.cnf.xml.sgn"


STATUS = [
    # CTL, ITL, the phone now has one, message
    (ABSENT, ABSENT, False, Status.NO_TRUST_LIST),
    (ABSENT, ABSENT, True, None),
    (ABSENT, FIRST, True, Status.ITL_INSTALLED),
    (FIRST, ABSENT, True, Status.CTL_INSTALLED),
    (FIRST, FIRST, True, Status.CTL_AND_ITL_INSTALLED),
    (ABSENT, SAME, True, None),
    (SAME, SAME, True, None),
    (ABSENT, NEW, True, Status.TRUST_LIST_UPDATED),
    (NEW, SAME, True, Status.TRUST_LIST_UPDATED),
    (FIRST, NEW, True, Status.TRUST_LIST_UPDATED),
    (FAILED, SAME, True, Status.TRUST_LIST_UPDATE_FAILED),
    (ABSENT, FAILED, False, Status.TRUST_LIST_UPDATE_FAILED),
    (NEW, FAILED, True, Status.TRUST_LIST_UPDATE_FAILED),
]


@pytest.mark.parametrize(("ctl", "itl", "held", "status"), STATUS)
def test_one_message_for_both_lists(ctl: ListOutcome, itl: ListOutcome, *, held: bool, status: Status | None) -> None:
    assert trust_list_status(ctl, itl, held=held) is status


ALARMS = [
    # CTL, ITL, holds a CTL, holds an ITL, alarm
    (ABSENT, ABSENT, False, False, None),
    (ABSENT, SAME, False, True, TrustListAlarm.TL_SUCCESS),
    (ABSENT, NEW, False, True, TrustListAlarm.TL_SUCCESS),
    (FIRST, SAME, True, True, TrustListAlarm.CTL_INITIAL_SUCCESS),
    (ABSENT, FIRST, False, True, TrustListAlarm.ITL_INITIAL_SUCCESS),
    (FIRST, FIRST, True, True, TrustListAlarm.TL_INITIAL_SUCCESS),
    (FAILED, ABSENT, True, False, TrustListAlarm.TL_FAILED_OLD_CTL),
    (ABSENT, FAILED, False, False, TrustListAlarm.TL_FAILED_NO_TL),
    (ABSENT, FAILED, False, True, TrustListAlarm.TL_FAILED_OLD_ITL),
    (SAME, FAILED, True, True, TrustListAlarm.TL_FAILED_OLD_TL),
]


@pytest.mark.parametrize(("ctl", "itl", "holds_ctl", "holds_itl", "alarm"), ALARMS)
def test_alarm_codes(
    ctl: ListOutcome, itl: ListOutcome, *, holds_ctl: bool, holds_itl: bool, alarm: TrustListAlarm | None
) -> None:
    assert trust_list_alarm(ctl, itl, holds_ctl=holds_ctl, holds_itl=holds_itl) is alarm


def test_the_log_keeps_the_last_thirty() -> None:
    log = StatusLog()
    for number in range(40):
        log.add(StatusMessage("2026-01-01T00:00:00Z", str(number)))
    assert [message.text for message in log.messages] == [str(number) for number in range(10, 40)]
    assert len(log.messages) == MAX_MESSAGES


def test_the_log_comes_back_from_json() -> None:
    log = StatusLog([StatusMessage("2026-01-01T00:00:00Z", "Trust List updated", "signed_by_itl", "電話機")])
    assert StatusLog.from_json(json.loads(json.dumps(log.as_json()))).messages == log.messages


@pytest.mark.parametrize("entries", [None, {}, "x", [1], [{"time": "x"}], [{"time": "x", "text": "y", "more": "z"}]])
def test_a_log_that_is_something_else_is_a_value_error(entries: object) -> None:
    with pytest.raises(ValueError, match="status message"):
        StatusLog.from_json(entries)
