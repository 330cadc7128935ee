"""What a phone's configuration says: pure functions from a snapshot and the ports in use to the bytes of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.namedfiles import dial_template, soft_key_file
from cluster.parameters import AUTO_REGISTRATION, URL_ELEMENTS, URL_PATHS, read_bool
from wire.encryptedfile import certificate_hash
from wire.phoneconfig import (
    CallManagerNode,
    DefaultConfig,
    Line,
    PhoneConfig,
    PhoneService,
    TvsServer,
    encode_default_config,
    encode_phone_config,
)

if TYPE_CHECKING:
    from datetime import datetime

    from cluster.definition import CallManagerGroup
    from cluster.devices import Device
    from cluster.endpoints import Endpoints
    from cluster.models import ServedModel
    from cluster.snapshot import ClusterSnapshot
    from wire.certificates import Certificate


SECURITY_MODES = {"non-secure": 1, "authenticated": 2, "encrypted": 3}
"""Security of a device's profile -> ``deviceSecurityMode``."""
_TLS, _NON_SECURE = 3, 4
"""``transportLayerProtocol``."""
_SERVICES, _DIRECTORIES = 0, 1
"""Menus of ``phoneService``."""
_DIRECTORY_URLS = ("Application:Cisco/CorporateDirectory", "Application:Cisco/PersonalDirectory")


def phone_config(snapshot: ClusterSnapshot, device: Device, endpoints: Endpoints, load: str) -> bytes:
    """``SEP<MAC>.cnf.xml`` of a device, the whole of it.

    Args:
        snapshot: the cluster.
        device: one of its devices.
        endpoints: the ports that phones are to use.
        load: firmware name of the device's model; empty when unknown.
    """
    definition = snapshot.definition
    group = definition.group(device.callmanager_group)
    recipient = encryption_recipient(snapshot, device)
    mode, nodes = _capf(snapshot, device, endpoints)
    security = security_in_effect(snapshot, device)
    return encode_phone_config(
        PhoneConfig(
            device_uuid=definition.stable_uuid("device", device.name),
            device_pool=device.device_pool,
            call_manager_group=group.name,
            call_managers=_call_managers(snapshot, group, endpoints),
            tvs_servers=_tvs_servers(snapshot, group, endpoints),
            load_information=load,
            version_stamp=version_stamp(snapshot, device),
            device_security_mode=SECURITY_MODES[security],
            transport_layer_protocol=_NON_SECURE if security == "non-secure" else _TLS,
            capf_auth_mode=mode,
            capf_nodes=nodes,
            cert_hash=certificate_hash(recipient) if recipient else "",
            encrypted=recipient is not None,
            urls=_urls(snapshot, endpoints),
            lines=tuple(
                Line(
                    button=index,
                    name=line.number,
                    display_name=line.label,
                    label=line.label or line.number,
                    contact=definition.stable_uuid("line", f"{device.name}/{line.number}"),
                )
                for index, line in enumerate(device.lines, start=1)
            ),
            soft_key_file=soft_key_file(definition, device),
            dial_template=dial_template(definition, device),
            user_locale=device.user_locale,
            network_locale=device.network_locale,
            phone_services=_phone_services(snapshot, endpoints),
            web_access=device.web_access,
        )
    )


def phone_stub(
    snapshot: ClusterSnapshot, device: Device, recipient: Certificate, endpoints: Endpoints, load: str
) -> bytes:
    """What the plain name of an encrypted configuration gives: where to come back, and with which key (R-SBD-3).

    Args:
        snapshot: the cluster.
        device: one of its devices.
        recipient: see `encryption_recipient`.
        endpoints: the ports that phones are to use.
        load: firmware name of the device's model; empty when unknown.
    """
    mode, nodes = _capf(snapshot, device, endpoints)
    return encode_phone_config(
        PhoneConfig(
            full_config=False,
            load_information=load,
            capf_auth_mode=mode,
            capf_nodes=nodes,
            cert_hash=certificate_hash(recipient),
            encrypted=True,
        )
    )


def security_in_effect(snapshot: ClusterSnapshot, device: Device) -> str:
    """The security of a device's profile in a mixed cluster; signalling is not secure in another one (R-SBD-5)."""
    return device.security if snapshot.mixed_mode else "non-secure"


def encryption_recipient(snapshot: ClusterSnapshot, device: Device) -> Certificate | None:
    """For whose key a device's configuration is encrypted; None when it is served as it is.

    The LSC, else the MIC; an EC key cannot unwrap the AES key, so before an EC LSC goes an RSA MIC, if the cluster has
    seen one. A phone of which no certificate is known gets its configuration signed alone, or it would never come to
    an LSC (ours).
    """
    if not device.encrypted_config:
        return None
    security = snapshot.security_of(device.name)
    return security.encryption_certificate or security.lsc


def default_config(snapshot: ClusterSnapshot, endpoints: Endpoints, models: tuple[ServedModel, ...]) -> bytes:
    """``XMLDefault.cnf.xml``: what an unknown phone gets (R-DL-5)."""
    group = snapshot.definition.groups[0]
    return encode_default_config(
        DefaultConfig(
            auto_registration=read_bool(snapshot.parameter(AUTO_REGISTRATION)),
            call_manager_group=group.name,
            call_managers=_call_managers(snapshot, group, endpoints),
            tvs_servers=_tvs_servers(snapshot, group, endpoints),
            loads=tuple(
                (model.type_number, model.product, model.load) for model in models if model.load and model.type_number
            ),
        )
    )


def version_stamp(snapshot: ClusterSnapshot, device: Device) -> str:
    """Changes whenever the device's configuration may have: seconds, then a UUID, as observed."""
    changed = changed_at(snapshot, device)
    return f"{int(changed.timestamp())}-{snapshot.definition.stable_uuid('stamp', f'{device.name}/{changed}')}"


def changed_at(snapshot: ClusterSnapshot, device: Device) -> datetime:
    """When a device's configuration may last have changed: with the cluster's, its own certificates, or a log-in."""
    login = snapshot.logins.get(device.name)
    changes = [login.changed_at] if login is not None else []
    return max(snapshot.configured_at, snapshot.security_of(device.name).changed_at, *changes)


def _capf(snapshot: ClusterSnapshot, device: Device, endpoints: Endpoints) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Mode and nodes when CAPF has something to do with the phone; otherwise what an observed configuration had."""
    security, publisher = snapshot.security_of(device.name), snapshot.definition.publisher
    port = endpoints.of(publisher.name).capf
    if not security.pending or "capf" not in publisher.services or not port:
        return 0, ()
    return security.order.authentication.mode, ((publisher.address, port),)


def _call_managers(
    snapshot: ClusterSnapshot, group: CallManagerGroup, endpoints: Endpoints
) -> tuple[CallManagerNode, ...]:
    """Those of which the ports are known: a node that has not started on ports of the system's choice has none yet."""
    return tuple(
        CallManagerNode(host=node.address, sip_port=ports.sip, secured_sip_port=ports.secured_sip, name=node.name)
        for node in map(snapshot.definition.node, group.members)
        if node is not None and (ports := endpoints.of(node.name)).sip and ports.secured_sip
    )


def _tvs_servers(snapshot: ClusterSnapshot, group: CallManagerGroup, endpoints: Endpoints) -> tuple[TvsServer, ...]:
    """Those of which the port is known, as above."""
    return tuple(
        TvsServer(node.address, port)
        for node in map(snapshot.definition.node, group.members)
        if node is not None and "tvs" in node.services and (port := endpoints.of(node.name).tvs)
    )


def _phone_services(snapshot: ClusterSnapshot, endpoints: Endpoints) -> tuple[PhoneService, ...]:
    """Pages of the publisher's own over HTTPS; without those while its port is not known."""
    node = snapshot.definition.publisher
    port = endpoints.of(node.name).secure_web
    return tuple(
        PhoneService(
            service.name,
            f"https://{node.address}:{port}{service.url}" if service.url.startswith("/") else service.url,
            _DIRECTORIES if service.url in _DIRECTORY_URLS else _SERVICES,
        )
        for service in snapshot.definition.phone_services
        if port or not service.url.startswith("/")
    )


def _urls(snapshot: ClusterSnapshot, endpoints: Endpoints) -> dict[str, str]:
    node = snapshot.definition.publisher
    ports = endpoints.of(node.name)
    urls = {}
    for parameter, element in URL_ELEMENTS.items():
        scheme, port = ("https", ports.secure_web) if element.startswith("secure") else ("http", ports.web)
        own = f"{scheme}://{node.address}:{port}{URL_PATHS[element]}" if port else ""  # not known yet
        urls[element] = snapshot.parameter(parameter) or own
    return urls
