"""The XML of configuration files: a guarded reader into a small tree, and a writer in UCM's manner.

UCM uses the prefix ``xsi`` without declaring it, which parsers that know namespaces refuse; this one knows none.
Document type definitions and entities of a document's own are refused, and so is what is too long, too deep or too
many.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape

from defusedxml.common import DefusedXmlException
from defusedxml.sax import parseString

from wire.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.sax.xmlreader import AttributesImpl

MAX_XML_SIZE = 1_048_576
"""Bytes of a document."""
MAX_DEPTH = 32
MAX_ELEMENTS = 20_000
_MAX_DIGITS = 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.-]*", re.ASCII)
_UNWRITABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\ufffe\\uffff]")
"""Control characters, lone surrogates, and what is no character."""


@dataclass(slots=True)
class Node:
    """One element.

    Attributes:
        name: with its prefix, if it has one.
        attributes: by name.
        text: all text directly inside, as it stands.
        children: in order.
    """

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def child(self, *path: str) -> Node | None:
        """The first element at the end of a path of names; None when there is none."""
        node: Node | None = self
        for name in path:
            node = next((child for child in node.children if child.name == name), None) if node else None
        return node

    def all(self, *path: str) -> tuple[Node, ...]:
        """All elements of the last name, inside the first element of each name before it."""
        parent = self.child(*path[:-1])
        return tuple(child for child in parent.children if child.name == path[-1]) if parent else ()

    def words(self, *path: str, default: str = "") -> str:
        """The text at a path, as it stands."""
        node = self.child(*path)
        return node.text if node and node.text else default

    def token(self, *path: str, default: str = "") -> str:
        """The text at a path without blanks around it."""
        return self.words(*path).strip() or default

    def number(self, *path: str, default: int, low: int, high: int) -> int:
        """The decimal number at a path; `default` when there is none.

        Raises:
            WireError: it is no number, or out of range.
        """
        text = self.token(*path)
        return read_number("/".join((self.name, *path)), text, low, high) if text else default

    def flag(self, *path: str, default: bool) -> bool:
        """``true`` or ``false`` at a path, in any case; `default` when there is none.

        Raises:
            WireError: something else.
        """
        text = self.token(*path).lower()
        if text not in {"", "true", "false"}:
            raise WireError(f"{'/'.join((self.name, *path))}: {text[:40]!r} is neither true nor false")
        return text == "true" if text else default


def read_number(where: str, text: str, low: int, high: int) -> int:
    """A decimal number.

    Raises:
        WireError: it is none, or not from `low` to `high`.
    """
    plain = text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
    if not plain or not low <= int(text) <= high:
        raise WireError(f"{where}: {text[:40]!r} is not a number from {low} to {high}")
    return int(text)


def parse(data: bytes, root: str | None) -> Node:
    """Reads a document.

    Args:
        data: the whole document.
        root: what its outermost element has to be; None for any.

    Raises:
        WireError: not well-formed, beyond a limit, with a document type definition, or another root.
    """
    if len(data) > MAX_XML_SIZE:
        raise WireError(f"XML of {len(data)} bytes is over the limit of {MAX_XML_SIZE}")
    builder = _Builder()
    try:
        parseString(data, builder, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise WireError("XML with a document type definition or entities of its own") from error
    except (SAXException, ValueError, LookupError) as error:
        raise WireError(f"not well-formed XML: {error}") from error
    if root is not None and builder.root.name != root:
        raise WireError(f"XML of <{builder.root.name[:40]}>, not of <{root}>")
    return builder.root


class _Builder(ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("")
        self._open: list[Node] = []
        self._texts: list[list[str]] = []
        self._count = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - SAX's name
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise WireError(f"XML with more than {MAX_ELEMENTS} elements")
        if len(self._open) == MAX_DEPTH:
            raise WireError(f"XML with elements more than {MAX_DEPTH} deep")
        node = Node(name, dict(attrs.items()))
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._texts.append([])

    def endElement(self, name: str) -> None:  # noqa: ARG002, N802 - SAX's name and arguments
        self._open.pop().text = "".join(self._texts.pop())

    def characters(self, content: str) -> None:
        if self._texts:
            self._texts[-1].append(content)


class XmlWriter:
    """Writes one element on each line, as UCM does: not indented, with two blanks before the attributes."""

    def __init__(self, *, declaration: bool) -> None:
        self._lines = ['<?xml version="1.0" encoding="UTF-8"?>'] if declaration else []

    @contextmanager
    def inside(self, name: str, /, **attributes: str) -> Iterator[None]:
        """Everything written within the ``with`` stands inside this element. ``__`` in a name stands for a colon."""
        self._lines.append(f"<{name}{_attributes(attributes)}>")
        yield
        self._lines.append(f"</{name}>")

    def words(self, name: str, text: str, /, **attributes: str) -> None:
        """An element with text.

        Raises:
            WireError: the text has control characters, or others that XML has no place for.
        """
        self._lines.append(f"<{name}{_attributes(attributes)}>{_clean(name, text)}</{name}>")

    def token(self, name: str, text: str) -> None:
        """An element with text that has no blanks around it.

        Raises:
            WireError: it has, or as for `words`.
        """
        if text != text.strip():
            raise WireError(f"<{name}>: blanks around {text[:40]!r}")
        self.words(name, text)

    def number(self, name: str, value: int, low: int, high: int) -> None:
        """An element with a decimal number.

        Raises:
            WireError: it is not from `low` to `high`.
        """
        if not low <= value <= high:
            raise WireError(f"<{name}>: {value} is not from {low} to {high}")
        self.words(name, str(value))

    def flag(self, name: str, *, value: bool) -> None:
        """An element with ``true`` or ``false``."""
        self.words(name, "true" if value else "false")

    def fixed(self, **texts: str) -> None:
        """Elements with the same text in every file."""
        for name, text in texts.items():
            self.words(name, text)

    def finish(self) -> bytes:
        """The document.

        Raises:
            WireError: it is over `MAX_XML_SIZE`.
        """
        data = ("\n".join(self._lines) + "\n").encode("utf-8")
        if len(data) > MAX_XML_SIZE:
            raise WireError(f"XML of {len(data)} bytes is over the limit of {MAX_XML_SIZE}")
        return data


def _attributes(attributes: dict[str, str]) -> str:
    pairs = [f'{name.replace("__", ":")}="{_clean(name, value)}"' for name, value in attributes.items()]
    return f"  {' '.join(pairs)}" if pairs else ""


def _clean(name: str, text: str) -> str:
    found = _UNWRITABLE.search(text)
    if found:
        raise WireError(f"<{name}>: {text[:40]!r} has the character U+{ord(found.group()):04X}")
    return escape(text, {'"': "&quot;"})
