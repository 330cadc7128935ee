"""The trace: one JSON object for each thing that happens, on the cluster's side and on the phone's.

Tests, the demonstration, diagrams and the phone's status messages are all views of it. The sink is injected, never
global. Secrets (private keys, passwords) never enter it. The operator's ordinary logs are separate (``logging``).
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from base.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

log = logging.getLogger("ucmsim.trace")

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One step.

    Attributes:
        time: ISO 8601 with milliseconds, UTC.
        where: node (``alpha-pub``) or phone (``SEP001122334455``).
        service: UCM's name of the service, or the phone's client (``Boot``, ``TVS client``).
        session: groups the steps of one connection, transfer or boot; empty when there is none.
        step: what happened, lower_snake_case, past tense or noun: ``file_sent``, ``tvs_answered``.
        data: the step's particulars.
    """

    time: str
    where: str
    service: str
    session: str
    step: str
    data: Mapping[str, Json] = field(default_factory=dict)


class Sink(Protocol):
    """Takes events, in order, and never raises for an event it was given."""

    def write(self, event: TraceEvent) -> None:
        """Takes one event."""
        ...


class MemorySink:
    """Keeps events in a list, for tests and the demonstration."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []

    def write(self, event: TraceEvent) -> None:
        """See `Sink.write`."""
        self.events.append(event)

    def steps(self, *, where: str | None = None, service: str | None = None) -> list[str]:
        """The names of the steps taken, optionally of one place or service only."""
        return [
            event.step for event in self.events if where in (None, event.where) and service in (None, event.service)
        ]


class JsonLinesSink:
    """Writes one JSON object a line to an open text file; flushes each, so that a killed process loses nothing.

    What the file cannot take (disk full, reader gone, file closed) is lost: said once in the log, since a trace is no
    reason for a daemon to fail.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failed = False

    def write(self, event: TraceEvent) -> None:
        """See `Sink.write`."""
        try:
            self._stream.write(_line(event))
            self._stream.flush()
        except (OSError, ValueError) as error:
            if not self._failed:
                log.warning("the trace cannot be written from here on: %s", error)
            self._failed = True


def _line(event: TraceEvent) -> str:
    """Readable in any language; what a peer sent that is no text (lone surrogates) is escaped."""
    fields = {item: getattr(event, item) for item in TraceEvent.__slots__}
    text = json.dumps({**fields, "data": dict(event.data)}, ensure_ascii=False, default=str)
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"


class Tee:
    """Sends each event to several sinks."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def write(self, event: TraceEvent) -> None:
        """See `Sink.write`."""
        for sink in self._sinks:
            sink.write(event)


class Trace:
    """Where a component reports its steps; `bind` makes a narrower one for a service or a session."""

    __slots__ = ("_clock", "_sink", "service", "session", "where")

    def __init__(
        self,
        sink: Sink | None = None,
        clock: Clock | None = None,
        *,
        where: str = "",
        service: str = "",
        session: str = "",
    ) -> None:
        self._sink = sink
        self._clock = clock or SystemClock()
        self.where = where
        self.service = service
        self.session = session

    @property
    def enabled(self) -> bool:
        """False when nobody listens; lets a hot path skip making the data."""
        return self._sink is not None

    def bind(self, *, where: str | None = None, service: str | None = None, session: str | None = None) -> Trace:
        """A trace into the same sink with some of its names replaced."""
        return Trace(
            self._sink,
            self._clock,
            where=self.where if where is None else where,
            service=self.service if service is None else service,
            session=self.session if session is None else session,
        )

    def emit(self, step: str, /, **data: Json) -> None:
        """Reports a step. Costs next to nothing when nobody listens."""
        if self._sink is None:
            return
        now = self._clock.now().isoformat(timespec="milliseconds")
        self._sink.write(TraceEvent(now, self.where, self.service, self.session, step, data))
