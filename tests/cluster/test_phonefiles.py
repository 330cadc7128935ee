"""What phones are told: their configuration, and the one for phones that nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from cluster.endpoints import Endpoints, Ports
from cluster.models import ServedModel
from cluster.parameters import AUTO_REGISTRATION, TVS_TTL, URL_ELEMENTS, URL_PATHS
from cluster.phonefiles import default_config, phone_config
from tests.cluster.material import WHEN, changed, stranger
from wire.phoneconfig import PhoneConfig, PhoneService, decode_default_config, decode_phone_config

if TYPE_CHECKING:
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StoreMaker

PHONE = "SEP001122334455"
PORTS = Endpoints(Ports(), {"alpha-sub1": Ports.moved(100)})


def told(snapshot: ClusterSnapshot, name: str = PHONE, load: str = "sip8865") -> PhoneConfig:
    return decode_phone_config(phone_config(snapshot, snapshot.devices[name], PORTS, load))


async def reconfigured(store: ClusterStore, **changes: object) -> ClusterSnapshot:
    return await store.install(changed(store.snapshot.definition, **changes))


def with_device(**fields: object) -> dict[str, object]:
    return {"devices": [{"mac": "001122334455", "model": "8865", **fields}]}


async def test_a_phone_is_told_its_servers_in_the_order_of_its_group(store: ClusterStore) -> None:
    """R-TVS-5."""
    nodes = [
        {"name": "alpha-pub", "address": "192.0.2.1", "publisher": True},
        {"name": "alpha-sub1", "address": "192.0.2.2"},
    ]
    groups = [{"name": "Turned", "members": ["alpha-sub1", "alpha-pub"]}]
    snapshot = await reconfigured(
        store, nodes=nodes, callmanager_groups=groups, **with_device(callmanager_group="Turned")
    )
    config = told(snapshot)
    assert config.call_manager_group == "Turned"
    assert [(node.name, node.host, node.sip_port, node.secured_sip_port) for node in config.call_managers] == [
        ("alpha-sub1", "192.0.2.2", 5160, 5161),
        ("alpha-pub", "192.0.2.1", 5060, 5061),
    ]
    assert [(server.address, server.port) for server in config.tvs_servers] == [
        ("192.0.2.2", 2545),
        ("192.0.2.1", 2445),
    ]


async def test_a_node_without_tvs_is_no_tvs_server(store: ClusterStore) -> None:
    nodes = store.snapshot.definition.model_dump()["nodes"]
    nodes[0]["services"] = ["tftp"]
    config = told(await reconfigured(store, nodes=nodes))
    assert len(config.call_managers) == 2
    assert [server.port for server in config.tvs_servers] == [2545]


async def test_lines_keep_their_order_and_any_text(store: ClusterStore) -> None:
    lines = [{"number": "2001", "label": "<&>\"' 受付"}, {"number": "+48"}]
    config = told(await reconfigured(store, **with_device(lines=lines)))
    assert [(line.button, line.name, line.label, line.display_name) for line in config.lines] == [
        (1, "2001", "<&>\"' 受付", "<&>\"' 受付"),
        (2, "+48", "+48", ""),
    ]


async def test_phone_services_and_firmware_are_passed_on(store: ClusterStore) -> None:
    config = told(store.snapshot)
    assert config.phone_services == (PhoneService("Corporate Directory", "Application:Cisco/CorporateDirectory", 1),)
    assert config.load_information == "sip8865"
    assert told(store.snapshot, load="").load_information == ""


@pytest.mark.parametrize("parameter", URL_ELEMENTS)
async def test_a_url_is_the_publisher_s_own_until_the_parameter_names_another(
    parameter: str, store: ClusterStore
) -> None:
    """R-SBD-4, R-UDS-3: HTTPS for the secured ones."""
    element = URL_ELEMENTS[parameter]
    begin = "https://127.0.0.1:8443" if element.startswith("secure") else "http://127.0.0.1:8080"
    assert told(store.snapshot).urls[element] == begin + URL_PATHS[element]
    await store.set_parameter(parameter, "http://192.0.2.9:8080/x?a=1&b=2")
    urls = told(store.snapshot).urls
    assert urls[element] == "http://192.0.2.9:8080/x?a=1&b=2"
    assert sum("192.0.2.9" in url for url in urls.values()) == 1


# ---------------------------------------------------------------- when the bytes change


async def test_a_configuration_is_the_same_after_a_restart(open_store: StoreMaker) -> None:
    store = await open_store(clock=ManualClock(WHEN))
    await store.set_parameter(TVS_TTL, "60")
    before = phone_config(store.snapshot, store.snapshot.devices[PHONE], PORTS, "")
    await store.close()
    again = (await open_store(Path(store._where))).snapshot
    assert phone_config(again, again.devices[PHONE], PORTS, "") == before


async def test_a_trusted_certificate_changes_no_configuration(store: ClusterStore) -> None:
    before = phone_config(store.snapshot, store.snapshot.devices[PHONE], PORTS, "")
    await store.add_trust("Phone-SAST-trust", [stranger()])
    assert phone_config(store.snapshot, store.snapshot.devices[PHONE], PORTS, "") == before


async def test_a_changed_configuration_has_another_stamp_even_within_a_second(open_store: StoreMaker) -> None:
    clock = ManualClock(WHEN)
    store = await open_store(clock=clock)
    stamps = []
    for ttl in ("60", "61", "62"):
        clock.advance(0.25)
        await store.set_parameter(TVS_TTL, ttl)
        stamps.append(told(store.snapshot).version_stamp)
    assert len(set(stamps)) == 3
    assert {stamp.split("-")[0] for stamp in stamps} == {str(int(WHEN.timestamp()))}


async def test_two_phones_have_identifiers_of_their_own(store: ClusterStore) -> None:
    one, other = told(store.snapshot), told(store.snapshot, "SEP001122334456")
    assert one.device_uuid != other.device_uuid
    assert one.version_stamp != other.version_stamp
    assert one.lines[0].contact != other.lines[0].contact


# ---------------------------------------------------------------- unknown phones (R-DL-5)


@pytest.mark.parametrize("wanted", ["True", "False"])
async def test_an_unknown_phone_is_told_whether_it_may_register(wanted: str, store: ClusterStore) -> None:
    await store.set_parameter(AUTO_REGISTRATION, wanted)
    models = (
        ServedModel("8865", 36225, "sip8865", "Cisco 8865"),
        ServedModel("9998", None, "sip9998", "Cisco 9998"),
        ServedModel("9999", 7, "", "Cisco 9999"),
    )
    config = decode_default_config(default_config(store.snapshot, PORTS, models))
    assert config.auto_registration is (wanted == "True")
    assert config.loads == ((36225, "Cisco 8865", "sip8865"),)
    assert [node.name for node in config.call_managers] == ["alpha-pub", "alpha-sub1"]
    assert [server.port for server in config.tvs_servers] == [2445, 2545]
