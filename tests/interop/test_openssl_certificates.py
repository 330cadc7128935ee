"""openssl reads and verifies every certificate that the cluster makes, and what ``ucmsim cert`` writes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from cluster.purposes import PURPOSES, Purpose
from tests.interop.outside import fingerprint, tool
from tests.lab.command import ucmsim
from tests.lab.conftest import copy_template
from tests.shared_lab import PUB, SUB, SharedLab

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.interop

OWN = [
    (node, purpose) for node in (PUB, SUB) for purpose in Purpose if node == PUB or not PURPOSES[purpose].publisher_only
]


@pytest.mark.parametrize(("node", "purpose"), OWN, ids=[f"{node} {purpose.value}" for node, purpose in OWN])
def test_openssl_reads_and_verifies_every_certificate(
    outside_lab: SharedLab, exported: Callable[..., Path], node: str, purpose: Purpose
) -> None:
    """R-CRT-2, R-CRT-3"""
    pem, certificate = exported(purpose, node), outside_lab.certificate(purpose, node)
    text = tool("openssl", "x509", "-in", pem, "-noout", "-text").text
    ec = PURPOSES[purpose].elliptic
    assert ("Public-Key: (384 bit)" if ec else "Public-Key: (2048 bit)") in text
    assert ("ecdsa-with-SHA384" if ec else "sha256WithRSAEncryption") in text
    serial = tool("openssl", "x509", "-in", pem, "-noout", "-serial").text.strip().partition("=")[2]
    assert int(serial, 16) == certificate.serial
    verified = tool("openssl", "verify", "-check_ss_sig", "-CAfile", pem, pem)
    assert (verified.code, verified.text.strip().endswith(": OK")) == (0, True), verified.err
    checked = tool("openssl", "x509", "-in", pem, "-noout", "-checkend", 4 * 365 * 86_400)
    assert "will not expire" in checked.text


@pytest.mark.parametrize(
    ("node", "purpose"), [pair for pair in OWN if pair[1] not in {Purpose.CAPF, Purpose.ITL_RECOVERY}]
)
def test_a_nodes_certificates_carry_its_full_name(
    outside_lab: SharedLab, exported: Callable[..., Path], node: str, purpose: Purpose
) -> None:
    """R-CRT-3: as subject alternative name, whatever the common name is."""
    checked = tool("openssl", "x509", "-in", exported(purpose, node), "-noout", "-checkhost", f"{node}.lab.example")
    assert "does match certificate" in checked.text
    subject = tool(
        "openssl", "x509", "-in", exported(purpose, node), "-noout", "-subject", "-nameopt", "multiline"
    ).text
    common_name = re.search(r"commonName += (\S+)", subject)
    assert common_name is not None
    assert common_name[1] == (f"{node}-EC" if PURPOSES[purpose].elliptic else node)


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_what_ucmsim_cert_export_writes_is_read_by_openssl(
    tmp_path: Path, state_templates: Callable[[str], object], form: str
) -> None:
    state = copy_template(state_templates, tmp_path / "state")  # type: ignore[arg-type]
    rows = ucmsim("cert", "list", "--state", state, "--json").json
    for row in rows:
        if row["kind"] != "own":
            continue
        out = tmp_path / "out.cer"
        more = ["--der"] if form == "DER" else []
        done = ucmsim("cert", "export", row["name"], "--node", row["where"], "--state", state, "--out", out, *more)
        assert done.code == 0
        pem = tool("openssl", "x509", "-in", out, "-inform", form)
        assert fingerprint(pem.out).replace(":", "").lower() == row["sha256"]
