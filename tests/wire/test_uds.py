"""The XML of a contact search, and HTTP Basic beside it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.strategies import moderately, mutations, thoroughly
from wire.basicauth import decode_basic, encode_basic
from wire.errors import WireError
from wire.uds import MAX_USERS, Contact, Contacts, decode_contacts, encode_contacts

SEEN = """<users version="14.0.1" uri="https://h:8443/cucm-uds/users" start="0" requestedCount="64" returnedCount="1"
totalCount="1"><user uri="https://h:8443/cucm-uds/user/jkam"><id>b1f0</id><userName>jkam</userName>
<firstName>J\u014d</firstName><lastName>Kam</lastName><phoneNumber>2001</phoneNumber><email>jkam@example.test</email>
<other/></user></users>""".encode()
"""In the shape that an imitation of others writes."""
JKAM = Contact("https://h:8443/cucm-uds/user/jkam", "b1f0", "jkam", "J\u014d", "Kam", "2001", "jkam@example.test")


def test_an_answer_of_others_is_read() -> None:
    assert decode_contacts(SEEN) == Contacts("14.0.1", "https://h:8443/cucm-uds/users", 0, 64, 1, (JKAM,))


def test_a_truncated_answer_is_none() -> None:
    for length in range(len(SEEN)):
        with pytest.raises(WireError):
            decode_contacts(SEEN[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<user/>",
        b'<users totalCount="-1"/>',
        b'<users start="x"/>',
        b'<users totalCount="1000001"/>',
        b"<users>" + (MAX_USERS + 1) * b"<user/>" + b"</users>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><users>&a;</users>',
    ],
)
def test_what_is_no_answer_is_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_contacts(data)


@pytest.mark.parametrize("found", [Contacts("", "", 0, 0, 0, (JKAM,) * 65), Contacts("", "", -1, 0, 0, ())])
def test_what_cannot_be_read_again_is_not_written(found: Contacts) -> None:
    with pytest.raises(WireError):
        encode_contacts(found)


_words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
_counts = st.integers(0, 1_000_000)
_contacts = st.builds(Contact, _words, *(6 * [_words.map(str.strip)]))


@moderately
@given(st.builds(Contacts, _words, _words, _counts, _counts, _counts, st.lists(_contacts, max_size=4).map(tuple)))
def test_what_is_written_is_read_again(found: Contacts) -> None:
    assert decode_contacts(encode_contacts(found)) == found


@thoroughly
@given(mutations(SEEN))
def test_whatever_comes_is_an_answer_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        decode_contacts(data)


# ---------------------------------------------------------------- HTTP Basic


@pytest.mark.parametrize(
    ("user", "password", "header"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        ("test", "123\u00a3", "Basic dGVzdDoxMjPCow=="),
    ],
)
def test_the_examples_of_rfc_7617(user: str, password: str, header: str) -> None:
    assert encode_basic(user, password) == header
    assert decode_basic(header) == (user, password)
    assert decode_basic(header.replace("Basic", "bAsIC")) == (user, password)


@pytest.mark.parametrize(
    "header", ["", "Basic", "Digest QTpC", "Basic QUI=", "Basic !!!", "Basic /w==", "Basic QTpC x"]
)
def test_what_are_no_credentials_is_a_wire_error(header: str) -> None:
    with pytest.raises(WireError):
        decode_basic(header)


@pytest.mark.parametrize(("user", "password"), [("a:b", "c"), ("a", "\udcff")])
def test_what_cannot_be_sent_is_a_wire_error(user: str, password: str) -> None:
    with pytest.raises(WireError):
        encode_basic(user, password)


@given(st.text(max_size=20).filter(lambda text: ":" not in text), st.text(max_size=20))
def test_credentials_are_read_as_they_were_written(user: str, password: str) -> None:
    assert decode_basic(encode_basic(user, password)) == (user, password)


@given(st.text(max_size=60))
def test_no_header_breaks_the_reader(header: str) -> None:
    for text in (header, f"Basic {header}"):
        with contextlib.suppress(WireError):
            decode_basic(text)
