"""What TVS said, remembered for its time to live and no longer, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from base.clock import ManualClock
from phone_sim.flash import Flash, Item, MemoryFlash
from phone_sim.trust import IsTrusted, TvsSaid, WhoSigned
from phone_sim.tvs_memory import MAX_ANSWERS, TvsMemory
from tests.phone_sim.cast import APP, SUB, TOMCAT

NOW = datetime(2026, 12, 1, tzinfo=UTC)
QUESTION = IsTrusted(TOMCAT.certificate)
GOOD = TvsSaid(trusted=True, roles=(int(APP),))
HOUR, DAY = 3_600, 86_400


class Remembering:
    """A phone's memory, its clock, and its flash over power cuts."""

    def __init__(self, ttl_s: int = HOUR) -> None:
        self.clock, self.flash = ManualClock(NOW), MemoryFlash()
        self.memory = TvsMemory(self.flash, self.clock)
        self.memory.remember(QUESTION, GOOD, ttl_s)

    def power_cut(self) -> None:
        """The unmovable clock starts again, too."""
        self.clock = ManualClock(self.clock.now())
        self.memory = TvsMemory(self.flash, self.clock)

    @property
    def knows(self) -> bool:
        return self.memory.recall(QUESTION) is not None


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    ("moved_s", "known"),
    [(0, True), (HOUR - 1, True), (HOUR, False), (DAY, False), (-1, False), (-40 * 365 * DAY, False)],
)
def test_an_answer_counts_between_its_coming_and_its_end(moved_s: int, *, known: bool, cut: bool) -> None:
    phone = Remembering()
    phone.clock.set_date(NOW + timedelta(seconds=moved_s))
    if cut:
        phone.power_cut()
    assert phone.knows is known


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("moved_s", [-1, HOUR])
def test_an_answer_found_outside_its_time_is_gone_when_the_clock_is_right_again(moved_s: int, *, cut: bool) -> None:
    phone = Remembering()
    phone.clock.set_date(NOW + timedelta(seconds=moved_s))
    assert not phone.knows
    phone.clock.set_date(NOW + timedelta(seconds=1))
    if cut:
        phone.power_cut()
    assert not phone.knows


def test_a_clock_set_back_again_and_again_keeps_no_answer_alive() -> None:
    phone = Remembering()
    for _ in range(59):
        phone.clock.advance(60)
        phone.clock.set_date(NOW + timedelta(seconds=1))
        assert phone.knows
    phone.clock.advance(60)
    phone.clock.set_date(NOW + timedelta(seconds=1))
    assert not phone.knows, "an hour of power has passed"


def test_an_answer_that_came_while_the_clock_was_ahead_is_asked_for_again() -> None:
    phone = Remembering()
    phone.clock.set_date(datetime(2100, 1, 1, tzinfo=UTC))
    phone.memory.remember(QUESTION, GOOD, HOUR)
    assert phone.knows
    phone.clock.set_date(NOW)
    phone.power_cut()
    assert not phone.knows


def test_the_longest_time_to_live_at_the_end_of_the_calendar() -> None:
    phone = Remembering()
    phone.clock.set_date(datetime(9998, 12, 31, tzinfo=UTC))
    phone.memory.remember(QUESTION, GOOD, 0xFFFF_FFFF)
    phone.power_cut()
    assert phone.knows


@pytest.mark.parametrize(("answer", "ttl_s"), [(TvsSaid(trusted=False), HOUR), (GOOD, 0)])
def test_what_has_no_time_to_live_is_not_kept(answer: TvsSaid, ttl_s: int) -> None:
    memory = TvsMemory(MemoryFlash(), ManualClock(NOW))
    memory.remember(QUESTION, answer, ttl_s)
    assert memory.recall(QUESTION) is None


def test_answers_come_back_whole_and_the_oldest_makes_room() -> None:
    flash: Flash = MemoryFlash()
    memory = TvsMemory(flash, ManualClock(NOW))
    known = TvsSaid(trusted=True, roles=(0, 2), certificate=SUB.certificate)
    questions = [WhoSigned("CN=a", "CN=b", bytes([number])) for number in range(MAX_ANSWERS + 1)]
    for question in questions:
        memory.remember(question, known, HOUR)
    again = TvsMemory(flash, ManualClock(NOW))
    assert again.recall(questions[0]) is None
    assert [again.recall(question) for question in questions[1:]] == [known] * MAX_ANSWERS


def test_forgetting_empties_flash() -> None:
    phone = Remembering()
    phone.memory.forget_all()
    assert phone.flash.read(Item.TVS_CACHE) is None
    assert not phone.knows
