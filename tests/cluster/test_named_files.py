"""The files beside phones' configurations: what a definition makes of them, and what it may not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from defusedxml import ElementTree
from pydantic import ValidationError

from cluster.namedfiles import dial_template, named_file, soft_key_file
from cluster.phonesettings import (
    BUILT_IN_DIAL_RULES,
    BUILT_IN_NETWORK_LOCALES,
    BUILT_IN_SOFT_KEYS,
    BUILT_IN_USER_LOCALES,
)
from tests.cluster.material import definition
from tests.cluster.test_config import GOOD, problems
from wire.dialtemplate import DialPattern, decode_dial_template
from wire.localearchive import decode_archive
from wire.ringlist import Ring, decode_ring_list

if TYPE_CHECKING:
    from cluster.definition import ClusterDefinition

LARGEST_WORDS = {f"{number:064}": '"' * 128 for number in range(1000)}


def defined(**changes: object) -> ClusterDefinition:
    return definition(1, **changes)


def with_device(**fields: object) -> dict[str, object]:
    return {"devices": [{"mac": "001122334455", "model": "8865", **fields}]}


def data_of(cluster: ClusterDefinition, name: str) -> bytes:
    found = named_file(cluster, name)
    assert found is not None, name
    return found.data


def xml_of(cluster: ClusterDefinition, name: str) -> Any:
    return ElementTree.fromstring(data_of(cluster, name))


def test_a_cluster_without_a_word_about_them_has_them_all() -> None:
    cluster = defined(**with_device())
    device = cluster.devices[0]
    assert [ring.name for ring in decode_ring_list(data_of(cluster, "Ringlist.xml"))] == ["Chirp1", "Chirp2"]
    assert data_of(cluster, "DistinctiveRingList.xml") == data_of(cluster, "Ringlist.xml")
    assert decode_dial_template(data_of(cluster, dial_template(cluster, device))) == (DialPattern("*", 15),)
    soft_keys = xml_of(cluster, soft_key_file(cluster, device))
    assert soft_keys.get("name") == "Standard User"
    on_hook = next(item for item in soft_keys if item.get("state") == "On Hook")
    assert [key.text for key in on_hook] == ["Redial", "NewCall", "CFwdALL"]
    assert decode_archive(data_of(cluster, "English_United_States/8865-sip.jar")).keys() == {"dictionary.xml"}
    assert xml_of(cluster, "United_States/g3-tones.xml")[0].get("name") == "dial"


def test_what_an_operator_defines_is_in_the_files() -> None:
    cluster = defined(
        rings=[{"name": "Old bell", "file": "OldBell.raw"}],
        soft_key_templates=[{"name": "Reception", "keys": {"On Hook": ["NewCall"]}}],
        dial_rules=[{"name": "Office", "patterns": [{"match": "9,0.", "timeout_s": 3, "user": "ip"}]}],
        user_locales=[{"name": "German_Germany", "words": {"Redial": "Wahlwdh."}}],
        network_locales=[{"name": "Germany", "tones": [{"name": "dial", "frequencies_hz": [425]}]}],
        **with_device(soft_key_template="reception", dial_rules="Office"),
    )
    device = cluster.devices[0]
    assert decode_ring_list(data_of(cluster, "Ringlist.xml")) == (Ring("Old bell", "OldBell.raw"),)
    assert [key.text for key in xml_of(cluster, soft_key_file(cluster, device))[0]] == ["NewCall"]
    patterns = decode_dial_template(data_of(cluster, dial_template(cluster, device)))
    assert patterns == (DialPattern("9,0.", 3, "ip"),)
    archive = decode_archive(data_of(cluster, "German_Germany/7841-sip.jar"))
    assert [item.text for item in ElementTree.fromstring(archive["dictionary.xml"])] == ["Wahlwdh."]
    assert [item.text for item in xml_of(cluster, "Germany/g3-tones.xml")[0]] == ["425"]


def test_a_definition_of_the_same_name_replaces_what_is_built_in() -> None:
    cluster = defined(
        soft_key_templates=[{"name": "standard user", "keys": {"On Hook": ["Mine"]}}],
        dial_rules=[{"name": "DEFAULT", "patterns": [{"match": "1"}]}],
        network_locales=[{"name": "united_states", "tones": [{"name": "mine", "frequencies_hz": [1]}]}],
        **with_device(),
    )
    device, plain = cluster.devices[0], defined(**with_device())
    assert xml_of(cluster, soft_key_file(cluster, device))[0][0].text == "Mine"
    assert decode_dial_template(data_of(cluster, dial_template(cluster, device))) == (DialPattern("1", 0),)
    assert xml_of(cluster, "United_States/g3-tones.xml")[0].get("name") == "mine"
    assert soft_key_file(cluster, device) == soft_key_file(plain, plain.devices[0])  # names stay, contents change


def test_names_are_known_in_any_case_and_told_as_phones_ask() -> None:
    cluster = defined()
    names = {
        "RINGLIST.XML": "Ringlist.xml",
        "distinctiveringlist.xml": "DistinctiveRingList.xml",
        "united_states/G3-TONES.xml": "United_States/g3-tones.xml",
        "ENGLISH_united_states/8865-SIP.JAR": "English_United_States/8865-sip.jar",
    }
    for asked, told in names.items():
        found = named_file(cluster, asked)
        assert found is not None
        assert found.name == told


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Ringlist.xml.sgn",
        "AppDialRules.xml",
        "Atlantis/g3-tones.xml",
        "Atlantis/8865-sip.jar",
        "English_United_States/g3-tones.xml",
        "United_States/8865-sip.jar",
        "English_United_States/12345678901234567-sip.jar",
        "English_United_States/-sip.jar/x",
        "SK00000000-0000-0000-0000-000000000000.xml",
        "DR00000000-0000-0000-0000-000000000000.xml",
        "SK.xml",
    ],
)
def test_other_names_are_nothing(name: str) -> None:
    assert named_file(defined(), name) is None


def test_a_device_may_have_none_of_them() -> None:
    none = {"soft_key_template": "", "dial_rules": "", "user_locale": "", "network_locale": ""}
    cluster = defined(**with_device(**none))
    assert (soft_key_file(cluster, cluster.devices[0]), dial_template(cluster, cluster.devices[0])) == ("", "")


def test_clusters_do_not_share_names_of_files() -> None:
    files = [
        {soft_key_file(cluster, cluster.devices[0]), dial_template(cluster, cluster.devices[0])}
        for cluster in (defined(**with_device()), defined(name="beta", **with_device()))
    ]
    assert not files[0] & files[1]


def test_the_largest_locale_that_may_be_defined_still_is_an_archive_that_phones_read() -> None:
    cluster = defined(user_locales=[{"name": "Loud", "words": LARGEST_WORDS}])
    assert decode_archive(data_of(cluster, "Loud/8865-sip.jar"))


MISTAKES = {
    "a template that does not exist": (
        "devices: [{mac: 001122334455, model: 8865, soft_key_template: Nobody}]",
        "soft key template 'Nobody' does not exist; there are: Standard User",
    ),
    "rules that do not exist": (
        "devices: [{mac: 001122334455, model: 8865, dial_rules: Mine}]\n    dial_rules: [{name: Office, patterns: []}]",
        "set of dial rules 'Mine' does not exist; there are: Default, Office",
    ),
    "a locale that would lead out of its folder": (
        'devices: [{mac: 001122334455, model: 8865, network_locale: "../up"}]',
        "'../up' does not look like",
    ),
    "the same name twice": (
        "dial_rules: [{name: A, patterns: []}, {name: a, patterns: []}]",
        "set of dial rules 'a' appears more than once",
    ),
    "too many rings": (f"rings: [{', '.join(['{name: a, file: b}'] * 51)}]", "at most 50 items, not 51"),
    "a ring with a long name": (f"rings: [{{name: {'x' * 26}, file: b}}]", "at most 25 characters"),
    "a ring in another folder": ("rings: [{name: a, file: ../b}]", "'../b' does not look like"),
    "blanks around a name": ('rings: [{name: " a", file: b}]', "' a' is empty or has blanks around it"),
    "no such call state": ("soft_key_templates: [{name: A, keys: {Asleep: [Redial]}}]", "Asleep"),
    "a pattern with a blank": ('dial_rules: [{name: A, patterns: [{match: "1 2"}]}]', "'1 2' does not look like"),
    "a time out of range": ("dial_rules: [{name: A, patterns: [{match: 1, timeout_s: 100}]}]", "100 is more than 99"),
    "a tone without a frequency": (
        "network_locales: [{name: A, tones: [{name: dial, frequencies_hz: []}]}]",
        "has at least 1 item(s)",
    ),
    "a tone that nobody hears": (
        "network_locales: [{name: A, tones: [{name: dial, frequencies_hz: [20001]}]}]",
        "20001 is more than 20000",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_operators_mistake_is_told_with_its_line(mistake: str) -> None:
    text, said = MISTAKES[mistake]
    without_devices = GOOD.partition("    devices:")[0]
    found = problems(f"{without_devices}    {text}\n")
    assert len(found) == 1, found
    assert said in found[0]
    assert found[0].startswith("lab.yaml:")


@pytest.mark.parametrize("key", ["rings", "soft_key_templates", "dial_rules", "user_locales", "network_locales"])
def test_unknown_keys_are_errors(key: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        defined(**{key: [{"colour": "red"}]})


def test_what_is_built_in_is_what_could_be_defined() -> None:
    cluster = defined(
        soft_key_templates=[item.model_dump() for item in BUILT_IN_SOFT_KEYS],
        dial_rules=[item.model_dump() for item in BUILT_IN_DIAL_RULES],
        user_locales=[item.model_dump() for item in BUILT_IN_USER_LOCALES],
        network_locales=[item.model_dump() for item in BUILT_IN_NETWORK_LOCALES],
    )
    plain = defined()
    for name in ("United_States/g3-tones.xml", "English_United_States/8865-sip.jar"):
        assert named_file(cluster, name) == named_file(plain, name)
