"""A laboratory file is read whole, and every mistake in it is reported at once with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.config import default_config_text, load_config, parse_config
from cluster.definition import normalise_mac
from wire.errors import ConfigError

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
        (("release: 12.5", "parameters: {Cluster Security Mode: 1}"), "the mode is changed by a command"),
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


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    found = problems(GOOD, {"UCMSIM_CLUSTERS__ALPHA__RELEASE": "7"})
    assert found[0].startswith("environment variable UCMSIM_CLUSTERS__ALPHA__RELEASE: ")
    found = problems(GOOD, {"UCMSIM_CLUSTERS__BETA__RELEASE": "14"})
    assert found == ["environment variable UCMSIM_CLUSTERS__BETA__RELEASE: no item 'beta' in clusters"]


@pytest.mark.parametrize("text", ["", "[]", "a: [", "a: &x [*x]", "clusters: 5", "? [1]: 2", "\x00", "!!python/none x"])
def test_what_is_no_configuration_is_refused_with_a_line(text: str) -> None:
    assert all("lab.yaml:" in line for line in problems(text))


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_config_error(text: str) -> None:
    try:
        parse_config(text, "lab.yaml", {})
    except ConfigError as error:
        assert error.problems


@pytest.mark.parametrize(
    "text", ["001122334455", "00:11:22:33:44:55", "0011.2233.4455", "00-11-22-33-44-55", "sep001122334455"]
)
def test_every_way_of_writing_a_mac_is_the_same_mac(text: str) -> None:
    assert normalise_mac(text) == "001122334455"
