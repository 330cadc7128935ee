"""The phone's own web pages: XML for programs, HTML for people. Pure: facts in, bytes out.

``/DeviceInformationX`` has the elements of a 7940's, in their order; the other XML pages those that programs of others
read there. What a simulated phone does not have is empty, and counters that it does not keep are 0. The paths below
``/CGI/Java`` are those of real phones, the short ones and all looks ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phone_sim.lease import Lease
    from phone_sim.messages import StatusMessage
    from phone_sim.report import Settings

XML, HTML = "text/xml", "text/html"
_LATIN = "iso-8859-1"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VERSION = re.compile(r"\.(\d+-\d+-\d+.*)")


@dataclass(frozen=True, slots=True)
class WebFacts:
    """What the pages tell.

    Attributes:
        settings: menus and status messages.
        number: first directory number; empty when it has none.
        address: of the phone; empty when not known.
        tftp_servers: first choice first.
        registered_with: host of the CallManager; empty when with none.
        status: of the registration, as on the screen.
        lease: what DHCP gave; None for a phone that was told its servers.
    """

    settings: Settings
    number: str
    address: str
    tftp_servers: tuple[str, ...]
    registered_with: str
    status: str
    lease: Lease | None = None

    @property
    def mac(self) -> str:
        """Twelve hex digits."""
        return self.settings.device.removeprefix("SEP")


def page(target: str, facts: WebFacts) -> tuple[str, bytes] | None:
    """Content type and bytes of a page; None when there is none.

    Args:
        target: path, and query if there is one.
        facts: what to tell.
    """
    path, _, query = target.partition("?")
    path = path.rstrip("/") or "/"
    if path == _SERVICEABILITY:
        path, query = _ADAPTERS.get(query, ""), ""
    if path in _NUMBERED:
        most, make = _NUMBERED[path]
        number = query or "1"
        return make(facts) if len(number) == 1 and number in "123456789"[:most] else None
    found = _PAGES.get(path)
    return found(facts) if found else None


def _device(facts: WebFacts) -> dict[str, str]:
    load = facts.settings.config.load if facts.settings.config else ""
    version = _VERSION.search(load)
    return {
        "MACAddress": facts.mac,
        "HostName": facts.settings.device,
        "phoneDN": facts.number,
        "appLoadID": load,
        "bootLoadID": "",
        "versionID": version[1] if version else "",
        "DSPLoadID": "",
        "addonModule1": "",
        "addonModule2": "",
        "hardwareRevision": "",
        "serialNumber": f"SIM{facts.mac[-8:]}",
        "modelNumber": f"CP-{facts.settings.model}",
        "Codec": "",
        "Amps": "",
        "C3PORevision": "",
        "MessageWaiting": "No",
    }


def _network(facts: WebFacts) -> dict[str, str]:
    """With a lease the address is the leased one, as on a phone that uses it; ``DHCPServer`` is our name."""
    config, lease = facts.settings.config, facts.lease
    servers = config.call_managers if config else ()
    return {
        "HostName": facts.settings.device,
        **({"DHCPServer": str(lease.server)} if lease else {}),
        "IPAddress": str(lease.address) if lease else facts.address,
        "SubNetMask": str(lease.mask or "") if lease else "",
        "DefaultRouter1": _first(lease.routers) if lease else "",
        "DomainName": lease.domain if lease else "",
        "DNSServer1": _first(lease.dns_servers) if lease else "",
        **{f"TFTPServer{place}": host for place, host in enumerate(facts.tftp_servers[:2], start=1)},
        **{f"CallManager{place}": host for place, host in enumerate(servers[:5], start=1)},
    }


def _first(addresses: Iterable[object]) -> str:
    return next(map(str, addresses), "")


def _trust(facts: WebFacts) -> dict[str, str]:
    """Checksums and sizes of the trust lists, and what they are good for."""
    settings = facts.settings
    lists = {summary.kind: summary for summary in settings.trust_lists}
    rows = {"Cluster security mode": settings.cluster_mode, "Registration": facts.status}
    if facts.registered_with:
        rows["Registered with"] = facts.registered_with
    for kind in ("CTL", "ITL"):
        summary = lists.get(kind)
        rows[f"{kind} file"] = f"{summary.size} bytes, signed by {summary.signer}" if summary else "Not Installed"
        if summary:
            rows[f"{kind} signature (SHA-1)"] = summary.sha1
            rows[f"{kind} signature (MD5)"] = summary.md5
    for certificate in settings.certificates:
        rows[certificate.kind] = "Installed"
    config = settings.config
    rows["TVS"] = ", ".join(config.tvs_servers) if config else ""
    return rows


def _document(root: str, values: Mapping[str, str]) -> tuple[str, bytes]:
    lines = [f'<?xml version="1.0" encoding="{_LATIN}"?>', f"<{root}>"]
    lines += [f"<{name}>{_clean(value)}</{name}>" for name, value in values.items()]
    return XML, "\n".join([*lines, f"</{root}>", ""]).encode(_LATIN, "xmlcharrefreplace")


def _html(title: str, rows: Iterable[tuple[str, str]], facts: WebFacts) -> tuple[str, bytes]:
    links = "".join(
        f'<li><a href="{path}"{_HERE if name == title else ""}>{name}</a></li>' for path, name in _LINKS.items()
    )
    body = "".join(f"<tr><th>{_clean(name)}</th><td>{_clean(value)}</td></tr>\n" for name, value in rows)
    name = _clean(f"{facts.settings.device} (CP-{facts.settings.model}), simulated")
    text = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><header><h1>{title}</h1><p>{name}</p></header>\n<div><nav><ul>{links}</ul></nav>\n"
        f"<main>{f'<table>{body}</table>' if body else _NOTHING}</main></div></body></html>\n"
    )
    return HTML, text.encode("utf-8")


def _clean(text: str) -> str:
    return escape(_CONTROL.sub("?", text))


def _messages(facts: WebFacts) -> list[tuple[str, str]]:
    return [(_time(item), item.text) for item in facts.settings.status_messages]


def _time(item: StatusMessage) -> str:
    return f"{item.time[:19].replace('T', ' ')} UTC"


def _log(facts: WebFacts) -> list[tuple[str, str]]:
    """Messages with what the screen does not tell."""
    return [
        (_time(item), f"{item.text} ({item.reason}: {item.detail})" if item.reason else item.text)
        for item in facts.settings.status_messages
    ]


def _device_log(facts: WebFacts) -> tuple[str, bytes]:
    lines = [f"<status>{_clean(f'{time[11:19]} {text}')}</status>" for time, text in _messages(facts)]
    document = "\n".join([f'<?xml version="1.0" encoding="{_LATIN}"?>', "<DeviceLog>", *lines, "</DeviceLog>", ""])
    return XML, document.encode(_LATIN, "xmlcharrefreplace")


_ETHERNET = dict.fromkeys(
    ("TxFrames", "TxBroadcast", "TxMulticast", "TxUnicast", "RxFrames", "RxBroadcast", "RxMulticast", "RxUnicast"), "0"
)
_PORT = dict.fromkeys(
    (
        *("PortSpeed", "CDPNeighborDeviceId", "CDPNeighborIP", "CDPNeighborPort"),
        *("LLDPNeighborDeviceId", "LLDPNeighborIP", "LLDPNeighborPort"),
    ),
    "",
)
_STREAM = {
    **dict.fromkeys(("RemoteAddr", "LocalAddr"), ""),
    "StreamStatus": "Not Ready",
    "Name": "",
    **dict.fromkeys(("SenderPackets", "SenderOctets"), "0"),
    "SenderCodec": "None",
    **dict.fromkeys(("RcvrPackets", "RcvrOctets"), "0"),
    "RcvrCodec": "None",
    **dict.fromkeys(("RcvrLostPackets", "AvgJitter", "MaxJitter", "Latency"), "0"),
    "MOSLQK": "0.0000",
}
"""A simulated phone has no calls, so no streams."""

_HERE = ' aria-current="page"'
_NOTHING = "<p>There is nothing yet.</p>"
_STYLE = (
    "body{margin:0;font:15px/1.5 system-ui,sans-serif;color:#1d2733;background:#f4f6f8}"
    "header{background:#0b4f79;color:#fff;padding:.8em 1.5em}h1{font-size:1.3em;margin:0}header p{margin:0;opacity:.85}"
    "div{display:flex;flex-wrap:wrap;gap:1.5em;padding:1.5em}"
    "nav ul{list-style:none;margin:0;padding:0;min-width:12em}nav a{display:block;padding:.3em .8em;color:#0b4f79;"
    "text-decoration:none;border-left:3px solid transparent}nav a:hover{background:#e3ebf1}"
    "nav a[aria-current]{border-color:#0b4f79;font-weight:600;background:#e3ebf1}"
    "main{flex:1;min-width:20em}table{border-collapse:collapse;background:#fff;width:100%;box-shadow:0 1px 2px #0002}"
    "th,td{text-align:left;vertical-align:top;padding:.4em .9em;border-bottom:1px solid #e6eaee;overflow-wrap:anywhere}"
    "th{width:30%;font-weight:500;color:#51606e}"
)

_SERVICEABILITY = "/CGI/Java/Serviceability"
_ADAPTERS = {
    "adapter=device.statistics.device": "/",
    "adapter=device.statistics.configuration": "/NetworkConfiguration",
    "adapter=device.statistics.consolelog": "/ConsoleLogs",
}
_LINKS = {
    "/": "Device Information",
    "/NetworkConfiguration": "Network Configuration",
    "/TrustLists": "Trust Lists",
    "/EthernetInformation": "Ethernet Information",
    "/PortInformation": "Port Information",
    "/StreamingStatistics": "Streaming Statistics",
    "/StatusMessages": "Status Messages",
    "/ConsoleLogs": "Console Logs",
}
_Maker = Callable[[WebFacts], tuple[str, bytes]]


def _people(title: str, rows: Callable[[WebFacts], Iterable[tuple[str, str]]]) -> _Maker:
    return lambda facts: _html(title, rows(facts), facts)


_PAGES: Mapping[str, _Maker] = {
    "/": _people("Device Information", lambda facts: _device(facts).items()),
    "/DeviceInformationX": lambda facts: _document("DeviceInformation", _device(facts)),
    "/NetworkConfiguration": _people("Network Configuration", lambda facts: _network(facts).items()),
    "/NetworkConfigurationX": lambda facts: _document("NetworkConfiguration", _network(facts)),
    "/EthernetInformation": _people("Ethernet Information", lambda _facts: _ETHERNET.items()),
    "/EthernetInformationX": lambda _facts: _document("EthernetInformation", _ETHERNET),
    "/TrustLists": _people("Trust Lists", lambda facts: _trust(facts).items()),
    "/StatusMessages": _people("Status Messages", _messages),
    "/ConsoleLogs": _people("Console Logs", _log),
    "/DeviceLogX": _device_log,
}
_NUMBERED: Mapping[str, tuple[int, _Maker]] = {
    "/PortInformation": (3, _people("Port Information", lambda _facts: _PORT.items())),
    "/PortInformationX": (3, lambda _facts: _document("PortInformation", _PORT)),
    "/StreamingStatistics": (5, _people("Streaming Statistics", lambda _facts: _STREAM.items())),
    "/StreamingStatisticsX": (5, lambda _facts: _document("StreamingStatistics", _STREAM)),
}
"""Pages of which there are several: how many there are, by the number behind the ``?``."""
