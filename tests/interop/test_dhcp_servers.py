"""A phone learns its servers from dnsmasq and from busybox udhcpd, in a network of their own (R-PHN-1, R-MIG-3)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import require_tool
from tests.interop.namespaces import PHONE, SERVER, Cable, Machine, cable
from tests.lab.command import program
from tests.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.interop.outside import Ran

pytestmark = pytest.mark.interop

MAC = "001122334455"
OPTION_150, OPTION_66 = f"150,{SERVER},10.77.0.2", "66,ucm.lab.example"
CONFIG = """
clusters:
  - name: alpha
    release: "12.5"
    domain: lab.example
    nodes:
      - {{name: alpha-pub, publisher: true, address: {address}}}
    devices:
      - {{mac: 001122334455, model: 8865, lines: [{{number: 2001}}]}}
"""


@pytest.fixture
def network() -> Iterator[Cable]:
    with cable() as joined:
        yield joined


class Dnsmasq:
    """dnsmasq on the servers' machine, with a pool of eleven addresses and short leases."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine, self._folder = machine, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "dnsmasq.log"
        self.leases = folder / "dnsmasq.leases"

    def start(self, *options: str, host: str = "", pool: str = "10.77.0.50,10.77.0.60,255.255.255.0,2m") -> None:
        self.stop()
        self.log.write_text("")
        self._process = self._machine.start(
            *(require_tool("dnsmasq"), "--no-daemon", "--conf-file=/dev/null", "--port=0", "--no-ping"),
            *("--user=root", "--log-dhcp", "--dhcp-authoritative", f"--dhcp-leasefile={self.leases}"),
            *(f"--interface={self._machine.interface}", "--bind-interfaces", "--domain=lab.example"),
            f"--dhcp-range={pool}",
            *(f"--dhcp-option={option}" for option in ("6,10.77.0.3", *options)),
            *((f"--dhcp-host={host}",) if host else ()),
            output=self.log,
        )
        for _ in until(lambda: "DHCP, sockets bound" in self.text):
            assert self._process.poll() is None, self.text

    def stop(self) -> None:
        if self._process is not None:
            self._machine.end(self._process)

    @property
    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def saw(self, kind: str) -> list[str]:
        """The addresses that messages of this kind were about."""
        return re.findall(rf"{kind}\(\S+\) (10\.\S+)", self.text)


@pytest.fixture
def dnsmasq(network: Cable, tmp_path: Path) -> Dnsmasq:
    require_tool("dnsmasq")
    return Dnsmasq(network.servers, tmp_path)


def asked(network: Cable, *more: str, mac: str = MAC) -> dict[str, Any]:
    ran = network.phones.run(*program(), "phone", "dhcp", "--mac", mac, "--json", *more)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("options", "servers", "origin"),
    [
        ((OPTION_150,), [SERVER, "10.77.0.2"], "option 150"),
        ((OPTION_66,), ["ucm.lab.example"], "option 66"),
        ((OPTION_150, OPTION_66), [SERVER, "10.77.0.2"], "option 150"),
        ((), [SERVER], "next server"),
    ],
    ids=["option 150", "option 66", "both", "neither"],
)
def test_dnsmasq_tells_a_phone_its_servers(
    network: Cable, dnsmasq: Dnsmasq, options: tuple[str, ...], servers: list[str], origin: str
) -> None:
    """Neither: dnsmasq puts itself into ``siaddr``. The phone's interface is the only one and has no address."""
    dnsmasq.start(*options)
    got = asked(network)
    assert (got["tftp_servers"], got["tftp_servers_from"]) == (servers, origin)
    assert re.fullmatch(r"10\.77\.0\.(5\d|60)", got["address"])
    assert (got["mask"], got["routers"], got["dns_servers"]) == ("255.255.255.0", [SERVER], ["10.77.0.3"])
    assert (got["domain"], got["dhcp_server"], got["lease_s"], got["notes"]) == ("lab.example", SERVER, 120, [])
    assert "vendor class: Cisco Systems, Inc. IP Phone CP-8865" in dnsmasq.text
    assert "client provides name: SEP001122334455" in dnsmasq.text
    for _ in until(lambda: dnsmasq.saw("DHCPRELEASE")):
        pass
    assert dnsmasq.saw("DHCPRELEASE") == [got["address"]]


def test_dnsmasq_can_answer_each_phone_differently(network: Cable, dnsmasq: Dnsmasq) -> None:
    """By hardware address: the phone's, not the interface's."""
    dnsmasq.start(f"tag:moved,150,{SERVER}", f"tag:!moved,{OPTION_150}", host="00:11:22:33:44:56,set:moved")
    assert asked(network)["option_150"] == [SERVER, "10.77.0.2"]
    assert asked(network, mac="00:11:22:33:44:56")["option_150"] == [SERVER]


def test_dnsmasq_answers_a_machine_that_keeps_its_address(network: Cable, dnsmasq: Dnsmasq) -> None:
    network.phones.ip("addr", "add", f"{PHONE}/24", "dev", network.phones.interface)
    dnsmasq.start(OPTION_150)
    got = asked(network, "--inform", "--interface", network.phones.interface)
    assert (got["address"], got["leased"], got["lease_s"]) == (PHONE, False, None)
    assert got["tftp_servers"] == [SERVER, "10.77.0.2"]
    assert dnsmasq.saw("DHCPINFORM") == [PHONE]
    assert not dnsmasq.saw("DHCPDISCOVER")
    assert not dnsmasq.saw("DHCPRELEASE")


UDHCPD = """
start 10.77.0.50
end 10.77.0.60
max_leases 11
interface {interface}
lease_file {folder}/udhcpd.leases
pidfile {folder}/udhcpd.pid
siaddr {next_server}
sname boot.lab.example
option subnet 255.255.255.0
option lease 600
{options}
"""


@pytest.mark.parametrize(
    ("options", "next_server", "servers", "origin"),
    [
        ("option 0x96 0a4d00010a4d0002", "10.77.0.4", [SERVER, "10.77.0.2"], "option 150"),
        ("opt tftp ucm.lab.example", "10.77.0.4", ["ucm.lab.example"], "option 66"),
        ("", "10.77.0.4", ["10.77.0.4"], "next server"),
        ("", "0.0.0.0", ["boot.lab.example"], "server name"),  # noqa: S104 - none
    ],
    ids=["option 150", "option 66", "siaddr", "sname"],
)
def test_busybox_udhcpd_tells_a_phone_its_servers(
    network: Cable, tmp_path: Path, options: str, next_server: str, servers: list[str], origin: str
) -> None:
    busybox, machine = require_tool("busybox"), network.servers
    config, log = tmp_path / "udhcpd.conf", tmp_path / "udhcpd.log"
    (tmp_path / "udhcpd.leases").touch()
    config.write_text(
        UDHCPD.format(interface=machine.interface, folder=tmp_path, next_server=next_server, options=options)
    )
    process = machine.start(busybox, "udhcpd", "-f", config, output=log)
    for _ in until(lambda: "started" in log.read_text()):
        assert process.poll() is None, log.read_text()
    got = asked(network)
    assert (got["tftp_servers"], got["tftp_servers_from"]) == (servers, origin)
    assert (got["dhcp_server"], got["lease_s"], got["notes"]) == (SERVER, 600, [])


def test_no_server_and_a_cable_that_is_unplugged_are_exit_code_4(network: Cable) -> None:
    command = (*program(), "phone", "dhcp", "--mac", MAC, "--timeout", "1")
    silent = network.phones.run(*command)
    name = network.phones.interface
    assert (silent.code, silent.err) == (4, f"ucmsim: no DHCP server on {name} answers in 1 s (DISCOVER)\n")
    network.phones.ip("link", "set", name, "down")
    down = network.phones.run(*command)
    assert (down.code, down.err) == (
        4,
        f"ucmsim: nothing can be sent on {name}, which may be down: Network is unreachable\n",
    )


def unprivileged(network: Cable, *more: str) -> Ran:
    drop = (require_tool("setpriv"), "--reuid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
    return network.phones.run(*drop, *program(), "phone", "dhcp", "--mac", MAC, *more)


def test_a_user_without_privilege_is_told_what_to_do(network: Cable) -> None:
    ran = unprivileged(network)
    assert ran.code == 3
    assert "needs UDP port 68, which this user may not bind: run as root, with CAP_NET_BIND_SERVICE" in ran.err
    assert "name the servers with --tftp" in ran.err


def test_no_privilege_is_needed_where_low_ports_are_open_as_in_containers(network: Cable, dnsmasq: Dnsmasq) -> None:
    """The network's range is ``static``: the server leases nothing, and answers an INFORM all the same."""
    opened = network.phones.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start")
    assert opened.code == 0, opened.err
    network.phones.ip("addr", "add", f"{PHONE}/24", "dev", network.phones.interface)
    dnsmasq.start(OPTION_150, pool="10.77.0.0,static,255.255.255.0")
    ran = unprivileged(network, "--inform")
    assert ran.code == 0, ran.err
    assert "10.77.0.1, 10.77.0.2 (option 150 comes first)" in ran.text


def test_the_interface_has_to_be_named_where_there_are_two(network: Cable) -> None:
    network.phones.ip("link", "add", "spare", "type", "veth", "peer", "name", "other")
    ran = network.phones.run(*program(), "phone", "dhcp", "--mac", MAC)
    assert ran.code == 3
    assert re.search(r"name the network interface for DHCP; there are .*spare", ran.err)


# -------------------------------------------------------------------- a laboratory on the real ports


class LabThere:
    """``ucmsim up`` on the servers' machine."""

    def __init__(self, machine: Machine, folder: Path, state: Path, address: str = SERVER) -> None:
        folder.mkdir()
        config, ready = folder / "lab.yaml", folder / "ready.json"
        config.write_text(CONFIG.format(address=address))
        command = ("up", "--config", config, "--state", state, "--ready-file", ready, "--trace", folder / "trace.jsonl")
        self._log = folder / "up.log"
        process = machine.start(*program(), *command, output=self._log)
        for _ in until(ready.exists):
            assert process.poll() is None, self._log.read_text()
        self.trace = folder / "trace.jsonl"

    def sent_files(self) -> int:
        """How many files it gave to phones."""
        return self.trace.read_text("utf-8").count('"step": "file_sent"')


@pytest.fixture
def lab_there(
    network: Cable, tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]
) -> Callable[[str, str], LabThere]:
    network.phones.ip("addr", "add", f"{PHONE}/24", "dev", network.phones.interface)
    return lambda name, address: LabThere(network.servers, tmp_path / name, tmp_path / f"{name}-state", address)


@pytest.mark.timeout(300)  # a cluster is installed first
@pytest.mark.parametrize("more", [(), ("--inform",)], ids=["lease", "inform"])
def test_a_phone_boots_from_where_dhcp_sends_it(
    network: Cable, dnsmasq: Dnsmasq, lab_there: Callable[[str, str], LabThere], more: tuple[str, ...]
) -> None:
    lab_there("lab", SERVER)
    dnsmasq.start(f"150,{SERVER}")
    command = (*program(), "phone", "boot", "--dhcp", network.phones.interface, "--mac", MAC)
    ran = network.phones.run(*command, "--json", *more)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["outcome"] == "booted"
    assert told["dhcp"]["tftp_servers"] == [SERVER]
    assert {item["server"] for item in told["fetches"]} == {f"{SERVER}:69", f"{SERVER}:6970"}
    shown = network.phones.run(*command, *more)
    assert f"{SERVER} (option 150 comes first)" in shown.text
    assert "booted: configuration from server" in shown.text


@pytest.mark.timeout(300)
def test_a_running_phone_moves_when_option_150_does(
    network: Cable, dnsmasq: Dnsmasq, lab_there: Callable[[str, str], LabThere], tmp_path: Path
) -> None:
    """R-MIG-3. T1 of 2 s: the lease is renewed, the phone stays where it is until its reset."""
    other = "10.77.0.2"
    network.servers.ip("addr", "add", f"{other}/24", "dev", network.servers.interface)
    old, new = lab_there("old", SERVER), lab_there("new", other)
    times = ("58,2", "59,60")  # T1 and T2
    dnsmasq.start(f"150,{SERVER}", *times)
    screen = tmp_path / "phone.out"
    command = ("phone", "run", "--dhcp", "auto", "--mac", MAC, "--web", "127.0.0.1:8080")
    process = network.phones.start(*program(), *command, output=screen)

    def shows(text: str, times: int = 1) -> None:
        for _ in until(lambda: screen.read_text("utf-8").count(text) >= times):
            assert process.poll() is None, screen.read_text("utf-8")

    shows(f"TFTP {SERVER} (option 150 comes first)")
    shows("Registered")
    page = network.phones.run(require_tool("curl"), "-s", "http://127.0.0.1:8080/NetworkConfigurationX").text
    address = dnsmasq.saw("DHCPACK")[0]
    for element in (
        f"<IPAddress>{address}</IPAddress>",
        "<SubNetMask>255.255.255.0</SubNetMask>",
        f"<DefaultRouter1>{SERVER}</DefaultRouter1>",
        "<DNSServer1>10.77.0.3</DNSServer1>",
        "<DomainName>lab.example</DomainName>",
        f"<DHCPServer>{SERVER}</DHCPServer>",
        f"<TFTPServer1>{SERVER}</TFTPServer1>",
    ):
        assert element in page
    assert (old.sent_files() > 0, new.sent_files()) == (True, 0)

    dnsmasq.start(f"150,{other}", *times)
    shows(f"TFTP {other} (option 150 comes first)")
    assert (screen.read_text("utf-8").count("boot 1"), new.sent_files()) == (1, 0), "renewed, not reset"
    assert process.stdin is not None
    process.stdin.write(b"r\n")
    process.stdin.flush()
    shows("tvs_does_not_know")  # it holds the old cluster's list, and the old TVS knows nothing of the new one
    assert new.sent_files() > 0

    network.phones.end(process)
    for _ in until(lambda: dnsmasq.saw("DHCPRELEASE")):
        pass
    assert dnsmasq.saw("DHCPRELEASE") == [address]
    assert set(dnsmasq.saw("DHCPACK")) == {address}
