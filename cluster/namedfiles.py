"""The files beside a phone's configuration: what they are called and what is in them.

Names as UCM's where they are known: ``SK<uuid>.xml``, ``Ringlist.xml``, ``<locale>/g3-tones.xml``, ``<locale>/*.jar``.
``DR<uuid>.xml`` is ours, after the first, and so is the model in ``<locale>/<model>-sip.jar``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cluster.phonesettings import (
    BUILT_IN_DIAL_RULES,
    BUILT_IN_NETWORK_LOCALES,
    BUILT_IN_SOFT_KEYS,
    BUILT_IN_USER_LOCALES,
    find,
)
from wire.dialtemplate import DialPattern, encode_dial_template
from wire.localearchive import encode_archive
from wire.phonetexts import TONES_FILE, Tone, encode_dictionary, encode_soft_keys, encode_tones
from wire.ringlist import DISTINCTIVE_RING_LIST_FILE, RING_LIST_FILE, Ring, encode_ring_list

if TYPE_CHECKING:
    from cluster.definition import ClusterDefinition
    from cluster.devices import Device

_SOFT_KEYS = re.compile(r"SK([0-9a-f-]{36})\.xml", re.IGNORECASE)
_DIAL_RULES = re.compile(r"DR([0-9a-f-]{36})\.xml", re.IGNORECASE)
_USER_LOCALE = re.compile(r"(\w+)/([0-9A-Za-z-]{1,16})-sip\.jar", re.ASCII | re.IGNORECASE)
_NETWORK_LOCALE = re.compile(rf"(\w+)/{re.escape(TONES_FILE)}", re.ASCII | re.IGNORECASE)
_RING_LISTS = {name.lower(): name for name in (RING_LIST_FILE, DISTINCTIVE_RING_LIST_FILE)}


@dataclass(frozen=True, slots=True)
class NamedFile:
    """One file.

    Attributes:
        name: as phones ask for it, folder included.
        data: unsigned.
    """

    name: str
    data: bytes


def soft_key_file(definition: ClusterDefinition, device: Device) -> str:
    """Name of a device's soft keys; empty for none."""
    found = find(device.soft_key_template, definition.soft_key_templates, BUILT_IN_SOFT_KEYS)
    return f"SK{_soft_key_uuid(definition, found.name)}.xml" if found else ""


def dial_template(definition: ClusterDefinition, device: Device) -> str:
    """Name of a device's dial template; empty for none."""
    found = find(device.dial_rules, definition.dial_rules, BUILT_IN_DIAL_RULES)
    return f"DR{_dial_rules_uuid(definition, found.name)}.xml" if found else ""


def named_file(definition: ClusterDefinition, name: str) -> NamedFile | None:
    """What the cluster has under a name, in any case; None when the name is none of these."""
    if name.lower() in _RING_LISTS:
        rings = tuple(Ring(ring.name, ring.file) for ring in definition.rings)
        return NamedFile(_RING_LISTS[name.lower()], encode_ring_list(rings))
    for pattern, make in (
        (_SOFT_KEYS, _soft_keys),
        (_DIAL_RULES, _dial_rules),
        (_USER_LOCALE, _user_locale),
        (_NETWORK_LOCALE, _network_locale),
    ):
        if found := pattern.fullmatch(name):
            return make(definition, *found.groups())
    return None


def _soft_keys(definition: ClusterDefinition, uuid: str) -> NamedFile | None:
    for template in (*definition.soft_key_templates, *BUILT_IN_SOFT_KEYS):
        own = _soft_key_uuid(definition, template.name)
        if own == uuid.lower():
            keys = {str(state): keys for state, keys in template.keys.items()}
            return NamedFile(f"SK{own}.xml", encode_soft_keys(template.name, keys))
    return None


def _dial_rules(definition: ClusterDefinition, uuid: str) -> NamedFile | None:
    for rules in (*definition.dial_rules, *BUILT_IN_DIAL_RULES):
        own = _dial_rules_uuid(definition, rules.name)
        if own == uuid.lower():
            patterns = tuple(DialPattern(item.match, item.timeout_s, item.user) for item in rules.patterns)
            return NamedFile(f"DR{own}.xml", encode_dial_template(patterns))
    return None


def _user_locale(definition: ClusterDefinition, name: str, model: str) -> NamedFile | None:
    """The same for every model."""
    locale = find(name, definition.user_locales, BUILT_IN_USER_LOCALES)
    if locale is None:
        return None
    dictionary = encode_dictionary(locale.name, locale.words)
    return NamedFile(f"{locale.name}/{model.lower()}-sip.jar", encode_archive({"dictionary.xml": dictionary}))


def _network_locale(definition: ClusterDefinition, name: str) -> NamedFile | None:
    locale = find(name, definition.network_locales, BUILT_IN_NETWORK_LOCALES)
    if locale is None:
        return None
    tones = tuple(Tone(tone.name, tone.frequencies_hz, tone.cadence_ms) for tone in locale.tones)
    return NamedFile(f"{locale.name}/{TONES_FILE}", encode_tones(locale.name, tones))


def _soft_key_uuid(definition: ClusterDefinition, name: str) -> str:
    return definition.stable_uuid("soft keys", name.lower())


def _dial_rules_uuid(definition: ClusterDefinition, name: str) -> str:
    return definition.stable_uuid("dial rules", name.lower())
