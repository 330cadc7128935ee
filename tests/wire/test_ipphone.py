"""The XML objects of the IP phone services interface."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import moderately, mutations, thoroughly
from wire.errors import WireError
from wire.ipphone import (
    MAX_TEXT,
    Directory,
    DirectoryEntry,
    Execute,
    ExecuteItem,
    Input,
    InputItem,
    Menu,
    MenuItem,
    PhoneError,
    PhoneObject,
    Response,
    ResponseItem,
    SoftKey,
    TextPage,
    decode,
    encode,
)

PUBLISHED: dict[str, tuple[str, PhoneObject]] = {
    "menu": (
        """<CiscoIPPhoneMenu>
  <Title>Title text goes here</Title>
  <Prompt>Prompt text goes here</Prompt>
  <MenuItem><Name>The name of each menu item</Name><URL>http://a/?x=1&amp;y=2</URL></MenuItem>
  <SoftKeyItem><Name>Select</Name><URL>SoftKey:Select</URL><Position>1</Position></SoftKeyItem>
</CiscoIPPhoneMenu>""",
        Menu(
            "Title text goes here",
            "Prompt text goes here",
            (MenuItem("The name of each menu item", "http://a/?x=1&y=2"),),
            (SoftKey("Select", "SoftKey:Select", 1),),
        ),
    ),
    "text": (
        "<CiscoIPPhoneText><Title>T</Title><Text>two\nlines</Text><Prompt>P</Prompt></CiscoIPPhoneText>",
        TextPage("T", "P", "two\nlines"),
    ),
    "input": (
        """<?xml version="1.0" encoding="iso-8859-1"?><CiscoIPPhoneInput><Title>Login</Title><Prompt>Sign on</Prompt>
<URL>http://a/b?c=d</URL><InputItem><DisplayName>PIN</DisplayName><QueryStringParam>seq</QueryStringParam>
<DefaultValue></DefaultValue><InputFlags>NP</InputFlags></InputItem></CiscoIPPhoneInput>""",
        Input("Login", "Sign on", "http://a/b?c=d", (InputItem("PIN", "seq", "NP"),)),
    ),
    "directory": (
        """<CiscoIPPhoneDirectory><Title>D</Title><Prompt>Records 1 to 1 of 1</Prompt>
<DirectoryEntry><Name>\u65e5\u672c</Name><Telephone>2001</Telephone></DirectoryEntry></CiscoIPPhoneDirectory>""",
        Directory("D", "Records 1 to 1 of 1", (DirectoryEntry("\u65e5\u672c", "2001"),)),
    ),
    "execute": (
        """<CiscoIPPhoneExecute><ExecuteItem Priority="0" URL="Key:Services"/><ExecuteItem URL="http://a/"/>
</CiscoIPPhoneExecute>""",
        Execute((ExecuteItem("Key:Services"), ExecuteItem("http://a/"))),
    ),
    "response": (
        '<CiscoIPPhoneResponse><ResponseItem URL="Key:Services" Data="Success" Status="0"/></CiscoIPPhoneResponse>',
        Response((ResponseItem("Key:Services", 0, "Success"),)),
    ),
    "error": ('<CiscoIPPhoneError Number="4"/>', PhoneError(4)),
}
"""In the shape of the published descriptions."""


@pytest.mark.parametrize(("text", "expected"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_published_shapes_are_read(text: str, expected: PhoneObject) -> None:
    encoding = "iso-8859-1" if "iso-8859-1" in text else "utf-8"
    assert decode(text.encode(encoding)) == expected


@pytest.mark.parametrize("text", [text for text, _ in PUBLISHED.values()], ids=PUBLISHED)
def test_a_truncated_object_is_none(text: str) -> None:
    data = text.encode()
    for length in range(len(data)):
        with pytest.raises(WireError):
            decode(data[:length])


def test_a_form_is_written_as_phones_read_it() -> None:
    assert encode(Input("Login", "Please sign on", "http://a/?b=1&c=2", (InputItem("PIN", "seq", "NP"),))) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b"<CiscoIPPhoneInput>\n<Title>Login</Title>\n<Prompt>Please sign on</Prompt>\n<URL>http://a/?b=1&amp;c=2</URL>\n"
        b"<InputItem>\n<DisplayName>PIN</DisplayName>\n<QueryStringParam>seq</QueryStringParam>\n"
        b"<InputFlags>NP</InputFlags>\n<DefaultValue></DefaultValue>\n</InputItem>\n</CiscoIPPhoneInput>\n"
    )


@pytest.mark.parametrize(("flags", "hidden"), [("A", False), ("NP", True), ("p", True), ("", False)])
def test_which_fields_are_not_shown(flags: str, hidden: bool) -> None:  # noqa: FBT001
    assert InputItem("PIN", "seq", flags).hidden is hidden


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"<html/>",
        b"<CiscoIPPhoneImage/>",
        b"<CiscoIPPhoneMenu>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><CiscoIPPhoneMenu>&a;</CiscoIPPhoneMenu>',
        b"<!DOCTYPE CiscoIPPhoneMenu><CiscoIPPhoneMenu/>",
        b'<CiscoIPPhoneError Number="four"/>',
        b'<CiscoIPPhoneError Number="-1"/>',
        b'<CiscoIPPhoneError Number="65536"/>',
        b"<CiscoIPPhoneMenu>" + 101 * b"<MenuItem/>" + b"</CiscoIPPhoneMenu>",
        b"<CiscoIPPhoneDirectory>" + 33 * b"<DirectoryEntry/>" + b"</CiscoIPPhoneDirectory>",
        b"<CiscoIPPhoneInput>" + 6 * b"<InputItem/>" + b"</CiscoIPPhoneInput>",
        b"<CiscoIPPhoneExecute>" + 4 * b"<ExecuteItem/>" + b"</CiscoIPPhoneExecute>",
        b"<CiscoIPPhoneText>" + 9 * b"<SoftKeyItem/>" + b"</CiscoIPPhoneText>",
        b"<CiscoIPPhoneText><Text>" + b"x" * (MAX_TEXT + 1) + b"</Text></CiscoIPPhoneText>",
    ],
)
def test_what_is_no_object_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        decode(data)


def test_as_much_as_the_interface_allows_is_read() -> None:
    menu = decode(b"<CiscoIPPhoneMenu>" + 100 * b"<MenuItem/>" + b"</CiscoIPPhoneMenu>")
    assert isinstance(menu, Menu)
    assert len(menu.items) == 100


@pytest.mark.parametrize(
    "item",
    [
        Menu("a\0", "", ()),
        Menu("", "", (MenuItem("", ""),) * 101),
        Execute((ExecuteItem("x", -1),)),
        PhoneError(65_536),
        TextPage("", "", "x" * (MAX_TEXT + 1)),
        TextPage("", "", "", (SoftKey("", "", 0),)),
    ],
)
def test_what_cannot_be_read_again_is_not_written(item: PhoneObject) -> None:
    with pytest.raises(WireError):
        encode(item)


_words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20).map(
    str.strip
)
_numbers = st.integers(0, 65_535)
_keys = st.lists(st.builds(SoftKey, _words, _words, st.integers(1, 8)), max_size=8).map(tuple)


def _several(item: st.SearchStrategy[object], most: int) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(item, max_size=most).map(tuple)


_objects = st.one_of(
    st.builds(Menu, _words, _words, _several(st.builds(MenuItem, _words, _words), 4), _keys),
    st.builds(TextPage, _words, _words, _words, _keys),
    st.builds(Input, _words, _words, _words, _several(st.builds(InputItem, _words, _words, _words, _words), 5), _keys),
    st.builds(Directory, _words, _words, _several(st.builds(DirectoryEntry, _words, _words), 4), _keys),
    st.builds(Execute, _several(st.builds(ExecuteItem, _words, _numbers), 3)),
    st.builds(Response, _several(st.builds(ResponseItem, _words, _numbers, _words), 3)),
    st.builds(PhoneError, _numbers, _words),
)


@moderately
@given(_objects)
def test_what_is_written_is_read_again(item: PhoneObject) -> None:
    assert decode(encode(item)) == item


@thoroughly
@given(st.data())
def test_whatever_comes_is_an_object_or_a_wire_error(data: st.DataObject) -> None:
    text, _ = data.draw(st.sampled_from(list(PUBLISHED.values())))
    with contextlib.suppress(WireError):
        decode(data.draw(mutations(text.encode())))
