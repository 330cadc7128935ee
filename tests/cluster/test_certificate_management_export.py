"""ITLRecovery's pair in a file that openssl opens (R-REC-4)."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from cluster.audit import Actor
from cluster.management.itl import export_recovery
from cluster.purposes import Purpose
from tests.conftest import require_tool
from tests.openssl_ca import openssl
from wire.certificates import Certificate

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.store import ClusterStore

ADMIN = Actor("admin", "ssh 192.0.2.7")


@pytest.mark.parametrize("password", ["secret", "p@ss w:rd", "パスワード", "x" * 200])
async def test_openssl_opens_the_exported_pair(password: str, store: ClusterStore, tmp_path: Path) -> None:
    require_tool("openssl")
    file, secret = tmp_path / "ITLRecovery.p12", tmp_path / "password"
    file.write_bytes(await export_recovery(store, password, ADMIN))
    secret.write_text(password, encoding="utf-8")
    opened = openssl("pkcs12", "-in", file, "-passin", f"file:{secret}", "-nodes")
    own = store.snapshot.require("alpha-pub", Purpose.ITL_RECOVERY)
    assert Certificate.from_pem(opened[opened.index(b"-----BEGIN CERTIFICATE") :]) == own.certificate
    key = load_pem_private_key(opened[opened.index(b"-----BEGIN PRIVATE") :], None)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.public_key().public_bytes(*form) == own.certificate.public_key.public_bytes(*form)
    assert (await store.audit(1))[0].what == "ITLRecovery.p12 exported"


async def test_with_another_password_it_stays_shut(store: ClusterStore, tmp_path: Path) -> None:
    require_tool("openssl")
    file = tmp_path / "ITLRecovery.p12"
    file.write_bytes(await export_recovery(store, "secret", ADMIN))
    shut = subprocess.run(
        ["openssl", "pkcs12", "-in", file, "-passin", "pass:Secret", "-nodes"], capture_output=True, check=False
    )
    assert shut.returncode != 0
    assert b"PRIVATE KEY" not in shut.stdout
