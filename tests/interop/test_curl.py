"""curl downloads what phones download: HTTP 6970, HTTPS 6971 and 6972 (R-DL-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.purposes import Purpose
from tests.interop.outside import Ran, tool
from tests.shared_lab import PUB, SUB, SharedLab
from wire.trustlist import decode_trust_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.interop

CONFIG = "SEP001122334455.cnf.xml"
RSA, EC = "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"
BAD_CERTIFICATE = 60
"""curl's exit status for a server that it does not trust."""


def curl(*arguments: object) -> Ran:
    return tool("curl", "--silent", "--show-error", "--max-time", 20, *arguments)


def url(lab: SharedLab, listener: str, name: str, host: str = "127.0.0.1", node: str = PUB) -> str:
    scheme = "http" if listener == "http" else "https"
    return f"{scheme}://{host}:{getattr(lab.ports(node), listener)}/{name}"


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1"])
def test_curl_sees_the_headers_of_a_captured_server(outside_lab: SharedLab, version: str) -> None:
    ran = curl(version, "--dump-header", "-", "--output", "/dev/null", url(outside_lab, "http", CONFIG))
    status, *headers = ran.text.strip().split("\r\n")
    assert status.endswith(" 200 OK")
    names = [header.partition(":")[0] for header in headers]
    assert names[:3] == ["Content-length", "Cache-Control", "Content-type"]
    assert not {"Server", "Date"} & set(names)


@pytest.mark.parametrize("listener", ["http", "https", "https_tomcat"])
def test_curl_downloads_the_itl_and_the_configuration(outside_lab: SharedLab, listener: str) -> None:
    itl = curl("--insecure", url(outside_lab, listener, "ITLSEP001122334455.tlv"))
    assert decode_trust_list(itl.out).records
    assert curl("--insecure", url(outside_lab, listener, CONFIG)).text.startswith("<?xml")
    missing = curl("--insecure", "--fail", url(outside_lab, listener, "CTLSEP001122334455.tlv"))
    assert (missing.code, "404" in missing.err) == (22, True)


def test_curl_keeps_its_connection_for_several_files(outside_lab: SharedLab) -> None:
    names = ("ITLFile.tlv", CONFIG, "nothing", "firmware.bin")
    urls = [url(outside_lab, "http", name) for name in names]
    outputs = [option for _ in names for option in ("--output", "/dev/null")]
    ran = curl("--write-out", "%{http_code} %{num_connects} %{size_download}\n", *outputs, *urls)
    rows = [line.split() for line in ran.text.splitlines()]
    assert [row[0] for row in rows] == ["200", "200", "404", "200"]
    assert [row[1] for row in rows] == ["1", "0", "0", "0"]
    assert rows[-1][2] == "1024000"


@pytest.mark.parametrize("path", ["../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "%00"])
def test_curl_cannot_climb_out_of_the_directory(outside_lab: SharedLab, path: str) -> None:
    ran = curl("--path-as-is", "--write-out", "%{http_code}", url(outside_lab, "http", path))
    assert ran.text == "403"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--head"], "200"), (["--request", "POST", "--data", "x"], "405"), (["--upload-file", "/etc/hostname"], "405")],
)
def test_curl_may_only_read(outside_lab: SharedLab, arguments: list[str], status: str) -> None:
    ran = curl(*arguments, "--output", "/dev/null", "--write-out", "%{http_code}", url(outside_lab, "http", CONFIG))
    assert ran.text == status


@pytest.mark.parametrize(
    ("listener", "ciphers", "purpose"),
    [
        ("https", RSA, Purpose.CALLMANAGER),
        ("https", EC, Purpose.CALLMANAGER_ECDSA),
        ("https_tomcat", RSA, Purpose.TOMCAT),
        ("https_tomcat", EC, Purpose.TOMCAT_ECDSA),
        ("secure_web", RSA, Purpose.TOMCAT),
        ("secure_web", EC, Purpose.TOMCAT_ECDSA),
    ],
)
@pytest.mark.parametrize("node", [PUB, SUB])
def test_curl_trusts_a_node_by_its_exported_certificate_and_its_name(
    outside_lab: SharedLab,
    exported: Callable[..., Path],
    listener: str,
    ciphers: str,
    purpose: Purpose,
    node: str,
) -> None:
    """Chain, validity, host name and key type are all judged by somebody else's TLS."""
    host, port = f"{node}.lab.example", getattr(outside_lab.ports(node), listener)
    name = "ccmcip/xmldirectory.jsp" if listener == "secure_web" else "ITLFile.tlv"
    options = (
        "--tls-max",
        "1.2",
        "--ciphers",
        ciphers,
        "--resolve",
        f"{host}:{port}:127.0.0.1",
        "--output",
        "/dev/null",
    )
    trusted = curl(*options, "--cacert", exported(purpose, node), url(outside_lab, listener, name, host, node))
    assert trusted.code == 0, trusted.err
    stranger = curl(*options, "--cacert", exported(Purpose.IPSEC, node), url(outside_lab, listener, name, host, node))
    assert stranger.code == BAD_CERTIFICATE
