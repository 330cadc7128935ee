"""The files beside the configuration: which a phone asks for, in which order, and what it makes of them.

The order follows three reports of real phones, which agree where they overlap: locale before tones before
``AppDialRules.xml``; that before the soft keys; everything else after. Two are asked for though no configuration names
them: ``AppDialRules.xml``, as was observed (most clusters have none, which is harmless), and ``Ringlist.xml``. A real
phone may want the latter only when somebody opens the menu of rings: here it is asked for at once.

What a phone can read is checked: the ring list and the dial template, whose formats are published, and a user locale,
an archive. Of the others any well-formed XML is taken, since nobody says what real servers write there.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from phone_sim.reasons import Reason
from phone_sim.trust import KeepOld
from wire.dialtemplate import decode_dial_template
from wire.errors import WireError
from wire.localearchive import decode_archive
from wire.phonetexts import TONES_FILE
from wire.ringlist import RING_LIST_FILE, decode_ring_list
from wire.xmltree import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phone_sim.models import Model
    from wire.phoneconfig import PhoneConfig

APP_DIAL_RULES = "AppDialRules.xml"
_PART = r"[A-Za-z0-9_{][A-Za-z0-9_.{} -]{0,63}"
_USABLE = re.compile(rf"(?:{_PART}/){{0,2}}{_PART}", re.ASCII)


class Kind(Enum):
    """What a file is for; the value is its name in reports. In the order in which phones ask."""

    USER_LOCALE = "user locale"
    NETWORK_LOCALE = "network locale"
    APP_DIAL_RULES = "application dial rules"
    SOFT_KEYS = "soft keys"
    DIAL_TEMPLATE = "dial template"
    RING_LIST = "ring list"

    @property
    def is_locale(self) -> bool:
        """Phones have a status message of its own for these."""
        return self in {Kind.USER_LOCALE, Kind.NETWORK_LOCALE}


KINDS = frozenset(kind.value for kind in Kind)
"""What a report calls decisions on such files."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file to ask for.

    Attributes:
        name: without ``.sgn``, folders with ``/``.
    """

    kind: Kind
    name: str

    @property
    def is_usable(self) -> bool:
        """It is a name that can be asked for: a configuration may say anything."""
        return _USABLE.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file in flash.

    Attributes:
        name: as it was asked for, without ``.sgn``.
        data: unsigned.
    """

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        """Checksum of its content, hex."""
        return hashlib.sha256(self.data).hexdigest()

    def encode(self) -> bytes:
        """For flash: a line that says what it is, then the content."""
        return json.dumps({"name": self.name, "sha256": self.sha256}).encode() + b"\n" + self.data

    @classmethod
    def decode(cls, data: bytes) -> HeldFile:
        """Reads what `encode` wrote.

        Raises:
            WireError: it is something else, or damaged.
        """
        line, _, content = data.partition(b"\n")
        try:
            label = json.loads(line)
            held = cls(str(label["name"]), content)
            if held.sha256 != label["sha256"]:
                raise WireError("content and checksum do not fit")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise WireError(f"not a file of a phone's flash: {error}") from error
        return held


def named_files(config: PhoneConfig, model: Model) -> tuple[NamedFile, ...]:
    """What to ask for after this configuration, in order."""
    user, network = config.user_locale, config.network_locale
    names = {
        Kind.USER_LOCALE: user and f"{user}/{model.name}-sip.jar",
        Kind.NETWORK_LOCALE: network and f"{network}/{TONES_FILE}",
        Kind.APP_DIAL_RULES: APP_DIAL_RULES,
        Kind.SOFT_KEYS: config.soft_key_file,
        Kind.DIAL_TEMPLATE: config.dial_template,
        Kind.RING_LIST: RING_LIST_FILE,
    }
    return tuple(NamedFile(kind, names[kind]) for kind in Kind if names[kind])


def unreadable(kind: Kind, data: bytes) -> KeepOld | None:
    """Why a file is of no use to the phone, though it is trusted; None when it is."""
    try:
        _READ[kind](data)
    except WireError as error:
        return KeepOld(Reason.UNREADABLE, str(error))
    return None


def _any_xml(data: bytes) -> object:
    return parse(data, None)


_READ: Mapping[Kind, Callable[[bytes], object]] = {
    Kind.USER_LOCALE: decode_archive,
    Kind.NETWORK_LOCALE: _any_xml,
    Kind.APP_DIAL_RULES: _any_xml,
    Kind.SOFT_KEYS: _any_xml,
    Kind.DIAL_TEMPLATE: decode_dial_template,
    Kind.RING_LIST: decode_ring_list,
}
