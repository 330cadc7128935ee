"""What a phone says of itself when it registers: its model, its firmware, its trust lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phone_sim.registration import Identity
from wire.ciscosip import TrustListAlarm
from wire.phoneconfig import DefaultConfig, Line, PhoneConfig

if TYPE_CHECKING:
    from phone_sim.models import Model
    from phone_sim.report import BootReport

_VERSION = re.compile(r"\.(\d+)-(\d+)-(\d+)")


def registrant(mac: str, model: Model, report: BootReport, last: str) -> Identity:
    """What a phone says of itself when it registers after a boot."""
    lists = {summary.kind: summary for summary in report.trust_lists}
    ctl, itl = lists.get("CTL"), lists.get("ITL")
    source = report.fetches[0].server.rpartition(":")[0] if report.fetches else ""
    alarm = TrustListAlarm(
        device=f"SEP{mac}",
        ipv4="",
        ctl_sha1=bytes.fromhex(ctl.sha1) if ctl else None,
        ctl_server=source if ctl else "",
        itl_sha1=bytes.fromhex(itl.sha1) if itl else None,
        itl_server=source if itl else "",
        status=int(report.alarm) if report.alarm is not None else 1,
    )
    load = report.config.load if report.config else ""
    version = _VERSION.search(load)
    agent = f"Cisco-CP{model.name}/{'.'.join(version.groups()) if version else '1.0.0'}"
    return Identity(mac, model.type_number, agent, load or "unknown", last, alarm)


def registrable(config: object, mac: str) -> PhoneConfig | None:
    """What a phone registers with: a device's configuration with a line and somewhere to register it.

    With a default configuration, where auto-registration is on, it gives its own name for want of a number (ours).
    """
    if isinstance(config, DefaultConfig) and config.auto_registration:
        own_name = Line(1, name=f"SEP{mac}", contact=mac.lower())
        config = PhoneConfig(call_managers=config.call_managers, tvs_servers=config.tvs_servers, lines=(own_name,))
    if isinstance(config, PhoneConfig) and config.lines and config.call_managers:
        return config
    return None
