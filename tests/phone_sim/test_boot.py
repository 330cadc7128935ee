"""The boot as a table: driven in memory, with scripts of what servers and judges say."""

from __future__ import annotations

import itertools
from dataclasses import fields
from pathlib import Path

import pytest

from phone_sim.boot import (
    ENDS,
    TABLE,
    AskTvs,
    Attempt,
    Effect,
    Event,
    Fetch,
    FetchNamed,
    File,
    Install,
    Judge,
    KeepOld,
    Part,
    Row,
    RunCapf,
    Situation,
    State,
    Transport,
    UseNextServer,
    advance,
    ladder,
    ladder_event,
)
from phone_sim.diagram import dot, mermaid, page
from wire.errors import ProtocolViolation

PAGE = Path(__file__).parents[2] / "docs" / "boot-states.md"

NEW = Situation()
HAS_ITL = Situation(has_trust_list=True, has_config=True)
EMPTY_ITL = Situation(has_trust_list=True, in_rollback=True)
SETTLED = frozenset({Event.ACCEPTED, Event.REFUSED})


def drive(events: list[tuple[Event, Situation]]) -> tuple[State, list[Effect]]:
    """Runs the machine; every event comes with what the phone knows at that moment."""
    state, effects = State.OFF, list[Effect]()
    for event, situation in [(Event.POWER_ON, events[0][1]), *events]:
        row = advance(state, event, situation)
        state = row.next
        effects += row.effects
    return state, effects


def fetched(effects: list[Effect]) -> list[File]:
    return [effect.file for effect in effects if isinstance(effect, Fetch)]


def test_first_boot_takes_the_itl_and_then_asks_for_the_signed_configuration() -> None:
    state, effects = drive(
        [
            (Event.NOT_FOUND, NEW),
            (Event.ARRIVED, NEW),
            (Event.ACCEPTED, NEW),
            (Event.ARRIVED, HAS_ITL),
            (Event.ACCEPTED, HAS_ITL),
        ]
    )
    assert state is State.BOOTED
    assert effects == [
        Fetch(File.CTL),
        Fetch(File.ITL),
        Judge(Part.ITL),
        Install(Part.ITL),
        Fetch(File.CONFIG),
        Judge(Part.CONFIG),
        Install(Part.CONFIG),
    ]


STORIES = {
    "the generic ITL is asked for when the phone's own is missing (R-PHN-1)": (
        [(Event.NOT_FOUND, HAS_ITL)] * 2,
        State.GENERIC_ITL,
        [File.CTL, File.ITL, File.GENERIC_ITL],
    ),
    "a phone without any list asks for the plain configuration (R-PHN-1)": (
        [(Event.NOT_FOUND, NEW)] * 3 + [(Event.ARRIVED, NEW), (Event.ACCEPTED, NEW)],
        State.BOOTED,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.PLAIN_CONFIG],
    ),
    "a phone with an old ITL asks for the signed one though no list came (R-SBD-2)": (
        [(Event.NOT_FOUND, HAS_ITL)] * 3,
        State.CONFIG,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.CONFIG],
    ),
    "an unknown device gets the default configuration, signed (R-DL-5)": (
        [(Event.NOT_FOUND, HAS_ITL)] * 4 + [(Event.ARRIVED, HAS_ITL), (Event.ACCEPTED, HAS_ITL)],
        State.BOOTED,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.CONFIG, File.DEFAULT],
    ),
    "a model without security by default gets it unsigned (R-DL-5)": (
        [
            (Event.NOT_FOUND, Situation(security_by_default=False)),
            (Event.ARRIVED, NEW),
            (Event.ACCEPTED, NEW),
        ],
        State.BOOTED,
        [File.PLAIN_CONFIG, File.PLAIN_DEFAULT],
    ),
    "a device that nobody knows goes on with what it had (R-PHN-3)": (
        [(Event.NOT_FOUND, HAS_ITL)] * 5,
        State.BOOTED,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.CONFIG, File.DEFAULT],
    ),
    "a device that nobody knows and that has nothing ends without configuration": (
        [(Event.NOT_FOUND, NEW)] * 5,
        State.NO_CONFIG,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.PLAIN_CONFIG, File.PLAIN_DEFAULT],
    ),
    "a phone with an empty ITL asks for unsigned files where signed ones are missing (R-RBK-1)": (
        [(Event.NOT_FOUND, EMPTY_ITL)] * 4 + [(Event.ARRIVED, EMPTY_ITL), (Event.ACCEPTED, EMPTY_ITL)],
        State.BOOTED,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.CONFIG, File.PLAIN_CONFIG],
    ),
    "a refused CTL does not keep the phone from its ITL (R-PHN-3)": (
        [(Event.ARRIVED, HAS_ITL), (Event.REFUSED, HAS_ITL)],
        State.ITL,
        [File.CTL, File.ITL],
    ),
    "a refused ITL leaves the old one, and the boot goes on (R-PHN-3)": (
        [(Event.NOT_FOUND, HAS_ITL), (Event.ARRIVED, HAS_ITL), (Event.REFUSED, HAS_ITL)],
        State.CONFIG,
        [File.CTL, File.ITL, File.CONFIG],
    ),
    "a refused first ITL ends the boot (R-ITL-8)": (
        [(Event.NOT_FOUND, NEW), (Event.ARRIVED, NEW), (Event.REFUSED, NEW)],
        State.REFUSED,
        [File.CTL, File.ITL],
    ),
    "a refused configuration leaves the old one in use (R-PHN-3)": (
        [(Event.NOT_FOUND, HAS_ITL)] * 3 + [(Event.ARRIVED, HAS_ITL), (Event.REFUSED, HAS_ITL)],
        State.BOOTED,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.CONFIG],
    ),
    "a refused configuration without an old one ends the boot": (
        [(Event.NOT_FOUND, NEW)] * 3 + [(Event.ARRIVED, NEW), (Event.REFUSED, NEW)],
        State.REFUSED,
        [File.CTL, File.ITL, File.GENERIC_ITL, File.PLAIN_CONFIG],
    ),
    "no server at all ends the boot at the first file": (
        [(Event.NO_ANSWER, HAS_ITL)],
        State.UNREACHABLE,
        [File.CTL],
    ),
}


@pytest.mark.parametrize("story", STORIES)
def test_boot_story(story: str) -> None:
    events, end, files = STORIES[story]
    state, effects = drive(events)
    assert state is end
    assert fetched(effects) == files


NAMED_LEFT = Situation(has_trust_list=True, has_config=True, named_left=True)
TO_CONFIG = [(Event.NOT_FOUND, HAS_ITL)] * 3 + [(Event.ARRIVED, HAS_ITL)]
NEXT, AGAIN = FetchNamed(signed=True), FetchNamed(signed=True, again=True)
NAMED_STORIES: dict[str, tuple[list[tuple[Event, Situation]], State, list[Effect]]] = {
    "each named file is asked for and judged, and the last one ends the boot": (
        [
            (Event.ACCEPTED, NAMED_LEFT),
            (Event.ARRIVED, NAMED_LEFT),
            (Event.ACCEPTED, NAMED_LEFT),
            (Event.ARRIVED, HAS_ITL),
            (Event.ACCEPTED, HAS_ITL),
        ],
        State.BOOTED,
        [NEXT, Judge(Part.NAMED), Install(Part.NAMED)] * 2,
    ),
    "a named file that is missing is harmless": (
        [(Event.ACCEPTED, NAMED_LEFT), (Event.NOT_FOUND, NAMED_LEFT), (Event.NOT_FOUND, HAS_ITL)],
        State.BOOTED,
        [NEXT, NEXT],
    ),
    "a named file that is refused leaves the old one, and the next is asked for (R-PHN-3)": (
        [
            (Event.ACCEPTED, NAMED_LEFT),
            (Event.ARRIVED, NAMED_LEFT),
            (Event.REFUSED, NAMED_LEFT),
            (Event.NOT_FOUND, HAS_ITL),
        ],
        State.BOOTED,
        [NEXT, Judge(Part.NAMED), KeepOld(Part.NAMED), NEXT],
    ),
    "TVS is asked about the signer of a named file": (
        [
            (Event.ACCEPTED, NAMED_LEFT),
            (Event.ARRIVED, HAS_ITL),
            (Event.TVS_NEEDED, HAS_ITL),
            (Event.TVS_DONE, HAS_ITL),
            (Event.ACCEPTED, HAS_ITL),
        ],
        State.BOOTED,
        [NEXT, Judge(Part.NAMED), AskTvs(Part.NAMED), Judge(Part.NAMED), Install(Part.NAMED)],
    ),
    "with no server left the boot ends as booted, and the rest is not asked for": (
        [(Event.ACCEPTED, NAMED_LEFT), (Event.NO_ANSWER, NAMED_LEFT)],
        State.BOOTED,
        [NEXT],
    ),
    "the next server is asked for the same named file": (
        [
            (Event.ACCEPTED, NAMED_LEFT),
            (Event.NO_ANSWER, Situation(has_trust_list=True, another_server=True)),
            (Event.ARRIVED, HAS_ITL),
            (Event.ACCEPTED, HAS_ITL),
        ],
        State.BOOTED,
        [NEXT, UseNextServer(), AGAIN, Judge(Part.NAMED), Install(Part.NAMED)],
    ),
    "a phone without a list asks for unsigned ones": (
        [(Event.ACCEPTED, Situation(named_left=True)), (Event.NOT_FOUND, NEW)],
        State.BOOTED,
        [FetchNamed(signed=False)],
    ),
    "nor does it fail when nobody answers for one": (
        [(Event.ACCEPTED, Situation(named_left=True)), (Event.NO_ANSWER, Situation(named_left=True))],
        State.BOOTED,
        [FetchNamed(signed=False)],
    ),
    "a phone with an empty ITL asks for the same one unsigned (R-RBK-1)": (
        [
            (Event.ACCEPTED, NAMED_LEFT),
            (Event.NOT_FOUND, Situation(has_trust_list=True, in_rollback=True, named_left=True)),
            (Event.NOT_FOUND, HAS_ITL),
        ],
        State.BOOTED,
        [NEXT, FetchNamed(signed=False, again=True)],
    ),
    "they wait until CAPF has left the certificate as it was": (
        [
            (Event.ACCEPTED, Situation(has_trust_list=True, named_left=True, capf_wanted=True)),
            (Event.CERTIFICATE_KEPT, NAMED_LEFT),
            (Event.NOT_FOUND, HAS_ITL),
        ],
        State.BOOTED,
        [RunCapf(), NEXT],
    ),
    "a refused configuration names nothing": (
        [(Event.REFUSED, HAS_ITL)],
        State.BOOTED,
        [KeepOld(Part.CONFIG)],
    ),
}


@pytest.mark.parametrize("story", NAMED_STORIES)
def test_story_of_named_files(story: str) -> None:
    events, end, after = NAMED_STORIES[story]
    state, effects = drive([*TO_CONFIG, *events])
    assert state is end
    done = effects[effects.index(Judge(Part.CONFIG)) + 1 :]
    assert [effect for effect in done if effect != Install(Part.CONFIG)] == after


def test_named_files_never_go_over_https() -> None:
    assert ladder(None, Situation(https_config=True)) == (Transport.HTTP, Transport.TFTP)
    assert ladder(None, Situation(http=False)) == (Transport.TFTP,)


def test_a_question_to_tvs_leads_back_to_the_judge() -> None:
    state, effects = drive(
        [
            (Event.NOT_FOUND, HAS_ITL),
            (Event.ARRIVED, HAS_ITL),
            (Event.TVS_NEEDED, HAS_ITL),
            (Event.TVS_DONE, HAS_ITL),
            (Event.ACCEPTED, HAS_ITL),
        ]
    )
    assert state is State.CONFIG
    assert effects[2:6] == [Judge(Part.ITL), AskTvs(Part.ITL), Judge(Part.ITL), Install(Part.ITL)]


def test_the_next_server_is_asked_for_the_file_that_the_first_did_not_answer_for() -> None:
    more = Situation(another_server=True)
    state, effects = drive([(Event.NOT_FOUND, more), (Event.NO_ANSWER, more)])
    assert state is State.ITL
    assert effects[-2:] == [UseNextServer(), Fetch(File.ITL)]


@pytest.mark.parametrize(
    ("file", "situation", "rungs"),
    [
        (File.ITL, NEW, [Transport.HTTP, Transport.TFTP]),
        (File.ITL, Situation(https_config=True), [Transport.HTTP, Transport.TFTP]),
        (File.CONFIG, Situation(https_config=True), [Transport.HTTPS, Transport.HTTP, Transport.TFTP]),
        (File.DEFAULT, Situation(https_config=True), [Transport.HTTP, Transport.TFTP]),
        (File.CONFIG, Situation(http=False), [Transport.TFTP]),
    ],
)
def test_ladder(file: File, situation: Situation, rungs: list[Transport]) -> None:
    assert list(ladder(file, situation)) == rungs


@pytest.mark.parametrize(
    ("attempts", "event"),
    [
        ((Attempt.SILENT, Attempt.SILENT), Event.NO_ANSWER),
        ((Attempt.NOT_FOUND, Attempt.SILENT), Event.NOT_FOUND),
        ((Attempt.SILENT, Attempt.NOT_FOUND), Event.NOT_FOUND),
        ((Attempt.BROKEN, Attempt.SILENT), Event.NOT_FOUND),
        ((Attempt.NOT_TRUSTED, Attempt.SILENT), Event.NOT_FOUND),
    ],
)
def test_a_server_that_answered_on_any_transport_is_there(attempts: tuple[Attempt, ...], event: Event) -> None:
    assert ladder_event(attempts) is event


def every_situation() -> list[Situation]:
    names = [field.name for field in fields(Situation)]
    return [
        Situation(**dict(zip(names, values, strict=True)))
        for values in itertools.product((False, True), repeat=len(names))
    ]


def rows_taken() -> set[int]:
    """Walks every state, event and situation from OFF on; returns the rows that were used."""
    taken, seen, open_states = set[int](), {State.OFF}, [State.OFF]
    while open_states:
        state = open_states.pop()
        for event in {row.event for row in TABLE if row.state is state}:
            for situation in every_situation():
                row = advance(state, event, situation)
                taken.add(TABLE.index(row))
                if row.next not in seen:
                    seen.add(row.next)
                    open_states.append(row.next)
    return taken


def test_every_row_can_be_taken() -> None:
    unused = set(range(len(TABLE))) - rows_taken()
    assert not [TABLE[index] for index in unused]


def test_every_state_can_be_reached_and_every_state_but_the_ends_can_be_left() -> None:
    assert {row.next for row in TABLE} | {State.OFF} == set(State)
    assert {row.state for row in TABLE} == set(State) - ENDS
    leads_to_an_end = set(ENDS)
    for _ in State:
        leads_to_an_end |= {row.state for row in TABLE if row.next in leads_to_an_end}
    assert leads_to_an_end == set(State)


def test_every_state_knows_what_to_do_in_every_situation() -> None:
    for row in TABLE:
        for situation in every_situation():
            assert advance(row.state, row.event, situation) is not None


def asks_for_something(row: Row) -> int:
    return sum(isinstance(effect, Fetch | FetchNamed | Judge | AskTvs | RunCapf) for effect in row.effects)


def test_every_row_brings_exactly_one_next_event_or_ends_the_boot() -> None:
    for row in TABLE:
        assert asks_for_something(row) == (0 if row.next in ENDS else 1), row


def test_what_is_accepted_is_installed_and_what_is_refused_is_not() -> None:
    for row in TABLE:
        installs = any(isinstance(effect, Install) for effect in row.effects)
        keeps = any(isinstance(effect, KeepOld) for effect in row.effects)
        assert installs == (row.event is Event.ACCEPTED)
        assert keeps == (row.event is Event.REFUSED)


def test_an_event_that_a_state_does_not_know_is_a_named_error() -> None:
    with pytest.raises(ProtocolViolation, match="off knows no event 'file arrived'"):
        advance(State.OFF, Event.ARRIVED, NEW)


def test_the_page_with_the_diagram_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m phone_sim.diagram > docs/boot-states.md"


def test_diagrams_draw_every_state_and_every_way() -> None:
    for picture in (mermaid(), dot()):
        for state in State:
            assert state.name in picture
    for row in TABLE:
        assert f"{row.state.name} --> {row.next.name}: " in mermaid()
        assert f"{row.state.name} -> {row.next.name} " in dot()
