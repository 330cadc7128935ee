"""What in a cluster's definition contradicts itself, found on plain values with whatever else is wrong in them.

Working on plain values lets a configuration's contradictions be reported together with its misspelt keys and
malformed addresses, each with its own line, instead of after those are mended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.modelbase import normalise_mac
from cluster.parameters import SET_BY_COMMAND, check_parameter
from cluster.phonesettings import DEFAULT_RULES, STANDARD_USER
from wire.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cluster.configtext import Location

DEFAULT_GROUP = "Default"
GROUP_SIZE = 5
"""Members of a CallManager group, as many as phones take."""

SIP_PORT, SECURED_SIP_PORT = 5060, 5061
_SETTINGS = {
    "soft_key_templates": "soft key template",
    "dial_rules": "set of dial rules",
    "user_locales": "user locale",
    "network_locales": "network locale",
}
_CHOSEN = {
    "soft_key_template": ("soft_key_templates", STANDARD_USER),
    "dial_rules": ("dial_rules", DEFAULT_RULES),
}
"""Key of a device -> where it has to be defined, and the one that always is."""
_TRUE = frozenset({"true", "yes", "on", "1", "t", "y"})

Contradiction = tuple["Location", str]
"""Where and what."""


def trunk_port(security: object) -> int:
    """The SIP port that a security profile stands for."""
    return SECURED_SIP_PORT if security == "encrypted" else SIP_PORT


def contradictions_between(clusters: object) -> Iterator[Contradiction]:
    """Names that several clusters of a laboratory have, cluster names and node names."""
    found = list(_mappings(clusters))
    names = [((index, "name"), cluster.get("name")) for index, cluster in found]
    yield from _repeated("cluster name", names)
    nodes: list[tuple[Location, object]] = []
    for index, cluster in found:
        own = {str(node.get("name")).lower(): place for place, node in _mappings(cluster.get("nodes"))}
        nodes += [((index, "nodes", place, "name"), name) for name, place in own.items()]
    yield from _repeated("node name", nodes)


def contradictions(cluster: Mapping[str, object]) -> Iterator[Contradiction]:
    """Everything that one cluster's definition says against itself; what is malformed is passed over."""
    nodes = list(_mappings(cluster.get("nodes")))
    groups = list(_mappings(cluster.get("callmanager_groups")))
    yield from _nodes(nodes)
    yield from _groups(groups, [str(node["name"]) for _, node in nodes if isinstance(node.get("name"), str)])
    known = {str(group.get("name")) for _, group in groups} or {DEFAULT_GROUP}
    devices, ranges = list(_mappings(cluster.get("devices"))), list(_mappings(cluster.get("device_ranges")))
    yield from _devices("devices", devices, known)
    yield from _devices("device_ranges", ranges, known)
    yield from _overlaps(devices, ranges)
    yield from _phone_settings(cluster, devices)
    yield from _trunks(list(_mappings(cluster.get("sip_trunks"))), known)
    users = list(_mappings(cluster.get("users")))
    yield from _repeated("user", [(("users", index, "id"), user.get("id")) for index, user in users])
    yield from _parameters(cluster.get("parameters"))


def _nodes(nodes: list[tuple[int, Mapping[str, object]]]) -> Iterator[Contradiction]:
    publishers = sum(str(node.get("publisher")).lower() in _TRUE for _, node in nodes)
    if nodes and publishers != 1:
        yield ("nodes",), f"exactly one node has to be the publisher, not {publishers}"
    yield from _repeated("node name", [(("nodes", index, "name"), node.get("name")) for index, node in nodes])
    for index, node in nodes:
        yield from _repeated_in("service", ("nodes", index, "services"), node.get("services"))


def _groups(groups: list[tuple[int, Mapping[str, object]]], nodes: list[str]) -> Iterator[Contradiction]:
    names = [(("callmanager_groups", index, "name"), group.get("name")) for index, group in groups]
    yield from _repeated("CallManager group", names)
    for index, group in groups:
        members = ("callmanager_groups", index, "members")
        yield from _repeated_in("member", members, group.get("members"))
        for place, member in _texts(group.get("members")):
            if member not in nodes:
                where = (*members, place)
                yield where, f"CallManager group names {member!r}, which is no node; nodes: {', '.join(nodes)}"


def _devices(key: str, devices: list[tuple[int, Mapping[str, object]]], groups: set[str]) -> Iterator[Contradiction]:
    names: list[tuple[Location, object]] = []
    for index, device in devices:
        try:
            names.append(((key, index, "mac"), f"SEP{normalise_mac(str(device.get('mac')))}"))
        except ValueError:
            continue
    yield from _repeated("device", names)
    for index, device in devices:
        group = device.get("callmanager_group", DEFAULT_GROUP)
        if isinstance(group, str) and group not in groups:
            known = ", ".join(sorted(groups))
            where = (key, index, "callmanager_group")
            yield where, f"device names CallManager group {group!r}, which does not exist; groups: {known}"


def _overlaps(
    devices: list[tuple[int, Mapping[str, object]]], ranges: list[tuple[int, Mapping[str, object]]]
) -> Iterator[Contradiction]:
    """Ranges that have a phone of another one before, or of the devices."""
    single = [_macs(device.get("mac"), 1) for _, device in devices]
    taken = sorted((macs.start, macs.stop) for macs in single if macs)
    for index, item in ranges:
        macs = _macs(item.get("first"), item.get("count"))
        if not macs:
            continue
        other = next((start for start, stop in taken if start < macs.stop and macs.start < stop), None)
        if other is not None:
            shared = max(other, macs.start)
            yield ("device_ranges", index, "first"), f"device 'SEP{shared:012X}' of the range appears more than once"
        taken.append((macs.start, macs.stop))


def _macs(first: object, count: object) -> range:
    """Empty when either is malformed."""
    try:
        start = int(normalise_mac(str(first)), 16)
        return range(start, start + int(str(count)))
    except ValueError:
        return range(0)


def _trunks(trunks: list[tuple[int, Mapping[str, object]]], groups: set[str]) -> Iterator[Contradiction]:
    yield from _repeated("SIP trunk", [(("sip_trunks", index, "name"), trunk.get("name")) for index, trunk in trunks])
    ends: set[tuple[str, str]] = set()
    kinds = {str(SIP_PORT): "non-secure", str(SECURED_SIP_PORT): "encrypted"}
    for index, trunk in trunks:
        here: Location = ("sip_trunks", index)
        security = trunk.get("security") or "non-secure"
        incoming = str(trunk.get("incoming_port") or trunk_port(security)).strip().lstrip("0")
        group = trunk.get("callmanager_group", DEFAULT_GROUP)
        if isinstance(group, str) and group not in groups:
            known = ", ".join(sorted(groups))
            what = f"SIP trunk names CallManager group {group!r}, which does not exist; groups: {known}"
            yield (*here, "callmanager_group"), what
        if security == "encrypted" and not trunk.get("subject_names"):
            yield here, "an encrypted SIP trunk needs subject_names: those of the other end's certificate"
        if kinds.setdefault(incoming, str(security)) != security:
            key = "incoming_port" if trunk.get("incoming_port") else "security"
            what = f"port {incoming} takes {kinds[incoming]} SIP; give a trunk that is {security} another incoming_port"
            yield (*here, key), what
        end = (str(trunk.get("destination")), incoming)
        if end in ends:
            what = f"another SIP trunk has destination {end[0]} and incoming port {incoming}: requests fit both"
            yield (*here, "destination"), what
        ends.add(end)


def _phone_settings(
    cluster: Mapping[str, object], devices: list[tuple[int, Mapping[str, object]]]
) -> Iterator[Contradiction]:
    """Locales may be defined nowhere: their files can lie in the TFTP directory, or nowhere, as in a real cluster."""
    for key, what in _SETTINGS.items():
        names = [((key, index, "name"), item.get("name")) for index, item in _mappings(cluster.get(key))]
        yield from _repeated(what, names)
    for device_key, (key, built_in) in _CHOSEN.items():
        there = (built_in, *(str(item.get("name")) for _, item in _mappings(cluster.get(key))))
        known = {name.lower(): name for name in there}
        for index, device in devices:
            chosen = device.get(device_key)
            if isinstance(chosen, str) and chosen and chosen.lower() not in known:
                named = ", ".join(sorted(known.values()))
                yield ("devices", index, device_key), f"{_SETTINGS[key]} {chosen!r} does not exist; there are: {named}"


def _parameters(parameters: object) -> Iterator[Contradiction]:
    if not isinstance(parameters, dict):
        return
    for name, value in parameters.items():
        if name in SET_BY_COMMAND:
            yield ("parameters", name), f"it is changed by the command '{SET_BY_COMMAND[name]} ...', not in a file"
        elif isinstance(value, str):
            try:
                check_parameter(name, value)
            except Refusal as refusal:
                yield ("parameters", name), str(refusal)


def _repeated(what: str, found: Iterable[tuple[Location, object]]) -> Iterator[Contradiction]:
    """Every second and further appearance of a text, case aside."""
    seen: set[str] = set()
    for where, name in found:
        if isinstance(name, str):
            if name.lower() in seen:
                yield where, f"{what} {name!r} appears more than once"
            seen.add(name.lower())


def _repeated_in(what: str, where: Location, items: object) -> Iterator[Contradiction]:
    yield from _repeated(what, [((*where, index), item) for index, item in _texts(items)])


def _mappings(items: object) -> Iterator[tuple[int, Mapping[str, object]]]:
    if isinstance(items, list | tuple):
        yield from ((index, item) for index, item in enumerate(items) if isinstance(item, dict))


def _texts(items: object) -> Iterator[tuple[int, str]]:
    if isinstance(items, list | tuple):
        yield from ((index, item) for index, item in enumerate(items) if isinstance(item, str))
