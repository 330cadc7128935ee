"""``ucmsim --verbose``: every step on stderr, a line each, for people and the logs of containers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from base.trace import TraceEvent
from lab.steplog import StepLog
from tests.lab.command import Running, run, ucmsim

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from base.trace import Json

WHEN = "2030-01-01T12:30:00.123+00:00"


def told(data: Mapping[str, Json], session: str = "") -> str:
    stream = io.StringIO()
    StepLog(stream).write(TraceEvent(WHEN, "alpha-pub", "Cisco Tftp", session, "file_sent", data))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "rest"),
    [
        ({}, ""),
        ({"file": "ITLFile.tlv", "bytes": 9}, " file=ITLFile.tlv bytes=9"),
        ({"reason": "no such file"}, ' reason="no such file"'),
        ({"options": [], "detail": "", "old": None}, ""),
        ({"options": ["a=1"], "again": False}, ' options=["a=1"] again=false'),
        ({"found": 0}, " found=0"),
        ({"file": "a\nb\x1b[2J"}, ' file="a\\nb\\u001b[2J"'),
        ({"file": "\x1b[2J\u202e"}, " file=\\x1b[2J\\u202e"),
    ],
    ids=["bare", "values", "blanks", "nothing", "json", "zero", "lines", "escapes"],
)
def test_a_step_is_one_line_whatever_a_peer_sent(data: Mapping[str, Json], rest: str) -> None:
    assert told(data) == f"12:30:00.123 alpha-pub Cisco Tftp: file_sent{rest}\n"


def test_a_line_names_its_session() -> None:
    assert told({}, session="10.0.0.1:69") == "12:30:00.123 alpha-pub Cisco Tftp 10.0.0.1:69: file_sent\n"


def test_a_reader_that_is_gone_hurts_nobody() -> None:
    stream = io.StringIO()
    log = StepLog(stream)
    stream.close()
    log.write(TraceEvent(WHEN, "alpha-pub", "Cisco Tftp", "", "file_sent"))


def test_a_node_tells_what_phones_do_and_passes_over_health_checks(tmp_path: Path) -> None:
    started = ("--verbose", "up", "--any-ports", "--state", tmp_path / "state")
    with Running(*started, ready=tmp_path / "ready.json").wait_until_ready() as lab:
        assert ucmsim("health", lab.address("alpha-pub", "HTTP")).code == 0
        phone = ("phone", "boot", *lab.phone_options("alpha-pub"), "--mac", "001122334455", "--json")
        watched, quiet = run("--verbose", *phone), run(*phone)
        assert lab.end() == 0
        lines = lab.output.splitlines()
    assert any(' alpha-pub Service Manager: service_started name="Cisco Tftp" protocol=TFTP ' in line for line in lines)
    sent = [line for line in lines if " alpha-pub Cisco Tftp: file_sent " in line]
    assert len([line for line in sent if "file=ITLSEP001122334455.tlv" in line]) == 2, "one for each boot"
    assert not [line for line in lines if "file=ITLFile.tlv" in line], "only a health check asked for it"
    assert " SEP001122334455 Boot boot-1: decided what=ITL " in watched.err
    assert (watched.code, watched.json["outcome"]) == (0, "booted"), "results on stdout stay clean"
    assert quiet.err == ""
