"""The services and directories keys: what they open, by which configuration, and what is never told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from base.trace import MemorySink, Trace
from phone_sim.browsing import choose, filled
from phone_sim.clients.http import HttpLimits
from phone_sim.flash import Item, MemoryFlash
from phone_sim.models import model
from phone_sim.options import Timeouts
from phone_sim.phone import Phone
from phone_sim.reasons import Reason
from phone_sim.servers import TftpServer
from tests.phone_sim.cast import APP, CONFIG_NAME, MAC, PUB, ROGUE, TOMCAT, signed_bytes, vector
from tests.phone_sim.tiny_cluster import HOST, TinyCluster
from wire.errors import OperatorError
from wire.ipphone import Input, InputItem, Menu, MenuItem, SoftKey, TextPage, encode
from wire.phoneconfig import PhoneConfig, PhoneService, encode_phone_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from phone_sim.browsing import PageReport

MENU = Menu("Services", "Select", (MenuItem("Own", "http://other/"), MenuItem("Weather", "http://weather/")))
QUICK = Timeouts(HttpLimits(connect_s=5, transfer_s=5), tftp_s=5, tvs_connect_s=5)
OWN = (PhoneService("Own", "http://own/"), PhoneService("People", "http://people/", 1))


@pytest.fixture
async def cluster() -> AsyncIterator[TinyCluster]:
    """With the ITL of the vectors, and a configuration that its publisher signed."""
    async with TinyCluster() as tiny:
        tiny.files[f"ITLSEP{MAC}.tlv"] = vector("ITLFile.tlv")
        tiny.files[CONFIG_NAME] = signed_bytes(PUB, tiny.config())
        yield tiny


def phone_with(
    config: PhoneConfig | None, *, flash: MemoryFlash | None = None, sink: MemorySink | None = None
) -> Phone:
    """A phone that booted once with this configuration."""
    flash = flash or MemoryFlash()
    if config is not None:
        flash.write(Item.CONFIG, encode_phone_config(config))
    trace = Trace(sink) if sink is not None else None
    return Phone(MAC, model("8865"), [TftpServer(HOST)], flash, timeouts=QUICK, trace=trace)


async def plain_menu(cluster: TinyCluster) -> str:
    cluster.files["menu"] = encode(MENU)
    return f"http://{HOST}:{cluster.server.http_port}/menu"


def items(report: PageReport) -> list[tuple[str, str]]:
    assert isinstance(report.page, Menu)
    return [(item.name, item.url) for item in report.page.items]


OWN_ITEM, OTHER, WEATHER = ("Own", "http://own/"), ("Own", "http://other/"), ("Weather", "http://weather/")


@pytest.mark.parametrize(
    ("provisioning", "expected"), [(0, [OWN_ITEM]), (1, [OTHER, WEATHER]), (2, [OWN_ITEM, WEATHER])]
)
async def test_provisioning_says_whose_services_are_offered(
    cluster: TinyCluster,
    provisioning: int,
    expected: list[tuple[str, str]],
) -> None:
    config = PhoneConfig(provisioning=provisioning, phone_services=OWN, urls={"servicesURL": await plain_menu(cluster)})
    asked = len(cluster.asked)
    assert items(await phone_with(config).browser.services()) == expected
    assert len(cluster.asked) == asked + (provisioning != 0)


async def test_the_configurations_own_services_are_offered_when_the_server_of_the_others_is_not_trusted(
    cluster: TinyCluster,
) -> None:
    port = await cluster.serve_menu(ROGUE, encode(MENU))
    config = PhoneConfig(phone_services=OWN, urls={"secureServicesURL": f"https://{HOST}:{port}/directory"})
    report = await phone_with(config).browser.services()
    assert items(report) == [OWN_ITEM]
    assert report.refused
    assert "menu directory" not in cluster.asked


async def test_the_secure_address_goes_first(cluster: TinyCluster) -> None:
    urls = {"servicesURL": await plain_menu(cluster), "secureServicesURL": f"https://{HOST}:1/x"}
    report = await phone_with(PhoneConfig(urls=urls)).browser.services()
    assert (report.page, report.reachable, report.exit_code) == (None, False, 4)


@pytest.mark.parametrize("config", [None, PhoneConfig(), PhoneConfig(provisioning=1, phone_services=OWN)])
async def test_a_phone_that_was_told_no_services_says_so(config: PhoneConfig | None) -> None:
    with pytest.raises(OperatorError):
        await phone_with(config).browser.services()


@pytest.mark.parametrize("provisioning", [0, 1, 2])
async def test_directories_of_the_configuration_alone_need_no_server(
    cluster: TinyCluster,
    provisioning: int,
) -> None:
    urls = {"directoryURL": await plain_menu(cluster)}
    config = PhoneConfig(provisioning=provisioning, phone_services=OWN, urls=urls)
    report = await phone_with(config).browser.directories()
    assert items(report) == ([OTHER, WEATHER] if provisioning else [("People", "http://people/")])


async def test_a_refused_server_reads_host_not_found_and_is_asked_for_nothing(
    cluster: TinyCluster,
) -> None:
    port = await cluster.serve_menu(ROGUE, encode(MENU))
    phone = phone_with(None, flash=MemoryFlash())
    await phone.boot()
    report = await phone.browser.open(f"https://{HOST}:{port}/directory")
    assert (report.page, report.exit_code, report.refused) == (None, 1, True)
    assert phone.settings.status_messages[-1].text == "Host Not Found"
    assert "menu directory" not in cluster.asked


async def test_a_server_that_tvs_knows_is_opened(cluster: TinyCluster) -> None:
    cluster.tvs.knows(TOMCAT, APP)
    port = await cluster.serve_menu(TOMCAT, encode(MENU))
    phone = Phone(MAC, model("8865"), [cluster.server], MemoryFlash(), timeouts=QUICK)
    await phone.boot()
    report = await phone.browser.open(f"https://{HOST}:{port}/directory")
    assert report.page == MENU
    assert report.decision is not None
    assert report.decision.reason is Reason.SERVER_VOUCHED_BY_TVS


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'<CiscoIPPhoneError Number="3"/>', "the server answers with error 3"),
        (b"<CiscoIPPhoneExecute/>", "the server answers with Execute, which is nothing to show"),
        (b"<html/>", "<html> is no object"),
    ],
)
async def test_what_cannot_be_shown_is_told(cluster: TinyCluster, body: bytes, why: str) -> None:
    cluster.files["odd"] = body
    report = await phone_with(None).browser.open(f"http://{HOST}:{cluster.server.http_port}/odd")
    assert report.page is None
    assert why in report.failure
    assert report.exit_code == 1


async def test_the_phones_name_and_the_corporate_directory_are_filled_in(cluster: TinyCluster) -> None:
    base = f"http://{HOST}:{cluster.server.http_port}"
    phone = phone_with(PhoneConfig(urls={"directoryURL": f"{base}/ccmcip/xmldirectory.jsp"}))
    assert (await phone.browser.open(f"{base}/x?device=#DEVICENAME#")).url == f"{base}/x?device=SEP{MAC}"
    await phone.browser.open("Application:Cisco/CorporateDirectory")
    assert cluster.asked[-1] == "HTTP ccmcip/xmldirectoryinput.jsp"


@pytest.mark.parametrize(
    "url", ["Application:Cisco/Placed", "Application:Cisco/CorporateDirectory", "nonsense", "Key:x"]
)
async def test_what_cannot_be_opened_is_an_operators_error(url: str) -> None:
    with pytest.raises(OperatorError):
        await phone_with(None).browser.open(url)


async def test_what_was_filled_in_is_in_no_report_trace_or_message(cluster: TinyCluster) -> None:
    sink = MemorySink()
    phone = phone_with(None, sink=sink)
    for port in (cluster.server.http_port, 1):
        for scheme in ("http", "https"):
            url = f"{scheme}://{HOST}:{port}/emapp?userid=alice&seq=73519"
            report = await phone.browser.open(url, filled_in=True)
            assert "73519" not in f"{report}{report.as_json()}"
    with pytest.raises(OperatorError) as caught:
        await phone.browser.open("ftp://x/?seq=73519", filled_in=True)
    assert "73519" not in f"{caught.value}{sink.events}{phone.settings}"


FORM = Input("Login", "", "http://a/?d=1", (InputItem("User", "user id"), InputItem("PIN", "seq", "NP", "7")))


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"user id": "Ä&b=c", "seq": "1"}, "http://a/?d=1&user%20id=%C3%84%26b%3Dc&seq=1"),
        ({}, "http://a/?d=1&user%20id=&seq=7"),
    ],
)
def test_a_form_is_sent_in_the_query(values: dict[str, str], url: str) -> None:
    assert filled(FORM, values) == url
    assert filled(Input("", "", "http://a/", ()), values) == "http://a/"
    assert filled(Input("", "", "http://a/", (InputItem("N", "n"),)), {"n": "1"}) == "http://a/?n=1"


def test_entries_and_keys_are_chosen_by_number() -> None:
    text = TextPage("T", "", "x", (SoftKey("Yes", "http://yes/", 1), SoftKey("No", "SoftKey:Exit", 2)))
    assert (choose(MENU, 2), choose(text, 1)) == ("http://weather/", "http://yes/")
    for page, number in ((MENU, 0), (MENU, 3), (text, 3), (FORM, 1)):
        with pytest.raises(OperatorError):
            choose(page, number)


# ---------------------------------------------------------------- who may push


@pytest.mark.parametrize(
    ("answer", "authorized"),
    [(b"AUTHORIZED", True), (b"AUTHORIZED\n", True), (b"UN-AUTHORIZED", False), (b"", False), (b"authorized?", False)],
)
async def test_a_user_is_authorized_when_the_configured_address_says_so(
    cluster: TinyCluster,
    answer: bytes,
    authorized: bool,  # noqa: FBT001
) -> None:
    cluster.files["authenticate.jsp"] = answer
    url = f"http://{HOST}:{cluster.server.http_port}/authenticate.jsp"
    phone = phone_with(PhoneConfig(urls={"authenticationURL": url}))
    assert await phone.authorizes("alice", "x") is authorized
    assert cluster.asked[-1] == "HTTP authenticate.jsp"


@pytest.mark.parametrize(
    "urls", [{}, {"authenticationURL": f"http://{HOST}:1/"}, {"authenticationURL": "Application:x"}]
)
async def test_without_an_answer_nobody_is_authorized(urls: dict[str, str]) -> None:
    assert not await phone_with(PhoneConfig(urls=urls)).authorizes("alice", "x")
    assert not await phone_with(None).authorizes("alice", "x")


@pytest.mark.parametrize(("web_access", "allowed"), [(None, True), (True, True), (False, False)])
def test_the_configuration_may_forbid_web_pages(web_access: bool | None, allowed: bool) -> None:  # noqa: FBT001
    assert phone_with(PhoneConfig(web_access=web_access)).web_access is allowed
    assert phone_with(None).web_access
