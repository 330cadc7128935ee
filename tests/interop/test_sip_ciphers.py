"""openssl against SIP over TLS: which suites each choice of "TLS Ciphers" offers, with which certificate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from cluster.audit import Actor
from cluster.ciphers import DEFAULT, TLS_CIPHER_CHOICES
from cluster.parameters import TLS_CIPHERS, TLS_MIN_VERSION
from cluster.purposes import Purpose
from tests.conftest import require_tool
from tests.interop.outside import fingerprint, tool

if TYPE_CHECKING:
    from tests.conftest import Lab, LabMaker

pytestmark = pytest.mark.interop

RSA_256, EC_256 = "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"
RSA_128, EC_128 = "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"
CBC = "AES128-SHA"
NEVER = ("ECDHE-RSA-AES256-SHA384", "ECDHE-ECDSA-AES256-SHA384", "AES128-SHA256", "AES256-SHA", "AES256-GCM-SHA384")
"""Among them the CBC suites with SHA-256 and SHA-384 that R-ECC-3 names."""

OFFERED: dict[str, set[str]] = {
    "Strongest- AES-256 SHA-384 Only: RSA Preferred": {RSA_256, EC_256},
    "Strongest-AES-256 SHA-384 Only: ECDSA Preferred": {RSA_256, EC_256},
    "Medium-AES-256 AES-128 Only: RSA Preferred": {RSA_256, EC_256, RSA_128, EC_128},
    "Medium-AES-256 AES-128 Only: ECDSA Preferred": {RSA_256, EC_256, RSA_128, EC_128},
    "All Ciphers RSA Preferred": {RSA_256, EC_256, RSA_128, EC_128, CBC},
    "All Ciphers ECDSA Preferred": {RSA_256, EC_256, RSA_128, EC_128, CBC},
    "Medium-AES-256 AES-128 Only: ECDSA Only": {EC_256, EC_128},
    "Strongest-AES-256 SHA-384 Only: ECDSA Only": {EC_256},
}
OPERATOR = Actor("admin", "test")


async def shown(lab: Lab, suites: str, *options: str) -> tuple[str, str]:
    """The suite that was chosen and the fingerprint of the certificate; two empty texts when there was no handshake."""
    server = f"127.0.0.1:{lab.ports().secured_sip}"
    ran = await asyncio.to_thread(
        tool, "openssl", "s_client", "-connect", server, "-cipher", f"{suites}:@SECLEVEL=0", *(options or ("-tls1_2",))
    )
    chosen = ran.text.partition("Cipher is ")[2].partition("\n")[0]
    return ("", "") if chosen in {"", "(NONE)"} else (chosen, fingerprint(ran.out))


async def restart(lab: Lab) -> None:
    await lab.laboratory.nodes["alpha-pub"].supervisor.restart("Cisco CallManager")


def own(lab: Lab, purpose: Purpose) -> str:
    return fingerprint(lab.store.snapshot.require("alpha-pub", purpose).certificate.pem)


def test_every_choice_is_told() -> None:
    assert {label: set(suites) for label, suites in TLS_CIPHER_CHOICES.items()} == OFFERED


@pytest.mark.parametrize("label", OFFERED)
async def test_a_choice_offers_its_suites_and_no_others(make_lab: LabMaker, label: str) -> None:
    """R-ECC-1, and R-ECC-3 where there is no RSA."""
    require_tool("openssl")
    lab = await make_lab(parameters=f'{{"TLS Ciphers": "{label}"}}')
    every = (RSA_256, EC_256, RSA_128, EC_128, CBC, *NEVER)
    found = {suite: await shown(lab, suite) for suite in every}
    assert {suite for suite, (chosen, _) in found.items() if chosen} == OFFERED[label]
    for suite, (chosen, certificate) in found.items():
        if chosen:
            assert chosen == suite
            purpose = Purpose.CALLMANAGER_ECDSA if "ECDSA" in suite else Purpose.CALLMANAGER
            assert certificate == own(lab, purpose), suite


async def test_the_clients_order_decides_and_with_it_the_certificate(lab: Lab) -> None:
    """R-ECC-2: as a server, UCM follows the client whatever the parameter prefers."""
    for suites in ((RSA_256, EC_256), (EC_256, RSA_256), (CBC, EC_128), (EC_128, RSA_128, CBC)):
        purpose = Purpose.CALLMANAGER_ECDSA if "ECDSA" in suites[0] else Purpose.CALLMANAGER
        assert await shown(lab, ":".join(suites)) == (suites[0], own(lab, purpose))


async def test_another_choice_counts_when_callmanager_restarts(lab: Lab) -> None:
    assert lab.store.snapshot.parameter(TLS_CIPHERS) == DEFAULT
    await lab.store.set_parameter(TLS_CIPHERS, "strongest-aes-256 sha-384 only: ecdsa only", OPERATOR)
    assert (await shown(lab, CBC))[0] == CBC
    await restart(lab)
    assert (await shown(lab, CBC))[0] == ""
    assert (await shown(lab, f"{CBC}:{EC_256}"))[0] == EC_256


@pytest.mark.parametrize("release", ["8.6", "10.5"])
async def test_a_release_without_an_ec_certificate_shows_rsa(make_lab: LabMaker, release: str) -> None:
    lab = await make_lab(release)
    assert (await shown(lab, EC_256))[0] == ""
    assert await shown(lab, f"{EC_256}:{RSA_256}") == (RSA_256, own(lab, Purpose.CALLMANAGER))


VERSIONS = {"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2"}


@pytest.mark.parametrize("least", VERSIONS)
async def test_versions_from_the_least_one_to_tls_1_2_are_spoken(lab: Lab, least: str) -> None:
    """Old versions have AES128-SHA alone of the choice's suites. That there is no TLS 1.3 is ours."""
    await lab.store.set_parameter(TLS_MIN_VERSION, least, OPERATOR)
    await restart(lab)
    spoken = {version: await shown(lab, "ALL", option) for version, option in VERSIONS.items()}
    old = (CBC, own(lab, Purpose.CALLMANAGER))
    assert spoken["1.0"] == (old if least == "1.0" else ("", ""))
    assert spoken["1.1"] == (old if least != "1.2" else ("", ""))
    assert spoken["1.2"][0] in OFFERED[DEFAULT]
    assert await shown(lab, "ALL", "-tls1_3") == ("", "")


async def test_another_least_version_counts_when_callmanager_restarts(lab: Lab) -> None:
    await lab.store.set_parameter(TLS_MIN_VERSION, "1.2", OPERATOR)
    assert (await shown(lab, CBC, "-tls1"))[0] == CBC
    await restart(lab)
    assert (await shown(lab, CBC, "-tls1"))[0] == ""
