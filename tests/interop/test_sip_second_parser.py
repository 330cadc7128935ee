"""The PyPI package `sipmessage` beside our codec: what one reads, the other reads alike, or the difference has a name.

Messages that hypothesis makes within the common grammar have to mean the same to both. Damaged ones may be refused by
one alone, but only for reasons that are listed here, each with a message that shows it.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

import pytest
import sipmessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.test_sip_daemon import DAMAGED
from tests.services.test_sip_malformed import CAPTURED, FIELDS, with_field
from tests.wire.sip_messages import OK_BODY, OK_HEADERS, TORTUOUS, TRYING_HEADERS
from tests.wire.strategies import mutations
from wire.errors import WireError
from wire.sip import Request, Response, decode, encode, parse_address

pytestmark = pytest.mark.interop

Facts = tuple[object, ...]


@dataclass(frozen=True)
class Refused:
    """Why a parser does not read a message."""

    why: str


def ours(data: bytes) -> Facts | Refused:
    try:
        message = decode(data)
        start = (message.method, message.uri) if isinstance(message, Request) else (message.status, message.reason)
        ends = [parse_address(message.require(name)) for name in ("From", "To")]
        contacts = [parse_address(value) for value in message.all("Contact")[:1]]
    except WireError as error:
        return Refused(str(error))
    addresses = [(item.display_name, item.uri, item.parameter("tag")) for item in (*ends, *contacts)]
    cseq, expires = " ".join(message.require("CSeq").split()), message.get("Expires")
    return (*start, message.require("Call-ID"), cseq, expires, tuple(addresses), message.body)


def theirs(data: bytes) -> Facts | Refused:
    try:
        message = sipmessage.Message.parse(data)
        if isinstance(message, sipmessage.Request):
            start: tuple[object, object] = (message.method, str(message.uri))
        else:
            assert isinstance(message, sipmessage.Response)
            start = (message.code, message.phrase)
        ends = [message.from_address, message.to_address, *message.contact[:1]]
        addresses = [(item.name or "", str(item.uri), item.parameters.get("tag")) for item in ends]
        number = None if message.expires is None else str(message.expires)
        length, call, vias = message.content_length, (message.call_id, str(message.cseq)), len(message.via)
    except (ValueError, KeyError) as error:
        return Refused(str(error) or type(error).__name__)
    if not vias:
        return Refused("no Via")
    body = message.body if length is None else message.body[:length]  # RFC 3261, 18.3: what follows is dropped
    return (*start, *call, number, tuple(addresses), body)


def compared(data: bytes) -> str:
    """``agree``, ``both refuse``, or the name of what they do not agree on."""
    us, them = ours(data), theirs(data)
    if isinstance(us, Refused) and isinstance(them, Refused):
        return "both refuse"
    if isinstance(us, Refused):
        return next((name for name, why in WE_REFUSE.items() if re.search(why, us.why)), f"we refuse: {us.why}")
    if isinstance(them, Refused):
        return next((name for name, why in THEY_REFUSE.items() if re.search(why, them.why)), f"they refuse: {them.why}")
    if us == them:
        return "agree"
    return OTHER_DIGITS if str(us[EXPIRES]).translate(ARABIC) == them[EXPIRES] else f"they read {them}, we read {us}"


EXPIRES = 4
ARABIC = {0x660 + digit: str(digit) for digit in range(10)}
OTHER_DIGITS = "digits of another script in Expires"
"""They count as digits to `sipmessage`; our registrar refuses them later."""

WE_REFUSE = {
    "the method of the CSeq is another one": "CSeq names",
    "NUL": "NUL",
    "a line feed or carriage return inside a line": "does not end with CR LF",
    "a field twice that stands once": "with [0-9]+ (From|To|Call-Id|Cseq)$",
    "a body that is not all there": "announces",
    "a length that is no number, or two": "Content-Length .* is not one number",
    "a method that is no token, or a URI with blanks": "start line",
    "a name of a field that is no token": "is not NAME: VALUE",
    "an address that is empty or over 2048 characters": "SIP address .* cannot be read",
    "a list of addresses in one field": "SIP parameters .* cannot be read",
    "a line or message over the limit": "over the limit|more than",
    "a CSeq over 32 bits": "CSeq is no number of 32 bits",
}
"""Name -> our reason; `sipmessage` reads these."""

THEY_REFUSE = {
    "a Via in detail": "Via is not valid|^no Via$",
    "a URI in detail": "URI is not valid",
    "an address in detail": "Address is not valid",
    "an Expires that is no number": "invalid literal for int",
    "a folded field": "not enough values to unpack|^KeyError$",
}
"""Name -> their reason; our codec leaves these to whoever reads the field, and unfolds."""


# ---------------------------------------------------------------- messages that are good


token = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=12)
word = st.text(string.ascii_letters + string.digits, min_size=1, max_size=10)
host = st.from_regex(r"([a-z][a-z0-9]{0,9}\.){0,2}[a-z]{2,6}|10(\.[1-9]{1,2}){3}", fullmatch=True)
uri = st.builds(
    lambda user, where, port, secure: f"sip{secure}:{user}{where}{port}",
    st.just("") | word.map("{}@".format),
    host,
    st.just("") | st.integers(1, 65_535).map(":{}".format),
    st.sampled_from(["", "s"]),
)
tag = st.just("") | word.map(";tag={}".format)
display = st.just("") | word.map("{} ".format) | word.map('"{}" '.format)
address = st.builds(lambda name, where, parameters: f"{name}<{where}>{parameters}", display, uri, tag)
via = st.builds(
    lambda transport, where, branch: f"SIP/2.0/{transport} {where};branch=z9hG4bK{branch}",
    st.sampled_from(["UDP", "TCP", "TLS"]),
    host,
    word,
)
printable = st.text(string.ascii_letters + string.digits + ' ,;="<>/-', max_size=30).map(str.strip)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Text, not a call of an encoder: names in any case or compact, fields in any order, blanks around values."""
    method = draw(st.sampled_from(["REGISTER", "OPTIONS", "INVITE", "NOTIFY", "REFER", "SUBSCRIBE", "ACK"]))
    request = draw(st.booleans())
    phrase = draw(st.sampled_from(["OK", "Not Found", ""]))
    start = f"{method} {draw(uri)} SIP/2.0" if request else f"SIP/2.0 {draw(st.integers(100, 699))} {phrase}"
    body = draw(st.binary(max_size=60))
    fields = [
        *((("Via", "v"), draw(via)) for _ in range(draw(st.integers(1, 3)))),
        (("From", "f"), draw(address)),
        (("To", "t"), draw(address)),
        (("Call-ID", "i"), draw(token)),
        (("CSeq",), f"{draw(st.integers(0, 2**32 - 1))} {method}"),
        *((("Contact", "m"), draw(address)) for _ in range(draw(st.integers(0, 1)))),
        *((("Expires",), str(draw(st.integers(0, 99_999)))) for _ in range(draw(st.integers(0, 1)))),
        *(((f"X-{draw(word)}",), draw(printable)) for _ in range(draw(st.integers(0, 3)))),
        (("Content-Length", "l"), str(len(body))),
    ]
    lines = [start]
    for names, value in draw(st.permutations(fields)):
        name = draw(st.sampled_from([*names, names[0].lower(), names[0].upper()]))
        lines.append(f"{name}:{draw(st.sampled_from(['', ' ', '  ']))}{value}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages())
def test_a_message_of_the_common_grammar_means_the_same_to_both(data: bytes) -> None:
    assert not isinstance(ours(data), Refused)
    assert ours(data) == theirs(data)


CAPTURES = {
    "REGISTER": CAPTURED,
    "100": encode(Response(TRYING_HEADERS, b"", 100, "Trying")),
    "200": encode(Response(OK_HEADERS, OK_BODY, 200, "OK")),
}


@pytest.mark.parametrize("data", CAPTURES.values(), ids=CAPTURES)
def test_what_was_captured_means_the_same_to_both(data: bytes) -> None:
    assert compared(data) == "agree"


# ---------------------------------------------------------------- messages that are not


KNOWN = {"agree", "both refuse", OTHER_DIGITS, *WE_REFUSE, *THEY_REFUSE}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutations(CAPTURED, first=40))
def test_a_damaged_message_is_read_alike_or_differs_in_a_known_way(data: bytes) -> None:
    assert compared(data) in KNOWN


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_a_field_with_a_wrong_value_is_read_alike_or_differs_in_a_known_way(name: str, value: bytes) -> None:
    assert compared(with_field(name, value)) in KNOWN


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_stream_is_read_alike_or_differs_in_a_known_way(data: bytes) -> None:
    assert compared(data) in KNOWN


SHOWN = {
    "the method of the CSeq is another one": with_field("CSeq", b"1 INVITE"),
    "NUL": with_field("Supported", b"a\0b"),
    "a line feed or carriage return inside a line": with_field("Supported", b"a\nb"),
    "a field twice that stands once": with_field("From", b"<sip:a@b>\r\nFrom: <sip:c@d>"),
    "a body that is not all there": with_field("Content-Length", b"60000"),
    "a length that is no number, or two": with_field("Content-Length", b"5\r\nContent-Length: 6"),
    "a method that is no token, or a URI with blanks": CAPTURED.replace(b"REGISTER sip", b"REG\x01STER sip", 1),
    "a name of a field that is no token": CAPTURED.replace(b"Supported:", b"Supp\x01rted:", 1),
    "an address that is empty or over 2048 characters": with_field("To", b"<sip:" + b"9" * 2_100 + b"@a>"),
    "a list of addresses in one field": with_field("Contact", b"<sip:a@b>, <sip:c@d>"),
    "a line or message over the limit": with_field("Supported", b"a" * 9_000),
    "a CSeq over 32 bits": with_field("CSeq", b"4294967296 REGISTER"),
    "a Via in detail": with_field("Via", b"nonsense"),
    "a URI in detail": with_field("From", b"<sip2001>"),
    "an address in detail": with_field("From", b"<sip:a@b>;x=<y>"),
    "an Expires that is no number": with_field("Expires", b"soon"),
    "a folded field": TORTUOUS,
    OTHER_DIGITS: with_field("Expires", "٣".encode()),
}


@pytest.mark.parametrize(("name", "data"), SHOWN.items(), ids=SHOWN)
def test_each_difference_is_there(name: str, data: bytes) -> None:
    assert compared(data) == name


def test_every_difference_is_shown() -> None:
    assert set(SHOWN) == {OTHER_DIGITS, *WE_REFUSE, *THEY_REFUSE}
