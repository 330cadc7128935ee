"""The guarded XML reader and the writer in UCM's manner."""

from __future__ import annotations

import socket
from encodings.aliases import aliases
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import moderately, raw_bytes, thoroughly
from wire.errors import WireError
from wire.xmltree import MAX_DEPTH, MAX_ELEMENTS, MAX_XML_SIZE, Node, XmlWriter, parse, read_number

if TYPE_CHECKING:
    from pathlib import Path


def device(inside: str) -> bytes:
    return f"<device>{inside}</device>".encode()


def test_a_document_becomes_a_tree() -> None:
    tree = parse(b'<device a="1"><b> x <c/>y</b><b>z</b></device>', "device")
    assert tree == Node(
        "device",
        {"a": "1"},
        "",
        [Node("b", {}, " x y", [Node("c")]), Node("b", {}, "z")],
    )
    assert tree.child("b", "c") == Node("c")
    assert tree.child("b", "d") is None
    assert tree.child("e", "c") is None
    assert [node.text for node in tree.all("b")] == [" x y", "z"]
    assert tree.all("e", "f") == ()
    assert (tree.words("b"), tree.token("b"), tree.token("e", default="d")) == (" x y", "x y", "d")


def test_ucms_undeclared_prefix_is_no_error() -> None:
    tree = parse(b'<device  xsi:type="axl:XIPPhone" ctiid="0"/>', "device")
    assert tree.attributes == {"xsi:type": "axl:XIPPhone", "ctiid": "0"}


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf<device>\xc3\xa9</device>",
        '<?xml version="1.0" encoding="utf-16"?><device>é</device>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="iso-8859-1"?><device>\xe9</device>',
        b"<device>&#233;</device>",
        b"<device><![CDATA[\xc3\xa9]]></device>",
        b"<?pi?><!-- c --><device><!-- c -->\xc3\xa9</device>",
    ],
    ids=["BOM", "UTF-16", "Latin-1", "reference", "CDATA", "comments"],
)
def test_ordinary_ways_of_writing_a_text_are_read(data: bytes) -> None:
    assert parse(data, "device").text == "é"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"   ",
        b"text",
        b"<device>",
        b"<device></devic>",
        b"<device/><device/>",
        b"<device/>x",
        b"<device a='1' a='2'/>",
        b"<device a=1/>",
        b"<device>\xff</device>",
        b"<device>&unknown;</device>",
        b"<device>&#0;</device>",
        b"<device>&#x1b;</device>",
        b"<device>\x1b</device>",
        b"<device><![CDATA[</device>",
        b"<?xml version='1.0' encoding='nonsense'?><device/>",
        b"<?xml version='1.0' encoding=''?><device/>",
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(WireError, match=r"^not well-formed XML: "):
        parse(data, "device")


@pytest.mark.parametrize("root", ["Default", "Device", "x" * 200])
def test_another_root_is_refused(root: str) -> None:
    with pytest.raises(WireError, match=f"^XML of <{root[:40]}>, not of <device>$"):
        parse(f"<{root}/>".encode(), "device")


def entity(declaration: str, use: str = "&x;") -> bytes:
    return f"<!DOCTYPE device [{declaration}]><device>{use}</device>".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE device><device/>",
        b"<!DOCTYPE device SYSTEM 'device.dtd'><device/>",
        b"<!DOCTYPE device PUBLIC '-//x' 'http://127.0.0.1/x.dtd'><device/>",
        entity("<!ELEMENT device ANY>", ""),
        entity("<!ENTITY x 'y'>"),
        entity("<!ENTITY x SYSTEM 'file:///etc/passwd'>"),
        entity("<!ENTITY % x SYSTEM 'http://127.0.0.1/x'>%x;", ""),
        entity("<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY x '&b;&b;&b;&b;'>"),
        entity("<!ENTITY x '&x;'>"),
        entity("<!ATTLIST device a CDATA 'default'>", ""),
    ],
    ids=["bare", "system", "public", "element", "own", "file", "parameter", "billion laughs", "loop", "attribute"],
)
def test_a_document_type_definition_is_refused_whatever_is_in_it(data: bytes) -> None:
    with pytest.raises(WireError, match=r"^XML with a document type definition or entities of its own$"):
        parse(data, "device")


def test_a_file_of_the_machine_does_not_get_into_a_document(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with pytest.raises(WireError) as caught:
        parse(entity(f"<!ENTITY x SYSTEM '{secret.as_uri()}'>"), "device")
    assert "secret" not in str(caught.value)


def test_nothing_is_fetched_for_a_document() -> None:
    """A real listener, whom nobody must call: a connection would be waiting in its queue."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        for data in (entity(f"<!ENTITY x SYSTEM '{url}'>"), f"<!DOCTYPE device SYSTEM '{url}'><device/>".encode()):
            with pytest.raises(WireError):
                parse(data, "device")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("body", [b"<device/>", b"<device>\xff\xfe\x80</device>"], ids=["ASCII", "bytes"])
def test_no_declared_encoding_leaks_another_error(body: bytes) -> None:
    """The parser asks Python for encodings that it does not know, and those raise what they like."""
    read = set()
    for name in {*aliases, *aliases.values(), "idna", "punycode", "undefined", "mbcs", "é"}:
        try:
            read.add(parse(f'<?xml version="1.0" encoding="{name}"?>'.encode() + body, "device").name)
        except WireError:
            continue
    assert read == {"device"}


def test_limits_are_kept_to_the_byte_the_level_and_the_element() -> None:
    text = "x" * (MAX_XML_SIZE - len(device("")))
    assert len(parse(device(text), "device").text) == len(text)
    with pytest.raises(WireError, match=f"^XML of {MAX_XML_SIZE + 1} bytes is over the limit of {MAX_XML_SIZE}$"):
        parse(device(text + "x"), "device")

    deepest = "<a>" * (MAX_DEPTH - 1) + "</a>" * (MAX_DEPTH - 1)
    assert parse(device(deepest), "device").child("a", "a") is not None
    with pytest.raises(WireError, match=f"^XML with elements more than {MAX_DEPTH} deep$"):
        parse(device(f"<a>{deepest}</a>"), "device")

    assert len(parse(device("<a/>" * (MAX_ELEMENTS - 1)), "device").children) == MAX_ELEMENTS - 1
    with pytest.raises(WireError, match=f"^XML with more than {MAX_ELEMENTS} elements$"):
        parse(device("<a/>" * MAX_ELEMENTS), "device")


def test_an_endless_descent_is_refused_before_it_is_well_formed() -> None:
    with pytest.raises(WireError, match="deep"):
        parse(b"<device>" + b"<a>" * 100_000, "device")


# --- values ---


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("007", 7), (" 5060\n", 5060), ("65535", 65_535), ("", 9)])
def test_numbers_are_decimal(text: str, value: int) -> None:
    assert parse(device(f"<n>{text}</n>"), "device").number("n", default=9, low=0, high=65_535) == value


@pytest.mark.parametrize("text", ["-1", "65536", "0x10", "1.0", "1e3", "1_0", "٣", "²", "+1", "1 2", "x", "0" * 11])
def test_what_is_no_number_in_range_is_refused(text: str) -> None:
    with pytest.raises(WireError, match=r"^device/n: .* is not a number from 0 to 65535$"):
        parse(device(f"<n>{text}</n>"), "device").number("n", default=9, low=0, high=65_535)


def test_a_number_of_a_million_digits_is_not_repeated_in_the_message() -> None:
    with pytest.raises(WireError) as caught:
        read_number("n", "1" * 1_000_000, 0, 9)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("TRUE", True), (" false ", False), ("False", False), ("", True)]
)
def test_flags_are_true_or_false(*, text: str, value: bool) -> None:
    assert parse(device(f"<f>{text}</f>"), "device").flag("f", default=True) is value


@pytest.mark.parametrize("text", ["yes", "1", "tru", "truetrue"])
def test_other_flags_are_refused(text: str) -> None:
    with pytest.raises(WireError, match=rf"^device/f: '{text}' is neither true nor false$"):
        parse(device(f"<f>{text}</f>"), "device").flag("f", default=True)


# --- writing ---


def test_elements_are_written_on_a_line_each_with_two_blanks_before_attributes() -> None:
    xml = XmlWriter(declaration=True)
    with xml.inside("device", xsi__type="axl:XIPPhone", ctiid="0"):
        xml.words("a", "<&>\"'")
        xml.token("b", "")
        xml.number("c", 5, 0, 9)
        xml.flag("d", value=False)
        xml.fixed(e="1", f="2")
    assert xml.finish() == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<device  xsi:type="axl:XIPPhone" ctiid="0">\n'
        b"<a>&lt;&amp;&gt;&quot;'</a>\n<b></b>\n<c>5</c>\n<d>false</d>\n<e>1</e>\n<f>2</f>\n</device>\n"
    )


@pytest.mark.parametrize("character", ["\0", "\x1b", "\n", "\t", "\x7f", "\x85", "\ud800", "\ufffe", "\uffff"])
def test_characters_that_would_not_be_read_back_are_not_written(character: str) -> None:
    xml = XmlWriter(declaration=False)
    with pytest.raises(WireError, match=rf"^<a>: .* has the character U\+{ord(character):04X}$"):
        xml.words("a", f"x{character}")
    with pytest.raises(WireError), xml.inside("a", b=f"x{character}"):
        pass


def test_what_does_not_fit_its_element_is_not_written() -> None:
    xml = XmlWriter(declaration=False)
    with pytest.raises(WireError, match=r"^<a>: blanks around ' x'$"):
        xml.token("a", " x")
    with pytest.raises(WireError, match=r"^<a>: 10 is not from 0 to 9$"):
        xml.number("a", 10, 0, 9)
    xml.words("a", "x" * MAX_XML_SIZE)
    with pytest.raises(WireError, match=rf"is over the limit of {MAX_XML_SIZE}$"):
        xml.finish()


_WRITABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)


@thoroughly
@given(_WRITABLE, _WRITABLE)
def test_any_text_is_read_back_as_it_was_written(text: str, attribute: str) -> None:
    xml = XmlWriter(declaration=True)
    with xml.inside("device"), xml.inside("a", b=attribute):
        xml.words("c", text)
    inner = parse(xml.finish(), "device").child("a")
    assert inner is not None
    assert (inner.attributes, inner.words("c")) == ({"b": attribute}, text)


@moderately
@given(st.text(max_size=20))
def test_any_other_text_is_a_wire_error(text: str) -> None:
    xml = XmlWriter(declaration=True)
    try:
        xml.words("device", text)
    except WireError:
        return
    assert parse(xml.finish(), "device").text == text


@moderately
@given(raw_bytes(100))
def test_arbitrary_bytes_are_a_document_or_a_wire_error(data: bytes) -> None:
    for candidate in (data, b"<device>" + data + b"</device>", b"<?xml version='1.0'" + data + b"?><device/>"):
        try:
            tree = parse(candidate, "device")
        except WireError:
            continue
        assert tree.name == "device"


@thoroughly
@given(st.lists(st.sampled_from(["<a>", "</a>", "<b/>", "x", "&amp;", "<", ">", "&", '"', "<!--", "-->"]), max_size=25))
def test_arbitrary_markup_is_a_document_or_a_wire_error(pieces: list[str]) -> None:
    try:
        tree = parse(device("".join(pieces)), "device")
    except WireError:
        return
    assert tree.name == "device"
