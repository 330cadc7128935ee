"""openssl as a phone that shows, or does not show, its certificate: SIP 5061, HTTPS 6971, CTI 2749 (R-DL-2, R-ECC-3).

Laboratory and openssl are on the same machine; the certificates are of an openssl CA or of our CAPF.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import fromstring

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cluster.audit import Actor
from cluster.management.ctl import set_mixed_mode
from cluster.phonesecurity import KeyOrder
from cluster.purposes import Purpose
from tests.interop.outside import fingerprint, tool
from tests.lab.capf_bench import ADVANCED, MAC, CapfBench, order
from tests.lab.test_encrypted_configuration_end_to_end import NAME, bench_with
from tests.openssl_ca import OpensslCa, openssl
from tests.services.sip_cast import register
from wire.phoneconfig import decode_phone_config
from wire.sip import encode

if TYPE_CHECKING:
    from pathlib import Path

    from base.identity import Identity
    from tests.conftest import Lab, LabMaker
    from tests.interop.outside import Ran

pytestmark = pytest.mark.interop

OPERATOR = Actor("admin", "test")
CTI_SUITES = {
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "AES128-SHA",
}


async def s_client(port: int, *options: object, data: bytes = b"") -> Ran:
    """openssl shakes hands, says `data`, and leaves when the server hangs up."""
    arguments = ("s_client", "-connect", f"127.0.0.1:{port}", *options)
    return await asyncio.to_thread(tool, "openssl", *arguments, data=data)


def pem_of(folder: Path, name: str, identity: Identity) -> Path:
    path = folder / f"{name}.pem"
    key = identity.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(identity.certificate.pem.encode() + key)
    return path


# ---------------------------------------------------------------- HTTPS 6971


async def fetch(port: int, *options: object) -> tuple[int, bytes]:
    """Status and body of a request for the phone's configuration, over openssl's TLS."""
    request = f"GET /{NAME}.sgn HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    ran = await s_client(port, "-quiet", "-ign_eof", *options, data=request)
    head, _, body = ran.out.partition(b"\r\n\r\n")
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
    return (int(found[1]) if found else 0), body


async def test_an_ec_lsc_opens_the_whole_configuration_and_nothing_else_does(
    make_lab: LabMaker, tmp_path: Path
) -> None:
    """R-DL-2"""
    bench: CapfBench = await bench_with(make_lab, ADVANCED)
    await bench.schedule(order(key_order=KeyOrder.EC, size=256))
    phone = bench.phone()
    await phone.boot()
    lsc = phone.identity
    assert lsc is not None
    assert not lsc.certificate.is_rsa
    own = pem_of(tmp_path, "lsc", lsc)
    mic = pem_of(tmp_path, "mic", bench.factory.mic(MAC, "8865"))
    port = bench.lab.ports().https
    for suite in ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"):
        status, body = await fetch(port, "-tls1_2", "-cipher", suite, "-cert", own, "-key", own)
        assert status == 200
        config = decode_phone_config(body)
        assert (config.full_config, [line.name for line in config.lines]) == (True, ["2001"])
    assert await fetch(port) == (403, b""), "without a certificate"
    assert await fetch(port, "-cert", mic, "-key", mic) == (403, b""), "with the MIC"
    stranger = OpensslCa.make(tmp_path / "stranger", f"/CN=SEP{MAC}")
    status, _ = await fetch(port, "-tls1_2", "-cert", stranger.folder / "ca.pem", "-key", stranger.folder / "ca.key")
    assert status == 0, "a stranger's fails in the handshake"


async def test_with_an_rsa_lsc_everybody_gets_the_stub(make_lab: LabMaker, tmp_path: Path) -> None:
    """The whole of it comes encrypted, so nobody has to show anything."""
    bench: CapfBench = await bench_with(make_lab, ADVANCED)
    await bench.schedule(order(size=2048))
    phone = bench.phone()
    await phone.boot()
    lsc = phone.identity
    assert lsc is not None
    own = pem_of(tmp_path, "lsc", lsc)
    for options in ((), ("-cert", own, "-key", own)):
        status, body = await fetch(bench.lab.ports().https, *options)
        assert status == 200
        assert not decode_phone_config(body).full_config


# ---------------------------------------------------------------- SIP 5061


@pytest.fixture
async def mixed(make_lab: LabMaker) -> Lab:
    """A mixed cluster with one authenticated and one encrypted phone."""
    lab = await make_lab()
    definition = lab.store.snapshot.definition
    first, second = definition.devices
    devices = (
        first.model_copy(update={"security": "authenticated"}),
        second.model_copy(update={"security": "encrypted"}),
    )
    await lab.store.install(definition.model_copy(update={"devices": devices}))
    await set_mixed_mode(lab.store, OPERATOR)
    await lab.laboratory.nodes["alpha-pub"].supervisor.restart("Cisco CallManager")
    return lab


async def credential(lab: Lab, folder: Path, device: str) -> Path:
    authority = OpensslCa.make(folder / f"ca-{device}", f"/CN=Phones of {device}")
    await lab.store.add_trust("CAPF-trust", [authority.certificate])
    key, csr, both = folder / "key.pem", folder / "phone.csr", folder / f"{device}.pem"
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={device}", "-keyout", key, "-out", csr)
    both.write_bytes(authority.sign(csr.read_bytes()).pem.encode() + key.read_bytes())
    return both


ANSWERS = [
    ("001122334455", "2001", "NULL-SHA", "200 OK"),
    ("001122334455", "2001", "ECDHE-RSA-AES256-GCM-SHA384", "200 OK"),
    ("001122334456", "2002", "ECDHE-RSA-AES256-GCM-SHA384", "200 OK"),
    ("001122334456", "2002", "NULL-SHA", "has to encrypt: its profile is encrypted, and NULL-SHA does not"),
]


@pytest.mark.parametrize(("mac", "line", "suite", "said"), ANSWERS)
async def test_null_sha_is_for_authenticated_profiles_alone(
    mixed: Lab, tmp_path: Path, mac: str, line: str, suite: str, said: str
) -> None:
    own = await credential(mixed, tmp_path, f"SEP{mac}")
    options = ("-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-cert", own, "-key", own)
    told = await _until_answered(mixed, mac, line, *options)
    assert said in told


async def _until_answered(lab: Lab, mac: str, line: str, *options: object) -> str:
    """As a phone that keeps its connection until it has heard; s_client would leave with its input."""
    program = ("openssl", "s_client", "-connect", f"127.0.0.1:{lab.ports().secured_sip}", "-quiet", *map(str, options))
    process = await asyncio.create_subprocess_exec(
        *program, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    told = b""
    try:
        process.stdin.write(encode(register(mac, line, supported="")))
        async with asyncio.timeout(30):
            while b"Content-Length: 381" not in told and b"Warning" not in told:
                data = await process.stdout.read(4_096)
                if not data:
                    break
                told += data
    finally:
        process.kill()
        await process.wait()
    return told.decode()


async def test_null_sha_is_what_openssl_says_it_is(mixed: Lab) -> None:
    """Offered alone it is taken; beside any other suite it never is."""
    port = mixed.ports().secured_sip
    own = fingerprint(mixed.store.snapshot.require("alpha-pub", Purpose.CALLMANAGER).certificate.pem)
    alone = await s_client(port, "-tls1_2", "-cipher", "NULL-SHA:@SECLEVEL=0")
    assert "Cipher is NULL-SHA" in alone.text
    assert fingerprint(alone.out) == own
    beside = await s_client(port, "-tls1_2", "-cipher", "AES128-SHA:NULL-SHA:@SECLEVEL=0")
    assert "Cipher is AES128-SHA" in beside.text
    for suite in ("NULL-MD5", "NULL-SHA256", "ECDHE-RSA-NULL-SHA", "AECDH-NULL-SHA"):
        ran = await s_client(port, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")
        assert "Cipher is (NONE)" in ran.text or "no cipher match" in ran.err, suite


async def test_a_cluster_that_is_not_mixed_has_no_null_sha(lab: Lab) -> None:
    ran = await s_client(lab.ports().secured_sip, "-tls1_2", "-cipher", "NULL-SHA:@SECLEVEL=0")
    assert "Cipher is (NONE)" in ran.text


# ---------------------------------------------------------------- CTI 2749


async def test_sslscan_finds_the_five_suites_of_secure_cti_and_no_other(lab: Lab) -> None:
    """R-ECC-3: never a CBC suite with SHA-256 or SHA-384."""
    where = f"127.0.0.1:{lab.ports().secure_cti}"
    ran = await asyncio.to_thread(tool, "sslscan", "--no-colour", "--show-certificate", "--xml=-", where)
    document = fromstring(ran.out)  # noqa: S314 - sslscan wrote it
    found = {(item.get("sslversion"), item.get("cipher")) for item in document.iter("cipher")}
    old = {("TLSv1.0", "AES128-SHA"), ("TLSv1.1", "AES128-SHA")}
    assert found == {("TLSv1.2", suite) for suite in CTI_SUITES} | old


@pytest.mark.parametrize("suite", sorted(CTI_SUITES))
async def test_openssl_is_shown_the_certificate_that_its_suite_asks_for(lab: Lab, suite: str) -> None:
    """R-ECC-2"""
    ran = await s_client(lab.ports().secure_cti, "-tls1_2", "-cipher", suite)
    purpose = Purpose.CALLMANAGER_ECDSA if "ECDSA" in suite else Purpose.CALLMANAGER
    assert f"Cipher is {suite}" in ran.text
    assert fingerprint(ran.out) == fingerprint(lab.store.snapshot.require("alpha-pub", purpose).certificate.pem)


async def test_openssl_sees_cti_end_in_order(lab: Lab) -> None:
    ran = await s_client(lab.ports().secure_cti, "-quiet", "-ign_eof", data=b"hello")
    assert (ran.code, ran.out) == (0, b"")
    assert "error" not in ran.err.lower().replace("verify error", "")
