"""The XML objects of Cisco's IP phone services interface: what phones fetch and show, and what is pushed to them.

Names, attributes and the limits on items are those of the published interface. It limits texts, too, but a longer one
is taken all the same, up to `MAX_TEXT` (ours). Unknown elements are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from wire.errors import WireError
from wire.xmltree import XmlWriter, parse, read_number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wire.xmltree import Node

MAX_TEXT = 4_000
"""Characters of any text or URL, as many as a ``CiscoIPPhoneText`` has."""
MAX_MENU_ITEMS = 100
MAX_ENTRIES = 32
"""Of a directory."""
MAX_INPUTS = 5
MAX_EXECUTES = 3
MAX_SOFT_KEYS = 8
"""A phone shows four at a time; how many it pages through is ours."""
_MAX_NUMBER = 65_535
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MenuItem:
    """One line of a menu."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class SoftKey:
    """A key below the screen.

    Attributes:
        url: an address, or a function of the phone such as ``SoftKey:Exit``.
        position: counted from 1.
    """

    name: str
    url: str
    position: int


@dataclass(frozen=True, slots=True)
class Menu:
    """``CiscoIPPhoneMenu``: choices that lead on."""

    title: str
    prompt: str
    items: tuple[MenuItem, ...]
    soft_keys: tuple[SoftKey, ...] = ()


@dataclass(frozen=True, slots=True)
class TextPage:
    """``CiscoIPPhoneText``: something to read."""

    title: str
    prompt: str
    text: str
    soft_keys: tuple[SoftKey, ...] = ()


@dataclass(frozen=True, slots=True)
class InputItem:
    """One field of a form.

    Attributes:
        name: beside the field.
        parameter: under which the value goes into the query.
        flags: ``A`` text, ``T`` telephone number, ``N`` digits, ``U``, ``L``, ``E``; with ``P`` it is not shown.
        default: what stands in it at first.
    """

    name: str
    parameter: str
    flags: str = "A"
    default: str = ""

    @property
    def hidden(self) -> bool:
        """A password or PIN."""
        return "P" in self.flags.upper()


@dataclass(frozen=True, slots=True)
class Input:
    """``CiscoIPPhoneInput``: a form; what is filled in is added to the query of `url`."""

    title: str
    prompt: str
    url: str
    items: tuple[InputItem, ...]
    soft_keys: tuple[SoftKey, ...] = ()


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A name with its number."""

    name: str
    telephone: str


@dataclass(frozen=True, slots=True)
class Directory:
    """``CiscoIPPhoneDirectory``: numbers to dial."""

    title: str
    prompt: str
    entries: tuple[DirectoryEntry, ...]
    soft_keys: tuple[SoftKey, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecuteItem:
    """One thing to do.

    Attributes:
        url: an address to open, or ``Key:Services``, ``Init:Services`` ...
        priority: 0 at once, 1 when idle, 2 only if idle now.
    """

    url: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Execute:
    """``CiscoIPPhoneExecute``: what a server asks a phone to do."""

    items: tuple[ExecuteItem, ...]


@dataclass(frozen=True, slots=True)
class ResponseItem:
    """What came of one `ExecuteItem`; `status` 0 is success."""

    url: str
    status: int
    data: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """``CiscoIPPhoneResponse``: the phone's answer to an `Execute`."""

    items: tuple[ResponseItem, ...]


@dataclass(frozen=True, slots=True)
class PhoneError:
    """``CiscoIPPhoneError``.

    Attributes:
        number: 1 the object cannot be parsed, 2 it is framed wrongly, 3 an internal error, 4 authentication failed.
        text: for people; phones send none.
    """

    number: int
    text: str = ""


Page = Menu | TextPage | Input | Directory
"""What a phone shows."""
PhoneObject = Page | Execute | Response | PhoneError


# --- writing ---


def encode(item: PhoneObject) -> bytes:
    """Writes an object.

    Raises:
        WireError: a text has control characters or is too long, a number is out of range, or there are too many items.
    """
    xml = XmlWriter(declaration=True)
    _WRITERS[type(item)](xml, item)
    return xml.finish()


def _write_menu(xml: XmlWriter, menu: Menu) -> None:
    with xml.inside("CiscoIPPhoneMenu"):
        _write_head(xml, menu)
        for item in _limited("MenuItem", menu.items, MAX_MENU_ITEMS):
            with xml.inside("MenuItem"):
                xml.words("Name", _short(item.name))
                xml.token("URL", _short(item.url))
        _write_soft_keys(xml, menu.soft_keys)


def _write_text(xml: XmlWriter, page: TextPage) -> None:
    with xml.inside("CiscoIPPhoneText"):
        _write_head(xml, page)
        xml.words("Text", _short(page.text))
        _write_soft_keys(xml, page.soft_keys)


def _write_input(xml: XmlWriter, form: Input) -> None:
    with xml.inside("CiscoIPPhoneInput"):
        _write_head(xml, form)
        xml.token("URL", _short(form.url))
        for item in _limited("InputItem", form.items, MAX_INPUTS):
            with xml.inside("InputItem"):
                xml.words("DisplayName", _short(item.name))
                xml.token("QueryStringParam", _short(item.parameter))
                xml.token("InputFlags", _short(item.flags))
                xml.words("DefaultValue", _short(item.default))
        _write_soft_keys(xml, form.soft_keys)


def _write_directory(xml: XmlWriter, directory: Directory) -> None:
    with xml.inside("CiscoIPPhoneDirectory"):
        _write_head(xml, directory)
        for entry in _limited("DirectoryEntry", directory.entries, MAX_ENTRIES):
            with xml.inside("DirectoryEntry"):
                xml.words("Name", _short(entry.name))
                xml.token("Telephone", _short(entry.telephone))
        _write_soft_keys(xml, directory.soft_keys)


def _write_execute(xml: XmlWriter, execute: Execute) -> None:
    with xml.inside("CiscoIPPhoneExecute"):
        for item in _limited("ExecuteItem", execute.items, MAX_EXECUTES):
            _in_range("Priority", item.priority)
            xml.words("ExecuteItem", "", Priority=str(item.priority), URL=_short(item.url))


def _write_response(xml: XmlWriter, response: Response) -> None:
    with xml.inside("CiscoIPPhoneResponse"):
        for item in _limited("ResponseItem", response.items, MAX_EXECUTES):
            _in_range("Status", item.status)
            xml.words("ResponseItem", "", Status=str(item.status), Data=_short(item.data), URL=_short(item.url))


def _write_error(xml: XmlWriter, error: PhoneError) -> None:
    _in_range("Number", error.number)
    xml.words("CiscoIPPhoneError", _short(error.text), Number=str(error.number))


_WRITERS: dict[type, Callable[..., None]] = {
    Menu: _write_menu,
    TextPage: _write_text,
    Input: _write_input,
    Directory: _write_directory,
    Execute: _write_execute,
    Response: _write_response,
    PhoneError: _write_error,
}


def _write_head(xml: XmlWriter, page: Page) -> None:
    xml.words("Title", _short(page.title))
    xml.words("Prompt", _short(page.prompt))


def _write_soft_keys(xml: XmlWriter, keys: tuple[SoftKey, ...]) -> None:
    for key in _limited("SoftKeyItem", keys, MAX_SOFT_KEYS):
        with xml.inside("SoftKeyItem"):
            xml.words("Name", _short(key.name))
            xml.token("URL", _short(key.url))
            xml.number("Position", key.position, 1, MAX_SOFT_KEYS)


# --- reading ---


def decode(data: bytes) -> PhoneObject:
    """Reads any of the objects.

    Raises:
        WireError: not well-formed, none of them, with a document type definition, or beyond a limit.
    """
    root = parse(data, None)
    reader = _READERS.get(root.name)
    if reader is None:
        raise WireError(f"<{root.name[:40]}> is no object of the phone services interface")
    return reader(root)


def _read_menu(root: Node) -> Menu:
    items = tuple(
        MenuItem(_text(item, "Name"), _text(item, "URL"))
        for item in _limited("MenuItem", root.all("MenuItem"), MAX_MENU_ITEMS)
    )
    return Menu(_text(root, "Title"), _text(root, "Prompt"), items, _read_soft_keys(root))


def _read_text(root: Node) -> TextPage:
    return TextPage(_text(root, "Title"), _text(root, "Prompt"), _text(root, "Text"), _read_soft_keys(root))


def _read_input(root: Node) -> Input:
    items = tuple(
        InputItem(
            _text(item, "DisplayName"),
            _text(item, "QueryStringParam"),
            _text(item, "InputFlags"),
            _text(item, "DefaultValue"),
        )
        for item in _limited("InputItem", root.all("InputItem"), MAX_INPUTS)
    )
    return Input(_text(root, "Title"), _text(root, "Prompt"), _text(root, "URL"), items, _read_soft_keys(root))


def _read_directory(root: Node) -> Directory:
    entries = tuple(
        DirectoryEntry(_text(entry, "Name"), _text(entry, "Telephone"))
        for entry in _limited("DirectoryEntry", root.all("DirectoryEntry"), MAX_ENTRIES)
    )
    return Directory(_text(root, "Title"), _text(root, "Prompt"), entries, _read_soft_keys(root))


def _read_execute(root: Node) -> Execute:
    items = tuple(
        ExecuteItem(_short(item.attributes.get("URL", "").strip()), _number(item, "Priority"))
        for item in _limited("ExecuteItem", root.all("ExecuteItem"), MAX_EXECUTES)
    )
    return Execute(items)


def _read_response(root: Node) -> Response:
    items = tuple(
        ResponseItem(
            _short(item.attributes.get("URL", "").strip()),
            _number(item, "Status"),
            _short(item.attributes.get("Data", "")),
        )
        for item in _limited("ResponseItem", root.all("ResponseItem"), MAX_EXECUTES)
    )
    return Response(items)


def _read_error(root: Node) -> PhoneError:
    return PhoneError(_number(root, "Number"), _short(root.text.strip()))


_READERS: dict[str, Callable[[Node], PhoneObject]] = {
    "CiscoIPPhoneMenu": _read_menu,
    "CiscoIPPhoneText": _read_text,
    "CiscoIPPhoneInput": _read_input,
    "CiscoIPPhoneDirectory": _read_directory,
    "CiscoIPPhoneExecute": _read_execute,
    "CiscoIPPhoneResponse": _read_response,
    "CiscoIPPhoneError": _read_error,
}


def _read_soft_keys(root: Node) -> tuple[SoftKey, ...]:
    return tuple(
        SoftKey(
            _text(key, "Name"),
            _text(key, "URL"),
            key.number("Position", default=place, low=1, high=MAX_SOFT_KEYS),
        )
        for place, key in enumerate(_limited("SoftKeyItem", root.all("SoftKeyItem"), MAX_SOFT_KEYS), start=1)
    )


def _text(node: Node, name: str) -> str:
    return _short(node.token(name))


def _number(node: Node, name: str) -> int:
    text = node.attributes.get(name, "").strip()
    return read_number(f"{node.name} {name}", text, 0, _MAX_NUMBER) if text else 0


def _in_range(name: str, value: int) -> None:
    if not 0 <= value <= _MAX_NUMBER:
        raise WireError(f"{name} {value} is not from 0 to {_MAX_NUMBER}")


def _short(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise WireError(f"a text of {len(text)} characters; the limit is {MAX_TEXT}")
    return text


def _limited(name: str, items: Sequence[_T], most: int) -> Sequence[_T]:
    if len(items) > most:
        raise WireError(f"{len(items)} <{name}>; the limit is {most}")
    return items
