"""What happens, a line for each step, for whoever watches a terminal or the log of a container: ``ucmsim --verbose``.

The same steps as in a trace, told shortly; programs read the trace.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from lab.console import one_line

if TYPE_CHECKING:
    from typing import TextIO

    from base.trace import TraceEvent

_PASSED_OVER = frozenset({"file_size_told"})
"""What a health check asks for every few seconds."""


class StepLog:
    """A sink of a trace that writes to an open text stream; what the stream cannot take is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, event: TraceEvent) -> None:
        """See `base.trace.Sink.write`."""
        if event.step in _PASSED_OVER:
            return
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(_line(event) + "\n")
            self._stream.flush()


def _line(event: TraceEvent) -> str:
    """``17:16:04.291 alpha-pub Cisco Tftp: file_sent peer=10.150.0.128 file=ITLFile.tlv bytes=11934``."""
    source = " ".join(part for part in (event.where, event.service, event.session) if part)
    told = "".join(f" {key}={_value(value)}" for key, value in event.data.items() if value not in ("", None, []))
    return one_line(f"{event.time[11:23]} {source}: {event.step}{told}")


def _value(value: object) -> str:
    """Text as it is, in quotes when it has blanks; anything else as JSON."""
    if isinstance(value, str) and not any(mark.isspace() or mark == '"' for mark in value):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
