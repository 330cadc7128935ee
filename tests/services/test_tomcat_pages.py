"""The pages that phones open on Cisco Tomcat: XML objects of the phone services interface (R-SBD-4)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, fromstring

import pytest

from base.trace import Trace
from cluster.audit import SYSTEM
from cluster.config import Administrator
from cluster.management.certificates import regenerate
from cluster.purposes import Purpose
from services.tomcat.service import CiscoTomcat
from tests.services.wires import HOST, Answer, any_server, get, shake_hands
from tests.shared_lab import PUB, SUB, SharedLab
from wire.errors import OperatorError
from wire.ipphone import Menu, decode

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker

EVERY_SCHEME = pytest.mark.parametrize("listener", ["web", "secure_web"])


async def page(lab: SharedLab | Lab, listener: str, target: str, node: str = PUB) -> Answer:
    context = any_server() if listener == "secure_web" else None
    return await get(getattr(lab.ports(node), listener), target, context)


async def xml(lab: SharedLab | Lab, target: str, listener: str = "web") -> Element:
    answer = await page(lab, listener, target)
    assert (answer.status, answer.header("Content-Type")) == (200, "text/xml; charset=utf-8")
    return fromstring(answer.body)  # noqa: S314 - our own server wrote it


def read_menu(data: bytes) -> Menu:
    menu = decode(data)
    assert isinstance(menu, Menu)
    return menu


def texts(element: Element, path: str) -> list[str]:
    return [item.text or "" for item in element.findall(path)]


@EVERY_SCHEME
@pytest.mark.parametrize("node", [PUB, SUB])
async def test_the_directory_menu_leads_on_in_the_scheme_in_which_it_was_asked_for(
    shared_lab: SharedLab, listener: str, node: str
) -> None:
    answer = await page(shared_lab, listener, "/ccmcip/xmldirectory.jsp", node)
    menu = read_menu(answer.body)
    scheme = "https" if listener == "secure_web" else "http"
    port = getattr(shared_lab.ports(node), listener)
    assert [item.name for item in menu.items] == ["Corporate Directory"]
    assert menu.items[0].url == f"{scheme}://127.0.0.1:{port}/ccmcip/xmldirectoryinput.jsp"


@EVERY_SCHEME
@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/ccmcip/xmldirectory.jsp", "CiscoIPPhoneMenu"),
        ("/ccmcip/xmldirectoryinput.jsp", "CiscoIPPhoneInput"),
        ("/ccmcip/xmldirectorylist.jsp", "CiscoIPPhoneDirectory"),
        ("/ccmcip/getservicesmenu.jsp", "CiscoIPPhoneMenu"),
        ("/ccmcip/GetTelecasterHelpText.jsp", "CiscoIPPhoneText"),
    ],
)
async def test_every_page_is_the_object_that_phones_expect_there(
    shared_lab: SharedLab, listener: str, path: str, root: str
) -> None:
    assert (await xml(shared_lab, path, listener)).tag == root


async def test_the_services_menu_offers_the_configured_services(shared_lab: SharedLab) -> None:
    menu = await xml(shared_lab, "/ccmcip/getservicesmenu.jsp")
    assert texts(menu, "MenuItem/Name") == ["Corporate Directory"]
    assert texts(menu, "MenuItem/URL")[0].endswith("/ccmcip/xmldirectoryinput.jsp")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["2001", "2002"]),
        ("?l=&n=", ["2001", "2002"]),
        ("?l=recep", ["2001"]),
        ("?l=RECEP", ["2001"]),
        ("?l=work", ["2002"]),
        ("?n=2002", ["2002"]),
        ("?n=2", ["2001", "2002"]),
        ("?l=recep&n=2002", []),
        ("?l=nobody", []),
        ("?start=1", ["2002"]),
        ("?start=99", []),
        ("?start=-1", ["2001", "2002"]),
        ("?start=x", ["2001", "2002"]),
        ("?start=99999999999999999999", ["2001", "2002"]),
        ("?l=%ff%00%3Cscript%3E", []),
    ],
)
async def test_the_directory_finds_by_name_and_number(shared_lab: SharedLab, query: str, found: list[str]) -> None:
    directory = await xml(shared_lab, f"/ccmcip/xmldirectorylist.jsp{query}")
    assert texts(directory, "DirectoryEntry/Telephone") == found


async def test_a_long_directory_comes_in_pages_that_lead_to_each_other(make_lab: LabMaker) -> None:
    device = "      - {{mac: 0022{0:08d}, model: 8865, description: D, lines: [{{number: {1}}}]}}\n"
    more = """
  - name: beta
    nodes: [{name: b, publisher: true, address: 127.0.0.1}]
    devices:
"""
    lab = await make_lab(more=more + "".join(device.format(number, 5000 + number) for number in range(70)))
    base = f"http://127.0.0.1:{lab.ports('b').web}"
    target, pages, numbers = "/ccmcip/xmldirectorylist.jsp?l=d&n=50", [], []
    while target:
        answer = await get(lab.ports("b").web, target)
        directory = fromstring(answer.body)  # noqa: S314 - our own server wrote it
        pages.append(len(directory.findall("DirectoryEntry")))
        numbers += texts(directory, "DirectoryEntry/Telephone")
        refresh = [value for name, value in answer.headers if name == "Refresh"]
        target = refresh[0].removeprefix(f"0; url={base}") if refresh else ""
    assert pages == [32, 32, 6]
    assert numbers == [str(5000 + number) for number in range(70)]
    assert directory.findtext("Prompt") == "Records 65 to 70 of 70"


async def test_names_of_people_and_services_cannot_break_the_page(make_lab: LabMaker) -> None:
    service = "phone_services"
    more = f"""
  - name: beta
    nodes: [{{name: b, publisher: true, address: 127.0.0.1}}]
    devices:
      - {{mac: 00AA00000001, model: 8865, lines: [{{number: 7, label: '<Name>&"日本</Name>]]>'}}]}}
    {service}:
      - {{name: 'A & B <i>', url: 'http://example.test/?a=1&b=<2>'}}
"""
    lab = await make_lab(more=more)
    entry = fromstring((await get(lab.ports("b").web, "/ccmcip/xmldirectorylist.jsp")).body)  # noqa: S314
    assert texts(entry, "DirectoryEntry/Name") == ['<Name>&"日本</Name>]]>']
    menu = read_menu((await get(lab.ports("b").web, "/ccmcip/getservicesmenu.jsp")).body)
    assert [(item.name, item.url) for item in menu.items] == [("A & B <i>", "http://example.test/?a=1&b=<2>")]


async def test_nobody_may_push_content_to_a_phone(shared_lab: SharedLab) -> None:
    answer = await page(shared_lab, "web", "/ccmcip/authenticate.jsp?UserID=admin&Password=admin&devicename=SEP1")
    assert (answer.status, answer.body) == (200, b"UN-AUTHORIZED")


@EVERY_SCHEME
@pytest.mark.parametrize("path", ["/", "/ccmcip/", "/ccmcip/xmldirectory.jsp/", "/CCMCIP/xmldirectory.jsp", "/../x"])
async def test_other_pages_are_not_there(shared_lab: SharedLab, listener: str, path: str) -> None:
    assert (await page(shared_lab, listener, path)).status == 404


async def test_pages_are_read_only(shared_lab: SharedLab) -> None:
    answer = await get(shared_lab.ports().web, "/ccmcip/xmldirectory.jsp", method="POST")
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    head = await get(shared_lab.ports().web, "/ccmcip/xmldirectory.jsp", method="HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_a_restarted_tomcat_takes_up_its_new_certificate_and_not_before(lab: Lab) -> None:
    """R-CRT-6. The configuration server's 6972 keeps the old one until Cisco Tftp restarts, too."""
    old = lab.store.snapshot.require(PUB, Purpose.TOMCAT).certificate
    new = (await regenerate(lab.store, PUB, Purpose.TOMCAT, SYSTEM)).certificate
    rsa = any_server("ECDHE-RSA-AES256-GCM-SHA384", maximum=any_server().maximum_version.TLSv1_2)
    ports, supervisor = lab.ports(), lab.laboratory.nodes[PUB].supervisor
    assert (await shake_hands(ports.secure_web, rsa)).certificate == old
    await supervisor.restart(CiscoTomcat.name)
    assert (await shake_hands(ports.secure_web, rsa)).certificate == new
    assert (await shake_hands(ports.https_tomcat, rsa)).certificate == old
    await supervisor.restart("Cisco Tftp")
    assert (await shake_hands(ports.https_tomcat, rsa)).certificate == new
    assert lab.ports() == ports


async def test_when_one_port_is_taken_the_other_is_not_bound_either(lab: Lab) -> None:
    """Nothing stays bound on failure."""
    from dataclasses import replace

    taken = replace(lab.ports(), secure_web=0)
    tomcat = CiscoTomcat(
        PUB, HOST, lambda: taken, lab.store, lambda: lab.laboratory.endpoints, Administrator(), trace=Trace()
    )
    with pytest.raises(OperatorError, match=r"^HTTP \(phone services\) cannot listen on 127.0.0.1 port"):
        await tomcat.start()
    assert tomcat.listeners == ()
    assert tomcat.health().value == "STOPPED"
