"""Elements: tag, two bytes of length, value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import moderately, raw_bytes
from wire.errors import WireError
from wire.tlv import (
    Element,
    Reader,
    block,
    element,
    read_integer,
    read_text,
    settle_layout,
    write_integer,
    write_text,
)


def test_an_element_is_tag_length_and_value() -> None:
    assert element(0x0E, b"ab") == b"\x0e\x00\x02ab"
    assert Element(0x0E, b"").encode() == b"\x0e\x00\x00"


def test_the_largest_value_fits_and_one_byte_more_is_refused() -> None:
    assert element(1, bytes(0xFFFF))[:3] == b"\x01\xff\xff"
    with pytest.raises(WireError, match="element 1 of 65536 bytes is over the limit"):
        element(1, bytes(0x10000))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "ends where an element has to begin, at byte 0"),
        (b"\x01", "ends inside the length of element 1 at byte 0"),
        (b"\x01\x00", "ends inside the length of element 1 at byte 0"),
        (b"\x01\x00\x02x", "element 1 at byte 0 has 2 bytes, but only 1 are left"),
        (b"\x01\xff\xff", "element 1 at byte 0 has 65535 bytes, but only 0 are left"),
    ],
)
def test_a_reader_says_where_it_stopped(data: bytes, message: str) -> None:
    with pytest.raises(WireError, match=f"^place: {message}$"):
        Reader(data, "place").element()


def test_children_are_read_in_the_order_of_the_file() -> None:
    assert list(Reader(element(2, b"b") + element(1, b"a"), "x").children().items()) == [(2, b"b"), (1, b"a")]


def test_a_repeated_child_is_refused() -> None:
    with pytest.raises(WireError, match="x: element 2 is there more than once"):
        Reader(element(2, b"b") + element(2, b"b"), "x").children()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (element(1, b""), "x: element 2 is missing"),
        (element(1, b"") + element(2, b"") + element(3, b""), "x: element 3 does not belong there"),
        (element(1, b"") + element(1, b""), "x: element 1 is there more than once"),
        (element(1, b"") + element(2, b"") + b"\x03", "x: ends inside the length of element 3 at byte 6"),
    ],
)
def test_a_block_holds_what_is_expected_and_nothing_else(value: bytes, message: str) -> None:
    with pytest.raises(WireError, match=f"^{message}$"):
        block("x", value, 1, 2)


def test_a_block_takes_its_children_in_any_order() -> None:
    assert block("x", element(2, b"b") + element(1, b"a"), 1, 2) == {2: b"b", 1: b"a"}


@pytest.mark.parametrize("value", [b"", b"a", b"\0a\0", b"a\0\0", b"\xff\0", b"\xed\xa0\x80\0"])
def test_text_ends_with_its_only_nul_and_is_utf_8(value: bytes) -> None:
    """An empty value has no NUL: reading it as an empty text would write it back one byte longer."""
    with pytest.raises(WireError, match=r"^name: text"):
        read_text("name", value)


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800"])
def test_text_that_cannot_be_read_back_is_not_written(text: str) -> None:
    with pytest.raises(WireError, match=r"^name: text"):
        write_text("name", text)


@pytest.mark.parametrize(("value", "size"), [(-1, 1), (256, 1), (65_536, 2), (1 << 32, 4)])
def test_a_number_that_does_not_fit_is_not_written(value: int, size: int) -> None:
    with pytest.raises(WireError, match=f"^n: {value} does not fit into {size} bytes$"):
        write_integer("n", value, size)


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\0\0"])
def test_a_number_has_exactly_its_size(value: bytes) -> None:
    with pytest.raises(WireError, match=f"^n: {len(value)} bytes, not 2$"):
        read_integer("n", value, 2)


def test_a_layout_keeps_the_wished_order_and_adds_what_it_lacks() -> None:
    stranger = Element(99, b"x")
    assert settle_layout((3, stranger, 1, 7), {1, 2, 3}, (1, 2, 3)) == (3, stranger, 1, 2)
    assert settle_layout((13, 1, 13), {1, 2}, (1, 2), repeatable=13) == (13, 1, 13, 2)


@moderately
@given(st.lists(st.tuples(st.integers(0, 255), raw_bytes(40)), unique_by=lambda item: item[0]))
def test_elements_are_read_back_as_they_were_written(items: list[tuple[int, bytes]]) -> None:
    data = b"".join(element(tag, value) for tag, value in items)
    assert list(Reader(data, "x").children().items()) == items


@moderately
@given(st.text())
def test_text_is_read_back_as_it_was_written(text: str) -> None:
    try:
        written = write_text("x", text)
    except WireError:
        assert "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)
    else:
        assert read_text("x", written) == text


@moderately
@given(st.integers(1, 8).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, 256**size - 1))))
def test_numbers_are_read_back_as_they_were_written(case: tuple[int, int]) -> None:
    size, value = case
    assert read_integer("x", write_integer("x", value, size), size) == value


@moderately
@given(raw_bytes(60))
def test_arbitrary_bytes_are_elements_or_a_wire_error(data: bytes) -> None:
    try:
        found = Reader(data, "x").children()
    except WireError:
        return
    assert b"".join(element(tag, value) for tag, value in found.items()) == data
