"""``Ringlist.xml``: the ring tones that a phone offers, as the administration guides of the phones print it.

Each names a file with the sound, which is not part of this.
"""

from __future__ import annotations

from dataclasses import dataclass

from wire.errors import WireError
from wire.xmltree import Node, XmlWriter, parse

RING_LIST_FILE = "Ringlist.xml"
DISTINCTIVE_RING_LIST_FILE = "DistinctiveRingList.xml"
"""The same format for the rings of single lines."""
MAX_RINGS = 50
MAX_RING_TEXT = 25
"""Characters of a name or a file name; this and `MAX_RINGS` as the guides have them."""
_ROOT = "CiscoIPPhoneRingList"


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring tone.

    Attributes:
        name: what the menu says.
        file: the sound's file name.
    """

    name: str
    file: str


def encode_ring_list(rings: tuple[Ring, ...]) -> bytes:
    """Writes the file.

    Raises:
        WireError: too many rings, an empty or too long text, or one that XML has no place for.
    """
    _check_count(len(rings))
    xml = XmlWriter(declaration=True)
    with xml.inside(_ROOT):
        for ring in rings:
            with xml.inside("Ring"):
                xml.token("DisplayName", _text("DisplayName", ring.name))
                xml.token("FileName", _text("FileName", ring.file))
    return xml.finish()


def decode_ring_list(data: bytes) -> tuple[Ring, ...]:
    """Reads the file.

    Raises:
        WireError: it is none, or beyond a limit.
    """
    found = parse(data, _ROOT).all("Ring")
    _check_count(len(found))
    return tuple(map(_read, found))


def _read(ring: Node) -> Ring:
    name, file = ring.token("DisplayName"), ring.token("FileName")
    return Ring(_text("DisplayName", name), _text("FileName", file))


def _check_count(count: int) -> None:
    if count > MAX_RINGS:
        raise WireError(f"a ring list of {count} rings; phones take {MAX_RINGS}")


def _text(where: str, text: str) -> str:
    if not 0 < len(text) <= MAX_RING_TEXT:
        raise WireError(f"<{where}>: {text[:40]!r} has not 1 to {MAX_RING_TEXT} characters")
    return text
