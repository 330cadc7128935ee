"""A phone's DHCP on the command line: on which interface, and what it got, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.story.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from base.trace import Trace
    from lab.story.text import Language
    from phone_sim.clients.dhcp import DhcpTimes
    from phone_sim.lease import Lease
    from phone_sim.network import DhcpNetwork
    from phone_sim.servers import TftpServer

_ORIGINS = {
    "option 150": Text("option 150 comes first", "オプション 150 を最優先"),
    "option 66": Text("option 66; there is no option 150", "オプション 66(オプション 150 なし)"),
    "next server": Text(
        "next server (siaddr); there is no option 150 or 66", "次のサーバ siaddr(オプション 150、66 なし)"
    ),
    "server name": Text("server name (sname); nothing else names one", "サーバ名 sname(ほかに指定なし)"),
    "last resort": Text("nothing names a server: old phones try this name", "サーバの指定なし: 旧機種が試す名前を使用"),
}
_LEASED = Text(
    "DHCP: {address} from {server}, TFTP {hosts} ({why})", "DHCP: {server} から {address}、TFTP {hosts}({why})"
)
_ROWS = (
    ("address", Text("Address", "アドレス")),
    ("mask", Text("Subnet mask", "サブネットマスク")),
    ("routers", Text("Default router", "デフォルトルータ")),
    ("dns_servers", Text("DNS servers", "DNS サーバ")),
    ("domain", Text("Domain name", "ドメイン名")),
    ("dhcp_server", Text("DHCP server", "DHCP サーバ")),
    ("option_150", Text("Option 150", "オプション 150")),
    ("option_66", Text("Option 66", "オプション 66")),
    ("next_server", Text("Next server", "次のサーバ (siaddr)")),
    ("server_name", Text("Server name", "サーバ名 (sname)")),
)
_DURATION = Text("Lease", "リース期間")
_TIMES = Text("{lease} s, renewed after {renewal:g} s", "{lease} 秒、{renewal:g} 秒後に更新")
_NO_END = Text("without end", "無期限")
_OWN = Text("none: the address is the machine's own", "なし(アドレスは本機のもの)")
_TFTP = Text("TFTP servers", "TFTP サーバ")
_UNUSABLE = Text("Not usable", "使用不可")


def dhcp_network(
    name: str,
    mac: str,
    model: str,
    server_at: Callable[[str], TftpServer],
    trace: Trace,
    *,
    inform: bool,
    times: DhcpTimes | None = None,
) -> DhcpNetwork:
    """DHCP on an interface, for one phone.

    Args:
        name: of the interface, or ``auto``.
        mac: twelve hex digits; DHCP servers see it as the phone's hardware address.
        model: see `phone_sim.models.Model`.
        server_at: ports of a server, given its host.
        trace: takes what happens.
        inform: lease no address.
        times: how long to wait.

    Raises:
        OperatorError: there is no such interface, or it has no address to keep.
    """
    from base.clock import SystemClock
    from phone_sim.clients.dhcp import DhcpClient, DhcpTimes, Link
    from phone_sim.clients.interfaces import address_of, interface
    from phone_sim.dhcpmessages import DhcpIdentity
    from phone_sim.network import DhcpNetwork

    found = interface(name)
    own = address_of(found) if inform else None
    bound = trace.bind(where=f"SEP{mac}", service="DHCP")
    client = DhcpClient(DhcpIdentity(mac, model), Link(found), times=times or DhcpTimes(), trace=bound)
    return DhcpNetwork(client, server_at, inform=own, clock=SystemClock(), trace=bound)


def lease_line(lease: Lease, language: Language) -> str:
    """What a phone got, in one line."""
    origin, hosts = lease.tftp
    why = _ORIGINS[origin.value].of(language)
    return _LEASED.of(language, address=lease.address, server=lease.server, hosts=", ".join(hosts), why=why)


def print_lease(console: Console, lease: Lease, language: Language) -> None:
    """All that a phone got, and which TFTP servers it makes of that."""
    from rich.table import Table

    values = lease.as_json()
    table = Table(show_header=False, box=None, padding=(0, 2))
    for key, label in _ROWS:
        value = values[key]
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(label.of(language), text or "-")
    if lease.renewal_s is not None:
        duration = _TIMES.of(language, lease=lease.duration_s, renewal=lease.renewal_s)
    else:
        duration = (_NO_END if lease.leased else _OWN).of(language)
    table.add_row(_DURATION.of(language), duration)
    for note in lease.notes:
        table.add_row(_UNUSABLE.of(language), note)
    origin, hosts = lease.tftp
    table.add_row(_TFTP.of(language), f"{', '.join(hosts)} ({_ORIGINS[origin.value].of(language)})", style="bold")
    console.print(table)
