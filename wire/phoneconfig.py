"""``SEP<MAC>.cnf.xml``, a phone's configuration, and `wire.defaultconfig` beside it.

Written in the order in which UCM's own file has its elements, with the values of an observed file where nothing here
decides them. Read from any file that a phone would take: what is missing has its default, what is unknown is passed
over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wire.configmembers import (
    MAX_PORT,
    CallManagerNode,
    TvsServer,
    read_group,
    read_tvs,
    required,
    write_group,
    write_tvs,
)
from wire.defaultconfig import DefaultConfig, decode_default_config, encode_default_config
from wire.errors import WireError
from wire.xmltree import Node, XmlWriter, parse, read_number

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "URL_ELEMENTS",
    "CallManagerNode",
    "DefaultConfig",
    "Line",
    "PhoneConfig",
    "PhoneService",
    "TvsServer",
    "decode_default_config",
    "decode_phone_config",
    "encode_default_config",
    "encode_phone_config",
]

URL_ELEMENTS = (
    "authenticationURL",
    "directoryURL",
    "idleURL",
    "informationURL",
    "messagesURL",
    "proxyServerURL",
    "servicesURL",
    "secureAuthenticationURL",
    "secureDirectoryURL",
    "secureUDSUsersAccessURL",
    "secureIdleURL",
    "secureInformationURL",
    "secureMessagesURL",
    "secureServicesURL",
)
"""Keys of `PhoneConfig.urls`, in the order of the file."""

_LINE_FEATURE = "9"
_MAX_BUTTON = 255
_MAX_SERVICE_KIND = 2
_WEB_ACCESS = {True: "0", False: "1"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line button.

    Attributes:
        button: counted from 1.
        name: directory number, and the user part of what is registered.
        display_name: what callees see.
        label: beside the button.
        contact: UCM's identifier of the line, a UUID without braces.
    """

    button: int
    name: str
    display_name: str = ""
    label: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class PhoneService:
    """An entry of the phone's own menus.

    Attributes:
        kind: 0 services, 1 directories, 2 messages.
    """

    name: str
    url: str
    kind: int = 0


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """A configuration.

    Attributes:
        full_config: False for the stub that sends a phone to its encrypted configuration. A stub is written with
            `load_information`, `capf_auth_mode`, `capf_nodes`, `cert_hash` and `encrypted` only.
        protocol: ``SIP``.
        device_uuid: with or without braces, as UCM has it.
        device_pool: its name.
        call_manager_group: its name.
        call_managers: in priority order.
        tvs_servers: in priority order.
        load_information: name of the firmware.
        version_stamp: changes whenever the configuration does.
        device_security_mode: 1 non-secure, 2 authenticated, 3 encrypted.
        transport_layer_protocol: 1 TCP, 2 UDP, 3 TLS; 4 is what UCM writes for non-secure phones.
        urls: by element name (`URL_ELEMENTS`). An empty one is the same as none.
        capf_auth_mode: 0 nothing to do; 1 authentication string, 2 null string, 3 LSC, 4 MIC.
        capf_nodes: (host, port).
        cert_hash: MD5 of the certificate that the encrypted configuration is for, lower-case hex.
        encrypted: there is an encrypted configuration.
        lines: in button order.
        soft_key_file: file name.
        dial_template: file name.
        user_locale: name.
        network_locale: name.
        provisioning: which menus count: 0 `phone_services` alone, 1 those at `urls` alone, 2 both.
        phone_services: in the order of the menus.
        web_access: whether the phone may serve its own web pages; None when the configuration does not say.
    """

    full_config: bool = True
    protocol: str = "SIP"
    device_uuid: str = ""
    device_pool: str = "Default"
    call_manager_group: str = "Default"
    call_managers: tuple[CallManagerNode, ...] = ()
    tvs_servers: tuple[TvsServer, ...] = ()
    load_information: str = ""
    version_stamp: str = ""
    device_security_mode: int = 1
    transport_layer_protocol: int = 4
    urls: Mapping[str, str] = field(default_factory=dict)
    capf_auth_mode: int = 0
    capf_nodes: tuple[tuple[str, int], ...] = ()
    cert_hash: str = ""
    encrypted: bool = False
    lines: tuple[Line, ...] = ()
    soft_key_file: str = ""
    dial_template: str = ""
    user_locale: str = ""
    network_locale: str = ""
    provisioning: int = 2
    phone_services: tuple[PhoneService, ...] = ()
    web_access: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "urls", {name: url for name, url in self.urls.items() if url})


# --- writing ---


def encode_phone_config(config: PhoneConfig) -> bytes:
    """Writes a configuration, or the stub for an encrypted one.

    Raises:
        WireError: a number is out of range, a host is empty, a text has control characters, or a key of `urls` is not
            one of `URL_ELEMENTS`.
    """
    xml = XmlWriter(declaration=True)
    if config.full_config:
        _write_full(xml, config)
    else:
        _write_stub(xml, config)
    return xml.finish()


def _write_stub(xml: XmlWriter, config: PhoneConfig) -> None:
    with xml.inside("device"):
        xml.flag("fullConfig", value=False)
        xml.fixed(ipAddressMode="0")
        xml.token("loadInformation", config.load_information)
        _write_capf(xml, config)


def _write_full(xml: XmlWriter, config: PhoneConfig) -> None:
    with xml.inside("device", xsi__type="axl:XIPPhone", ctiid="0", uuid=config.device_uuid):
        xml.flag("fullConfig", value=True)
        xml.token("deviceProtocol", config.protocol)
        xml.fixed(
            ipAddressMode="0",
            allowAutoConfig="true",
            dadEnable="true",
            redirectEnable="false",
            echoMultiEnable="false",
            ipPreferenceModeControl="0",
            ipMediaAddressFamilyPreference="0",
            mlppDomainId="000000",
            mlppIndicationStatus="Off",
            preemption="Disabled",
            executiveOverridePreemptable="false",
        )
        with xml.inside("devicePool"):
            xml.fixed(revertPriority="0")
            xml.words("name", config.device_pool)
            write_group(xml, config.call_manager_group, config.call_managers, tftp_default=False)
            xml.fixed(connectionMonitorDuration="120")
        write_tvs(xml, config.tvs_servers)
        _write_sip(xml, config)
        xml.token("loadInformation", config.load_information)
        if config.web_access is not None:
            with xml.inside("vendorConfig"):
                xml.fixed(webAccess=_WEB_ACCESS[config.web_access])
        xml.token("versionStamp", config.version_stamp)
        _write_locales(xml, config)
        xml.number("deviceSecurityMode", config.device_security_mode, 1, 3)
        _write_urls(xml, config.urls)
        xml.fixed(dscpForSCCPPhoneConfig="96", dscpForSCCPPhoneServices="0", dscpForCm2Dvce="96")
        xml.number("transportLayerProtocol", config.transport_layer_protocol, 1, 4)
        _write_capf(xml, config)
        xml.fixed(TLSResumptionTimer="3600")
        _write_services(xml, config)


def _write_sip(xml: XmlWriter, config: PhoneConfig) -> None:
    with xml.inside("sipProfile"):
        with xml.inside("sipProxies"):
            xml.fixed(backupProxy="USECALLMANAGER", backupProxyPort="5060", registerWithProxy="true")
        with xml.inside("sipStack"):
            xml.fixed(
                sipInviteRetx="6",
                sipRetx="10",
                timerInviteExpires="180",
                timerRegisterExpires="3600",
                timerRegisterDelta="5",
                timerKeepAliveExpires="120",
                timerSubscribeExpires="120",
                timerSubscribeDelta="5",
                timerT1="500",
                timerT2="4000",
                maxRedirects="70",
                remotePartyID="true",
                userInfo="None",
            )
        xml.fixed(startMediaPort="16384", stopMediaPort="32766")
        with xml.inside("sipLines"):
            for index, line in enumerate(config.lines, start=1):
                _write_line(xml, index, line)
        xml.fixed(voipControlPort="5060")
        xml.token("dialTemplate", config.dial_template)
        xml.token("softKeyFile", config.soft_key_file)


def _write_line(xml: XmlWriter, index: int, line: Line) -> None:
    if not 1 <= line.button <= _MAX_BUTTON:
        raise WireError(f"line button {line.button} is not from 1 to {_MAX_BUTTON}")
    with xml.inside("line", button=str(line.button), lineIndex=str(index)):
        xml.fixed(featureID=_LINE_FEATURE)
        xml.words("featureLabel", line.label)
        xml.fixed(proxy="USECALLMANAGER", port="5060")
        xml.token("name", line.name)
        xml.words("displayName", line.display_name)
        xml.fixed(callWaiting="3", messageWaitingLampPolicy="3", ringSettingIdle="4", ringSettingActive="5")
        xml.token("contact", line.contact)


def _write_locales(xml: XmlWriter, config: PhoneConfig) -> None:
    if config.user_locale:
        with xml.inside("userLocale"):
            xml.token("name", config.user_locale)
    if config.network_locale:
        xml.token("networkLocale", config.network_locale)
        with xml.inside("networkLocaleInfo"):
            xml.token("name", config.network_locale)


def _write_urls(xml: XmlWriter, urls: Mapping[str, str]) -> None:
    if strangers := [name for name in urls if name not in URL_ELEMENTS]:
        raise WireError(f"{strangers[0]!r} is not a URL of a phone's configuration")
    for name in URL_ELEMENTS:
        xml.token(name, urls.get(name, ""))


def _write_capf(xml: XmlWriter, config: PhoneConfig) -> None:
    xml.number("capfAuthMode", config.capf_auth_mode, 0, 4)
    with xml.inside("capfList"):
        for host, port in config.capf_nodes or (("", _CAPF_PORT),):  # UCM has one without host when idle
            with xml.inside("capf"):
                xml.number("phonePort", port, 1, MAX_PORT)
                xml.token("processNodeName", required("processNodeName", host) if config.capf_nodes else host)
    xml.token("certHash", config.cert_hash)
    xml.flag("encrConfig", value=config.encrypted)


_CAPF_PORT = 3804


def _write_services(xml: XmlWriter, config: PhoneConfig) -> None:
    with xml.inside("phoneServices", useHTTPS="true"):
        xml.number("provisioning", config.provisioning, 0, 2)
        for service in config.phone_services:
            if not 0 <= service.kind <= _MAX_SERVICE_KIND:
                raise WireError(f"phone service type {service.kind} is not from 0 to {_MAX_SERVICE_KIND}")
            with xml.inside("phoneService", type=str(service.kind), category="0"):
                xml.words("name", service.name)
                xml.token("url", service.url)
                xml.fixed(vendor="", version="")


# --- reading ---


def decode_phone_config(data: bytes) -> PhoneConfig:
    """Reads a configuration or a stub.

    Raises:
        WireError: not well-formed, not a ``<device>``, with a document type definition, beyond a limit, or a number is
            out of range.
    """
    device = parse(data, "device")
    pool = device.child("devicePool")
    group = device.child("devicePool", "callManagerGroup")
    return PhoneConfig(
        full_config=device.flag("fullConfig", default=True),
        protocol=device.token("deviceProtocol", default="SIP"),
        device_uuid=device.attributes.get("uuid", ""),
        device_pool=pool.words("name") if pool else "Default",
        call_manager_group=group.words("name") if group else "Default",
        call_managers=read_group(group),
        tvs_servers=read_tvs(device.child("TVS")),
        load_information=device.token("loadInformation"),
        version_stamp=device.token("versionStamp"),
        device_security_mode=device.number("deviceSecurityMode", default=1, low=1, high=3),
        transport_layer_protocol=device.number("transportLayerProtocol", default=4, low=1, high=4),
        urls={name: device.token(name) for name in URL_ELEMENTS},
        capf_auth_mode=device.number("capfAuthMode", default=0, low=0, high=4),
        capf_nodes=_read_capf(device),
        cert_hash=device.token("certHash"),
        encrypted=device.flag("encrConfig", default=False),
        lines=_read_lines(device),
        soft_key_file=device.token("sipProfile", "softKeyFile"),
        dial_template=device.token("sipProfile", "dialTemplate"),
        user_locale=device.token("userLocale", "name"),
        network_locale=device.token("networkLocale"),
        provisioning=device.number("phoneServices", "provisioning", default=2, low=0, high=2),
        phone_services=_read_services(device),
        web_access=_read_web_access(device),
    )


def _read_capf(device: Node) -> tuple[tuple[str, int], ...]:
    return tuple(
        (host, capf.number("phonePort", default=_CAPF_PORT, low=1, high=MAX_PORT))
        for capf in device.all("capfList", "capf")
        if (host := capf.token("processNodeName"))
    )


def _read_lines(device: Node) -> tuple[Line, ...]:
    """Speed dials and other features of a button are no lines."""
    return tuple(
        Line(
            button=_read_button(line, place),
            name=line.token("name"),
            display_name=line.words("displayName"),
            label=line.words("featureLabel"),
            contact=line.token("contact"),
        )
        for place, line in enumerate(device.all("sipProfile", "sipLines", "line"), start=1)
        if line.token("featureID", default=_LINE_FEATURE) == _LINE_FEATURE
    )


def _read_button(line: Node, place: int) -> int:
    text = line.attributes.get("button", "").strip()
    return read_number("line button", text, 1, _MAX_BUTTON) if text else place


def _read_services(device: Node) -> tuple[PhoneService, ...]:
    return tuple(
        PhoneService(service.words("name"), service.token("url"), _read_kind(service))
        for service in device.all("phoneServices", "phoneService")
    )


def _read_kind(service: Node) -> int:
    text = service.attributes.get("type", "").strip()
    return read_number("phone service type", text, 0, _MAX_SERVICE_KIND) if text else 0


def _read_web_access(device: Node) -> bool | None:
    text = device.token("vendorConfig", "webAccess")
    return next((allowed for allowed, number in _WEB_ACCESS.items() if number == text), None)
