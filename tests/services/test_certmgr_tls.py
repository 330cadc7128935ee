"""What TLS clients see of a certificate that an administrator put there, and when (R-CRT-6)."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from cluster.audit import Actor
from cluster.management.certificates import make_request, regenerate, upload_own, upload_trust
from cluster.management.fields import CertificateFields
from cluster.management.services import Order, carry_out
from cluster.purposes import PURPOSES, Purpose
from cluster.servicecatalogue import TOMCAT
from tests.openssl_ca import OpensslCa
from tests.services.wires import HOST
from tests.waiting import PATIENCE_S
from wire.certificates import Certificate
from wire.errors import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.store import ClusterStore
    from tests.conftest import Lab

PUB, SUB = "alpha-pub", "alpha-sub1"
ADMIN = Actor("admin", "rest 192.0.2.7")
RSA_ONLY = ("-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384")
EC_ONLY = ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")


async def shown(port: int, *options: str) -> list[Certificate]:
    """The chain that ``openssl s_client`` is shown."""
    arguments = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-showcerts", *options]
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    async with asyncio.timeout(PATIENCE_S):
        output, _ = await process.communicate()
    return Certificate.from_pem_bundle(output.split(b"\nServer certificate")[0])


async def restart_tomcat(store: ClusterStore, node: str = PUB) -> None:
    states = [status.state.value async for status in carry_out(store, node, TOMCAT, Order.RESTART, ADMIN, PATIENCE_S)]
    assert states[-1] == "STARTED"


async def sign(
    store: ClusterStore, authority: OpensslCa, purpose: Purpose, *, multi_server: bool = False
) -> Certificate:
    """Installs a CA-signed certificate on the publisher."""
    with contextlib.suppress(Refusal):  # its CA is there already
        await upload_trust(store, "tomcat-trust", authority.chain_pem, ADMIN)
    pending = await make_request(store, PUB, purpose, ADMIN, CertificateFields(multi_server=multi_server))
    leaf = authority.sign(pending.der)
    return (await upload_own(store, PUB, purpose, leaf.pem.encode(), ADMIN)).certificate


async def test_both_chains_are_shown_on_both_ports_after_a_restart_and_not_before(
    lab: Lab, authority: OpensslCa
) -> None:
    store, ports = lab.store, lab.ports()
    old = store.snapshot.require(PUB, Purpose.TOMCAT_ECDSA).certificate
    elliptic = await sign(store, authority, Purpose.TOMCAT_ECDSA)
    rsa = await sign(store, authority, Purpose.TOMCAT)
    assert await shown(ports.secure_admin, *EC_ONLY) == [old]
    await restart_tomcat(store)
    assert lab.ports() == ports, "a service keeps its ports"
    for port in (ports.secure_admin, ports.secure_web):
        assert await shown(port, *EC_ONLY) == [elliptic, *authority.chain]
        assert await shown(port, *RSA_ONLY) == [rsa, *authority.chain]
    assert (await shown(ports.https_tomcat, *EC_ONLY)) == [old], "Cisco Tftp did not restart"


async def test_a_multi_server_certificate_is_shown_by_each_node_that_restarts(lab: Lab, authority: OpensslCa) -> None:
    leaf = await sign(lab.store, authority, Purpose.TOMCAT_ECDSA, multi_server=True)
    await restart_tomcat(lab.store, SUB)
    assert await shown(lab.ports(SUB).secure_admin, *EC_ONLY) == [leaf, *authority.chain]
    assert (await shown(lab.ports(PUB).secure_admin, *EC_ONLY))[0] != leaf


@pytest.mark.parametrize(
    ("purpose", "fields"),
    [
        (Purpose.TOMCAT, CertificateFields(key_length=1024)),
        (Purpose.TOMCAT, CertificateFields(key_length=3072, digest="SHA512")),
        (Purpose.TOMCAT_ECDSA, CertificateFields(key_length=256)),
        (Purpose.TOMCAT_ECDSA, CertificateFields(key_length=521)),
    ],
)
async def test_every_key_that_is_allowed_is_shown(purpose: Purpose, fields: CertificateFields, lab: Lab) -> None:
    """OpenSSL of today finds 1024 bits too few; UCM has them (R-CRT-2)."""
    own = await regenerate(lab.store, PUB, purpose, ADMIN, fields)
    await restart_tomcat(lab.store)
    suite = EC_ONLY if PURPOSES[purpose].elliptic else RSA_ONLY
    assert await shown(lab.ports().secure_admin, suite[0], suite[1], f"{suite[2]}:@SECLEVEL=0") == [own.certificate]


async def test_a_chain_with_sha_1_is_shown(lab: Lab, tmp_path: Path) -> None:
    old = OpensslCa.make(tmp_path / "old", "/CN=Old CA", key="rsa:2048", digest="sha1")
    leaf = await sign(lab.store, old, Purpose.TOMCAT_ECDSA)
    await restart_tomcat(lab.store)
    chain = await shown(lab.ports().secure_web, EC_ONLY[0], EC_ONLY[1], f"{EC_ONLY[2]}:@SECLEVEL=0")
    assert chain == [leaf, *old.chain]
