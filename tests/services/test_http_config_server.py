"""The configuration server of a node: HTTP 6970, HTTPS 6971 (CallManager) and 6972 (tomcat) (R-DL-1)."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from cluster.audit import SYSTEM
from cluster.management.certificates import regenerate
from cluster.purposes import Purpose
from services.tftp.service import CiscoTftp
from tests.services.wires import HOST, Answer, any_server, get, send, shake_hands, until_closed
from tests.shared_lab import SUB, SharedLab
from wire.signedfile import decode_signed_file
from wire.signing import verify_file
from wire.trustlist import decode_trust_list

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")

CONFIG = "/SEP001122334455.cnf.xml"
EVERYWHERE = pytest.mark.parametrize("listener", ["http", "https", "https_tomcat"])


async def ask(lab: SharedLab, listener: str, target: str, method: str = "GET") -> Answer:
    context = None if listener == "http" else any_server()
    return await get(getattr(lab.ports(), listener), target, context, method)


@EVERYWHERE
async def test_answers_carry_the_headers_of_a_captured_server_and_no_others(
    shared_lab: SharedLab, listener: str
) -> None:
    """Neither software nor time is named."""
    answer = await ask(shared_lab, listener, CONFIG)
    assert answer.status == 200
    assert answer.headers == [
        ("Content-length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        ("Content-type", "*/*"),
        ("Connection", "close"),  # asked for by this client
    ]


@EVERYWHERE
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/ITLFile.tlv", 200),
        ("/ITLSEP001122334455.tlv", 200),
        ("/itlsep001122334455.TLV", 200),
        ("/ITLSEPFFFFFFFFFFFF.tlv", 404),
        ("/CTLFile.tlv", 404),  # a cluster that is not in mixed mode has none
        ("/CTLSEP001122334455.tlv", 404),
        ("/SEP001122334455.cnf.xml.sgn", 200),
        ("/sep001122334455.CNF.xml.SGN", 200),
        ("/SEPFFFFFFFFFFFF.cnf.xml.sgn", 404),
        ("/XMLDefault.cnf.xml", 200),
        ("/XMLDefault.cnf.xml.sgn", 200),
        ("/ConfigFileCacheList.txt", 200),
        ("/Ringlist.xml", 200),
        ("/RINGLIST.XML", 200),
        ("/Desktops/logo.png", 200),
        ("/desktops/LOGO.png", 200),
        ("/Ringlist.xml.sgn", 200),
        ("/Ringlist.xml?locale=en", 200),
        ("/nothing", 404),
        ("/Desktops", 404),
        ("/", 403),
    ],
)
async def test_which_file_a_name_stands_for(shared_lab: SharedLab, listener: str, target: str, status: int) -> None:
    assert (await ask(shared_lab, listener, target)).status == status


@pytest.mark.parametrize(
    "target",
    [
        "/../etc/passwd",
        "/Desktops/../../etc/passwd",
        "/%2e%2e/etc/passwd",
        "/Desktops/%2e%2e/%2e%2e/etc/passwd",
        "/..%2fetc/passwd",
        "/%2fetc/passwd",
        "//etc/passwd",
        "/./Ringlist.xml",
        "/Desktops//logo.png",
        "/..%5c..%5cetc%5cpasswd",
        "/Desktops%5clogo.png",
        "/Ringlist.xml%00",
        "/Ringlist.xml%00.sgn",
        "/Ringlist%0d%0a.xml",
        "/%7f",
    ],
)
async def test_names_that_could_lead_out_of_the_directory_are_forbidden(shared_lab: SharedLab, target: str) -> None:
    answer = await ask(shared_lab, "http", target)
    assert (answer.status, answer.body) == (403, b"")


@pytest.mark.parametrize(
    ("target", "status"),
    [("/%zz", 404), ("/%", 404), ("/%ff%fe", 400), ("/%c0%ae%c0%ae/etc/passwd", 400), ("/%E6%97%A5", 404)],
)
async def test_percent_encoding_that_makes_no_sense_is_survived(
    shared_lab: SharedLab, target: str, status: int
) -> None:
    assert (await ask(shared_lab, "http", target)).status == status


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET Ringlist.xml HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /Ringlist.xml HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    ],
    ids=["word", "TLS", "version", "no slash", "no host", "not ASCII", "URL", "header", "headers"],
)
async def test_what_is_not_http_gets_a_bare_400_and_leaves_no_traceback(
    shared_lab: SharedLab, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Answer.parse(await send(shared_lab.ports().http, request_bytes))
    assert (answer.status, answer.body) == (400, b"")
    assert [name for name, _ in answer.headers] == ["Content-length", "Cache-Control", "Connection"]
    assert not caplog.records
    assert (await ask(shared_lab, "http", CONFIG)).status == 200


async def test_a_name_of_the_greatest_length_that_http_carries_is_refused(shared_lab: SharedLab) -> None:
    answer = await ask(shared_lab, "http", "/" + "a" * 8_000)
    assert answer.status in {403, 404}
    assert answer.body == b""


@EVERYWHERE
async def test_head_tells_the_size_and_sends_nothing(shared_lab: SharedLab, listener: str) -> None:
    for target in (CONFIG, "/firmware.loads"):
        whole = await ask(shared_lab, listener, target)
        head = await ask(shared_lab, listener, target, "HEAD")
        assert (head.status, head.headers, head.body) == (200, whole.headers, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_nothing_can_be_written(shared_lab: SharedLab, method: str) -> None:
    answer = await ask(shared_lab, "http", "/Ringlist.xml", method)
    assert (answer.status, answer.header("Allow"), answer.body) == (405, "GET, HEAD", b"")


async def test_options_of_the_whole_server_are_refused_like_any(shared_lab: SharedLab) -> None:
    assert (await ask(shared_lab, "http", "*", "OPTIONS")).status == 405


async def test_a_body_that_nobody_asked_for_does_not_confuse_the_server(shared_lab: SharedLab) -> None:
    request = b"POST /Ringlist.xml HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
    assert Answer.parse(await send(shared_lab.ports().http, request)).status == 405


@pytest.mark.parametrize("asks", [1, 3])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_client_that_closes_its_half_after_the_request_gets_the_answer(
    shared_lab: SharedLab, version: str, asks: int
) -> None:
    """As ``nc -N`` and some phones do; the end arrives together with the request."""
    asks = 1 if version == "1.0" else asks
    reader, writer = await asyncio.open_connection(HOST, shared_lab.ports().http)
    writer.write(f"GET /Desktops/logo.png HTTP/{version}\r\nHost: x\r\n\r\n".encode() * asks)
    writer.write_eof()
    received = await until_closed(reader)
    writer.close()
    assert received.count(b" 200 OK") == asks
    assert received.endswith(b"\x89PNG")


async def test_several_files_come_over_one_connection(shared_lab: SharedLab) -> None:
    one = b"GET /Desktops/logo.png HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /Ringlist.xml HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = await send(shared_lab.ports().http, one + one + last)
    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.endswith(b"<CiscoIPPhoneRingList/>")


async def test_a_large_file_arrives_whole_on_every_listener(shared_lab: SharedLab) -> None:
    for listener in ("http", "https", "https_tomcat"):
        answer = await ask(shared_lab, listener, "/firmware.loads")
        assert answer.body == bytes(range(256)) * 2_000
        assert answer.header("Content-length") == "512000"


async def test_the_file_list_names_every_generated_file_with_its_size(shared_lab: SharedLab) -> None:
    answer = await ask(shared_lab, "http", "/ConfigFileCacheList.txt")
    rows = dict(line.split("\t") for line in answer.body.decode().splitlines())
    assert list(rows) == [
        "ITLFile.tlv",
        "SEP001122334455.cnf.xml.sgn",
        "SEP001122334456.cnf.xml.sgn",
        "XMLDefault.cnf.xml.sgn",
    ]
    for name, size in rows.items():
        unsigned = await ask(shared_lab, "http", f"/{name.removesuffix('.sgn')}")
        assert int(size) == len(unsigned.body), name


async def test_signed_files_are_signed_by_the_callmanager_key(shared_lab: SharedLab) -> None:
    """R-SBD-2, also for files of the TFTP directory."""
    key = shared_lab.certificate(Purpose.CALLMANAGER).public_key
    for name in ("SEP001122334455.cnf.xml", "XMLDefault.cnf.xml", "Ringlist.xml"):
        plain = await ask(shared_lab, "http", f"/{name}")
        signed = await ask(shared_lab, "http", f"/{name}.sgn")
        assert verify_file(signed.body, key)
        decoded = decode_signed_file(signed.body)
        assert (decoded.body, decoded.header.file_name) == (plain.body, f"{name}.sgn")


@pytest.mark.parametrize("listener", ["https", "https_tomcat"])
async def test_over_https_a_phones_signed_configuration_comes_unsigned(shared_lab: SharedLab, listener: str) -> None:
    """Phones expect that there; everything else stays signed."""
    plain = await ask(shared_lab, "http", CONFIG)
    secure = await ask(shared_lab, listener, f"{CONFIG}.sgn")
    assert secure.body == plain.body
    decode_signed_file((await ask(shared_lab, listener, "/XMLDefault.cnf.xml.sgn")).body)
    decode_trust_list((await ask(shared_lab, listener, "/ITLSEP001122334455.tlv")).body)


async def test_each_node_serves_an_itl_of_its_own(shared_lab: SharedLab) -> None:
    """R-ITL-5"""
    bodies = [(await get(shared_lab.ports(node).http, "/ITLFile.tlv")).body for node in ("alpha-pub", SUB)]
    assert bodies[0] != bodies[1]
    for node, body in zip(("alpha-pub", SUB), bodies, strict=True):
        certificates = [record.certificate for record in decode_trust_list(body).records]
        own = shared_lab.certificate(Purpose.CALLMANAGER, node).der
        assert certificates.count(own) == 2  # SAST and TFTP, R-ITL-2
        assert verify_file(body, shared_lab.certificate(Purpose.ITL_RECOVERY).public_key)


@pytest.mark.parametrize(
    ("listener", "suite", "purpose"),
    [
        ("https", "ECDHE-RSA-AES256-GCM-SHA384", Purpose.CALLMANAGER),
        ("https", "ECDHE-RSA-AES128-GCM-SHA256", Purpose.CALLMANAGER),
        ("https", "AES256-GCM-SHA384", Purpose.CALLMANAGER),
        ("https", "ECDHE-ECDSA-AES256-GCM-SHA384", Purpose.CALLMANAGER_ECDSA),
        ("https", "ECDHE-ECDSA-AES128-GCM-SHA256", Purpose.CALLMANAGER_ECDSA),
        ("https_tomcat", "ECDHE-RSA-AES256-GCM-SHA384", Purpose.TOMCAT),
        ("https_tomcat", "ECDHE-ECDSA-AES256-GCM-SHA384", Purpose.TOMCAT_ECDSA),
        ("secure_web", "ECDHE-RSA-AES256-GCM-SHA384", Purpose.TOMCAT),
        ("secure_web", "ECDHE-ECDSA-AES256-GCM-SHA384", Purpose.TOMCAT_ECDSA),
    ],
)
async def test_the_clients_suites_decide_which_certificate_it_sees(
    shared_lab: SharedLab, listener: str, suite: str, purpose: Purpose
) -> None:
    """R-DL-1, R-DL-4"""
    for node in ("alpha-pub", SUB):
        context = any_server(suite, maximum=ssl.TLSVersion.TLSv1_2)
        shown = await shake_hands(getattr(shared_lab.ports(node), listener), context)
        assert (shown.suite, shown.certificate) == (suite, shared_lab.certificate(purpose, node))


async def test_a_client_that_offers_all_suites_sees_the_ec_certificate(shared_lab: SharedLab) -> None:
    for maximum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        shown = await shake_hands(shared_lab.ports().https, any_server(maximum=maximum))
        assert shown.certificate == shared_lab.certificate(Purpose.CALLMANAGER_ECDSA)


@pytest.mark.parametrize(
    ("release", "version", "accepted"),
    [
        ("11.5", ssl.TLSVersion.TLSv1, True),
        ("11.5", ssl.TLSVersion.TLSv1_2, True),
        ("12.5", ssl.TLSVersion.TLSv1, False),
        ("12.5", ssl.TLSVersion.TLSv1_1, False),
        ("12.5", ssl.TLSVersion.TLSv1_2, True),
    ],
)
async def test_old_tls_is_accepted_by_old_releases_only(
    make_lab: LabMaker, release: str, version: ssl.TLSVersion, *, accepted: bool
) -> None:
    lab = await make_lab(release)
    context = any_server("DEFAULT:@SECLEVEL=0", version, version)
    if accepted:
        assert (await shake_hands(lab.ports().https, context)).version == version.name.replace("_", ".")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shake_hands(lab.ports().https, context)


async def test_a_release_without_ec_shows_rsa_to_everybody(make_lab: LabMaker) -> None:
    lab: Lab = await make_lab("10.5")
    shown = await shake_hands(lab.ports().https, any_server("DEFAULT:@SECLEVEL=0"))
    assert shown.certificate == lab.store.snapshot.require("alpha-pub", Purpose.CALLMANAGER).certificate
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shake_hands(
            lab.ports().https, any_server("ECDHE-ECDSA-AES256-GCM-SHA384", maximum=ssl.TLSVersion.TLSv1_2)
        )


async def test_without_auto_registration_unknown_phones_get_nothing(make_lab: LabMaker) -> None:
    """R-DL-5"""
    lab = await make_lab(parameters="{Auto-registration: false}")
    for name in ("/XMLDefault.cnf.xml", "/XMLDefault.cnf.xml.sgn"):
        assert (await get(lab.ports().http, name)).status == 404
    listed = await get(lab.ports().http, "/ConfigFileCacheList.txt")
    assert b"XMLDefault" not in listed.body


@pytest.mark.parametrize(
    ("listener", "purpose", "suite"),
    [
        ("https", Purpose.CALLMANAGER, "ECDHE-RSA-AES256-GCM-SHA384"),
        ("https", Purpose.CALLMANAGER_ECDSA, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("https_tomcat", Purpose.TOMCAT_ECDSA, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ],
)
async def test_a_new_certificate_is_shown_after_the_service_restarts_and_not_before(
    lab: Lab, listener: str, purpose: Purpose, suite: str
) -> None:
    """R-DL-3: on that node only; the other one keeps its own."""
    client = any_server(suite, maximum=ssl.TLSVersion.TLSv1_2)

    async def shown(node: str) -> object:
        return (await shake_hands(getattr(lab.ports(node), listener), client)).certificate

    before = {node: await shown(node) for node in ("alpha-pub", SUB)}
    new = (await regenerate(lab.store, "alpha-pub", purpose, SYSTEM)).certificate
    assert await shown("alpha-pub") == before["alpha-pub"]
    await lab.laboratory.nodes["alpha-pub"].supervisor.restart(CiscoTftp.name)
    assert await shown("alpha-pub") == new
    assert await shown(SUB) == before[SUB]
