"""The dial template: which digits are a whole number, and how long a phone waits for more of them.

The format is the published one of phones with SIP: ``<DIALTEMPLATE>`` with a ``<TEMPLATE>`` for each pattern. Names of
attributes are read in any case, as guides do not agree on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.errors import WireError
from wire.xmltree import XmlWriter, parse, read_number

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PATTERNS = 255
MAX_TIMEOUT_S = 99
"""Both are ours."""
_MATCH = re.compile(r"[!-~]{1,64}", re.ASCII)
_USERS = {"phone": "Phone", "ip": "IP"}
_ROOT, _PATTERN = "DIALTEMPLATE", "TEMPLATE"


@dataclass(frozen=True, slots=True)
class DialPattern:
    """One line of the template.

    Attributes:
        match: digits; ``.`` for any one, ``*`` for any more, ``,`` for a second dial tone.
        timeout_s: seconds without a digit after which a number that matches is dialled; 0 at once.
        user: ``phone`` or ``ip``, what ``user=`` of the called address says.
    """

    match: str
    timeout_s: int
    user: str = "phone"


def encode_dial_template(patterns: tuple[DialPattern, ...]) -> bytes:
    """Writes the file.

    Raises:
        WireError: too many patterns, or one that the format has no place for.
    """
    _check_count(len(patterns))
    xml = XmlWriter(declaration=True)
    with xml.inside(_ROOT):
        for pattern in patterns:
            if not 0 <= pattern.timeout_s <= MAX_TIMEOUT_S:
                raise WireError(f"TIMEOUT: {pattern.timeout_s} is not from 0 to {MAX_TIMEOUT_S}")
            attributes = {"MATCH": _match(pattern.match), "TIMEOUT": str(pattern.timeout_s)}
            xml.words(_PATTERN, "", **attributes, User=_USERS[_user(pattern.user)])
    return xml.finish()


def decode_dial_template(data: bytes) -> tuple[DialPattern, ...]:
    """Reads the file.

    Raises:
        WireError: it is none, or beyond a limit.
    """
    found = parse(data, _ROOT).all(_PATTERN)
    _check_count(len(found))
    return tuple(_read({name.lower(): text for name, text in node.attributes.items()}) for node in found)


def _read(attributes: Mapping[str, str]) -> DialPattern:
    timeout = attributes.get("timeout", "0").strip()
    return DialPattern(
        match=_match(attributes.get("match", "").strip()),
        timeout_s=read_number("TIMEOUT", timeout, 0, MAX_TIMEOUT_S),
        user=_user(attributes.get("user", "phone").strip().lower()),
    )


def _check_count(count: int) -> None:
    if count > MAX_PATTERNS:
        raise WireError(f"a dial template of {count} patterns; the limit is {MAX_PATTERNS}")


def _match(text: str) -> str:
    if not _MATCH.fullmatch(text):
        raise WireError(f"MATCH: {text[:40]!r} is no pattern of 1 to 64 printable characters")
    return text


def _user(text: str) -> str:
    if text not in _USERS:
        raise WireError(f"User: {text[:40]!r} is neither Phone nor IP")
    return text
