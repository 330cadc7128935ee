"""``ucmsim phone``, ``ucmsim tvs`` and ``ucmsim health`` against a running laboratory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cluster.purposes import Purpose
from tests.lab.command import Done, ucmsim
from tests.services.wires import HOST, VECTORS
from tests.shared_lab import PUB, SUB, SharedLab

if TYPE_CHECKING:
    from pathlib import Path

KNOWN, UNKNOWN = "001122334455", "00AABBCCDDEE"
NOBODY = ("--tftp", f"{HOST}:1", "--http-port", "1", "--https-port", "1")


def servers(lab: SharedLab, node: str = PUB) -> list[object]:
    ports = lab.ports(node)
    return ["--tftp", f"{HOST}:{ports.tftp}", "--http-port", ports.http, "--https-port", ports.https]


def boot(lab: SharedLab, *more: object, node: str = PUB, mac: str = KNOWN) -> Done:
    return ucmsim("phone", "boot", *servers(lab, node), "--mac", mac, *more)


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash"


def test_a_boot_is_told_step_by_step(running_lab: SharedLab) -> None:
    done = boot(running_lab)
    assert (done.code, done.err) == (0, "")
    for said in (
        "SEP001122334455 (8865)",
        "leap_of_faith",
        "signed_by_itl",
        "ITL installed",
        "booted: configuration from server",
    ):
        assert said in done.out


def test_a_boot_is_told_in_japanese(running_lab: SharedLab) -> None:
    done = boot(running_lab, "--lang", "ja")
    assert "最初のリストを無条件に信頼しました" in done.out
    assert "起動完了" in done.out


def test_a_boot_as_json_has_every_fetch_and_decision(running_lab: SharedLab, flash: Path) -> None:
    first = boot(running_lab, "--flash", flash, "--json").json
    assert (first["outcome"], first["exit_code"], first["device"]) == ("booted", 0, "SEP001122334455")
    assert [(item["what"], item["reason"]) for item in first["decisions"]] == [
        ("ITL", "leap_of_faith"),
        ("configuration", "signed_by_itl"),
        ("user locale", "signed_by_itl"),
        ("network locale", "signed_by_itl"),
        ("soft keys", "signed_by_itl"),
        ("dial template", "signed_by_itl"),
        ("ring list", "signed_by_itl"),
    ]
    missing, there = ["not found", "not found"], ["arrived"]
    outcomes = [item["outcome"] for item in first["fetches"]]
    assert outcomes == missing + there * 2 + there * 2 + missing + there * 3  # CTL, then AppDialRules.xml
    assert [item["kind"] for item in first["files"]] == [item["what"] for item in first["decisions"][2:]]
    second = boot(running_lab, "--flash", flash, "--json").json
    assert second["decisions"][0]["reason"] == "unchanged"
    other = boot(running_lab, "--flash", flash, "--json", node=SUB).json
    assert other["decisions"][0]["reason"] == "signed_by_itl"


@pytest.mark.parametrize(
    ("mac", "model", "code", "kind"),
    [
        (KNOWN, "8865", 0, "device"),
        (KNOWN, "CP-7841", 0, "device"),
        (UNKNOWN, "8865", 0, "default"),
        (KNOWN, "7960", 0, "device"),
    ],
)
def test_every_kind_of_phone_boots(running_lab: SharedLab, mac: str, model: str, code: int, kind: str) -> None:
    done = boot(running_lab, "--model", model, "--json", mac=mac)
    assert (done.code, done.json["config"]["kind"]) == (code, kind)


@pytest.mark.parametrize("written", ["00:11:22:33:44:55", "0011.2233.4455", "SEP001122334455", "00-11-22-33-44-55"])
def test_a_mac_may_be_written_in_any_usual_way(running_lab: SharedLab, written: str) -> None:
    assert boot(running_lab, "--json", mac=written).json["device"] == "SEP001122334455"


def test_a_refusal_is_exit_code_1(running_lab: SharedLab, flash: Path) -> None:
    """The phone holds another cluster's ITL, and no TVS of that cluster answers."""
    flash.mkdir()
    (flash / "flash.json").write_text('{"format": 1, "mac": "001122334455", "model": "8865"}')
    (flash / "ITLFile.tlv").write_bytes((VECTORS / "ITLFile.tlv").read_bytes())
    done = boot(running_lab, "--flash", flash, "--json")
    assert (done.code, done.json["outcome"], done.json["refusals"][0]) == (1, "refused", "ITLSEP001122334455.tlv")
    assert (flash / "ITLFile.tlv").read_bytes() == (VECTORS / "ITLFile.tlv").read_bytes()


def test_no_server_is_exit_code_4(flash: Path) -> None:
    for more in ([], ["--json"]):
        done = ucmsim("phone", "boot", *NOBODY, "--mac", KNOWN, "--flash", flash, *more)
        assert done.code == 4
    assert done.json["outcome"] == "unreachable"
    assert [item["outcome"] for item in done.json["fetches"]] == ["no answer", "no answer"]
    named = ucmsim("phone", "boot", "--tftp", "nowhere.invalid", "--mac", KNOWN, "--json")
    assert named.code == 4
    assert {item["outcome"] for item in named.json["fetches"]} == {"no such host"}


def test_the_second_server_of_the_list_is_used(running_lab: SharedLab) -> None:
    ports = running_lab.ports()
    done = ucmsim(
        *("phone", "boot", "--tftp", f"{HOST}:1", "--tftp", f"{HOST}:{ports.tftp}", "--mac", KNOWN, "--json"),
        *("--http-port", 1, "--https-port", 1),  # of both: TFTP alone is left
    )
    assert done.code == 0
    assert {item["transport"] for item in done.json["fetches"] if item["outcome"] == "arrived"} == {"TFTP"}


def test_show_tells_what_flash_holds(running_lab: SharedLab, flash: Path) -> None:
    booted = boot(running_lab, "--flash", flash, "--json").json
    shown = ucmsim("phone", "show", "--flash", flash, "--json").json
    assert shown["trust_lists"] == booted["trust_lists"]
    assert shown["config"] == booted["config"]
    assert shown["cluster_mode"] == "non-secure"
    assert shown["files"] == booted["files"]
    text = ucmsim("phone", "show", "--flash", flash)
    assert text.code == 0
    assert booted["trust_lists"][0]["sha1"] in text.out
    for file in booted["files"]:
        assert f"  {file['kind']}: {file['name']}, {file['size']} bytes\n" in text.out
    assert f"TVS: {HOST}:{running_lab.ports().tvs}, {HOST}:{running_lab.ports(SUB).tvs}" in text.out


def test_an_erased_phone_trusts_blindly_again(running_lab: SharedLab, flash: Path) -> None:
    """R-PHN-4"""
    boot(running_lab, "--flash", flash)
    assert ucmsim("phone", "erase", "--flash", flash).code == 0
    assert ucmsim("phone", "show", "--flash", flash, "--json").json["trust_lists"] == []
    assert "No Trust List installed" in ucmsim("phone", "show", "--flash", flash).out
    assert boot(running_lab, "--flash", flash, "--json").json["decisions"][0]["reason"] == "leap_of_faith"


def test_show_is_a_menu_in_both_languages(running_lab: SharedLab, flash: Path) -> None:
    """R-PHN-2"""
    boot(running_lab, "--flash", flash)
    shown = ucmsim("phone", "show", "--flash", flash, "--json").json
    (summary,) = shown["trust_lists"]
    english, japanese = (ucmsim("phone", "show", "--flash", flash, *more).out for more in ((), ("--lang", "ja")))
    for line in (
        "Applications > Admin settings > Security setup\n  Security Mode: Non Secure\n  LSC: Not Installed\n",
        "  Trust List\n    CTL File: Not Installed\n    ITL File: Installed\n",
        f"      ITL Signature (SHA-1): {summary['sha1']}\n      ITL Signature (MD5): {summary['md5']}\n",
        "      CAPF Server: CN=CAPF-",
        "    Signed Configuration: Installed\n",
    ):
        assert line in english
    for line in (
        "セキュリティモード: 非セキュア",
        "ITL ファイル: インストール済み",
        "クラスタのセキュリティモード: 非セキュア",
    ):
        assert line in japanese
    assert "Installed" not in japanese
    assert summary["sha1"] in japanese
    assert shown["security_menu"]["entries"][-1]["key"] == "trust_list"


@pytest.mark.parametrize(
    ("named", "said", "message"),
    [
        ((), "CTL and ITL are erased.\n", "Erasing CTL and ITL files"),
        (("--ctl",), "CTL is erased.\n", "Erasing CTL file"),
        (("--itl",), "ITL is erased.\n", "Erasing ITL file"),
        (("--itl", "--ctl"), "CTL and ITL are erased.\n", "Erasing CTL and ITL files"),
        (("--lsc",), "LSC is erased.\n", "Erasing LSC"),
        (("--ctl", "--lsc"), "CTL is erased.\nLSC is erased.\n", "Erasing LSC"),
    ],
)
def test_what_is_named_is_erased(flash: Path, tmp_path: Path, named: tuple[str, ...], said: str, message: str) -> None:
    """R-PHN-4"""
    whole = {"CTLFile.tlv": "CTLFile.tlv", "ITLFile.tlv": "ITLFile.tlv", "lsc.pem": "phone-mic.pem"}
    labelled(flash)
    for name, vector in whole.items():
        (flash / name).write_bytes((VECTORS / vector).read_bytes())
    trace = tmp_path / "trace.jsonl"
    done = ucmsim("phone", "erase", "--flash", flash, *named, "--trace", trace)
    assert (done.code, done.err) == (0, said)
    gone = {"--ctl": {"CTLFile.tlv"}, "--itl": {"ITLFile.tlv"}, "--lsc": {"lsc.pem"}}
    expected = set().union(*(gone[name] for name in named)) if named else gone["--ctl"] | gone["--itl"]
    assert set(whole) - {path.name for path in flash.iterdir()} == expected
    assert ucmsim("phone", "show", "--flash", flash, "--json").json["status_messages"][-1]["text"] == message
    assert "erased" in trace.read_text("utf-8")


def test_a_factory_reset_makes_a_new_phone_with_its_old_name(running_lab: SharedLab, flash: Path) -> None:
    """R-PHN-4"""
    boot(running_lab, "--flash", flash)
    (flash / "mic.pem").write_bytes((VECTORS / "phone-mic.pem").read_bytes())
    done = ucmsim("phone", "factory-reset", "--flash", flash)
    assert (done.code, done.err) == (0, "SEP001122334455 is factory-new.\n")
    assert sorted(path.name for path in flash.iterdir()) == ["flash.json", "mic.pem", "status.json"]
    shown = ucmsim("phone", "show", "--flash", flash, "--json").json
    assert (shown["trust_lists"], shown["config"], shown["device"]) == ([], None, "SEP001122334455")
    assert [item["text"] for item in shown["status_messages"]] == ["Factory reset"]
    assert boot(running_lab, "--flash", flash, "--json").json["decisions"][0]["reason"] == "leap_of_faith"


def labelled(flash: Path, label: bytes = b'{"format": 1, "mac": "001122334455", "model": "8865"}') -> None:
    flash.mkdir()
    (flash / "flash.json").write_bytes(label)


LABELS = {
    "empty": b"",
    "garbage": b"\xff\x00{",
    "another format": b'{"format": 2, "mac": "001122334455", "model": "8865"}',
    "no model": b'{"format": 1, "mac": "001122334455"}',
    "a model that nobody knows": b'{"format": 1, "mac": "001122334455", "model": "0000"}',
    "no MAC address": b'{"format": 1, "mac": "../../etc", "model": "8865"}',
    "a list": b"[]",
    "nested beyond measure": b"[" * 200_000,
    "endless": b" " * 10_000_000,
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("command", ["show", "erase", "factory-reset", "directory"])
def test_a_flash_with_a_damaged_label_is_one_sentence_and_exit_code_3(flash: Path, command: str, kind: str) -> None:
    labelled(flash, LABELS[kind])
    (flash / "ITLFile.tlv").write_bytes(b"precious")
    done = ucmsim("phone", command, "--flash", flash)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("ucmsim: ")
    assert done.err.count("\n") == 1
    assert (flash / "ITLFile.tlv").read_bytes() == b"precious", "nothing is touched"


def test_a_boot_refuses_a_damaged_label_too(flash: Path) -> None:
    labelled(flash, LABELS["another format"])
    done = ucmsim("phone", "boot", *NOBODY, "--mac", KNOWN, "--flash", flash)
    assert (done.code, "has format 2; this version reads format 1" in done.err) == (3, True)


@pytest.mark.parametrize("command", ["show", "erase", "factory-reset"])
def test_a_folder_that_is_no_flash_is_exit_code_3(flash: Path, command: str) -> None:
    done = ucmsim("phone", command, "--flash", flash)
    assert (done.code, "is no flash folder" in done.err) == (3, True)


# --- the phone's clock ---


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        ("2010-01-01T00:00:00Z", "certificate_not_yet_valid"),
        ("1970-01-01", "certificate_not_yet_valid"),
        ("-3650d", "certificate_not_yet_valid"),
        ("+36500d", "certificate_expired"),
        ("2150-06-01T12:00:00+09:00", "certificate_expired"),
        ("+60s", "server_vouched_by_tvs"),
        ("-0h", "server_vouched_by_tvs"),
    ],
)
def test_a_directory_by_a_wrong_clock(running_lab: SharedLab, flash: Path, clock: str, reason: str) -> None:
    booted = boot(running_lab, "--flash", flash, "--clock", clock, "--json")
    assert (booted.code, booted.json["outcome"]) == (0, "booted")
    done = ucmsim("phone", "directory", "--flash", flash, "--clock", clock, "--json")
    assert done.json["decision"]["reason"] == reason
    assert done.code == (0 if reason == "server_vouched_by_tvs" else 1)


def test_the_clock_is_what_the_phones_messages_say(running_lab: SharedLab) -> None:
    told = boot(running_lab, "--clock", "2010-01-01T00:00:00Z", "--json").json["status_messages"]
    assert {item["time"][:14] for item in told} == {"2010-01-01T00:"}


@pytest.mark.parametrize(
    "clock", ["", "soon", "3650d", "-3650", "-99999d", "+999999999d", "1969-12-31", "9999-12-31", "2010-13-01", "+1y"]
)
def test_what_is_no_time_of_a_phone_is_a_usage_error(flash: Path, clock: str) -> None:
    done = ucmsim("phone", "boot", *NOBODY, "--mac", KNOWN, "--clock", clock)
    assert (done.code, "is no time of a phone's clock" in done.err) == (2, True)


def test_the_directory_opens_from_flash(running_lab: SharedLab, flash: Path) -> None:
    boot(running_lab, "--flash", flash)
    done = ucmsim("phone", "directory", "--flash", flash)
    assert done.code == 0
    assert "server_vouched_by_tvs" in done.out
    assert "1  Corporate Directory" in done.out
    as_json = ucmsim("phone", "directory", "--flash", flash, "--json").json
    assert as_json["menu"]["title"] == "Directories"


def test_a_directory_that_cannot_be_opened_says_why(running_lab: SharedLab, flash: Path) -> None:
    boot(running_lab, "--flash", flash)
    ports = running_lab.ports()
    for url, code in (
        (f"https://{HOST}:1/", 4),
        ("http://a..b/", 4),
        (f"http://{HOST}:{ports.http}/ITLFile.tlv", 1),
        (f"https://{HOST}:{ports.tvs}/", 1),
        ("ftp://x/", 3),
        ("https://", 3),
    ):
        done = ucmsim("phone", "directory", url, "--flash", flash)
        assert (done.code, "Traceback" in done.err) == (code, False), (url, done)


def test_a_phone_that_never_booted_has_no_directory(flash: Path) -> None:
    ucmsim("phone", "boot", *NOBODY, "--mac", KNOWN, "--flash", flash)
    done = ucmsim("phone", "directory", "--flash", flash)
    assert (done.code, done.err) == (3, "ucmsim: SEP001122334455 has no directory URL; boot it first or give one\n")


def test_a_damaged_flash_is_survived_and_told(running_lab: SharedLab, flash: Path) -> None:
    boot(running_lab, "--flash", flash)
    (flash / "ITLFile.tlv").write_bytes(b"damaged")
    (flash / "status.json").write_bytes(b"{")
    done = boot(running_lab, "--flash", flash, "--json")
    assert done.code == 0
    assert done.json["decisions"][0]["reason"] == "leap_of_faith"
    (flash / "flash.json").write_text("{}")
    damaged = ucmsim("phone", "show", "--flash", flash)
    assert damaged.code == 3
    assert "flash.json is damaged; delete the folder for a factory-new phone" in damaged.err


def test_the_trace_is_a_json_object_a_line(running_lab: SharedLab, tmp_path: Path) -> None:
    boot(running_lab, "--trace", tmp_path / "trace.jsonl")
    events = [json.loads(line) for line in (tmp_path / "trace.jsonl").read_text("utf-8").splitlines()]
    steps = [event["step"] for event in events]
    assert (steps[0], steps[-1]) == ("power_on", "boot_ended")
    assert {event["where"] for event in events} == {"SEP001122334455"}
    assert steps.count("decided") == 7


def test_a_trace_that_cannot_be_written_does_not_stop_the_phone(running_lab: SharedLab) -> None:
    done = boot(running_lab, "--trace", "/dev/full", "--json")
    assert (done.code, done.json["outcome"]) == (0, "booted")


# --- ucmsim tvs ---


@pytest.fixture
def exported(running_lab: SharedLab, tmp_path: Path) -> Path:
    for purpose in (Purpose.TVS, Purpose.TOMCAT, Purpose.CALLMANAGER):
        (tmp_path / f"{purpose.value}.pem").write_text(running_lab.certificate(purpose).pem)
    return tmp_path


def test_tvs_says_what_a_certificate_is_trusted_for(running_lab: SharedLab, exported: Path) -> None:
    server = f"{HOST}:{running_lab.ports().tvs}"
    asked = ("tvs", "verify", server, exported / "CallManager.pem", "--tvs", exported / "TVS.pem")
    done = ucmsim(*asked)
    subject = running_lab.certificate(Purpose.CALLMANAGER).subject
    assert (done.code, done.out) == (0, f"valid: {subject}\nroles: SAST, CCM_TFTP\nTTL: 86400 s\n")
    assert ucmsim(*asked, "--json").json == {
        "server": server,
        "reachable": True,
        "valid": True,
        "roles": ["SAST", "CCM_TFTP"],
        "ttl_s": 86_400,
    }


def test_tvs_does_not_know_a_stranger(running_lab: SharedLab, exported: Path) -> None:
    server = f"{HOST}:{running_lab.ports().tvs}"
    done = ucmsim("tvs", "verify", server, VECTORS / "rogue.pem", "--tvs", exported / "TVS.pem")
    assert (done.code, done.out) == (1, f"invalid: CN=rogue;O=Evil;OU=Evil is not known to {server}\n")


@pytest.mark.parametrize(
    ("port", "said"),
    [("nobody", "refuses the connection"), ("http", "fails in TLS"), ("https", "shows a certificate that is no TVS")],
)
def test_what_is_no_tvs_is_exit_code_4(running_lab: SharedLab, exported: Path, port: str, said: str) -> None:
    server = f"{HOST}:{getattr(running_lab.ports(), port, 1)}"
    asked = ("tvs", "verify", server, exported / "tomcat.pem", "--tvs", exported / "TVS.pem")
    done = ucmsim(*asked)
    assert done.code == 4
    assert done.err.startswith(f"ucmsim: {server} {said}")
    assert ucmsim(*asked, "--json").json["reachable"] is False


@pytest.mark.parametrize("name", ["", "x" * 65, "é"])
def test_a_device_name_that_tvs_cannot_carry_is_a_usage_error(exported: Path, name: str) -> None:
    asked = ("tvs", "verify", HOST, exported / "tomcat.pem", "--tvs", exported / "TVS.pem")
    done = ucmsim(*asked, "--device", name)
    assert (done.code, "1 to 64 printable characters" in done.err) == (2, True)


# --- ucmsim health ---


def test_a_healthy_node_is_exit_code_0(running_lab: SharedLab) -> None:
    server = f"{HOST}:{running_lab.ports().http}"
    assert ucmsim("health", server) == Done(0, f"{server} is up\n", "")
    assert ucmsim("health", server, "--json").json["healthy"] is True


@pytest.mark.parametrize(("port", "code"), [("nobody", 4), ("tvs", 4), ("secure_web", 4), ("web", 1)])
def test_what_is_no_healthy_node_is_told(running_lab: SharedLab, port: str, code: int) -> None:
    server = f"{HOST}:{getattr(running_lab.ports(), port, 1)}"
    done = ucmsim("health", server)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"ucmsim: {server} is not up: ")
    assert ucmsim("health", server, "--json").json["healthy"] is False
