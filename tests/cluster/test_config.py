"""A laboratory file is read whole, and every mistake in it is reported at once with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.config import default_config_text, load_config, parse_config
from cluster.modelbase import normalise_mac
from wire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.definition import ClusterDefinition

GOOD = """\
clusters:
  - name: alpha
    release: 12.5
    nodes:
      - {name: pub, publisher: true, address: 127.0.1.1}
    devices:
      - mac: 001122334455
        model: 8865
      - mac: 10:20:30:40:50:00
        model: 7841
"""


def problems(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "lab.yaml", environment or {})
    return [str(problem) for problem in caught.value.problems]


def test_the_shipped_laboratory_is_valid() -> None:
    config = load_config(None, {})
    assert [node.name for node in config.clusters[0].nodes] == ["alpha-pub", "alpha-sub1"]
    assert "clusters:" in default_config_text()


def test_mac_addresses_and_releases_survive_yaml() -> None:
    cluster = parse_config(GOOD, "lab.yaml", {}).clusters[0]
    assert [device.name for device in cluster.devices] == ["SEP001122334455", "SEP102030405000"]
    assert cluster.release == "12.5"


MANY_MISTAKES = """\
lab: {port_offset: -1, single_port: perhaps, tftp_ports: [7, 3]}
clusters:
  - name: alpha
    release: 13
    domain: -lab.example
    subject: {country: Poland, colour: red}
    parameters:
      Colour: red
      TFTP File Signature Algorithm: MD5
      Cluster Security Mode: 1
    nodes:
      - {name: pub, address: 127.0.1.1, services: [tftp, fax, tftp]}
      - {name: PUB, address: pub.lab.example}
      - {address: 127.0.1.3}
    callmanager_groups:
      - {name: Main, members: [pub, nobody, pub]}
      - {name: Main, members: []}
    devices:
      - {mac: 00:11:22:33:44:55, model: 8865, callmanager_group: Main}
      - mac: SEP001122334455
        model: 8865
        callmanager_group: Elsewhere
        lines: [{number: twelve}]
    phone_services:
      - {name: Menu, url: "ftp://192.0.2.1/"}
    colour: red
  - name: alpha
    nodes:
      - {name: pub, address: 127.0.1.9, publisher: true}
colour: red
"""


def test_a_file_full_of_mistakes_gives_them_all_in_one_go_and_in_order() -> None:
    """Misspelt keys, malformed values and contradictions alike."""
    found = [line.removeprefix("lab.yaml:").split(": ", 2) for line in problems(MANY_MISTAKES)]
    assert [(int(line), where) for line, where, _ in found] == [
        (1, "lab.port_offset"),
        (1, "lab.single_port"),
        (1, "lab.tftp_ports"),
        (4, "clusters.0.release"),
        (5, "clusters.0.domain"),
        (6, "clusters.0.subject.country"),
        (6, "clusters.0.subject.colour"),
        (8, "clusters.0.parameters.Colour"),
        (9, "clusters.0.parameters.TFTP File Signature Algorithm"),
        (10, "clusters.0.parameters.Cluster Security Mode"),
        (11, "clusters.0.nodes"),
        (12, "clusters.0.nodes.0.services.2"),
        (12, "clusters.0.nodes.0.services.1"),
        (13, "clusters.0.nodes.1.name"),
        (13, "clusters.0.nodes.1.address"),
        (14, "clusters.0.nodes.2.name"),
        (16, "clusters.0.callmanager_groups.0.members.2"),
        (16, "clusters.0.callmanager_groups.0.members.1"),
        (17, "clusters.0.callmanager_groups.1.name"),
        (17, "clusters.0.callmanager_groups.1.members"),
        (20, "clusters.0.devices.1.mac"),
        (22, "clusters.0.devices.1.callmanager_group"),
        (23, "clusters.0.devices.1.lines.0.number"),
        (25, "clusters.0.phone_services.0.url"),
        (26, "clusters.0.colour"),
        (27, "clusters.1.name"),
        (29, "clusters.1.nodes.0.name"),
        (30, "colour"),
    ]


def test_all_mistakes_are_reported_at_once_with_their_lines() -> None:
    text = GOOD.replace("12.5", "13.7").replace("model: 7841", "modell: 7841").replace("127.0.1.1", "127.0.1.300")
    found = problems(text)
    assert [line.split(":")[1] for line in found] == ["3", "5", "9", "10"]
    assert "release '13.7' is not known; known: 8.6, 10.5, 11.5, 12.5, 14" in found[0]
    assert "'127.0.1.300' is not an IPv4 address" in found[1]
    assert "clusters.0.devices.1.model: this key is required" in found[2]
    assert "clusters.0.devices.1.modell: this key is not known here" in found[3]


def test_a_repeated_key_is_a_mistake() -> None:
    found = problems(GOOD.replace("    release: 12.5\n", "    release: 12.5\n    release: 14\n"))
    assert found == ["lab.yaml:4: key 'release' appears more than once here"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("publisher: true", "publisher: false"), "exactly one node has to be the publisher, not 0"),
        (("mac: 10:20:30:40:50:00", "mac: 00:11:22:33:44:55"), "device 'SEP001122334455' appears more than once"),
        (("mac: 10:20:30:40:50:00", "mac: 10:20:30"), "is not a MAC address of 12 hexadecimal digits"),
        (("model: 7841", "model: 7841\n        callmanager_group: Elsewhere"), "'Elsewhere', which does not exist"),
        (("release: 12.5", "parameters: {Colour: red}"), "there is no enterprise parameter 'Colour'"),
        (
            ("release: 12.5", "parameters: {TFTP File Signature Algorithm: MD5}"),
            "cannot be 'MD5'; it takes SHA-1 or SHA-512",
        ),
        (
            ("release: 12.5", "parameters: {Cluster Security Mode: 1}"),
            "it is changed by the command 'utils ctl set-cluster ...'",
        ),
        (
            ("release: 12.5", 'parameters: {TLS Minimum Version: "1.2"}'),
            "it is changed by the command 'set tls min-version ...'",
        ),
    ],
)
def test_contradictions_are_named(change: tuple[str, str], message: str) -> None:
    found = problems(GOOD.replace(*change))
    assert len(found) == 1
    assert message in found[0]


def test_environment_overrides_the_file_by_name_or_number() -> None:
    environment = {
        "UCMSIM_CLUSTERS__ALPHA__RELEASE": "14",
        "UCMSIM_CLUSTERS__0__NODES__PUB__ADDRESS": "127.0.9.9",
        "UCMSIM_LAB__PORT_OFFSET": "20000",
        "UCMSIM_OTHER": "ignored",
        "HOME": "/nowhere",
    }
    config = parse_config(GOOD, "lab.yaml", environment)
    assert config.clusters[0].release == "14"
    assert config.clusters[0].nodes[0].address == "127.0.9.9"
    assert config.lab.port_offset == 20_000


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("CLUSTERS__ALPHA__PARAMETERS__AUTO_REGISTRATION", "false", lambda c: c.parameters["Auto-registration"]),
        (
            "CLUSTERS__ALPHA__PARAMETERS__PREPARE_CLUSTER_FOR_ROLLBACK_TO_PRE_8_0",
            "false",
            lambda c: c.parameters["Prepare Cluster for Rollback to pre 8.0"],
        ),
        ("CLUSTERS__ALPHA__SUBJECT__ORGANIZATION", "False", lambda c: c.subject.organization),
        ("CLUSTERS__ALPHA__DEVICES__001122334455__DESCRIPTION", "False", lambda c: c.devices[0].description),
        ("CLUSTERS__ALPHA__DEVICES__10_20_30_40_50_00__DESCRIPTION", "False", lambda c: c.devices[1].description),
        ("CLUSTERS__ALPHA__DEVICES__1__DESCRIPTION", "False", lambda c: c.devices[1].description),
        ("CLUSTERS__ALPHA__TFTP_DIRECTORY", "False", lambda c: c.tftp_directory),
    ],
)
def test_any_key_can_be_overridden(variable: str, value: str, read: Callable[[ClusterDefinition], str]) -> None:
    assert read(parse_config(GOOD, "lab.yaml", {f"UCMSIM_{variable}": value}).clusters[0]) == "False"


def test_a_list_is_given_as_yaml_and_an_item_by_its_number() -> None:
    environment = {
        "UCMSIM_LAB__TFTP_PORTS": "[20000, 20100]",
        "UCMSIM_LAB__TFTP_PORTS__1": "20200",
        "UCMSIM_CLUSTERS__ALPHA__NODES__PUB__SERVICES": "[tvs]",
        "UCMSIM_CLUSTERS__ALPHA__PHONE_SERVICES": "[{name: Menu, url: http://192.0.2.1/}]",
    }
    config = parse_config(GOOD, "lab.yaml", environment)
    assert config.lab.tftp_ports == (20_000, 20_200)
    assert config.clusters[0].nodes[0].services == ("tvs",)
    assert config.clusters[0].phone_services[0].url == "http://192.0.2.1/"


@pytest.mark.parametrize("text", ["[secret]", "{secret", "[", "{a: b}", "null", "~", "12.5", "p: q # r", " s "])
def test_a_text_is_taken_as_it_is(text: str) -> None:
    environment = {
        "UCMSIM_LAB__ADMINISTRATOR__PASSWORD": text,
        "UCMSIM_CLUSTERS__ALPHA__DEVICES__0__DESCRIPTION": text,
        "UCMSIM_CLUSTERS__ALPHA__TFTP_DIRECTORY": text,
    }
    config = parse_config(GOOD, "lab.yaml", environment)
    cluster = config.clusters[0]
    assert config.lab.administrator.password.get_secret_value() == text
    assert (cluster.devices[0].description, cluster.tftp_directory) == (text, text)


def test_no_mistake_shows_the_password() -> None:
    secret = "s3cr3t" * 100
    found = problems(GOOD, {"UCMSIM_LAB__ADMINISTRATOR__PASSWORD": secret, "UCMSIM_LAB__ADMINISTRATOR__NAME": "a b"})
    assert len(found) == 2
    assert "s3cr3t" not in "".join(found)
    config = parse_config(GOOD, "lab.yaml", {"UCMSIM_LAB__ADMINISTRATOR__PASSWORD": "s3cr3t"})
    assert "s3cr3t" not in f"{config!r} {config.model_dump_json()}"


def test_an_empty_section_can_be_filled() -> None:
    config = parse_config(GOOD + "lab:\n", "lab.yaml", {"UCMSIM_LAB__SINGLE_PORT": "true"})
    assert config.lab.single_port


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LAB__PORT_OFSET", "1", "lab.port_ofset: this key is not known here"),
        ("LABB__PORT_OFFSET", "1", "there is no 'labb'; known: lab, clusters"),
        ("CLUSTERS__ALPHA__RELEASE__MAJOR", "1", "clusters.0.release has no keys"),
        ("CLUSTERS__ALPHA__NODES__NOBODY__ADDRESS", "1", "no item 'nobody' in clusters.0.nodes"),
        ("CLUSTERS__9__RELEASE", "14", "no item '9' in clusters"),
        ("CLUSTERS__ALPHA__NODES__PUB__SERVICES", "[tvs", "not YAML: "),
        ("CLUSTERS__ALPHA__SUBJECT", "{unit: a, unit: b}", "key 'unit' appears more than once here"),
        ("CLUSTERS__ALPHA__SUBJECT", "{unitt: a}", "clusters.0.subject.unitt: this key is not known here"),
        ("CLUSTERS__ALPHA__PARAMETERS__COLOUR", "red", "there is no enterprise parameter 'colour'"),
        ("CLUSTERS__ALPHA__DEVICES__0__MAC", "1", "'1' is not a MAC address"),
    ],
)
def test_a_variable_that_fits_nowhere_is_named(variable: str, value: str, message: str) -> None:
    name = f"UCMSIM_{variable}"
    found = problems(GOOD, {name: value})
    assert len(found) == 1
    assert found[0].startswith(f"environment variable {name}: ")
    assert message in found[0]


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    found = problems(GOOD, {"UCMSIM_CLUSTERS__ALPHA__RELEASE": "7"})
    assert found[0].startswith("environment variable UCMSIM_CLUSTERS__ALPHA__RELEASE: ")
    found = problems(GOOD, {"UCMSIM_CLUSTERS__BETA__RELEASE": "14"})
    assert found == ["environment variable UCMSIM_CLUSTERS__BETA__RELEASE: no item 'beta' in clusters"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("release: 12.5", "release: [12.5]"), "clusters.0.release: is text, not a list"),
        (("release: 12.5", "release:"), "clusters.0.release: is text, not nothing"),
        (("release: 12.5", "subject: me"), "clusters.0.subject: has keys of its own, it is not text"),
        (("release: 12.5", "parameters: []"), "clusters.0.parameters: has keys of its own, it is not a list"),
        (("release: 12.5", "phone_services: none"), "clusters.0.phone_services: is a list, not text"),
        (("release: 12.5", "subject: {country: pl}"), "clusters.0.subject.country: 'pl' does not look like ^[A-Z]{2}$"),
        (("publisher: true", "publisher: maybe"), "nodes.0.publisher: 'maybe' is neither true nor false"),
        (("model: 8865", f"model: 8865\n        description: {'x' * 129}"), "has at most 128 characters"),
        (("clusters:", "lab: {port_offset: 50001}\nclusters:"), "lab.port_offset: 50001 is more than 50000"),
        (("clusters:", "lab: {port_offset: -1}\nclusters:"), "lab.port_offset: -1 is less than 0"),
        (("clusters:", "lab: {port_offset: many}\nclusters:"), "lab.port_offset: 'many' is no whole number"),
    ],
)
def test_a_mistake_is_said_in_plain_words(change: tuple[str, str], said: str) -> None:
    assert said in "\n".join(problems(GOOD.replace(*change)))


@pytest.mark.parametrize("text", ["", "[]", "a: [", "a: &x [*x]", "clusters: 5", "? [1]: 2", "\x00", "!!python/none x"])
def test_what_is_no_configuration_is_refused_with_a_line(text: str) -> None:
    assert all("lab.yaml:" in line for line in problems(text))


@pytest.mark.parametrize(
    "text", ["001122334455", "00:11:22:33:44:55", "0011.2233.4455", "00-11-22-33-44-55", "sep001122334455"]
)
def test_every_way_of_writing_a_mac_is_the_same_mac(text: str) -> None:
    assert normalise_mac(text) == "001122334455"


def test_tftp_either_uses_one_port_or_a_range() -> None:
    both = "lab: {single_port: true, tftp_ports: [7000, 7010]}\n" + GOOD
    assert problems(both) == ["lab.yaml:1: lab: single_port and tftp_ports exclude each other: give one of them"]


TRUNKS = (
    GOOD
    + """\
    sip_trunks:
      - {name: one, destination: 192.0.2.1}
      - {name: two, destination: 192.0.2.1, incoming_port: 5070, transport: udp}
      - {name: three, destination: 192.0.2.1, security: encrypted, subject_names: [gw]}
      - {name: four, destination: 192.0.2.2, security: encrypted, subject_names: [gw], incoming_port: 5071}
"""
)
TRUNK_MISTAKES = [
    ("name: two", "name: one", "13: clusters.0.sip_trunks.1.name: SIP trunk 'one' appears more than once"),
    (", incoming_port: 5070", "", "destination: another SIP trunk has destination 192.0.2.1 and incoming port 5060"),
    (
        "incoming_port: 5070",
        "incoming_port: 5061",
        "incoming_port: port 5061 takes encrypted SIP; give a trunk that is",
    ),
    ("incoming_port: 5071", "incoming_port: 5070", "port 5070 takes non-secure SIP; give a trunk that is encrypted"),
    ("incoming_port: 5071", "incoming_port: 05070", "port 5070 takes non-secure SIP; give a trunk that is encrypted"),
    ("incoming_port: 5071", "incoming_port: ' 5_070'", "port 5070 takes non-secure SIP"),
    ("incoming_port: 5071", "incoming_port: 5060", "port 5060 takes non-secure SIP; give a trunk that is encrypted"),
    ("subject_names: [gw]}", "subject_names: []}", "14: clusters.0.sip_trunks.2: an encrypted SIP trunk needs subject"),
    ("transport: udp", "callmanager_group: X", "SIP trunk names CallManager group 'X', which does not exist; groups:"),
    ("transport: udp", "transport: tls", "sip_trunks.1.transport"),
    ("incoming_port: 5071", "incoming_port: 0", "sip_trunks.3.incoming_port: 0 is less than 1"),
    ("incoming_port: 5071", "incoming_port: 65536", "sip_trunks.3.incoming_port: 65536 is more than 65535"),
    ("192.0.2.2", "gw.example", "sip_trunks.3.destination: 'gw.example' is not an IPv4 address"),
    ("destination: 192.0.2.2", "destination: [1]", "sip_trunks.3.destination: is text, not a list"),
    ("security: encrypted, subject_names: [gw]}", "security: [a]}", "sip_trunks.2.security"),
    ("transport: udp", "colour: red", "sip_trunks.1.colour: this key is not known here"),
]


def test_a_cluster_may_have_sip_trunks() -> None:
    cluster = parse_config(TRUNKS, "lab.yaml", {}).clusters[0]
    assert [(trunk.name, trunk.port, trunk.listens_on) for trunk in cluster.trunks_of("pub")] == [
        ("one", 5060, 5060),
        ("two", 5060, 5070),
        ("three", 5061, 5061),
        ("four", 5061, 5071),
    ]
    assert cluster.trunks_of("elsewhere") == ()


@pytest.mark.parametrize(("right", "wrong", "said"), TRUNK_MISTAKES)
def test_a_mistake_in_a_sip_trunk_is_named_with_its_line(right: str, wrong: str, said: str) -> None:
    assert right in TRUNKS
    found = problems(TRUNKS.replace(right, wrong, 1))
    assert any(said in problem for problem in found), found


USERS = """
    users:
      - {id: Alice.K, name: Alice, pin: 0123, password: correct horse}
"""


def test_a_user_is_read_with_zeros_and_can_be_overridden_by_id() -> None:
    users = parse_config(GOOD + USERS, "lab.yaml", {}).clusters[0].users
    assert users[0].pin is not None
    assert users[0].pin.get_secret_value() == "0123"
    environment = {"UCMSIM_CLUSTERS__ALPHA__USERS__ALICE_K__PIN": "77"}
    changed = parse_config(GOOD + USERS, "lab.yaml", environment).clusters[0].users
    assert changed[0].pin is not None
    assert changed[0].pin.get_secret_value() == "77"


def test_no_mistake_shows_a_pin() -> None:
    (line,) = problems(GOOD + USERS.replace("0123", "01x23"))
    assert line.endswith("clusters.0.users.0.pin: a PIN has 1 to 32 digits")
    assert "horse" not in str(problems(GOOD + USERS.replace("pin:", "pn:")))


RANGES = (
    GOOD
    + """    device_ranges:
      - {first: 0A:FF:00:00:00:FE, count: 3, model: 8865, first_number: 0098, device_pool: Load, encrypted_config: true}
      - {first: 0BFF00001000, count: 1, model: 7841}
"""
)


def test_a_range_stands_for_devices_whose_addresses_and_numbers_follow_each_other() -> None:
    cluster = parse_config(RANGES, "lab.yaml", {}).clusters[0]
    devices = cluster.devices_by_name
    assert list(devices)[-4:] == ["SEP0AFF000000FE", "SEP0AFF000000FF", "SEP0AFF00000100", "SEP0BFF00001000"]
    assert len(devices) == len(cluster.devices) + 4
    numbers = [[line.number for line in device.lines] for device in devices.values()][-4:]
    assert numbers == [["0098"], ["0099"], ["0100"], []]
    third = devices["SEP0AFF00000100"]
    assert (third.model, third.device_pool, third.encrypted_config) == ("8865", "Load", True)
    assert type(cluster).model_validate_json(cluster.model_dump_json()).devices_by_name == devices


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        (("count: 3", "count: 0"), "0.count", "0 is less than 1"),
        (("count: 3", "count: 100001"), "0.count", "100001 is more than 100000"),
        (("count: 3", "count: many"), "0.count", "'many' is no whole number"),
        (("first_number: 0098", "first_number: 9998"), "0", "3 numbers from 9998 take more digits than it has"),
        (("0A:FF:00:00:00:FE", "FF:FF:FF:FF:FF:FE"), "0", "3 MAC addresses from FFFFFFFFFFFE go beyond FFFFFFFFFFFF"),
        (("0A:FF:00:00:00:FE", "0A:FF"), "0.first", "is not a MAC address"),
        (("0BFF00001000", "0AFF00000100"), "1.first", "'SEP0AFF00000100' of the range appears more than once"),
        (("0BFF00001000, count: 1", "0AFF000000F0, count: 15"), "1.first", "'SEP0AFF000000FE' of the range"),
        (("0BFF00001000", "001122334455"), "1.first", "'SEP001122334455' of the range appears more than once"),
        (
            ("device_pool: Load", "callmanager_group: Elsewhere"),
            "0.callmanager_group",
            "'Elsewhere', which does not exist",
        ),
        (("device_pool: Load", "lines: []"), "0.lines", "this key is not known here"),
    ],
)
def test_ranges_that_cannot_be_are_named(change: tuple[str, str], where: str, message: str) -> None:
    found = problems(RANGES.replace(*change))
    assert len(found) == 1
    assert f"clusters.0.device_ranges.{where}: " in found[0]
    assert message in found[0]


@pytest.mark.parametrize("last", ["9997", "9999999999"])
def test_a_range_may_reach_the_last_number_and_the_last_address(last: str) -> None:
    text = RANGES.replace("first_number: 0098", f"first_number: {last[:-1]}7").replace(
        "0A:FF:00:00:00:FE", "FFFFFFFFFFFD"
    )
    cluster = parse_config(text, "lab.yaml", {}).clusters[0]
    assert cluster.devices_by_name["SEPFFFFFFFFFFFF"].lines[0].number == f"{last[:-1]}9"
