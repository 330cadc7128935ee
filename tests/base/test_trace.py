"""The trace: who did what, in order, in any language, and never a reason for the one who reports to fail."""

from __future__ import annotations

import io
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from base.clock import ManualClock
from base.trace import JsonLinesSink, MemorySink, Tee, Trace, TraceEvent

WHEN = datetime(2030, 1, 1, 12, 30, 0, 123_456, tzinfo=UTC)
EVENT = TraceEvent("2030-01-01T12:30:00.123+00:00", "alpha-pub", "Cisco Tftp", "s1", "file_sent", {"name": "x"})


def test_an_event_says_when_where_who_and_what() -> None:
    sink = MemorySink()
    Trace(sink, ManualClock(WHEN), where="alpha-pub", service="Cisco Tftp", session="s1").emit("file_sent", name="x")
    assert sink.events == [EVENT]


def test_a_narrower_trace_writes_into_the_same_sink() -> None:
    sink = MemorySink()
    node = Trace(sink).bind(where="alpha-pub")
    node.bind(service="Cisco Tftp").bind(session="s1").emit("a")
    node.bind(service="Cisco Tftp", session="s1").bind(session="").emit("b")
    node.emit("c")
    assert [(event.where, event.service, event.session, event.step) for event in sink.events] == [
        ("alpha-pub", "Cisco Tftp", "s1", "a"),
        ("alpha-pub", "Cisco Tftp", "", "b"),
        ("alpha-pub", "", "", "c"),
    ]
    assert sink.steps() == ["a", "b", "c"]
    assert sink.steps(service="Cisco Tftp") == ["a", "b"]
    assert sink.steps(where="alpha-sub1") == []


def test_data_may_be_called_as_it_likes() -> None:
    sink = MemorySink()
    Trace(sink).emit("moved", step="one", self="two", data="three")
    assert sink.events[0].data == {"step": "one", "self": "two", "data": "three"}


def test_nobody_listening_is_nothing_done() -> None:
    class NoClock:
        def now(self) -> datetime:
            raise AssertionError

        def monotonic(self) -> float:
            raise AssertionError

    trace = Trace(None, NoClock())
    assert not trace.enabled
    assert not trace.bind(session="s").enabled
    trace.emit("unheard")
    assert Trace(MemorySink()).enabled


def test_several_sinks_get_the_same() -> None:
    one, other = MemorySink(), MemorySink()
    Trace(Tee(one, other)).emit("a")
    assert one.events == other.events != []


def test_a_line_of_the_file_is_one_object(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        sink = JsonLinesSink(stream)
        sink.write(EVENT)
        assert json.loads(path.read_text("utf-8"))["step"] == "file_sent", "written before the file is closed"
        sink.write(TraceEvent("t", "w", "s", "", "said", {"text": "two\nlines", "language": "日本語"}))
    lines = path.read_text("utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "time": EVENT.time,
        "where": "alpha-pub",
        "service": "Cisco Tftp",
        "session": "s1",
        "step": "file_sent",
        "data": {"name": "x"},
    }
    assert len(lines) == 2
    assert json.loads(lines[1])["data"] == {"text": "two\nlines", "language": "日本語"}
    assert "日本語" in lines[1], "readable without a program"


def test_what_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    """A peer's file name, decoded with surrogates for bytes that are no UTF-8."""
    path = tmp_path / "trace.jsonl"
    name = b"caf\xe9.cnf".decode("utf-8", "surrogateescape")
    with path.open("w", encoding="utf-8") as stream:
        JsonLinesSink(stream).write(TraceEvent("t", "w", "s", "", "asked", {"name": name}))
    assert json.loads(path.read_text("utf-8"))["data"]["name"] == name


def test_what_has_no_json_is_written_as_its_text() -> None:
    stream = io.StringIO()
    JsonLinesSink(stream).write(TraceEvent("t", "w", "s", "", "x", {"path": Path("a/b")}))  # type: ignore[dict-item]
    assert json.loads(stream.getvalue())["data"] == {"path": "a/b"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_said_once_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), Path("/dev/full").open("w", encoding="utf-8", buffering=1) as stream:
        sink = JsonLinesSink(stream)
        for _ in range(3):
            sink.write(EVENT)
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # so that closing can flush
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("the trace cannot be written from here on: ")


def test_a_closed_file_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = (tmp_path / "trace.jsonl").open("w", encoding="utf-8")
    stream.close()
    with caplog.at_level(logging.WARNING):
        JsonLinesSink(stream).write(EVENT)
    assert "I/O operation on closed file" in caplog.text
