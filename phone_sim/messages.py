"""What the phone's screen says (Settings > Status > Status messages), in the words of each model family.

The 8800, 7832 and DX wordings are those of the administration guides and of firmware strings. Guides of the other
families were not at hand: 7800 phones are worded like the 7832, 7900 phones like the 8800.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from base.phonemodels import Family

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_MESSAGES = 30
"""8800 phones keep this many status messages; older ones fall out. The models' own numbers are in their table."""


class Status(Enum):
    """A status message; the value is the 8800's wording, ``{file}`` to fill in."""

    CTL_AND_ITL_INSTALLED = "CTL and ITL installed"
    CTL_INSTALLED = "CTL Installed"
    ITL_INSTALLED = "ITL installed"
    TRUST_LIST_UPDATED = "Trust List updated"
    TRUST_LIST_UPDATE_FAILED = "Trust List update failed"
    NO_TRUST_LIST = "No Trust List installed"
    ERASING_TRUST_LISTS = "Erasing CTL and ITL files"
    ERASING_CTL = "Erasing CTL file"
    ERASING_ITL = "Erasing ITL file"
    ERASING_LSC = "Erasing LSC"
    FACTORY_RESET = "Factory reset"
    """The wording of these four is this project's, after the one above."""
    CTL_NOT_LOADED = "Could not load CTL File from persistent memory."
    ITL_NOT_LOADED = "Could not load ITL File from persistent memory."
    CONFIG_NOT_LOADED = "Could not load configuration from persistent memory."
    NOT_LOADED = "Could not load {file} from persistent memory."
    """This project's wording, after the first two; ``{file}`` is what else was lost: LSC, MIC, TVS cache ..."""
    CONFIG_NOT_FOUND = "File not found {file}"
    CTL_NOT_FOUND = "File Not Found <CTLFile.tlv>"
    HOST_NOT_FOUND = "Host Not Found"
    """What a refused HTTPS server of a phone service looks like."""
    TFTP_TIMEOUT = "TFTP timeout"
    TFTP_ERROR = "TFTP error"
    """A server answered, but not with the file. When phones say so is this project's reading."""
    UNKNOWN_HOST = "DNS unknown host"
    CONFIG_IN_USE = "{file}"
    CONFIG_REFUSED = "invalid file {file}, authenticated fail."
    """Worded after the one refusal of a configuration that was captured, on an 8945."""

    LOCALE_FAILED = "Error Updating Locale"
    """A locale file was missing or refused: the 7832's words, taken for all."""

    def text(self, family: Family, file: str = "") -> str:
        """The words on the screen."""
        wording = _OTHER_WORDING.get(family, {}).get(self, self.value)
        return wording.format(file=file)


_OTHER_WORDING = {
    Family.P7800: {
        Status.NO_TRUST_LIST: "No Trust List Installed",
        Status.TRUST_LIST_UPDATE_FAILED: "Trust List Update Failed",
        Status.TRUST_LIST_UPDATED: "Trust List Updated",
        Status.TFTP_TIMEOUT: "TFTP Timeout",
    },
    Family.DX: {
        Status.TRUST_LIST_UPDATE_FAILED: "Trust List update failed, verification failure",
        Status.TFTP_TIMEOUT: "TFTP Timeout",
        Status.TFTP_ERROR: "TFTP Error",
        Status.UNKNOWN_HOST: "DNS unknown IPv4 Host",
    },
}


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """One line of the screen, with what the screen does not tell.

    Attributes:
        time: ISO 8601, UTC.
        text: the words on the screen.
        reason: code of the exact reason, as in reports; empty when there is nothing to add.
        detail: the exact reason in a sentence.
    """

    time: str
    text: str
    reason: str = ""
    detail: str = ""


class StatusLog:
    """The last messages, oldest first; `limit` of them."""

    def __init__(self, messages: Iterable[StatusMessage] = (), limit: int = MAX_MESSAGES) -> None:
        self._messages = deque(messages, maxlen=limit)

    def add(self, message: StatusMessage) -> None:
        """Appends; the oldest falls out of a full log."""
        self._messages.append(message)

    @property
    def messages(self) -> tuple[StatusMessage, ...]:
        """All of them."""
        return tuple(self._messages)

    def as_json(self) -> list[dict[str, str]]:
        """For flash and reports."""
        return [asdict(message) for message in self._messages]

    @classmethod
    def from_json(cls, entries: object, limit: int = MAX_MESSAGES) -> StatusLog:
        """Reads what `as_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError("status messages are not a list of objects")
        try:
            messages = [StatusMessage(**{str(key): str(value) for key, value in entry.items()}) for entry in entries]
        except TypeError as error:
            raise ValueError(f"not a status message: {error}") from error
        return cls(messages, limit)


class ListOutcome(Enum):
    """What became of one trust list in a boot."""

    ABSENT = "the server had none"
    UNCHANGED = "unchanged"
    INSTALLED = "installed, none before"
    UPDATED = "updated"
    FAILED = "refused"


class TrustListAlarm(IntEnum):
    """What the phone reports to UCM about its trust lists when it registers.

    The names and numbers are the 8800's; their reading is this project's: INITIAL, first list of its kind;
    OLD_x, the update failed and the old x stays; NO_TL, it failed with nothing installed.
    """

    TL_SUCCESS = 1
    CTL_INITIAL_SUCCESS = 2
    ITL_INITIAL_SUCCESS = 3
    TL_INITIAL_SUCCESS = 4
    TL_FAILED_OLD_CTL = 5
    TL_FAILED_NO_TL = 6
    TL_FAILED = 7
    TL_FAILED_OLD_ITL = 8
    TL_FAILED_OLD_TL = 9


def trust_list_status(ctl: ListOutcome, itl: ListOutcome, *, held: bool) -> Status | None:
    """The one message about both lists at the end of their download; None when nothing changed.

    Args:
        ctl: what became of the CTL.
        itl: what became of the ITL.
        held: the phone now has a CTL or an ITL.
    """
    outcomes = {ctl, itl}
    if ListOutcome.FAILED in outcomes:
        return Status.TRUST_LIST_UPDATE_FAILED
    if outcomes == {ListOutcome.INSTALLED}:
        return Status.CTL_AND_ITL_INSTALLED
    if ListOutcome.UPDATED in outcomes:
        return Status.TRUST_LIST_UPDATED
    if ctl is ListOutcome.INSTALLED:
        return Status.CTL_INSTALLED
    if itl is ListOutcome.INSTALLED:
        return Status.ITL_INSTALLED
    return None if held else Status.NO_TRUST_LIST


def trust_list_alarm(ctl: ListOutcome, itl: ListOutcome, *, holds_ctl: bool, holds_itl: bool) -> TrustListAlarm | None:
    """The alarm code of a boot; None when the phone met no trust list at all."""
    if ListOutcome.FAILED in {ctl, itl}:
        return {
            (False, False): TrustListAlarm.TL_FAILED_NO_TL,
            (True, False): TrustListAlarm.TL_FAILED_OLD_CTL,
            (False, True): TrustListAlarm.TL_FAILED_OLD_ITL,
            (True, True): TrustListAlarm.TL_FAILED_OLD_TL,
        }[holds_ctl, holds_itl]
    first = (ctl is ListOutcome.INSTALLED, itl is ListOutcome.INSTALLED)
    if any(first):
        return {
            (True, True): TrustListAlarm.TL_INITIAL_SUCCESS,
            (True, False): TrustListAlarm.CTL_INITIAL_SUCCESS,
            (False, True): TrustListAlarm.ITL_INITIAL_SUCCESS,
        }[first]
    return TrustListAlarm.TL_SUCCESS if holds_ctl or holds_itl else None
