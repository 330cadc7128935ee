"""openssl, sslscan and nmap look at the TLS ports, and openssl speaks TVS with bytes that no code of ours wrote."""

from __future__ import annotations

import re
import struct
import subprocess
from typing import TYPE_CHECKING
from xml.etree.ElementTree import fromstring

import pytest

from cluster.purposes import Purpose
from tests.conftest import require_tool
from tests.interop.outside import PATIENCE_S, fingerprint, tool
from tests.services.wires import VECTORS
from tests.shared_lab import PUB, SUB, SharedLab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.interop

SHOWN = [
    ("https", "ECDHE-RSA-AES256-GCM-SHA384", Purpose.CALLMANAGER),
    ("https", "AES128-SHA", Purpose.CALLMANAGER),
    ("https", "ECDHE-ECDSA-AES256-GCM-SHA384", Purpose.CALLMANAGER_ECDSA),
    ("https_tomcat", "ECDHE-RSA-AES128-GCM-SHA256", Purpose.TOMCAT),
    ("https_tomcat", "ECDHE-ECDSA-AES128-GCM-SHA256", Purpose.TOMCAT_ECDSA),
    ("tvs", "AES256-SHA", Purpose.TVS),
    ("tvs", "ECDHE-RSA-AES256-GCM-SHA384", Purpose.TVS),
]


@pytest.mark.parametrize(("listener", "suite", "purpose"), SHOWN)
@pytest.mark.parametrize("node", [PUB, SUB])
def test_openssl_is_shown_the_certificate_that_its_suite_asks_for(
    outside_lab: SharedLab, exported: Callable[..., Path], listener: str, suite: str, purpose: Purpose, node: str
) -> None:
    """R-DL-1"""
    server = f"127.0.0.1:{getattr(outside_lab.ports(node), listener)}"
    ran = tool("openssl", "s_client", "-connect", server, "-tls1_2", "-cipher", suite)
    assert f"Cipher is {suite}" in ran.text
    assert fingerprint(ran.out) == fingerprint(exported(purpose, node).read_bytes())


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1", "-tls1_2", "-tls1_3"])
def test_openssl_reaches_tvs_with_tls_of_every_age(outside_lab: SharedLab, option: str) -> None:
    server = f"127.0.0.1:{outside_lab.ports().tvs}"
    ran = tool("openssl", "s_client", "-connect", server, option, "-cipher", "DEFAULT:@SECLEVEL=0")
    assert "BEGIN CERTIFICATE" in ran.text


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_openssl_is_refused_by_the_configuration_server_with_old_tls(outside_lab: SharedLab, option: str) -> None:
    server = f"127.0.0.1:{outside_lab.ports().https}"
    ran = tool("openssl", "s_client", "-connect", server, option, "-cipher", "DEFAULT:@SECLEVEL=0")
    assert "BEGIN CERTIFICATE" not in ran.text


# --- TVS, byte by byte ---


def element(tag: int, value: bytes) -> bytes:
    return struct.pack(">BH", tag, len(value)) + value


def tvs_request(command: int, session: int, *elements: bytes) -> bytes:
    body = element(1, b"\x01CP-8865-SEP001122334455") + b"".join(elements)
    return struct.pack(">BBBBIH", 0x57, 1, command, 0, session, len(body)) + body


def through_openssl(outside_lab: SharedLab, node: str, request: bytes) -> bytes:
    """The answer, brought by openssl's TLS in both directions."""
    server = f"127.0.0.1:{outside_lab.ports(node).tvs}"
    command = [require_tool("openssl"), "s_client", "-connect", server, "-quiet", "-verify_quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(request)
        client.stdin.flush()
        header = client.stdout.read(10)
        body = client.stdout.read(struct.unpack(">H", header[8:])[0])
        client.kill()
        client.wait(PATIENCE_S)
    return header + body


def der(pem: Path) -> bytes:
    return tool("openssl", "x509", "-in", pem, "-outform", "DER").out


TRUSTED, UNKNOWN = element(7, b"\0"), element(7, b"\1")
A_DAY = element(9, struct.pack(">I", 86_400))


def test_a_verify_request_in_raw_bytes_is_answered_in_raw_bytes(
    outside_lab: SharedLab, exported: Callable[..., Path]
) -> None:
    """R-TVS-1: SAST and CCM+TFTP for CallManager, APP-SERVER for tomcat, nothing for a stranger."""
    asked = {
        exported(Purpose.CALLMANAGER): TRUSTED + element(8, b"\x00\x02") + A_DAY,
        exported(Purpose.TOMCAT, SUB): TRUSTED + element(8, b"\x07") + A_DAY,
        VECTORS / "rogue.pem": UNKNOWN,
    }
    for session, (pem, body) in enumerate(asked.items(), start=1_001):
        answer = through_openssl(outside_lab, PUB, tvs_request(1, session, element(2, der(pem))))
        assert answer[:3] == b"\x57\x01\x02"
        assert answer[4:] == struct.pack(">IH", session, len(body)) + body


def test_a_query_in_raw_bytes_brings_the_certificate_of_a_signer(
    outside_lab: SharedLab, exported: Callable[..., Path]
) -> None:
    """R-TVS-4: names and serial number as openssl prints them."""
    pem = exported(Purpose.CALLMANAGER, SUB)
    printed = tool("openssl", "x509", "-in", pem, "-noout", "-subject", "-issuer", "-serial", "-nameopt", "RFC2253")
    facts = dict(line.split("=", 1) for line in printed.text.splitlines())
    elements = (
        element(3, facts["subject"].strip().replace(",", ";").encode() + b"\0"),
        element(4, facts["issuer"].strip().replace(",", ";").encode() + b"\0"),
        element(5, bytes.fromhex(facts["serial"])),
    )
    answer = through_openssl(outside_lab, PUB, tvs_request(3, 0xFFFF_FFFF, *elements))
    body = TRUSTED + element(2, der(pem)) + element(8, b"\x00\x02") + A_DAY
    assert answer[:3] + answer[4:] == b"\x57\x01\x04" + struct.pack(">IH", 0xFFFF_FFFF, len(body)) + body


# --- scanners ---


def test_sslscan_finds_suites_of_both_kinds_and_nothing_old_on_6971(outside_lab: SharedLab) -> None:
    ran = tool("sslscan", "--no-colour", "--xml=-", f"127.0.0.1:{outside_lab.ports().https}")
    document = fromstring(ran.out)  # noqa: S314 - sslscan wrote it
    enabled = {
        f"{item.get('type')} {item.get('version')}" for item in document.iter("protocol") if item.get("enabled") == "1"
    }
    assert enabled == {"tls 1.2", "tls 1.3"}
    ciphers = {str(item.get("cipher")) for item in document.iter("cipher")}
    assert {"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES256-GCM-SHA384"} <= ciphers
    assert not any(re.search("RC4|DES|NULL|EXP|MD5|anon|ADH", cipher) for cipher in ciphers)


def test_sslscan_finds_the_published_suites_and_every_tls_on_2445(outside_lab: SharedLab) -> None:
    ran = tool("sslscan", "--no-colour", "--xml=-", f"127.0.0.1:{outside_lab.ports().tvs}")
    document = fromstring(ran.out)  # noqa: S314 - sslscan wrote it
    enabled = {
        f"{item.get('type')} {item.get('version')}" for item in document.iter("protocol") if item.get("enabled") == "1"
    }
    assert enabled == {"tls 1.0", "tls 1.1", "tls 1.2", "tls 1.3"}
    twelve = {str(item.get("cipher")) for item in document.iter("cipher") if item.get("sslversion") == "TLSv1.2"}
    assert twelve == {
        "AES256-GCM-SHA384",
        "AES256-SHA256",
        "AES256-SHA",
        "AES128-GCM-SHA256",
        "AES128-SHA256",
        "AES128-SHA",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-SHA384",
        "ECDHE-RSA-AES128-SHA256",
    }


def test_nmap_reads_certificate_and_suites(outside_lab: SharedLab, exported: Callable[..., Path]) -> None:
    for listener, purpose in (("https", Purpose.CALLMANAGER_ECDSA), ("tvs", Purpose.TVS)):
        port = getattr(outside_lab.ports(), listener)
        ran = tool(
            *("nmap", "-Pn", "-n", "-p", port, "127.0.0.1", "-oX", "-"),
            *("--script", "ssl-cert,ssl-enum-ciphers", "--script-args", "tls.servername=alpha-pub"),
        )
        document = fromstring(ran.out)  # noqa: S314 - nmap wrote it
        scripts = {str(item.get("id")): item for item in document.iter("script")}
        sha1 = next(item.text for item in scripts["ssl-cert"].iter("elem") if item.get("key") == "sha1")
        expected = tool("openssl", "x509", "-in", exported(purpose), "-noout", "-fingerprint", "-sha1").text
        assert sha1 == expected.partition("=")[2].strip().replace(":", "").lower()
        assert "TLSv1.2" in str(scripts["ssl-enum-ciphers"].get("output"))
