"""Every mistake of a person is one clear sentence and a documented exit code, never a traceback."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.lab.command import clean_environment, program, run, ucmsim
from tests.services.wires import VECTORS

NO, USAGE, CANNOT, UNREACHABLE = 1, 2, 3, 4
BOOT = "phone boot --mac 001122334455"

MISTAKES = [
    # (what is typed, exit code, what is said)
    ("", USAGE, None),
    ("bogus", USAGE, "No such command 'bogus'"),
    ("file", USAGE, None),
    ("file show", USAGE, "Missing argument 'FILE'"),
    ("file show {tmp}/missing", CANNOT, "cannot read {tmp}/missing: No such file or directory"),
    ("file show {tmp}", CANNOT, "cannot read {tmp}: Is a directory"),
    ("file show {tmp}/empty", CANNOT, "{tmp}/empty: header: ends where an element has to begin, at byte 0"),
    ("file show {tmp}/garbage", CANNOT, "{tmp}/garbage: header: element "),
    ("file show {tmp}/half.tlv", CANNOT, "{tmp}/half.tlv: "),
    ("file show /dev/zero", CANNOT, "/dev/zero is larger than 1048576 bytes"),
    ("file verify {vectors}/ITLFile.tlv", USAGE, "Missing option '--signer'"),
    ("file verify {vectors}/ITLFile.tlv --signer {tmp}/garbage", CANNOT, "{tmp}/garbage: not a readable X.509"),
    ("file verify {vectors}/ITLFile.tlv --signer {tmp}/broken.pem", CANNOT, "{tmp}/broken.pem: not a PEM certificate"),
    ("cert list --state {tmp}/missing", CANNOT, "there is no state folder {tmp}/missing; 'ucmsim up --state"),
    ("cert list --state {tmp}/garbage", CANNOT, "{tmp}/garbage is no folder; --state names the one that"),
    ("cert list --state {tmp}", CANNOT, "{tmp} holds no cluster; 'ucmsim up --state {tmp}' makes one"),
    ("cert list --state {tmp}/damaged", CANNOT, "is no usable state database: file is not a database"),
    ("cert export TVS --der --state {tmp}", USAGE, None),
    ("cert add tomcat-trust --state {tmp}", USAGE, "Missing argument 'FILE...'"),
    ("cert add tomcat-trust {tmp}/garbage --state {tmp}", CANNOT, "{tmp}/garbage: not a readable X.509 certificate"),
    ("phone", USAGE, None),
    ("phone boot", USAGE, "Missing option '--mac'"),
    (BOOT, USAGE, "give either --tftp HOST or --dhcp INTERFACE"),
    (f"{BOOT} --tftp 127.0.0.1 --dhcp lo", USAGE, "give either --tftp HOST or --dhcp INTERFACE"),
    (f"{BOOT} --tftp 127.0.0.1 --inform", USAGE, "--inform and --tftp-port belong to --dhcp"),
    (f"{BOOT} --tftp 127.0.0.1 --tftp-port 70", USAGE, "--inform and --tftp-port belong to --dhcp"),
    (f"{BOOT} --dhcp lo --tftp-port 65535", USAGE, "no HTTP port can be derived from port 65535; give --http-port"),
    (f"{BOOT} --dhcp nowhere0", CANNOT, "there is no network interface 'nowhere0' here, only "),
    (f"{BOOT} --dhcp lo --model 1234", USAGE, "phone model '1234' is not known"),
    ("phone run --mac 001122334455", USAGE, "give either --tftp HOST or --dhcp INTERFACE"),
    ("phone run --mac 1 --dhcp lo", USAGE, "'1' is no MAC address"),
    ("phone dhcp", USAGE, "Missing option '--mac'"),
    ("phone dhcp --mac 001122334455 --timeout 0", USAGE, "'--timeout'"),
    ("phone dhcp --mac 001122334455 --interface a/b", CANNOT, "there is no network interface 'a/b' here"),
    ("phone dhcp --mac 001122334455 --model x", USAGE, "phone model 'x' is not known"),
    (f"{BOOT} --tftp 127.0.0.1:99999", USAGE, "'127.0.0.1:99999' is not HOST or HOST:PORT"),
    (f"{BOOT} --tftp 127.0.0.1:0", USAGE, "'127.0.0.1:0' is not HOST or HOST:PORT"),
    (f"{BOOT} --tftp a..b", USAGE, "'a..b' is not HOST or HOST:PORT"),
    (f"{BOOT} --tftp {'a' * 64}.example", USAGE, "is not HOST or HOST:PORT"),
    (f"{BOOT} --tftp 127.0.0.1:65535", USAGE, "no HTTP port can be derived from port 65535; give --http-port"),
    (f"{BOOT} --tftp 127.0.0.1 --http-port 70000", USAGE, "'--http-port'"),
    (f"{BOOT} --tftp 127.0.0.1 --model 1234", USAGE, "phone model '1234' is not known; known are 3905, 6901"),
    (f"{BOOT} --tftp 127.0.0.1 --lang de", USAGE, "'--lang'"),
    ("phone boot --tftp 127.0.0.1 --mac 12345", USAGE, "'12345' is no MAC address; twelve hex digits are needed"),
    (f"{BOOT} --tftp 127.0.0.1 --flash {{tmp}}/garbage", CANNOT, "flash folder {tmp}/garbage cannot be used: "),
    (f"{BOOT} --tftp 127.0.0.1 --trace {{tmp}}", CANNOT, "cannot write trace {tmp}: Is a directory"),
    ("phone show --flash {tmp}", CANNOT, "{tmp} is no flash folder: it has no flash.json"),
    ("phone directory --flash {tmp}/missing", CANNOT, "{tmp}/missing is no flash folder"),
    ("phone erase --flash {tmp}/garbage", CANNOT, "flash folder {tmp}/garbage cannot be read: Not a directory"),
    ("tvs verify a..b {vectors}/tvs.pem --tvs {vectors}/tvs.pem", USAGE, "'a..b' is not HOST or HOST:PORT"),
    ("tvs verify 127.0.0.1 {tmp}/missing --tvs {vectors}/tvs.pem", CANNOT, "cannot read {tmp}/missing"),
    ("tvs verify 127.0.0.1 {vectors}/tvs.pem", USAGE, "Missing option '--tvs'"),
    ("health a..b", USAGE, "'a..b' is not HOST or HOST:PORT"),
    ("up --config {tmp}/missing.yaml", CANNOT, "cannot read configuration {tmp}/missing.yaml: No such file"),
    ("up --config {tmp}", CANNOT, "cannot read configuration {tmp}: Is a directory"),
    ("up --config {tmp}/empty", USAGE, "{tmp}/empty:1: a configuration is a mapping with the key 'clusters'"),
    ("up --config {tmp}/tabs.yaml", USAGE, "{tmp}/tabs.yaml:2: "),
    ("up --port-offset 50001", USAGE, "'--port-offset'"),
    ("up --any-ports --port-offset 1", USAGE, "--any-ports leaves nothing to move with --port-offset"),
    ("up --any-ports --state {tmp}/garbage", CANNOT, "cannot keep state in {tmp}/garbage/alpha: Not a directory"),
    ("up --any-ports --state {tmp}/damaged", CANNOT, "is no usable state database: file is not a database"),
    ("up --any-ports --state {tmp}/new --trace {tmp}", CANNOT, "cannot write trace {tmp}: Is a directory"),
    ("node nobody --any-ports --state {tmp}/new", CANNOT, "no node 'nobody'; nodes: alpha-pub, alpha-sub1"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "empty").touch()
    (tmp_path / "garbage").write_bytes(bytes(range(37, 256)) * 4)
    (tmp_path / "half.tlv").write_bytes((VECTORS / "ITLFile.tlv").read_bytes()[:5_000])
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (tmp_path / "tabs.yaml").write_text("clusters:\n\t- name: a\n")
    (tmp_path / "damaged" / "alpha").mkdir(parents=True)
    (tmp_path / "damaged" / "alpha" / "cluster.sqlite").write_text("this is text\n" * 100)
    return tmp_path


@pytest.mark.parametrize(("typed", "code", "said"), MISTAKES, ids=[typed or "nothing" for typed, _, _ in MISTAKES])
def test_a_mistake_is_one_sentence_with_a_documented_code(
    folder: Path, typed: str, code: int, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    places = {"tmp": folder, "vectors": VECTORS}
    done = ucmsim(*typed.format(**places).split())
    assert done.code == code, done
    assert "Traceback" not in done.out + done.err
    if said is None:
        return
    assert said.format(**places) in done.err
    if code == CANNOT:
        assert re.fullmatch(
            r"ucmsim: [^\n]+\n", done.err.removeprefix("… installing cluster alpha: making its certificates\n")
        )
        assert not done.out


def test_every_problem_of_a_configuration_is_told_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "lab.yaml"
    config.write_text(
        "lab: {port_offset: much}\n"
        "clusters:\n"
        "  - name: alpha\n"
        "    release: '99'\n"
        "    nodes:\n"
        "      - {name: a, address: 1.2.3, publisher: true}\n"
        "    colour: blue\n"
        "    devices:\n"
        "      - {mac: 12, model: 8865}\n"
    )
    done = ucmsim("up", "--config", config)
    assert done.code == USAGE
    lines = done.err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [f"{config}:{number}" for number in (1, 4, 6, 7, 9)]
    assert all(line.startswith("ucmsim: ") for line in lines)


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    environment = clean_environment(UCMSIM_CLUSTERS__ALPHA__RELEASE="99")
    done = run("up", "--any-ports", "--state", tmp_path / "state", env=environment)
    assert done.code == USAGE
    assert done.err.startswith("ucmsim: environment variable UCMSIM_CLUSTERS__ALPHA__RELEASE: ")
    assert not (tmp_path / "state").exists()


def test_the_flash_of_another_phone_is_not_written_to(tmp_path: Path) -> None:
    options = (
        "phone",
        "boot",
        "--tftp",
        "127.0.0.1:1",
        "--http-port",
        "1",
        "--https-port",
        "1",
        "--flash",
        tmp_path / "flash",
    )
    assert ucmsim(*options, "--mac", "001122334455").code == UNREACHABLE
    other = ucmsim(*options, "--mac", "001122334456")
    assert other.code == CANNOT
    assert "belongs to a 8865 with MAC 001122334455, not to a 8865 with MAC 001122334456" in other.err


def test_output_that_cannot_be_written_is_said_on_stderr() -> None:
    with Path("/dev/full").open("w") as full:
        command = [*program(), "file", "show", str(VECTORS / "ITLFile.tlv")]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (CANNOT, "ucmsim: cannot go on: No space left on device\n")


def test_a_reader_that_goes_away_is_no_error_worth_a_traceback() -> None:
    first = subprocess.Popen(
        [*program(), "file", "show", str(VECTORS / "ITLFile.tlv")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert first.stdout is not None
    first.stdout.close()
    _, err = first.communicate(timeout=60)
    assert b"Traceback" not in err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_show_a_sign_gets_the_rest(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = run(
        "phone",
        "boot",
        "--tftp",
        "127.0.0.1:1",
        "--http-port",
        "1",
        "--mac",
        "001122334455",
        "--lang",
        "ja",
        env=environment,
    )
    assert done.code == UNREACHABLE
    assert "\\u5fdc\\u7b54" in done.out


def test_version_and_help_say_what_they_should() -> None:
    assert re.fullmatch(r"ucmsim \d+\.\d+\.\d+\S*\n", ucmsim("--version").out)
    shown = ucmsim("--help")
    assert shown.code == 0
    assert "Exit codes: 0 yes/done, 1 no/refused, 2 usage" in shown.out


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_what_this_user_may_not_touch_is_told_in_a_sentence(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o000)
    (tmp_path / "secret.tlv").touch(mode=0o000)
    for typed in (
        f"up --any-ports --state {private}/state",
        f"cert list --state {private}/state",
        f"file show {tmp_path}/secret.tlv",
        f"phone show --flash {private}/flash",
        f"{BOOT} --tftp 127.0.0.1 --flash {private}/flash",
    ):
        done = ucmsim(*typed.split())
        assert (done.code, "Traceback" in done.err) == (CANNOT, False), typed
