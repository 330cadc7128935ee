"""Soft keys and network tones of a phone, as this project writes them.

No source says what UCM writes into these two files, so the elements are ours, and there is nothing here that reads
them: a phone of ours takes any XML in their place, or it could not boot from a real server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.xmltree import XmlWriter

if TYPE_CHECKING:
    from collections.abc import Mapping

TONES_FILE = "g3-tones.xml"
"""In a folder named after the network locale."""
MAX_HZ, MAX_MS = 20_000, 60_000


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone that the phone plays by itself.

    Attributes:
        name: ``dial``, ``busy`` …
        frequencies_hz: sounding together.
        cadence_ms: on, off, on … and over again; empty for a tone without end.
    """

    name: str
    frequencies_hz: tuple[int, ...]
    cadence_ms: tuple[int, ...] = ()


def encode_soft_keys(template: str, keys: Mapping[str, tuple[str, ...]]) -> bytes:
    """Writes ``SK<uuid>.xml``.

    Args:
        template: name of the soft key template.
        keys: call state -> keys from left to right.

    Raises:
        WireError: a text that XML has no place for.
    """
    xml = XmlWriter(declaration=True)
    with xml.inside("softKeyTemplate", name=template):
        for state, names in keys.items():
            with xml.inside("softKeySet", state=state):
                for name in names:
                    xml.token("softKey", name)
    return xml.finish()


def encode_tones(locale: str, tones: tuple[Tone, ...]) -> bytes:
    """Writes ``g3-tones.xml``.

    Raises:
        WireError: a number out of range, or a text that XML has no place for.
    """
    xml = XmlWriter(declaration=True)
    with xml.inside("networkLocale", name=locale):
        for tone in tones:
            with xml.inside("tone", name=tone.name):
                for frequency in tone.frequencies_hz:
                    xml.number("frequency", frequency, 1, MAX_HZ)
                for time in tone.cadence_ms:
                    xml.number("milliseconds", time, 1, MAX_MS)
    return xml.finish()


def encode_dictionary(locale: str, words: Mapping[str, str]) -> bytes:
    """Writes the one file of ours in a user locale's archive.

    Raises:
        WireError: a text that XML has no place for.
    """
    xml = XmlWriter(declaration=True)
    with xml.inside("userLocale", name=locale):
        for key, text in words.items():
            xml.words("phrase", text, key=key)
    return xml.finish()
