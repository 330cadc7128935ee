"""``ucmsim file`` on files that other tools made."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.lab.command import ucmsim
from tests.services.wires import VECTORS

if TYPE_CHECKING:
    from pathlib import Path

SIGNED = "SEP001122334455.cnf.xml.sgn"
GOOD = [
    ("ITLFile.tlv", "itlrecovery.pem"),
    ("v11/ITLFile.tlv", "itlrecovery.pem"),
    ("CTLFile.tlv", "callmanager.pem"),
    ("rogue/ITLFile.tlv", "rogue.pem"),
    (SIGNED, "callmanager.pem"),
    (f"sha512/{SIGNED}", "callmanager.pem"),
    (f"enc/{SIGNED}", "callmanager.pem"),
    ("enc/SEP001122334455.cnf.xml.enc.sgn", "callmanager.pem"),
]
FILES = [name for name, _ in GOOD]
LISTS = [name for name in FILES if name.endswith(".tlv")]


@pytest.fixture
def tampered(tmp_path: Path) -> Path:
    """An ITL of which one byte of the last record was changed."""
    data = bytearray((VECTORS / "ITLFile.tlv").read_bytes())
    data[-20] ^= 1
    path = tmp_path / "tampered.tlv"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "signer"), GOOD, ids=FILES)
def test_a_file_is_valid_for_its_signer_and_for_nobody_else(name: str, signer: str) -> None:
    for candidate in ("itlrecovery.pem", "callmanager.pem", "tvs.pem", "rogue.pem", "callmanager-ecdsa.pem"):
        done = ucmsim("file", "verify", VECTORS / name, "--signer", VECTORS / candidate, "--json")
        assert (done.code == 0) is (candidate == signer), candidate
        assert done.json["valid"] is (candidate == signer)
        assert done.json["signer_named"] is (candidate == signer)


def test_a_certificate_in_der_does_as_well(tmp_path: Path) -> None:
    from wire.certificates import Certificate

    der = tmp_path / "signer.cer"
    der.write_bytes(Certificate.from_pem((VECTORS / "itlrecovery.pem").read_bytes()).der)
    done = ucmsim("file", "verify", VECTORS / "ITLFile.tlv", "--signer", der)
    assert (done.code, done.out.count("\n"), done.err) == (0, 1, "")
    assert done.out.startswith(f"valid: {VECTORS / 'ITLFile.tlv'} is signed by CN=ITLRECOVERY_alpha;")


def test_a_changed_file_is_invalid_and_says_why(tampered: Path) -> None:
    done = ucmsim("file", "verify", tampered, "--signer", VECTORS / "itlrecovery.pem")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"invalid: {tampered}: the file was changed, or another key signed it\n"


def test_another_signer_is_named() -> None:
    done = ucmsim("file", "verify", VECTORS / "ITLFile.tlv", "--signer", VECTORS / "rogue.pem")
    assert done.code == 1
    assert "another signer is named: CN=ITLRECOVERY_alpha," in done.err


@pytest.mark.parametrize("name", FILES)
def test_show_prints_the_checksums_that_other_tools_print(name: str) -> None:
    data = (VECTORS / name).read_bytes()
    shown = ucmsim("file", "show", VECTORS / name)
    assert shown.code == 0
    assert f"{hashlib.md5(data).hexdigest()}(MD5)" in shown.out  # noqa: S324 - UCM prints it
    assert f"{hashlib.sha1(data).hexdigest()}(SHA1)" in shown.out  # noqa: S324 - likewise
    as_json = ucmsim("file", "show", VECTORS / name, "--json").json
    assert (as_json["length"], as_json["md5"]) == (len(data), hashlib.md5(data).hexdigest())  # noqa: S324


@pytest.mark.parametrize("name", LISTS)
def test_a_trust_list_is_checked_by_its_own_record(name: str) -> None:
    assert ucmsim("file", "show", VECTORS / name, "--json").json["verified"] is True


def test_other_files_need_a_signer_for_a_verdict() -> None:
    assert ucmsim("file", "show", VECTORS / SIGNED, "--json").json["verified"] is None
    for signer, verified in (("callmanager.pem", True), ("rogue.pem", False)):
        done = ucmsim("file", "show", VECTORS / SIGNED, "--signer", VECTORS / signer, "--json")
        assert (done.json["verified"], done.code) == (verified, 0 if verified else 1)


def test_a_changed_trust_list_is_shown_with_a_bad_verdict(tampered: Path) -> None:
    done = ucmsim("file", "show", tampered)
    assert done.code == 1
    assert done.out.endswith("The ITL file was not verified successfully.\n") or "not verified" in done.out
