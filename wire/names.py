"""Distinguished names as trust lists and TVS carry them.

UCM writes a name most specific first, joined by ``;`` without blanks: ``CN=pub;OU=TAC;O=Cisco;L=Krakow;ST=MP;C=PL``.
Other builders join with ``,``. Certificates carry the same parts in either order. Two names are equal when their parts
are: order, separator, and the case of types do not count, so raw text is never compared.
(Order does not count because tools disagree on the direction of printing; a name is only ever used together with
a serial number to *find* a certificate, and the signature is then checked with what was found.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.x509.oid import NameOID

from wire.errors import WireError

if TYPE_CHECKING:
    from cryptography import x509

_SHORT = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.COUNTRY_NAME: "C",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.STREET_ADDRESS: "street",
    NameOID.TITLE: "title",
    NameOID.USER_ID: "UID",
}
_ESCAPED = frozenset(",;+\\")


@dataclass(frozen=True, slots=True, eq=False)
class DistinguishedName:
    """A parsed name.

    Attributes:
        parts: (type, value) pairs, most specific first; a multi-valued RDN gives one pair for each value.
    """

    parts: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> DistinguishedName:
        """Reads ``;``- or ``,``-joined text; a backslash escapes the next character, quotes are taken literally.

        Raises:
            WireError: a part has no ``=``, or no proper type before it.
        """
        pieces = _split(text, ";")
        if len(pieces) == 1:
            pieces = _split(text, ",")
        parts: list[tuple[str, str]] = []
        for piece in filter(str.strip, pieces):
            kind, equals, value = piece.partition("=")
            if not equals or not kind.strip() or not _ESCAPED.isdisjoint(kind):
                raise WireError(f"part {piece[:60]!r} of a distinguished name is not TYPE=VALUE")
            parts.append((kind.strip(), _unescape(value)))
        return cls(tuple(parts))

    @classmethod
    def from_x509(cls, name: x509.Name) -> DistinguishedName:
        """Takes the name out of a certificate, most specific part first whichever way the certificate has it."""
        rdns = [
            [(_SHORT.get(attribute.oid, attribute.oid.dotted_string), _text(attribute.value)) for attribute in rdn]
            for rdn in name.rdns
        ]
        kinds = [rdn[0][0] for rdn in rdns if rdn]
        if kinds and (kinds[0] in {"C", "DC"} or (kinds[-1] == "CN" and kinds[0] != "CN")):
            rdns.reverse()
        return cls(tuple(part for rdn in rdns for part in rdn))

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What equality compares."""
        return tuple(sorted((kind.upper(), " ".join(value.split())) for kind, value in self.parts))

    @property
    def common_name(self) -> str:
        """The first CN, or an empty string."""
        return next((value for kind, value in self.parts if kind.upper() == "CN"), "")

    def __str__(self) -> str:
        return ";".join(f"{kind}={_escape(value)}" for kind, value in self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DistinguishedName) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _split(text: str, separator: str) -> list[str]:
    pieces, start, escaped = [], 0, False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == separator:
            pieces.append(text[start:position])
            start = position + 1
    pieces.append(text[start:])
    return pieces


def _escape(value: str) -> str:
    return "".join("\\" + character if character in _ESCAPED else character for character in value)


def _unescape(value: str) -> str:
    out, escaped = [], False
    for character in value:
        if character == "\\" and not escaped:
            escaped = True
            continue
        out.append(character)
        escaped = False
    return "".join(out)
