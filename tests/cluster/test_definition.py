"""What a cluster's definition accepts, field by field, and what it gives back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cluster.definition import ClusterDefinition
from cluster.devices import MAX_LINES, Device
from cluster.endpoints import Endpoints, Ports
from cluster.modelbase import normalise_mac
from cluster.models import ServedModel, ServedModels, shipped_models
from tests.cluster.material import changed, definition

LABEL = "a" * 63


def node(**fields: object) -> dict[str, object]:
    return {"nodes": [{"name": "n0", "address": "127.0.0.1", "publisher": True, **fields}]}


def device(**fields: object) -> dict[str, object]:
    return {"devices": [{"mac": "001122334455", "model": "8865", **fields}]}


def service(url: str) -> dict[str, object]:
    return {"phone_services": [{"name": "Menu", "url": url}]}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a"},
        {"name": LABEL},
        {"name": "7"},
        {"domain": ""},
        {"domain": "lab"},
        {"domain": f"{LABEL}.{LABEL}.{'a' * 61}"},
        {"subject": {"organization": "", "unit": "", "locality": "", "state": ""}},
        {"subject": {"organization": "Zażółć; gęślą, jaźń = \\", "country": "JP"}},
        {"tftp_directory": "files"},
        node(name="a-1"),
        node(bind="0.0.0.0"),  # noqa: S104 - a container's
        node(services=[]),
        device(mac="SEP0011.2233.4455"),
        device(model="DX650"),
        device(description="x" * 128),
        device(description="<&>\"' 受付"),
        device(lines=[{"number": "*55#"}, {"number": "+48123456789"}]),
        device(lines=[{"number": str(number)} for number in range(MAX_LINES)]),
        service("http://192.0.2.1:8080/menu?a=b"),
        service("Application:Cisco/CorporateDirectory"),
    ],
)
def test_this_is_accepted(fields: dict[str, Any]) -> None:
    assert isinstance(definition(1, **fields), ClusterDefinition)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"name": ""}, "name"),
        ({"name": LABEL + "a"}, "name"),
        ({"name": "../alpha"}, "name"),
        ({"name": "alpha."}, "name"),
        ({"name": "al_pha"}, "name"),
        ({"name": "-alpha"}, "name"),
        ({"name": "alpha\n"}, "name"),
        ({"name": "żaba"}, "name"),
        ({"release": "12"}, "release"),
        ({"release": "12.50"}, "release"),
        ({"domain": "lab..example"}, "domain"),
        ({"domain": "lab.example."}, "domain"),
        ({"domain": f"{LABEL}a.example"}, "domain"),
        ({"domain": f"{LABEL}.{LABEL}.{LABEL}"}, "domain"),
        ({"domain": "lab_example"}, "domain"),
        ({"domain": "*.example"}, "domain"),
        ({"subject": {"country": "pl"}}, "subject.country"),
        ({"subject": {"country": "POL"}}, "subject.country"),
        ({"subject": {"organization": "x" * 65}}, "subject.organization"),
        ({"subject": {"unit": "a\0b"}}, "subject.unit"),
        ({"subject": {"locality": "a\nb"}}, "subject.locality"),
        ({"tftp_directory": ""}, "tftp_directory"),
        ({"tftp_directory": "a\0b"}, "tftp_directory"),
        ({"nodes": []}, "nodes"),
        (node(address="127.0.0.1:80"), "nodes.0.address"),
        (node(address="127.0.0.01"), "nodes.0.address"),
        (node(address="::1"), "nodes.0.address"),
        (node(address="localhost"), "nodes.0.address"),
        (node(bind=""), "nodes.0.bind"),
        (node(services=["dhcp"]), "nodes.0.services.0"),
        (node(publisher="perhaps"), "nodes.0.publisher"),
        (device(mac="00112233445"), "devices.0.mac"),
        (device(mac="00112233445G"), "devices.0.mac"),
        (device(mac=""), "devices.0.mac"),
        (device(model=""), "devices.0.model"),
        (device(model="8865/../x"), "devices.0.model"),
        (device(description="x" * 129), "devices.0.description"),
        (device(description="\x1b[2J"), "devices.0.description"),
        (device(description="\ufffe"), "devices.0.description"),
        (device(lines=[{"number": ""}]), "devices.0.lines.0.number"),
        (device(lines=[{"number": "alice"}]), "devices.0.lines.0.number"),
        (device(lines=[{"number": "1" * 25}]), "devices.0.lines.0.number"),
        (device(lines=[{"number": "1"}] * (MAX_LINES + 1)), "devices.0.lines"),
        (service("javascript:alert(1)"), "phone_services.0.url"),
        (service("http://"), "phone_services.0.url"),
        (service("http://192.0.2.1/a b"), "phone_services.0.url"),
        (service("http://192.0.2.1/\n"), "phone_services.0.url"),
        (service("http://" + "a" * 255), "phone_services.0.url"),
        ({"callmanager_groups": [{"name": "Default", "members": ["n0"] * 6}]}, "callmanager_groups.0.members"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_this_is_refused_at_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        definition(1, **fields)
    assert ".".join(str(step) for step in caught.value.errors()[0]["loc"]) == place


def test_contradictions_are_found_without_a_file_too() -> None:
    with pytest.raises(
        ValidationError, match=r"nodes: exactly one node has to be the publisher, not 0; nodes.1.name: "
    ):
        definition(nodes=[{"name": "n0", "address": "127.0.0.1"}, {"name": "N0", "address": "127.0.0.1"}])


@pytest.mark.parametrize(
    "text",
    ["001122334455", "00:11:22:33:44:55", "0011.2233.4455", "00-11-22-33-44-55", "sep001122334455", " 001122334455\n"],
)
def test_every_way_of_writing_a_mac_is_the_same_mac(text: str) -> None:
    assert normalise_mac(text) == "001122334455"


def test_a_definition_is_the_same_after_it_was_stored() -> None:
    full = definition(
        2,
        parameters={"Auto-registration": "false"},
        devices=[{"mac": "00:11:22:33:44:55", "model": "8865", "lines": [{"number": "1", "label": "é"}]}],
        callmanager_groups=[{"name": "Default", "members": ["n1", "n0"]}],
    )
    assert ClusterDefinition.model_validate_json(full.model_dump_json()) == full
    assert full.parameters == {"Auto-registration": "False"}


def test_looking_at_a_definition_does_not_make_it_another() -> None:
    one, other = definition(2, **device()), definition(2, **device())
    assert list(one.devices_by_name) == ["SEP001122334455"]
    assert one == other


def test_without_groups_the_first_five_nodes_are_one() -> None:
    groups = definition(7).groups
    assert [(group.name, group.members) for group in groups] == [("Default", ("n0", "n1", "n2", "n3", "n4"))]


def test_a_node_is_found_in_any_case_and_named_in_full() -> None:
    cluster = definition(2)
    found = cluster.node("N1")
    assert found is not None
    assert cluster.fqdn(found) == "n1.lab.example"
    assert changed(cluster, domain="").fqdn(found) == "n1"
    assert cluster.node("n2") is None


def test_identifiers_are_the_same_at_every_start_and_different_for_everything_else() -> None:
    alpha, beta = definition(1), definition(1, name="beta")
    assert alpha.stable_uuid("device", "SEP1") == "bff9061e-af23-5ffa-af4e-b1fc645e071a"
    others = [("device", "SEP2"), ("line", "SEP1")]
    found = {alpha.stable_uuid(*other) for other in others} | {beta.stable_uuid("device", "SEP1")}
    assert len(found | {alpha.stable_uuid("device", "SEP1")}) == 4


def test_values_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Device(mac="001122334455", model="8865").mac = "1"


# ---------------------------------------------------------------- ports


def test_ports_are_ucm_s_own_unless_they_are_moved() -> None:
    moved = Ports.moved(10_000)
    assert (Ports().tftp, Ports().http, Ports().https, Ports().tvs) == (69, 6970, 6971, 2445)
    assert (moved.tftp, moved.http, moved.https, moved.tvs) == (10_069, 16_970, 16_971, 12_445)
    assert Ports.moved(0) == Ports()


def test_a_node_without_ports_of_its_own_has_the_common_ones() -> None:
    common = Endpoints(Ports.moved(1))
    changed_for_one = common.with_node("n0", Ports.moved(2)).with_node("n0", Ports.moved(3))
    assert (changed_for_one.of("n0"), changed_for_one.of("n1")) == (Ports.moved(3), Ports.moved(1))
    assert common.of("n0") == Ports.moved(1)


def test_the_shipped_models_have_numbers_and_known_firmware() -> None:
    table = shipped_models()
    assert len({model.type_number for model in table.models}) == len(table.models) > 10
    assert table.load_of("8865").startswith("sip")
    assert table.load_of("0000") == ""


def test_a_model_is_found_by_its_type_number_and_one_without_by_nothing() -> None:
    known, unknown = ServedModel("8865", 36_225, "", "Cisco 8865"), ServedModel("9998", None, "", "Cisco 9998")
    table = ServedModels((unknown, known))
    assert table.numbered("36225") is known
    assert [table.numbered(text) for text in ("", "None", "0", "8865", "036225")] == [None] * 5
