"""Distinguished names: as UCM writes them, as other builders write them, as certificates carry them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.material import PARTIES, certificate
from tests.wire.strategies import moderately, thoroughly
from wire.errors import WireError
from wire.names import DistinguishedName

UCM = "CN=cucm-1051-a-pub;OU=TAC;O=Cisco;L=Krakow;ST=Malopolska;C=PL"


def parse(text: str) -> DistinguishedName:
    return DistinguishedName.parse(text)


def test_a_name_as_ucm_writes_it_has_its_parts_and_is_written_alike() -> None:
    name = parse(UCM)
    assert name.parts == (
        ("CN", "cucm-1051-a-pub"),
        ("OU", "TAC"),
        ("O", "Cisco"),
        ("L", "Krakow"),
        ("ST", "Malopolska"),
        ("C", "PL"),
    )
    assert str(name) == UCM
    assert name.common_name == "cucm-1051-a-pub"


@pytest.mark.parametrize(
    "text",
    [
        UCM,
        UCM.replace(";", ","),
        UCM.replace(";", ", "),
        ";".join(reversed(UCM.split(";"))),
        UCM.replace("CN=", "cn="),
        UCM.replace("L=Krakow", "L= Krakow "),
        UCM + ";",
    ],
    ids=["UCM", "commas", "commas and blanks", "turned round", "case of types", "blanks", "trailing separator"],
)
def test_writings_of_the_same_name_are_equal(text: str) -> None:
    assert parse(text) == parse(UCM)
    assert hash(parse(text)) == hash(parse(UCM))


@pytest.mark.parametrize(
    "text",
    [
        UCM.replace("pub", "sub"),
        UCM.replace("pub", "PUB"),
        UCM.removesuffix(";C=PL"),
        UCM + ";OU=TAC",
        "",
    ],
    ids=["another value", "case of values", "a part less", "a part twice", "nothing"],
)
def test_other_names_are_not_equal(text: str) -> None:
    assert parse(text) != parse(UCM)


def test_a_name_is_not_equal_to_its_text() -> None:
    assert parse(UCM) != UCM


def test_the_unbalanced_quotes_of_an_etoken_are_part_of_its_name() -> None:
    token = parse('cn="SAST-ADN0054f509        ";ou=IPCBU;o="Cisco Systems')
    assert token.parts == (("cn", '"SAST-ADN0054f509        "'), ("ou", "IPCBU"), ("o", '"Cisco Systems'))
    assert token.common_name == '"SAST-ADN0054f509        "'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("CN=Foo, Inc;O=x", (("CN", "Foo, Inc"), ("O", "x"))),
        (r"CN=Foo\, Inc,O=x", (("CN", "Foo, Inc"), ("O", "x"))),
        (r"CN=a\;b;O=x", (("CN", "a;b"), ("O", "x"))),
        (r"CN=a\\,O=x", (("CN", "a\\"), ("O", "x"))),
        (r"CN=a\+b", (("CN", "a+b"),)),
        ("CN=a=b", (("CN", "a=b"),)),
        ("CN=;O=x", (("CN", ""), ("O", "x"))),
        ("CN=a;", (("CN", "a"),)),
        ("CN=a,", (("CN", "a"),)),
        ("CN=a\\", (("CN", "a"),)),
        (";;", ()),
        ("", ()),
        (" ", ()),
    ],
)
def test_separators_and_escapes_are_read(text: str, parts: tuple[tuple[str, str], ...]) -> None:
    assert parse(text).parts == parts


@pytest.mark.parametrize(
    "text", ["x", "=x", " =x", "CN=a;b", "CN=a,b", "CN=a;=b", "CN=Foo, Inc", ";,=", "CN=a;,OU=b", "a\\=b"]
)
def test_a_part_that_is_not_type_and_value_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="of a distinguished name is not TYPE=VALUE"):
        parse(text)


def test_an_endless_part_is_not_repeated_in_the_message() -> None:
    with pytest.raises(WireError) as caught:
        parse("x" * 60_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("party", PARTIES)
def test_the_name_of_a_certificate_is_written_and_read_back(party: str) -> None:
    subject = certificate(party).subject
    assert parse(str(subject)) == subject
    assert str(subject).startswith("CN=")


def test_a_certificate_with_the_country_first_is_written_most_specific_first() -> None:
    oids = [NameOID.COUNTRY_NAME, NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME]
    attributes = [x509.NameAttribute(oid, text) for oid, text in zip(oids, ["PL", "Cisco", "pub"], strict=True)]
    for order in (attributes, attributes[::-1]):
        assert str(DistinguishedName.from_x509(x509.Name(order))) == "CN=pub;O=Cisco;C=PL"


def test_a_part_of_several_values_gives_a_pair_for_each() -> None:
    rdn = x509.RelativeDistinguishedName(
        [x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.USER_ID, "b")]
    )
    assert sorted(DistinguishedName.from_x509(x509.Name([rdn])).parts) == [("CN", "a"), ("UID", "b")]


def test_an_unknown_type_is_written_by_its_number() -> None:
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4"), "x")])
    assert str(DistinguishedName.from_x509(name)) == "1.2.3.4=x"


_VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_TYPES = st.from_regex(r"[A-Za-z][A-Za-z0-9.]{0,8}", fullmatch=True)


@moderately
@given(st.lists(st.tuples(_TYPES, _VALUES), max_size=6))
def test_any_name_is_read_back_as_it_was_written(parts: list[tuple[str, str]]) -> None:
    name = DistinguishedName(tuple(parts))
    assert parse(str(name)) == name


@thoroughly
@given(st.text(st.sampled_from('aA =;,\\+"\n\0é'), max_size=30))
def test_arbitrary_text_is_a_name_or_a_wire_error(text: str) -> None:
    try:
        name = parse(text)
    except WireError:
        return
    assert parse(str(name)) == name


_ATTRIBUTES = st.builds(
    x509.NameAttribute,
    st.sampled_from(
        [NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME, NameOID.LOCALITY_NAME, x509.ObjectIdentifier("1.2.3.4")]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
)


@moderately
@given(st.lists(_ATTRIBUTES, min_size=1, max_size=5))
def test_any_name_of_a_certificate_is_the_same_by_way_of_text(attributes: list[x509.NameAttribute[str]]) -> None:
    name = DistinguishedName.from_x509(x509.Name(attributes))
    assert parse(str(name)) == name
