"""The phone's own web pages: XML for programs, HTML for people. Pure: facts in, bytes out.

``/DeviceInformationX`` has the elements of a 7940's, in their order; ``/NetworkConfigurationX`` those that a program of
others reads there. What a simulated phone does not have is empty. Paths and looks of the HTML pages are ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from phone_sim.lease import Lease
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


def page(path: str, facts: WebFacts) -> tuple[str, bytes] | None:
    """Content type and bytes of a page; None when there is none at that path."""
    make = _PAGES.get(path.rstrip("/") or "/")
    return make(facts) if make else None


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
    links = " · ".join(f'<a href="{path}">{name}</a>' for path, name in _LINKS.items())
    body = "".join(f"<tr><th>{_clean(name)}</th><td>{_clean(value)}</td></tr>\n" for name, value in rows)
    name = _clean(f"{facts.settings.device} (CP-{facts.settings.model}), simulated")
    text = (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1><p>{name}</p><p>{links}</p>\n<table>\n{body}</table></body></html>\n"
    )
    return HTML, text.encode("utf-8")


def _clean(text: str) -> str:
    return escape(_CONTROL.sub("?", text))


def _messages(facts: WebFacts) -> tuple[str, bytes]:
    return _html("Status Messages", [(item.time, item.text) for item in facts.settings.status_messages], facts)


_LINKS = {
    "/": "Device Information",
    "/NetworkConfiguration": "Network Configuration",
    "/TrustLists": "Trust Lists",
    "/StatusMessages": "Status Messages",
}
_PAGES: Mapping[str, Callable[[WebFacts], tuple[str, bytes]]] = {
    "/": lambda facts: _html("Device Information", _device(facts).items(), facts),
    "/DeviceInformationX": lambda facts: _document("DeviceInformation", _device(facts)),
    "/NetworkConfiguration": lambda facts: _html("Network Configuration", _network(facts).items(), facts),
    "/NetworkConfigurationX": lambda facts: _document("NetworkConfiguration", _network(facts)),
    "/TrustLists": lambda facts: _html("Trust Lists", _trust(facts).items(), facts),
    "/StatusMessages": _messages,
}
