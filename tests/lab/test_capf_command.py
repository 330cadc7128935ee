"""``ucmsim capf`` and ``ucmsim phone manufacture``: a phone from the factory is scheduled, enrols, and is seen to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.manufacturing import ManufacturingCa
from tests.conftest import lab_config
from tests.lab.command import ucmsim
from tests.shared_lab import SharedLab
from wire.certificates import Certificate
from wire.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.lab.command import Done

DEVICE = "SEP001122334455"


def status(state: Path, device: str = DEVICE) -> dict[str, object]:
    (row,) = ucmsim("capf", "status", device, "--state", state, "--json").json
    assert isinstance(row, dict)
    return row


def manufacture(state: Path, flash: Path, mac: str = "001122334455") -> Done:
    return ucmsim("phone", "manufacture", "--mac", mac, "--model", "8865", "--flash", flash, "--state", state)


def boot(lab: SharedLab, flash: Path, *more: str) -> Done:
    ports = lab.ports()
    where = ("--tftp", f"127.0.0.1:{ports.tftp}", "--http-port", ports.http, "--https-port", ports.https)
    return ucmsim("phone", "boot", "--mac", "001122334455", *where, "--flash", flash, *more)


def test_a_phone_from_the_factory_enrols_by_its_mic(state: Path, tmp_path: Path) -> None:
    flash = tmp_path / "phone"
    made = manufacture(state, flash)
    assert (made.code, made.err) == (0, "")
    assert "SEP001122334455 has a MIC: serialNumber=PID:CP-8865 SN:SIM" in made.out.replace("\n", " ")
    told = ucmsim("capf", "schedule", DEVICE, "install", "--auth", "mic", "--rsa-size", "1024", "--state", state)
    assert told.code == 0
    assert "Install/Upgrade, By Existing Certificate (Precedence to MIC), RSA Only" in told.out
    assert status(state)["status"] == "Operation Pending"
    with SharedLab(lab_config(), state) as lab:
        report = boot(lab, flash, "--json").json
        assert report["capf"]["outcome"] == "updated"
        seen = status(state)
        assert (seen["status"], seen["operation"]) == ("Upgrade Success", "No Pending Operation")
        assert str(seen["lsc"]).startswith("RSA 1024, serial ")
        assert str(seen["mic"]).startswith("RSA 2048, serial ")
        table = ucmsim("capf", "status", "--state", state)
        assert "Upgrade Success" in table.out.replace("\n", " ")
        assert "SEP001122334456" in table.out
    shown = ucmsim("phone", "show", "--flash", flash)
    assert "LSC: Installed" in shown.out
    assert [item["kind"] for item in ucmsim("phone", "show", "--flash", flash, "--json").json["certificates"]] == [
        "LSC",
        "MIC",
    ]


def test_a_person_types_the_string_that_was_made_up(state: Path, tmp_path: Path) -> None:
    told = ucmsim("capf", "schedule", DEVICE, "install", "--auth", "string", "--rsa-size", "1024", "--state", state)
    match = re.search(r"authentication string: (\d{10})\n", told.out)
    assert match is not None
    assert match[1] not in ucmsim("capf", "status", "--state", state, "--json").out
    assert match[1] not in ucmsim("audit", "--state", state).out
    with SharedLab(lab_config(), state) as lab:
        waiting = boot(lab, tmp_path / "phone")
        assert "waits for the authentication string" in waiting.out
        typed = boot(lab, tmp_path / "phone", "--auth-string", match[1])
        assert typed.code == 0
        assert "carried out" in typed.out
    assert status(state)["status"] == "Upgrade Success"


def test_what_was_scheduled_is_taken_back(state: Path) -> None:
    ucmsim("capf", "schedule", DEVICE, "delete", "--hours", "2", "--state", state)
    pending = status(state)
    assert pending["operation"] == "Delete"
    assert pending["complete_by"] is not None
    assert ucmsim("capf", "schedule", DEVICE, "none", "--state", state).code == 0
    assert status(state)["status"] == "None"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("SEP0000000000FF", "install"), 1, "there is no device 'SEP0000000000FF' in cluster alpha"),
        ((DEVICE, "install", "--rsa-size", "2000"), 1, "RSA key size 2000 is not one of"),
        ((DEVICE, "install", "--string", "1234"), 1, "takes no authentication string"),
        ((DEVICE, "install", "--auth", "string", "--string", "abc"), 1, "has 4 to 10 digits"),
        ((DEVICE, "replace"), 2, "'replace' is not one of"),
        ((DEVICE, "install", "--key-order", "dsa"), 2, "'dsa' is not one of"),
        ((DEVICE, "install", "--hours", "-1"), 2, "'--hours'"),
        ((DEVICE, "install", "--hours", "nan"), 2, "'--hours'"),
    ],
)
def test_mistakes_are_sentences(arguments: tuple[str, ...], code: int, said: str, state: Path) -> None:
    done = ucmsim("capf", "schedule", *arguments, "--state", state)
    assert done.code == code
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_there_has_to_be_a_cluster(tmp_path: Path) -> None:
    for command in (("capf", "status"), ("capf", "schedule", DEVICE, "install")):
        assert ucmsim(*command, "--state", tmp_path / "nowhere").code == 3
    assert manufacture(tmp_path / "nowhere", tmp_path / "phone").code == 3
    assert not (tmp_path / "nowhere").exists()


# --- the factory ---


def test_the_factory_is_made_once_and_its_key_is_the_owners_alone(state: Path, tmp_path: Path) -> None:
    manufacture(state, tmp_path / "one")
    path = state / "manufacturing" / "ca.pem"
    before = path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    manufacture(state, tmp_path / "two", "001122334456")
    assert path.read_bytes() == before
    micname = tmp_path / "two" / "mic.pem"
    mic = Certificate.from_pem(micname.read_bytes())
    assert micname.stat().st_mode & 0o777 == 0o600
    assert mic.subject.common_name == "CP-8865-SEP001122334456"
    assert "PID:CP-8865 SN:SIM" in mic.x509.subject.rfc4514_string()
    assert mic.not_after.year - mic.not_before.year == 10
    assert mic.issuer == Certificate.from_pem(before).subject


def test_clusters_of_the_folder_trust_the_factory_now_and_those_made_later(state: Path, tmp_path: Path) -> None:
    manufacture(state, tmp_path / "phone")
    digest = Certificate.from_pem((state / "manufacturing" / "ca.pem").read_bytes()).sha256.hex()

    def stores() -> set[str]:
        rows = ucmsim("cert", "list", "--state", state, "--cluster", "alpha", "--json").json
        return {row["where"] for row in rows if row["sha256"] == digest and row["kind"] == "trust"}

    assert stores() == {"CAPF-trust", "CallManager-trust"}
    for path in (state / "alpha").iterdir():
        path.unlink()
    with SharedLab(lab_config(), state):
        assert stores() == {"CAPF-trust", "CallManager-trust"}


def test_a_damaged_factory_is_said(state: Path, tmp_path: Path) -> None:
    (state / "manufacturing").mkdir()
    (state / "manufacturing" / "ca.pem").write_bytes(b"nothing")
    done = manufacture(state, tmp_path / "phone")
    assert done.code == 3
    assert "the manufacturing CA in" in done.err
    with pytest.raises(OperatorError, match="cannot be read: no certificate"):
        ManufacturingCa.of(state)


def test_another_phones_flash_is_not_overwritten(state: Path, tmp_path: Path) -> None:
    manufacture(state, tmp_path / "phone")
    done = manufacture(state, tmp_path / "phone", "001122334456")
    assert done.code == 3
    assert "belongs to a 8865 with MAC 001122334455" in " ".join(done.err.split())
