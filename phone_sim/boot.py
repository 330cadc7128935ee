"""The boot of a phone as a table: state, event, condition → next state and what to do.

Nothing here fetches, judges, waits or knows the time. The phone carries out the effects of a row and
reports what came of it as the next event, together with its `Situation`. Rows of one state and event are
tried in order; the first whose condition holds is taken. ``docs/boot-states.md`` is drawn from this table.

What the order follows:

- CTL before ITL, both before the configuration; ``ITLSEP<MAC>.tlv`` before the generic ``ITLFile.tlv``
  (captures of an 8861 and of TFTP-only phones).
- The generic ``CTLFile.tlv`` is *not* asked for when ``CTLSEP<MAC>.tlv`` is missing. Documents name it, but
  in every capture the phone goes on to the ITL at once, and UCM answers both names with the same content.
- Each file climbs its own `ladder` of transports: HTTP fails, TFTP is tried for this file, and the next
  file starts at the top again. A "not found" over HTTP is asked again over TFTP as well.
- ``.sgn`` names are asked for if, and only if, the phone holds a CTL or an ITL. Where that is missing, an
  unsigned file is asked for only by a phone whose ITL is empty (rollback).
- A device that the server does not know (its configuration is not found) asks for the default
  configuration; when that is missing too it goes on with the last good configuration.
- A stub that announces an encrypted configuration leads to ``SEP<MAC>.cnf.xml.enc.sgn`` if the phone has the key.
- A trusted configuration or stub that asks for CAPF leads there, once in a boot; with another certificate the phone
  asks for its configuration again, which may be encrypted from now on. (That it does so at once is this project's
  choice.)
- A configuration that was accepted leads to the files that it names, one after the other: the queue of
  `phone_sim.namedfiles`. Each is judged for itself. Whatever becomes of one, the boot goes on with the next and ends as
  booted: a missing file is harmless, a refused one leaves the old one in place. A phone that goes on with its old
  configuration keeps the files that came with it and asks for none. (The last is this project's choice.)
- What is refused leaves the old in place, and the boot goes on with it. A phone that refused its first ITL
  and has no CTL has nothing to go on with (R-ITL-8: its registration fails).
- The next TFTP server is asked for a file only when the present one answered on no transport for it; "not
  found" is an answer. The phone then stays with the server that answered. (This project's choice: no source
  says.)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from wire.errors import ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable


class Part(Enum):
    """What the phone needs, whichever file it comes in."""

    CTL = "CTL"
    ITL = "ITL"
    CONFIG = "configuration"
    ENCRYPTED = "encrypted configuration"
    DEFAULT = "default configuration"
    NAMED = "named file"
    """One of those that the configuration names; which one, the phone's queue knows."""


class File(Enum):
    """A file that the phone asks for; the value is its name with ``{mac}`` to fill in."""

    CTL = "CTLSEP{mac}.tlv"
    ITL = "ITLSEP{mac}.tlv"
    GENERIC_ITL = "ITLFile.tlv"
    CONFIG = "SEP{mac}.cnf.xml.sgn"
    PLAIN_CONFIG = "SEP{mac}.cnf.xml"
    ENCRYPTED_CONFIG = "SEP{mac}.cnf.xml.enc.sgn"
    DEFAULT = "XMLDefault.cnf.xml.sgn"
    PLAIN_DEFAULT = "XMLDefault.cnf.xml"

    def name_for(self, mac: str) -> str:
        """The name to ask for; `mac` is twelve upper-case hex digits."""
        return self.value.format(mac=mac)


class Transport(Enum):
    """How a file is fetched."""

    HTTPS = "HTTPS"
    HTTP = "HTTP"
    TFTP = "TFTP"


class State(Enum):
    """Where the boot stands. The value is the label in the diagram."""

    OFF = "off"
    CTL = "fetching CTLSEP"
    CTL_CHECK = "judging the CTL"
    CTL_TVS = "asking TVS about the CTL's signer"
    ITL = "fetching ITLSEP"
    GENERIC_ITL = "fetching ITLFile.tlv"
    ITL_CHECK = "judging the ITL"
    ITL_TVS = "asking TVS about the ITL's signer"
    CONFIG = "fetching SEP….cnf.xml.sgn"
    PLAIN_CONFIG = "fetching SEP….cnf.xml"
    CONFIG_CHECK = "judging the configuration"
    CONFIG_TVS = "asking TVS about the configuration's signer"
    ENCRYPTED = "fetching SEP….cnf.xml.enc.sgn"
    ENCRYPTED_CHECK = "judging the encrypted configuration"
    ENCRYPTED_TVS = "asking TVS about the encrypted configuration's signer"
    CAPF = "with CAPF"
    DEFAULT = "fetching XMLDefault.cnf.xml.sgn"
    PLAIN_DEFAULT = "fetching XMLDefault.cnf.xml"
    DEFAULT_CHECK = "judging the default configuration"
    DEFAULT_TVS = "asking TVS about the default configuration's signer"
    NAMED = "fetching a named file, signed"
    PLAIN_NAMED = "fetching a named file, unsigned"
    NAMED_CHECK = "judging the named file"
    NAMED_TVS = "asking TVS about the named file's signer"
    BOOTED = "booted"
    REFUSED = "refused what it needed"
    NO_CONFIG = "no configuration anywhere"
    UNREACHABLE = "no server answered"


ENDS = frozenset({State.BOOTED, State.REFUSED, State.NO_CONFIG, State.UNREACHABLE})
"""States without a way out, until the next power on."""


class Event(Enum):
    """What happened."""

    POWER_ON = "power on"
    ARRIVED = "file arrived"
    NOT_FOUND = "not to be had"
    NO_ANSWER = "no answer"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ANNOUNCED = "announces an encrypted one"
    CERTIFICATE_CHANGED = "certificate changed"
    CERTIFICATE_KEPT = "certificate as before"
    TVS_NEEDED = "lists do not settle it"
    TVS_DONE = "TVS answered or is out of reach"


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask the present server for a file, on one transport of its ladder after the other until it arrives."""

    file: File


@dataclass(frozen=True, slots=True)
class FetchNamed:
    """Ask for a file that the configuration names, as `Fetch` does.

    Attributes:
        signed: ask for its name with ``.sgn``.
        again: the one that was asked for last, not the next of the queue.
    """

    signed: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class UseNextServer:
    """Turn to the next TFTP server of the list."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Decide on what arrived (or decide again, with TVS's answer)."""

    part: Part


@dataclass(frozen=True, slots=True)
class AskTvs:
    """Put the open question to TVS."""

    part: Part


@dataclass(frozen=True, slots=True)
class Install:
    """Put what was accepted into flash."""

    part: Part


@dataclass(frozen=True, slots=True)
class KeepOld:
    """Say why it was refused; flash stays as it is."""

    part: Part


@dataclass(frozen=True, slots=True)
class RunCapf:
    """Let CAPF do what it has to do with the phone's certificate."""


Effect = Fetch | FetchNamed | UseNextServer | Judge | AskTvs | Install | KeepOld | RunCapf


@dataclass(frozen=True, slots=True)
class Situation:
    """What conditions may look at.

    Attributes:
        security_by_default: the model fetches trust lists and signed files.
        has_trust_list: a CTL or an ITL is installed.
        in_rollback: the ITL is empty and there is no CTL.
        https_config: the ITL's header has a signer version of 1.1 or more, and the model asks HTTPS then.
        has_config: flash holds a last good configuration.
        http: the model asks HTTP before TFTP.
        another_server: the list of TFTP servers has one left.
        capf_wanted: the configuration or stub in hand is trusted and asks for CAPF, which has not run in this boot.
        named_left: the configuration in hand is trusted, and a file that it names has not been asked for yet.
    """

    security_by_default: bool = True
    has_trust_list: bool = False
    in_rollback: bool = False
    https_config: bool = False
    has_config: bool = False
    http: bool = True
    another_server: bool = False
    capf_wanted: bool = False
    named_left: bool = False


def ladder(file: File | None, situation: Situation) -> tuple[Transport, ...]:
    """Transports for a file, first to last; None is any that the configuration names.

    Only the phone's own signed configuration goes over HTTPS.
    """
    https = (Transport.HTTPS,) if file is File.CONFIG and situation.https_config else ()
    http = (Transport.HTTP,) if situation.http else ()
    return (*https, *http, Transport.TFTP)


class Attempt(Enum):
    """How one rung of a ladder ended, when not with the file."""

    NOT_FOUND = "not found"
    BROKEN = "answered, but not with the file"
    SILENT = "no answer"
    NOT_TRUSTED = "server's certificate refused"
    UNKNOWN_HOST = "no such host"


def ladder_event(attempts: tuple[Attempt, ...]) -> Event:
    """What a ladder without success amounts to: a server that answered on any transport is there."""
    silent = all(attempt in {Attempt.SILENT, Attempt.UNKNOWN_HOST} for attempt in attempts)
    return Event.NO_ANSWER if silent else Event.NOT_FOUND


# Conditions; their docstrings are the labels in the diagram.


def no_security_by_default(situation: Situation) -> bool:
    """Model without security by default"""
    return not situation.security_by_default


def another_server(situation: Situation) -> bool:
    """Another server is left"""
    return situation.another_server


def has_trust_list(situation: Situation) -> bool:
    """A CTL or ITL is held"""
    return situation.has_trust_list


def in_rollback(situation: Situation) -> bool:
    """The ITL is empty"""
    return situation.in_rollback


def has_config(situation: Situation) -> bool:
    """An old configuration is held"""
    return situation.has_config


def capf_wanted(situation: Situation) -> bool:
    """A session with CAPF is wanted"""
    return situation.capf_wanted


def named_left(situation: Situation) -> bool:
    """A named file is left"""
    return situation.named_left


def signed_named_left(situation: Situation) -> bool:
    """A named file is left, a CTL or ITL is held"""
    return situation.named_left and situation.has_trust_list


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `when` None always holds."""

    state: State
    event: Event
    next: State
    effects: tuple[Effect, ...] = ()
    when: Callable[[Situation], bool] | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """Where a row may lead: the condition, the state and the effects there."""

    next: State
    effects: tuple[Effect, ...] = ()
    when: Callable[[Situation], bool] | None = None


def _fetching(
    state: State,
    again: File | FetchNamed,
    check: State,
    part: Part,
    *missing: Way,
    silent: State = State.UNREACHABLE,
) -> tuple[Row, ...]:
    """Rows of a state that fetches.

    Args:
        state: this state.
        again: what the next server is asked for.
        check: where it is judged.
        part: what is judged.
        missing: where a missing file leads.
        silent: where it ends when no server answers.
    """
    retry = again if isinstance(again, FetchNamed) else Fetch(again)
    return (
        Row(state, Event.ARRIVED, check, (Judge(part),)),
        *(Row(state, Event.NOT_FOUND, way.next, way.effects, way.when) for way in missing),
        Row(state, Event.NO_ANSWER, state, (UseNextServer(), retry), another_server),
        Row(state, Event.NO_ANSWER, silent),
    )


def _judging(
    check: State, tvs: State, part: Part, accepted: tuple[Way, ...], refused: tuple[Way, ...]
) -> tuple[Row, ...]:
    """Rows of a state that judges and of the one that asks TVS for it."""
    install, keep = Install(part), KeepOld(part)
    return (
        *(Row(check, Event.ACCEPTED, way.next, (install, *way.effects), way.when) for way in accepted),
        *(Row(check, Event.REFUSED, way.next, (keep, *way.effects), way.when) for way in refused),
        Row(check, Event.TVS_NEEDED, tvs, (AskTvs(part),)),
        Row(tvs, Event.TVS_DONE, check, (Judge(part),)),
    )


_TO_CTL = Way(State.CTL, (Fetch(File.CTL),))
_TO_ITL = Way(State.ITL, (Fetch(File.ITL),))
_TO_GENERIC_ITL = Way(State.GENERIC_ITL, (Fetch(File.GENERIC_ITL),))
_TO_CONFIG = (
    Way(State.CONFIG, (Fetch(File.CONFIG),), has_trust_list),
    Way(State.PLAIN_CONFIG, (Fetch(File.PLAIN_CONFIG),)),
)
_TO_DEFAULT = Way(State.DEFAULT, (Fetch(File.DEFAULT),))
_TO_PLAIN_DEFAULT = Way(State.PLAIN_DEFAULT, (Fetch(File.PLAIN_DEFAULT),))
_OLD_OR = Way(State.BOOTED, (), has_config)
_TO_CAPF = Way(State.CAPF, (RunCapf(),), capf_wanted)
_TO_NAMED = (
    Way(State.NAMED, (FetchNamed(signed=True),), signed_named_left),
    Way(State.PLAIN_NAMED, (FetchNamed(signed=False),), named_left),
)
_NAMED_OR_BOOTED = (*_TO_NAMED, Way(State.BOOTED))

TABLE: tuple[Row, ...] = (
    Row(State.OFF, Event.POWER_ON, State.PLAIN_CONFIG, (Fetch(File.PLAIN_CONFIG),), no_security_by_default),
    Row(State.OFF, Event.POWER_ON, _TO_CTL.next, _TO_CTL.effects),
    # trust lists
    *_fetching(State.CTL, File.CTL, State.CTL_CHECK, Part.CTL, _TO_ITL),
    *_judging(State.CTL_CHECK, State.CTL_TVS, Part.CTL, (_TO_ITL,), (_TO_ITL,)),
    *_fetching(State.ITL, File.ITL, State.ITL_CHECK, Part.ITL, _TO_GENERIC_ITL),
    *_fetching(State.GENERIC_ITL, File.GENERIC_ITL, State.ITL_CHECK, Part.ITL, *_TO_CONFIG),
    *_judging(
        State.ITL_CHECK,
        State.ITL_TVS,
        Part.ITL,
        (Way(State.CONFIG, (Fetch(File.CONFIG),)),),  # what was accepted is a trust list
        (_TO_CONFIG[0], Way(State.REFUSED)),
    ),
    # the configuration
    *_fetching(
        State.CONFIG,
        File.CONFIG,
        State.CONFIG_CHECK,
        Part.CONFIG,
        Way(State.PLAIN_CONFIG, (Fetch(File.PLAIN_CONFIG),), in_rollback),
        _TO_DEFAULT,
    ),
    *_fetching(
        State.PLAIN_CONFIG,
        File.PLAIN_CONFIG,
        State.CONFIG_CHECK,
        Part.CONFIG,
        Way(_TO_DEFAULT.next, _TO_DEFAULT.effects, has_trust_list),
        _TO_PLAIN_DEFAULT,
    ),
    *_judging(
        State.CONFIG_CHECK,
        State.CONFIG_TVS,
        Part.CONFIG,
        (_TO_CAPF, *_NAMED_OR_BOOTED),
        (_TO_CAPF, _OLD_OR, Way(State.REFUSED)),
    ),
    Row(State.CONFIG_CHECK, Event.ANNOUNCED, State.ENCRYPTED, (Fetch(File.ENCRYPTED_CONFIG),)),
    *_fetching(
        State.ENCRYPTED,
        File.ENCRYPTED_CONFIG,
        State.ENCRYPTED_CHECK,
        Part.ENCRYPTED,
        _TO_CAPF,
        _OLD_OR,
        Way(State.NO_CONFIG),
    ),
    *_judging(
        State.ENCRYPTED_CHECK,
        State.ENCRYPTED_TVS,
        Part.ENCRYPTED,
        (_TO_CAPF, *_NAMED_OR_BOOTED),
        (_TO_CAPF, _OLD_OR, Way(State.REFUSED)),
    ),
    # the phone's certificate
    *(Row(State.CAPF, Event.CERTIFICATE_CHANGED, way.next, way.effects, way.when) for way in _TO_CONFIG),
    *(Row(State.CAPF, Event.CERTIFICATE_KEPT, way.next, way.effects, way.when) for way in _TO_NAMED),
    Row(State.CAPF, Event.CERTIFICATE_KEPT, State.BOOTED, (), has_config),
    Row(State.CAPF, Event.CERTIFICATE_KEPT, State.REFUSED),
    # the default configuration, for a device that the server does not know
    *_fetching(
        State.DEFAULT,
        File.DEFAULT,
        State.DEFAULT_CHECK,
        Part.DEFAULT,
        Way(_TO_PLAIN_DEFAULT.next, _TO_PLAIN_DEFAULT.effects, in_rollback),
        _OLD_OR,
        Way(State.NO_CONFIG),
    ),
    *_fetching(
        State.PLAIN_DEFAULT,
        File.PLAIN_DEFAULT,
        State.DEFAULT_CHECK,
        Part.DEFAULT,
        _OLD_OR,
        Way(State.NO_CONFIG),
    ),
    *_judging(
        State.DEFAULT_CHECK,
        State.DEFAULT_TVS,
        Part.DEFAULT,
        (Way(State.BOOTED),),
        (_OLD_OR, Way(State.REFUSED)),
    ),
    # the files that the configuration names
    *_fetching(
        State.NAMED,
        FetchNamed(signed=True, again=True),
        State.NAMED_CHECK,
        Part.NAMED,
        Way(State.PLAIN_NAMED, (FetchNamed(signed=False, again=True),), in_rollback),
        *_NAMED_OR_BOOTED,
        silent=State.BOOTED,
    ),
    *_fetching(
        State.PLAIN_NAMED,
        FetchNamed(signed=False, again=True),
        State.NAMED_CHECK,
        Part.NAMED,
        *_NAMED_OR_BOOTED,
        silent=State.BOOTED,
    ),
    *_judging(State.NAMED_CHECK, State.NAMED_TVS, Part.NAMED, _NAMED_OR_BOOTED, _NAMED_OR_BOOTED),
)
"""The whole boot."""


def advance(state: State, event: Event, situation: Situation) -> Row:
    """The row that applies: its `next` is the new state, its `effects` are to be carried out in order.

    Raises:
        ProtocolViolation: the table has no row for this event in this state.
    """
    for row in TABLE:
        if row.state is state and row.event is event and (row.when is None or row.when(situation)):
            return row
    raise ProtocolViolation(f"a phone that is {state.value} knows no event {event.value!r}")
