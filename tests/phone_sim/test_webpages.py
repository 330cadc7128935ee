"""The phone's web pages as programs and people read them."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from phone_sim.lease import Lease
from phone_sim.messages import StatusMessage
from phone_sim.report import ConfigSummary, ListSummary, Settings
from phone_sim.webpages import WebFacts, page

if TYPE_CHECKING:
    from collections.abc import Mapping

ITL = ListSummary("ITL", "CN=alpha-pub", "ITLFile.tlv", 1, 4_711, "aa" * 16, "bb" * 20, ())
CONFIG = ConfigSummary("device", "1-2", "sip8845_65.12-5-1SR2-2", 1, ("ucm1", "ucm2"), ("ucm1:2445",), "")


def facts(
    *messages: str, config: ConfigSummary | None = CONFIG, lists: tuple[ListSummary, ...] = (ITL,), number: str = "2001"
) -> WebFacts:
    told = tuple(StatusMessage("2026-03-09T18:32:46.000+00:00", text, "", "") for text in messages)
    settings = Settings("SEP001122334455", "8865", "non-secure", lists, config, (), told)
    return WebFacts(settings, number, "192.0.2.7", ("tftp1", "tftp2"), "ucm2", "Registered")


def xml(path: str, given_facts: WebFacts) -> tuple[str, dict[str, str]]:
    found = page(path, given_facts)
    assert found is not None
    content_type, body = found
    assert content_type == "text/xml"
    root = fromstring(body)
    return root.tag, {child.tag: child.text or "" for child in root}


class _Rows(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the base class has it
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"th", "td"}:
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def rows(path: str, given_facts: WebFacts) -> Mapping[str, str]:
    found = page(path, given_facts)
    assert found is not None
    assert found[0] == "text/html"
    parser = _Rows()
    parser.feed(found[1].decode())
    return dict(parser.rows)


def test_device_information_has_the_elements_that_programs_read_in_order() -> None:
    root, values = xml("/DeviceInformationX", facts())
    assert root == "DeviceInformation"
    assert list(values) == [
        "MACAddress",
        "HostName",
        "phoneDN",
        "appLoadID",
        "bootLoadID",
        "versionID",
        "DSPLoadID",
        "addonModule1",
        "addonModule2",
        "hardwareRevision",
        "serialNumber",
        "modelNumber",
        "Codec",
        "Amps",
        "C3PORevision",
        "MessageWaiting",
    ]
    assert (values["MACAddress"], values["HostName"], values["phoneDN"]) == ("001122334455", "SEP001122334455", "2001")
    assert (values["modelNumber"], values["appLoadID"]) == ("CP-8865", "sip8845_65.12-5-1SR2-2")
    assert values["versionID"] == "12-5-1SR2-2"


def test_it_is_latin_1_as_on_a_7940() -> None:
    found = page("/DeviceInformationX", facts(number="\u65e5"))
    assert found is not None
    assert found[1].startswith(b'<?xml version="1.0" encoding="iso-8859-1"?>\n<DeviceInformation>\n')
    assert b"<phoneDN>&#26085;</phoneDN>" in found[1]


def test_network_configuration_names_the_servers() -> None:
    root, values = xml("/NetworkConfigurationX", facts())
    assert root == "NetworkConfiguration"
    assert (values["IPAddress"], values["TFTPServer1"], values["TFTPServer2"]) == ("192.0.2.7", "tftp1", "tftp2")
    assert (values["CallManager1"], values["CallManager2"]) == ("ucm1", "ucm2")


def test_network_configuration_shows_what_dhcp_gave() -> None:
    lease = Lease(
        IPv4Address("192.0.2.50"),
        IPv4Address("192.0.2.1"),
        mask=IPv4Address("255.255.255.0"),
        routers=(IPv4Address("192.0.2.2"), IPv4Address("192.0.2.3")),
        dns_servers=(IPv4Address("192.0.2.4"),),
        domain="lab.<example>",
    )
    _, values = xml("/NetworkConfigurationX", replace(facts(), lease=lease))
    assert list(values)[:7] == [
        "HostName",
        "DHCPServer",
        "IPAddress",
        "SubNetMask",
        "DefaultRouter1",
        "DomainName",
        "DNSServer1",
    ]
    assert list(values.values())[1:7] == [
        "192.0.2.1",
        "192.0.2.50",
        "255.255.255.0",
        "192.0.2.2",
        "lab.<example>",
        "192.0.2.4",
    ]
    assert rows("/NetworkConfiguration", replace(facts(), lease=lease))["DHCPServer"] == "192.0.2.1"
    assert "DHCPServer" not in xml("/NetworkConfigurationX", facts())[1], "it was not asked"


def test_a_lease_may_be_nothing_but_an_address() -> None:
    bare = Lease(IPv4Address("192.0.2.50"), IPv4Address("192.0.2.1"))
    _, values = xml("/NetworkConfigurationX", replace(facts(), lease=bare))
    assert [values[name] for name in ("SubNetMask", "DefaultRouter1", "DNSServer1")] == [""] * 3


def test_trust_lists_are_shown_with_their_checksums() -> None:
    shown = rows("/TrustLists", facts())
    assert shown["CTL file"] == "Not Installed"
    assert shown["ITL file"] == "4711 bytes, signed by CN=alpha-pub"
    assert shown["ITL signature (SHA-1)"] == "bb" * 20
    assert (shown["Registration"], shown["Registered with"]) == ("Registered", "ucm2")


def test_status_messages_are_shown_as_on_the_screen() -> None:
    shown = rows("/StatusMessages", facts("Trust List Update Failed"))
    assert shown == {"2026-03-09 18:32:46 UTC": "Trust List Update Failed"}


def test_the_log_tells_the_reason_that_the_screen_does_not() -> None:
    told = (StatusMessage("2026-03-09T18:32:46.000+00:00", "Host Not Found", "tvs_unreachable", "no TVS answers"),)
    settings = replace(facts().settings, status_messages=told)
    given_facts = replace(facts(), settings=settings)
    assert list(rows("/StatusMessages", given_facts).values()) == ["Host Not Found"]
    assert list(rows("/ConsoleLogs", given_facts).values()) == ["Host Not Found (tvs_unreachable: no TVS answers)"]
    found = page("/DeviceLogX", given_facts)
    assert found is not None
    assert [item.text for item in fromstring(found[1])] == ["18:32:46 Host Not Found"]


@pytest.mark.parametrize(
    ("path", "root", "elements"),
    [
        ("/EthernetInformationX", "EthernetInformation", {"TxFrames": "0", "RxFrames": "0"}),
        ("/PortInformationX", "PortInformation", {"PortSpeed": "", "CDPNeighborPort": "", "LLDPNeighborIP": ""}),
        ("/PortInformationX?3", "PortInformation", {"LLDPNeighborDeviceId": ""}),
        ("/StreamingStatisticsX", "StreamingStatistics", {"StreamStatus": "Not Ready", "RcvrLostPackets": "0"}),
        ("/StreamingStatisticsX?5", "StreamingStatistics", {"SenderPackets": "0", "MOSLQK": "0.0000"}),
    ],
)
def test_what_a_simulated_phone_does_not_count_is_there_and_empty(
    path: str, root: str, elements: Mapping[str, str]
) -> None:
    found, values = xml(path, facts())
    assert found == root
    assert elements.items() <= values.items()


@pytest.mark.parametrize(
    ("adapter", "title"),
    [
        ("device.statistics.device", "Device Information"),
        ("device.statistics.configuration", "Network Configuration"),
        ("device.statistics.consolelog", "Console Logs"),
    ],
)
def test_pages_for_people_are_at_the_paths_of_real_phones(adapter: str, title: str) -> None:
    found = page(f"/CGI/Java/Serviceability?adapter={adapter}", facts())
    assert found is not None
    assert f"<h1>{title}</h1>".encode() in found[1]


def test_every_page_leads_to_every_other_and_says_where_it_is() -> None:
    found = page("/", facts())
    assert found is not None
    links = re.findall(rb'<a href="([^"]+)"', found[1])
    assert len(links) == 8
    for link in links:
        there = page(link.decode(), facts())
        assert there is not None
        assert re.findall(rb'<a href="([^"]+)" aria-current="page"', there[1]) == [link]


@pytest.mark.parametrize("path", ["/", "/NetworkConfiguration", "/TrustLists", "/StatusMessages", "/ConsoleLogs"])
def test_a_phone_that_has_nothing_yet_has_pages_all_the_same(path: str) -> None:
    assert rows(path, facts(config=None, lists=(), number="")) is not None
    assert page(f"{path}/" if path != "/" else "//", facts()) is not None


@pytest.mark.parametrize(
    "path",
    [
        *("", "/x", "/DeviceInformationX/x", "/deviceinformationx", "/../etc/passwd", "/%00"),
        *("/PortInformationX?4", "/PortInformationX?0", "/PortInformationX?11", "/PortInformation?x"),
        *("/StreamingStatisticsX?6", "/CGI/Java/Serviceability", "/CGI/Java/Serviceability?adapter=other"),
    ],
)
def test_there_are_no_other_pages(path: str) -> None:
    assert path == "" or page(path, facts()) is None


@given(st.text(max_size=40), st.sampled_from(["/", "/DeviceInformationX", "/StatusMessages", "/TrustLists"]))
def test_no_text_breaks_a_page(text: str, path: str) -> None:
    """What a server told the phone is shown, not carried out."""
    odd = ListSummary("ITL", text, text, 1, 1, text, text, ())
    told = facts(f"<script>{text}</script>", lists=(odd,), number=text)
    found = page(path, told)
    assert found is not None
    if found[0] == "text/xml":
        fromstring(found[1])
    else:
        parser = _Rows()
        parser.feed(found[1].decode())
        assert "script" not in parser.tags
