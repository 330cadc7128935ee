"""Elements of trust lists and signed files: tag (one byte), length (two bytes, big-endian), value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MAX_VALUE = 0xFFFF
"""Bytes that the length of an element can count."""

ELEMENT_HEADER = 3
"""Bytes of tag and length."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element.

    Attributes:
        tag: 0 to 255.
        value: at most `MAX_VALUE` bytes.
    """

    tag: int
    value: bytes

    def encode(self) -> bytes:
        """Tag, length and value.

        Raises:
            WireError: the value is too long for its length field.
        """
        return element(self.tag, self.value)


Layout = tuple[int | Element, ...]
"""The order in which elements stand in a file: the tag of a known one, an unknown one itself."""


class Reader:
    """A cursor over bytes; whatever it cannot read is a `WireError` that names the place.

    Args:
        data: what to read.
        where: what the bytes are, for messages: ``header``, ``record 3``.
    """

    __slots__ = ("_data", "_end", "_where", "position")

    def __init__(self, data: bytes, where: str) -> None:
        self._data = data
        self._end = len(data)
        self._where = where
        self.position = 0

    @property
    def at_end(self) -> bool:
        """True when nothing is left."""
        return self.position >= self._end

    def peek(self) -> int:
        """The next tag, left where it is."""
        if self.at_end:
            raise WireError(f"{self._where}: ends where an element has to begin, at byte {self.position}")
        return self._data[self.position]

    def skip_byte(self) -> None:
        """Moves over an element that is a single byte (padding)."""
        self.position += 1

    def element(self) -> Element:
        """The next element, its value no longer than what is left."""
        tag = self.peek()
        begin = self.position + ELEMENT_HEADER
        if begin > self._end:
            raise WireError(f"{self._where}: ends inside the length of element {tag} at byte {self.position}")
        length = int.from_bytes(self._data[self.position + 1 : begin], "big")
        if length > self._end - begin:
            raise WireError(
                f"{self._where}: element {tag} at byte {self.position} has {length} bytes, "
                f"but only {self._end - begin} are left"
            )
        self.position = begin + length
        return Element(tag, self._data[begin : self.position])

    def children(self) -> dict[int, bytes]:
        """All elements to the end, each at most once, as tag -> value in file order."""
        found: dict[int, bytes] = {}
        while not self.at_end:
            child = self.element()
            if child.tag in found:
                raise WireError(f"{self._where}: element {child.tag} is there more than once")
            found[child.tag] = child.value
        return found


def element(tag: int, value: bytes) -> bytes:
    """Encodes one element.

    Raises:
        WireError: the value is too long for its length field.
    """
    if len(value) > MAX_VALUE:
        raise WireError(f"element {tag} of {len(value)} bytes is over the limit of {MAX_VALUE}")
    return bytes((tag,)) + len(value).to_bytes(2, "big") + value


def block(where: str, value: bytes, *expected: int) -> dict[int, bytes]:
    """Reads a container that has to hold exactly these children, in any order.

    Raises:
        WireError: a child is missing, repeated or another one.
    """
    found = Reader(value, where).children()
    if missing := [tag for tag in expected if tag not in found]:
        raise WireError(f"{where}: element {missing[0]} is missing")
    if strangers := [tag for tag in found if tag not in expected]:
        raise WireError(f"{where}: element {strangers[0]} does not belong there")
    return found


def read_integer(where: str, value: bytes, size: int) -> int:
    """An unsigned integer of exactly `size` bytes."""
    if len(value) != size:
        raise WireError(f"{where}: {len(value)} bytes, not {size}")
    return int.from_bytes(value, "big")


def write_integer(where: str, value: int, size: int) -> bytes:
    """The reverse of `read_integer`.

    Raises:
        WireError: it does not fit.
    """
    if not 0 <= value < 1 << 8 * size:
        raise WireError(f"{where}: {value} does not fit into {size} bytes")
    return value.to_bytes(size, "big")


def read_text(where: str, value: bytes) -> str:
    """UTF-8 with one NUL, at the end."""
    if not value or value.find(b"\0") != len(value) - 1:
        raise WireError(f"{where}: text does not end with its only NUL")
    try:
        return value[:-1].decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"{where}: text is not UTF-8") from error


def write_text(where: str, text: str) -> bytes:
    """The reverse of `read_text`.

    Raises:
        WireError: the text has a NUL, or a lone surrogate.
    """
    if "\0" in text:
        raise WireError(f"{where}: text has a NUL inside")
    try:
        return text.encode("utf-8") + b"\0"
    except UnicodeEncodeError as error:
        raise WireError(f"{where}: text cannot be written as UTF-8") from error


def settle_layout(layout: Layout, present: Collection[int], usual: Iterable[int], repeatable: int = -1) -> Layout:
    """A layout that names exactly the elements that are there.

    Args:
        layout: the order wished for; may name absent elements and lack present ones.
        present: tags of the known elements that have a value.
        usual: the usual order of all known elements; it decides where `layout` says nothing.
        repeatable: a known tag without value that is kept as often as it stands in `layout`.
    """
    kept = tuple(item for item in layout if isinstance(item, Element) or item in present or item == repeatable)
    return kept + tuple(tag for tag in usual if tag in present and tag not in kept)
