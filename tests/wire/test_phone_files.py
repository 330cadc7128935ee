"""Ring lists, dial templates, soft keys, tones and locale archives: the files beside a phone's configuration."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import moderately, raw_bytes, thoroughly
from wire.dialtemplate import MAX_PATTERNS, DialPattern, decode_dial_template, encode_dial_template
from wire.errors import WireError
from wire.localearchive import (
    MAX_ARCHIVE_SIZE,
    MAX_MEMBERS,
    MAX_UNPACKED_SIZE,
    decode_archive,
    encode_archive,
)
from wire.phonetexts import Tone, encode_dictionary, encode_soft_keys, encode_tones
from wire.ringlist import MAX_RINGS, Ring, decode_ring_list, encode_ring_list

if TYPE_CHECKING:
    from collections.abc import Callable

PRINTED_RING_LIST = b"""<CiscoIPPhoneRingList>
    <Ring>
        <DisplayName>Analog Synth 1</DisplayName>
        <FileName>Analog1.rwb</FileName>
    </Ring>
    <Ring>
        <DisplayName>Analog Synth 2</DisplayName>
        <FileName>Analog2.rwb</FileName>
    </Ring>
</CiscoIPPhoneRingList>
"""
"""As administration guides of the phones print it."""
PRINTED_DIAL_TEMPLATE = b"""<DIALTEMPLATE>
    <TEMPLATE MATCH="0" Timeout="1" User="Phone"/>
    <TEMPLATE MATCH="9,011*" Timeout="6" User="Phone"/>
    <TEMPLATE MATCH="8,...." Timeout="0" User="IP" Rewrite="....."/>
    <TEMPLATE MATCH="*" Timeout="15"/>
</DIALTEMPLATE>
"""
"""In the manner of published guides, with an attribute that is passed over."""

words = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=25
).filter(lambda text: text == text.strip())
ring_lists = st.lists(st.builds(Ring, words, words), max_size=MAX_RINGS).map(tuple)
patterns = st.builds(
    DialPattern,
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64),
    st.integers(0, 99),
    st.sampled_from(["phone", "ip"]),
)
dial_templates = st.lists(patterns, max_size=20).map(tuple)
members = st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?\.xml", fullmatch=True), raw_bytes(200), min_size=1)


@thoroughly
@given(ring_lists)
def test_a_ring_list_is_read_as_it_was_written(rings: tuple[Ring, ...]) -> None:
    assert decode_ring_list(encode_ring_list(rings)) == rings


@thoroughly
@given(dial_templates)
def test_a_dial_template_is_read_as_it_was_written(template: tuple[DialPattern, ...]) -> None:
    assert decode_dial_template(encode_dial_template(template)) == template


@moderately
@given(members)
def test_an_archive_is_read_as_it_was_packed_and_packed_the_same_every_time(files: dict[str, bytes]) -> None:
    assert decode_archive(encode_archive(files)) == files
    assert encode_archive(files) == encode_archive(dict(files))


def test_a_ring_list_as_guides_print_it_is_read() -> None:
    assert decode_ring_list(PRINTED_RING_LIST) == (
        Ring("Analog Synth 1", "Analog1.rwb"),
        Ring("Analog Synth 2", "Analog2.rwb"),
    )


def test_a_dial_template_as_guides_print_it_is_read() -> None:
    assert decode_dial_template(PRINTED_DIAL_TEMPLATE) == (
        DialPattern("0", 1),
        DialPattern("9,011*", 6),
        DialPattern("8,....", 0, "ip"),
        DialPattern("*", 15),
    )


def test_another_parser_finds_in_ring_lists_and_dial_templates_what_guides_have_there() -> None:
    rings = ElementTree.fromstring(encode_ring_list((Ring("Old & loud", "OldBell.raw"),)))
    assert rings.tag == "CiscoIPPhoneRingList"
    assert [(ring.findtext("DisplayName"), ring.findtext("FileName")) for ring in rings.findall("Ring")] == [
        ("Old & loud", "OldBell.raw")
    ]
    template = ElementTree.fromstring(encode_dial_template((DialPattern("9,011*", 6, "ip"),)))
    assert template.tag == "DIALTEMPLATE"
    assert [pattern.attrib for pattern in template.findall("TEMPLATE")] == [
        {"MATCH": "9,011*", "TIMEOUT": "6", "User": "IP"}
    ]


def test_soft_keys_tones_and_words_are_written_as_told() -> None:
    keys = ElementTree.fromstring(encode_soft_keys("Reception", {"On Hook": ("Redial", "NewCall"), "Ring In": ()}))
    assert keys.attrib == {"name": "Reception"}
    assert {item.get("state"): [key.text for key in item] for item in keys} == {
        "On Hook": ["Redial", "NewCall"],
        "Ring In": [],
    }
    tones = ElementTree.fromstring(encode_tones("Germany", (Tone("busy", (425,), (480, 480)),)))
    assert (tones.get("name"), tones[0].get("name")) == ("Germany", "busy")
    assert [(item.tag, item.text) for item in tones[0]] == [
        ("frequency", "425"),
        ("milliseconds", "480"),
        ("milliseconds", "480"),
    ]
    dictionary = ElementTree.fromstring(encode_dictionary("German_Germany", {"EndCall": 'Auflegen "jetzt"'}))
    assert {item.get("key"): item.text for item in dictionary} == {"EndCall": 'Auflegen "jetzt"'}


REFUSED_BY_READER: dict[str, tuple[Callable[[bytes], object], bytes, str]] = {
    "another root": (decode_ring_list, b"<CiscoIPPhoneMenu/>", "not of <CiscoIPPhoneRingList>"),
    "too many rings": (
        decode_ring_list,
        b"<CiscoIPPhoneRingList>" + b"<Ring/>" * 51 + b"</CiscoIPPhoneRingList>",
        "51 rings; phones take 50",
    ),
    "a ring without a name": (
        decode_ring_list,
        b"<CiscoIPPhoneRingList><Ring><FileName>a.raw</FileName></Ring></CiscoIPPhoneRingList>",
        "<DisplayName>: '' has not 1 to 25 characters",
    ),
    "a ring with a long file name": (
        decode_ring_list,
        b"<CiscoIPPhoneRingList><Ring><DisplayName>a</DisplayName><FileName>"
        + b"x" * 26
        + b"</FileName></Ring></CiscoIPPhoneRingList>",
        "<FileName>",
    ),
    "entities": (
        decode_ring_list,
        b'<!DOCTYPE x [<!ENTITY a "b">]><CiscoIPPhoneRingList/>',
        "document type definition",
    ),
    "a pattern without digits": (decode_dial_template, b"<DIALTEMPLATE><TEMPLATE/></DIALTEMPLATE>", "MATCH: ''"),
    "a pattern that is too long": (
        decode_dial_template,
        b'<DIALTEMPLATE><TEMPLATE MATCH="' + b"1" * 65 + b'"/></DIALTEMPLATE>',
        "MATCH",
    ),
    "a time that is none": (
        decode_dial_template,
        b'<DIALTEMPLATE><TEMPLATE MATCH="1" TIMEOUT="soon"/></DIALTEMPLATE>',
        "TIMEOUT: 'soon'",
    ),
    "a time that is too long": (
        decode_dial_template,
        b'<DIALTEMPLATE><TEMPLATE MATCH="1" TIMEOUT="100"/></DIALTEMPLATE>',
        "from 0 to 99",
    ),
    "another user": (
        decode_dial_template,
        b'<DIALTEMPLATE><TEMPLATE MATCH="1" User="Modem"/></DIALTEMPLATE>',
        "neither Phone nor IP",
    ),
    "too many patterns": (
        decode_dial_template,
        b"<DIALTEMPLATE>" + b'<TEMPLATE MATCH="1"/>' * 256 + b"</DIALTEMPLATE>",
        "256 patterns; the limit is 255",
    ),
    "no archive": (decode_archive, b"<userLocale/>", "not a ZIP archive"),
    "an archive that is too large": (decode_archive, bytes(MAX_ARCHIVE_SIZE + 1), "over the limit"),
}


@pytest.mark.parametrize("case", REFUSED_BY_READER)
def test_what_is_beyond_the_format_is_refused_by_name(case: str) -> None:
    decode, data, said = REFUSED_BY_READER[case]
    with pytest.raises(WireError, match=said):
        decode(data)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda: encode_ring_list((Ring("a", "b"),) * (MAX_RINGS + 1)), "51 rings"),
        (lambda: encode_ring_list((Ring("", "b"),)), "DisplayName"),
        (lambda: encode_ring_list((Ring("a", "x" * 26),)), "FileName"),
        (lambda: encode_ring_list((Ring("a\x00", "b"),)), r"U\+0000"),
        (lambda: encode_dial_template((DialPattern("1", 0),) * (MAX_PATTERNS + 1)), "256 patterns"),
        (lambda: encode_dial_template((DialPattern("1 2", 0),)), "MATCH"),
        (lambda: encode_dial_template((DialPattern("1", 100),)), "from 0 to 99"),
        (lambda: encode_dial_template((DialPattern("1", -1),)), "from 0 to 99"),
        (lambda: encode_dial_template((DialPattern("1", 0, "modem"),)), "neither Phone nor IP"),
        (lambda: encode_tones("x", (Tone("dial", (0,)),)), "frequency"),
        (lambda: encode_tones("x", (Tone("dial", (440,), (60_001,)),)), "milliseconds"),
        (lambda: encode_archive({str(number): b"" for number in range(MAX_MEMBERS + 1)}), "256 files"),
        (lambda: encode_archive({"x": bytes(MAX_UNPACKED_SIZE + 1)}), "bytes"),
        (lambda: encode_archive({"x": bytes(MAX_ARCHIVE_SIZE)}), "over the limit"),
    ],
)
def test_what_the_format_has_no_place_for_is_not_written(write: Callable[[], bytes], said: str) -> None:
    with pytest.raises(WireError, match=said):
        write()


def packed(how: int, **files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def test_an_archive_tells_no_time_of_its_making() -> None:
    entries = zipfile.ZipFile(io.BytesIO(encode_archive({"a": b"1", "b": b""}))).infolist()
    assert [entry.date_time for entry in entries] == [(1980, 1, 1, 0, 0, 0)] * 2


def test_an_archive_that_others_packed_is_read() -> None:
    assert decode_archive(packed(zipfile.ZIP_DEFLATED, a=b"1" * 1000, b=b"")) == {"a": b"1" * 1000, "b": b""}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (packed(zipfile.ZIP_DEFLATED, bomb=bytes(MAX_UNPACKED_SIZE + 1)), "bytes unpacked"),
        (packed(zipfile.ZIP_DEFLATED, a=bytes(MAX_UNPACKED_SIZE // 2), b=bytes(MAX_UNPACKED_SIZE)), "bytes unpacked"),
        (packed(zipfile.ZIP_BZIP2, a=bytes(1000)), "packed in another way"),
        (packed(zipfile.ZIP_LZMA, a=bytes(1000)), "packed in another way"),
        (packed(zipfile.ZIP_STORED), "0 files, not of 1 to 256"),
        (packed(zipfile.ZIP_STORED, **{f"f{number}": b"" for number in range(257)}), "257 files"),
        (packed(zipfile.ZIP_STORED, a=b"true").replace(b"true", b"lies"), "Bad CRC-32"),
    ],
    ids=["bomb", "bomb of two", "bzip2", "lzma", "empty", "many", "damaged"],
)
def test_an_archive_beyond_the_limits_or_damaged_is_refused_by_name(data: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        decode_archive(data)


def test_an_encrypted_archive_is_refused() -> None:
    data = bytearray(packed(zipfile.ZIP_STORED, a=b"secret"))
    data[6] |= 1  # flag of the member, then of the table
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(WireError, match="password"):
        decode_archive(bytes(data))


WHOLE = {
    "ring list": (decode_ring_list, encode_ring_list((Ring("Chirp", "Chirp1.rwb"),) * 3)),
    "dial template": (decode_dial_template, encode_dial_template((DialPattern("9,011*", 6),) * 3)),
    "archive": (decode_archive, encode_archive({"dictionary.xml": b"<userLocale/>", "more/x": bytes(20)})),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_no_part_of_a_file_is_taken_for_a_file(kind: str) -> None:
    decode, whole = WHOLE[kind]
    whole = whole.rstrip(b"\n")
    assert decode(whole)
    for length in range(len(whole)):
        with pytest.raises(WireError):
            decode(whole[:length])


@pytest.mark.parametrize("kind", WHOLE)
@thoroughly
@given(data=st.data())
def test_a_reader_answers_any_bytes_with_a_file_or_a_wire_error(kind: str, data: st.DataObject) -> None:
    decode, whole = WHOLE[kind]
    changed = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=6)):
        changed[place] = data.draw(st.integers(0, 255))
    for garbage in (bytes(changed), data.draw(raw_bytes(300)), bytes(changed) + data.draw(raw_bytes(40))):
        try:
            decode(garbage)
        except WireError:
            continue
