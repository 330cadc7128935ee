"""What tests wait with says what did not come, and wakes for what did."""

from __future__ import annotations

import asyncio
import threading

import pytest

from base.trace import Trace
from tests import waiting
from tests.waiting import WatchedSink, eventually, until


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.05)


async def test_a_condition_gives_its_first_value_that_counts() -> None:
    values, later = iter([0, None, "", 7, 8]), iter([False, True])

    async def so() -> bool:
        return next(later)

    assert await eventually(lambda: next(values)) == 7
    assert await eventually(so) is True
    assert list(later) == []


@pytest.mark.usefixtures("impatient")
async def test_what_does_not_come_is_named() -> None:
    with pytest.raises(AssertionError, match=r"^not within 0.05 s: the cows$"):
        await eventually(lambda: False, "the cows")
    with pytest.raises(AssertionError, match=r"^not within 0.05 s: 2 cows$"):
        await eventually(lambda: False, lambda: f"{1 + 1} cows")
    with pytest.raises(AssertionError, match=r"s: .*lambda: not bool\("):
        await eventually(lambda: not bool("cows"))
    with pytest.raises(AssertionError, match=r"^not within 0.05 s: the cows$"):
        for _ in until(lambda: False, "the cows"):
            pass


@pytest.mark.usefixtures("impatient")
async def test_a_condition_that_hangs_is_given_up_and_one_that_fails_is_not_hidden() -> None:
    with pytest.raises(AssertionError, match="for ever"):
        await eventually(asyncio.Event().wait, "for ever")

    async def failing() -> bool:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await eventually(failing)


async def test_a_step_is_seen_by_its_data_and_its_number_from_any_thread() -> None:
    sink = WatchedSink()
    trace = Trace(sink)
    trace.emit("sent", to="a", size=1)
    assert (await sink.seen("sent")).data["to"] == "a"
    waits = [asyncio.create_task(sink.seen("sent", to="b")), asyncio.create_task(sink.seen("sent", count=3))]
    await asyncio.sleep(0)
    trace.emit("sent", to="c", size=2)
    thread = threading.Thread(target=lambda: trace.emit("sent", to="b", size=3))
    thread.start()
    assert [event.data["size"] for event in await asyncio.gather(*waits)] == [3, 3]
    thread.join()


@pytest.mark.usefixtures("impatient")
async def test_a_step_that_does_not_come_is_named_beside_those_that_did() -> None:
    sink = WatchedSink()
    Trace(sink).emit("sent", to="a")
    with pytest.raises(AssertionError, match=r"^not within 0.05 s: 1 x sent, to='b'; seen: \['sent'\]$"):
        await sink.seen("sent", to="b")
