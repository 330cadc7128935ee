"""``SEP<MAC>.cnf.xml`` and ``XMLDefault.cnf.xml``."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.material import vector
from tests.wire.strategies import moderately, mutations, thoroughly
from wire.configmembers import MAX_MEMBERS
from wire.errors import WireError
from wire.phoneconfig import (
    URL_ELEMENTS,
    CallManagerNode,
    DefaultConfig,
    Line,
    PhoneConfig,
    PhoneService,
    TvsServer,
    decode_default_config,
    decode_phone_config,
    encode_default_config,
    encode_phone_config,
)

FULL = PhoneConfig(
    device_uuid="{6a5e3b1f-0000-4000-8000-001122334455}",
    device_pool="Krakow",
    call_manager_group="Krakow group",
    call_managers=(
        CallManagerNode("10.48.47.153", name="pub"),
        CallManagerNode("sub1.lab.example", 5070, 5071, 2001, "sub1"),
    ),
    tvs_servers=(TvsServer("10.48.47.153"), TvsServer("10.48.47.154", 12_445)),
    load_information="sip88xx.12-5-1SR2-2",
    version_stamp="1555108264-6a5e3b1f",
    device_security_mode=3,
    transport_layer_protocol=3,
    urls={"directoryURL": "http://pub:8080/d?a=1&b=2", "secureUDSUsersAccessURL": "https://pub:8443/cucm-uds/users"},
    capf_auth_mode=2,
    capf_nodes=(("10.48.47.153", 3804),),
    lines=(
        Line(1, "2001", "Łucja <reception>", "Reception & post", "6a5e3b1f-1"),
        Line(3, "2002"),
    ),
    soft_key_file="SK6a5e.xml",
    dial_template="dialplan.xml",
    user_locale="日本語",
    network_locale="Japan",
    phone_services=(
        PhoneService("Corporate Directory", "Application:Cisco/CorporateDirectory", 1),
        PhoneService("Menu", "http://pub/menu?device=#DEVICENAME#"),
    ),
    provisioning=0,
    web_access=True,
)
STUB = PhoneConfig(
    full_config=False,
    load_information="sip88xx.12-5-1SR2-2",
    capf_nodes=(("10.48.47.153", 3804),),
    cert_hash="51a7cd950fb026acad7ce034e3a70423",
    encrypted=True,
)
DEFAULT = DefaultConfig(
    auto_registration=True,
    call_manager_group="Default",
    call_managers=FULL.call_managers,
    tvs_servers=FULL.tvs_servers,
    loads=((36_225, "Cisco 8865", "sip8845_65.12-5-1SR2-2"), (0, "", "")),
)


@pytest.mark.parametrize("config", [FULL, STUB, PhoneConfig()], ids=["full", "stub", "nothing set"])
def test_a_configuration_is_read_back_as_it_was_written(config: PhoneConfig) -> None:
    assert decode_phone_config(encode_phone_config(config)) == config


@pytest.mark.parametrize("config", [DEFAULT, DefaultConfig(auto_registration=False)], ids=["full", "nothing set"])
def test_a_default_configuration_is_read_back_as_it_was_written(config: DefaultConfig) -> None:
    """R-DL-5."""
    assert decode_default_config(encode_default_config(config)) == config


def top_level(data: bytes) -> list[str]:
    """Names of the elements right inside the outermost one, in order."""
    names, depth = [], 0
    for closing, name in re.findall(r"<(/?)(\w+)", data.decode()):
        if not closing and depth == 1:
            names.append(name)
        depth += -1 if closing else 1
    return names


def test_elements_stand_in_the_order_of_the_captured_file() -> None:
    assert top_level(encode_phone_config(FULL)) == [
        *("fullConfig", "deviceProtocol", "ipAddressMode", "allowAutoConfig", "dadEnable", "redirectEnable"),
        *("echoMultiEnable", "ipPreferenceModeControl", "ipMediaAddressFamilyPreference", "mlppDomainId"),
        *("mlppIndicationStatus", "preemption", "executiveOverridePreemptable", "devicePool", "TVS", "sipProfile"),
        *("loadInformation", "vendorConfig", "versionStamp", "userLocale", "networkLocale", "networkLocaleInfo"),
        "deviceSecurityMode",
        *URL_ELEMENTS,
        *("dscpForSCCPPhoneConfig", "dscpForSCCPPhoneServices", "dscpForCm2Dvce", "transportLayerProtocol"),
        *("capfAuthMode", "capfList", "certHash", "encrConfig", "TLSResumptionTimer", "phoneServices"),
    ]


def test_a_stub_holds_what_a_stub_holds_and_nothing_else() -> None:
    assert top_level(encode_phone_config(STUB)) == [
        *("fullConfig", "ipAddressMode", "loadInformation", "capfAuthMode", "capfList", "certHash", "encrConfig"),
    ]
    full_values = dataclasses.replace(FULL, full_config=False, encrypted=True)
    assert b"2001" not in encode_phone_config(full_values), "what is to be secret is not in the stub"


def test_a_default_configuration_has_no_declaration_and_ucms_spelling_of_loads() -> None:
    data = encode_default_config(DEFAULT)
    assert data.startswith(b"<Default>\n<autoRegistrationName>AUTO-REG</autoRegistrationName>\n")
    assert b'<loadinformation36225  model="Cisco 8865">sip8845_65.12-5-1SR2-2</loadinformation36225>\n' in data


def test_a_default_configuration_is_read_in_either_spelling_of_loads() -> None:
    text = encode_default_config(DEFAULT).replace(b"loadinformation36225", b"loadInformation36225")
    assert decode_default_config(text) == DEFAULT


def device(inside: str) -> bytes:
    return f"<device>{inside}</device>".encode()


def members(element: str, *entries: str) -> str:
    inside = "".join(entries)
    return f"<{element}><members>{inside}</members></{element}>"


def test_tvs_servers_are_in_the_order_of_their_priorities() -> None:
    """R-TVS-5: the phone tries them in priority order."""
    entries = (
        '<member priority="2"><address>c</address></member>',
        '<member priority="0"><address>a</address><port>1</port></member>',
        '<member priority=" 1 "><address> b </address></member>',
        '<member priority="1"><address>later b</address></member>',
        '<member priority="3"><address/></member>',
        "<member><address>without priority, fifth</address></member>",
    )
    servers = decode_phone_config(device(members("TVS", *entries))).tvs_servers
    assert servers == (
        TvsServer("a", 1),
        TvsServer("b"),
        TvsServer("later b"),
        TvsServer("c"),
        TvsServer("without priority, fifth"),
    )


def test_call_managers_are_in_the_order_of_their_priorities() -> None:
    entries = (
        '<member priority="1"><callManager><processNodeName>b</processNodeName></callManager></member>',
        '<member priority="0"><callManager><name>n</name><processNodeName>a</processNodeName></callManager></member>',
        '<member priority="2"><callManager/></member>',
    )
    pool = f"<devicePool>{members('callManagerGroup', *entries)}</devicePool>"
    assert decode_phone_config(device(pool)).call_managers == (
        CallManagerNode("a", name="n"),
        CallManagerNode("b"),
    )


def test_ports_of_a_call_manager_are_read() -> None:
    ports = "<ethernetPhonePort>1</ethernetPhonePort><sipPort>2</sipPort><securedSipPort>3</securedSipPort>"
    node = f"<callManager><processNodeName>a</processNodeName><ports>{ports}</ports></callManager>"
    pool = f"<devicePool>{members('callManagerGroup', f'<member>{node}</member>')}</devicePool>"
    assert decode_phone_config(device(pool)).call_managers == (CallManagerNode("a", 2, 3, 1),)


def test_what_is_missing_has_its_default_and_what_is_unknown_is_passed_over() -> None:
    assert decode_phone_config(b"<device/>") == PhoneConfig()
    strange = device("<vendorConfig><x><y/></x></vendorConfig><srstInfo/>text")
    assert decode_phone_config(strange) == PhoneConfig()


def test_buttons_that_are_no_lines_are_left_out() -> None:
    lines = (
        '<line button="1"><featureID>9</featureID><name>2001</name></line>'
        '<line button="2"><featureID>2</featureID><name>speed dial</name></line>'
        "<line><name>2003</name></line>"
    )
    config = decode_phone_config(device(f"<sipProfile><sipLines>{lines}</sipLines></sipProfile>"))
    assert config.lines == (Line(1, "2001"), Line(3, "2003"))


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<deviceSecurityMode>0</deviceSecurityMode>", "device/deviceSecurityMode: '0' is not a number from 1 to 3"),
        ("<deviceSecurityMode>4</deviceSecurityMode>", "device/deviceSecurityMode: '4' is not a number from 1 to 3"),
        ("<transportLayerProtocol>5</transportLayerProtocol>", "'5' is not a number from 1 to 4"),
        ("<capfAuthMode>5</capfAuthMode>", "device/capfAuthMode: '5' is not a number from 0 to 4"),
        ("<fullConfig>maybe</fullConfig>", "device/fullConfig: 'maybe' is neither true nor false"),
        ("<encrConfig>1</encrConfig>", "device/encrConfig: '1' is neither true nor false"),
        (members("TVS", "<member><address>a</address><port>0</port></member>"), "member/port: '0' is not a number"),
        (members("TVS", "<member><address>a</address><port>65536</port></member>"), "from 1 to 65535"),
        (members("TVS", '<member priority="-1"><address>a</address></member>'), "TVS priority: '-1' is not a number"),
        (members("TVS", '<member priority="256"/>'), "TVS priority: '256' is not a number from 0 to 255"),
        (members("TVS", "<member/>" * (MAX_MEMBERS + 1)), f"<TVS> with {MAX_MEMBERS + 1} members; the limit is"),
        (
            f"<devicePool>{members('callManagerGroup', '<member/>' * (MAX_MEMBERS + 1))}</devicePool>",
            f"<callManagerGroup> with {MAX_MEMBERS + 1} members; the limit is {MAX_MEMBERS}",
        ),
        (
            "<capfList><capf><processNodeName>a</processNodeName><phonePort>x</phonePort></capf></capfList>",
            "capf/phonePort: 'x' is not a number from 1 to 65535",
        ),
        ('<sipProfile><sipLines><line button="0"/></sipLines></sipProfile>', "line button: '0' is not a number"),
        ('<sipProfile><sipLines><line button="256"/></sipLines></sipProfile>', "is not a number from 1 to 255"),
    ],
)
def test_values_out_of_range_are_refused(inside: str, message: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_phone_config(device(inside))
    assert message in str(caught.value)


@pytest.mark.parametrize("number", ["1000000", "9" * 40])
def test_a_model_number_out_of_range_is_refused(number: str) -> None:
    with pytest.raises(WireError, match="is not a number from 0 to 999999"):
        decode_default_config(f"<Default><loadInformation{number}/></Default>".encode())


def test_a_default_configuration_is_no_phones_configuration_and_the_reverse() -> None:
    with pytest.raises(WireError, match=r"^XML of <Default>, not of <device>$"):
        decode_phone_config(encode_default_config(DEFAULT))
    with pytest.raises(WireError, match=r"^XML of <device>, not of <Default>$"):
        decode_default_config(encode_phone_config(FULL))


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE {0}><{0}/>",
        b"<!DOCTYPE {0} [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><{0}>&x;</{0}>",
        b"<{0}>" + b"<a>" * 40 + b"</a>" * 40 + b"</{0}>",
        b"<{0}>" + b"x" * 1_048_576 + b"</{0}>",
        b"<{0}>",
        b"",
    ],
    ids=["DTD", "external entity", "depth", "size", "truncated", "nothing"],
)
def test_both_readers_are_guarded(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_phone_config(data.replace(b"{0}", b"device"))
    with pytest.raises(WireError):
        decode_default_config(data.replace(b"{0}", b"Default"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device_security_mode": 0}, "<deviceSecurityMode>: 0 is not from 1 to 3"),
        ({"transport_layer_protocol": 5}, "<transportLayerProtocol>: 5 is not from 1 to 4"),
        ({"capf_auth_mode": -1}, "<capfAuthMode>: -1 is not from 0 to 4"),
        ({"capf_nodes": (("", 3804),)}, "<processNodeName> is empty"),
        ({"capf_nodes": (("a", 0),)}, "<phonePort>: 0 is not from 1 to 65535"),
        ({"call_managers": (CallManagerNode(""),)}, "<processNodeName> is empty"),
        ({"call_managers": (CallManagerNode("a", 0),)}, "<sipPort>: 0 is not from 1 to 65535"),
        ({"call_managers": (CallManagerNode("a"),) * 17}, "<callManagerGroup> with 17 members; the limit is 16"),
        ({"tvs_servers": (TvsServer(""),)}, "<address> is empty"),
        ({"tvs_servers": (TvsServer(" a"),)}, "<address>: blanks around ' a'"),
        ({"tvs_servers": (TvsServer("a", 65_536),)}, "<port>: 65536 is not from 1 to 65535"),
        ({"tvs_servers": (TvsServer("a"),) * 17}, "<TVS> with 17 members; the limit is 16"),
        ({"lines": (Line(0, "1"),)}, "line button 0 is not from 1 to 255"),
        ({"lines": (Line(1, "1", label="a\nb"),)}, "<featureLabel>: 'a\\nb' has the character U+000A"),
        ({"urls": {"evilURL": "x"}}, "'evilURL' is not a URL of a phone's configuration"),
        ({"device_uuid": "\0"}, "has the character U+0000"),
    ],
)
def test_what_a_phone_would_not_read_is_not_written(changes: dict[str, object], message: str) -> None:
    with pytest.raises(WireError) as caught:
        encode_phone_config(dataclasses.replace(FULL, **changes))  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_a_model_number_out_of_range_is_not_written(number: int) -> None:
    with pytest.raises(WireError, match=r"number of a model: .* is not a number from 0 to 999999"):
        encode_default_config(DefaultConfig(loads=((number, "x", "y"),)))


def test_an_empty_url_is_the_same_as_none() -> None:
    assert PhoneConfig(urls={"idleURL": ""}) == PhoneConfig()


def test_names_cannot_smuggle_elements_into_a_configuration() -> None:
    name = "</name></device><device>&x;\"'"
    config = dataclasses.replace(FULL, device_pool=name, device_uuid=name, phone_services=(PhoneService(name, name),))
    assert decode_phone_config(encode_phone_config(config)) == config


# --- properties ---

_words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
_tokens = _words.map(str.strip)
_hosts = _tokens.filter(bool)
_ports = st.integers(1, 65_535)
_nodes = st.lists(st.builds(CallManagerNode, _hosts, _ports, _ports, _ports, _words), max_size=4).map(tuple)
_servers = st.lists(st.builds(TvsServer, _hosts, _ports), max_size=5).map(tuple)
_lines = st.lists(st.builds(Line, st.integers(1, 255), _tokens, _words, _words, _tokens), max_size=4).map(tuple)
_configs = st.builds(
    PhoneConfig,
    full_config=st.just(True),
    protocol=_hosts,
    device_uuid=_words,
    device_pool=_words,
    call_manager_group=_words,
    call_managers=_nodes,
    tvs_servers=_servers,
    load_information=_tokens,
    version_stamp=_tokens,
    device_security_mode=st.integers(1, 3),
    transport_layer_protocol=st.integers(1, 4),
    urls=st.dictionaries(st.sampled_from(URL_ELEMENTS), _tokens),
    capf_auth_mode=st.integers(0, 4),
    capf_nodes=st.lists(st.tuples(_hosts, _ports), max_size=3).map(tuple),
    cert_hash=_tokens,
    encrypted=st.booleans(),
    lines=_lines,
    soft_key_file=_tokens,
    dial_template=_tokens,
    user_locale=_tokens,
    network_locale=_tokens,
    provisioning=st.integers(0, 2),
    phone_services=st.lists(st.builds(PhoneService, _words, _tokens, st.integers(0, 2)), max_size=4).map(tuple),
    web_access=st.sampled_from([None, True, False]),
)
_defaults = st.builds(
    DefaultConfig,
    auto_registration=st.booleans(),
    call_manager_group=_words,
    call_managers=_nodes,
    tvs_servers=_servers,
    loads=st.lists(st.tuples(st.integers(0, 999_999), _words, _words), max_size=4).map(tuple),
)


@moderately
@given(_configs)
def test_any_configuration_is_read_back_as_it_was_written(config: PhoneConfig) -> None:
    assert decode_phone_config(encode_phone_config(config)) == config


@moderately
@given(_defaults)
def test_any_default_configuration_is_read_back_as_it_was_written(config: DefaultConfig) -> None:
    assert decode_default_config(encode_default_config(config)) == config


@thoroughly
@given(mutations(encode_phone_config(FULL)))
def test_a_damaged_configuration_is_one_that_can_be_written_or_a_wire_error(data: bytes) -> None:
    try:
        config = decode_phone_config(data)
        again = encode_phone_config(config)
    except WireError:
        return
    if config.full_config and config.protocol:
        assert decode_phone_config(again) == config


@moderately
@given(mutations(encode_default_config(DEFAULT)))
def test_a_damaged_default_configuration_is_one_that_can_be_written_or_a_wire_error(data: bytes) -> None:
    try:
        config = decode_default_config(data)
        again = encode_default_config(config)
    except WireError:
        return
    assert decode_default_config(again) == config


def test_every_truncation_of_a_configuration_is_refused() -> None:
    """But for the line end after it."""
    for data, decode in (
        (vector("SEP001122334455.cnf.xml"), decode_phone_config),
        (encode_phone_config(STUB), decode_phone_config),
        (encode_default_config(DefaultConfig(tvs_servers=FULL.tvs_servers)), decode_default_config),
    ):
        for length in range(len(data) - 1):
            with pytest.raises(WireError):
                decode(data[:length])
        assert decode(data[:-1]) == decode(data)
