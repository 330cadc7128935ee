"""User Data Services: the XML of a contact search, ``<users>`` with a ``<user>`` for each that was found.

Elements and attributes as an imitation of others writes them and clients read them; what is unknown is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire.errors import WireError
from wire.xmltree import XmlWriter, parse, read_number

if TYPE_CHECKING:
    from wire.xmltree import Node

MAX_USERS = 64
"""Of one answer, the cap of UCM 12.5."""
_MAX_COUNT = 1_000_000


@dataclass(frozen=True, slots=True)
class Contact:
    """A user.

    Attributes:
        uri: of the user's own resource.
        identifier: a UUID.
    """

    uri: str
    identifier: str
    user_name: str
    first_name: str = ""
    last_name: str = ""
    phone_number: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Contacts:
    """An answer.

    Attributes:
        version: of the server.
        uri: of the search.
        start: place of the first contact among all that were found, from 0.
        requested: how many were asked for.
        total: how many were found.
    """

    version: str
    uri: str
    start: int
    requested: int
    total: int
    contacts: tuple[Contact, ...]


_ELEMENTS = {
    "id": "identifier",
    "userName": "user_name",
    "firstName": "first_name",
    "lastName": "last_name",
    "phoneNumber": "phone_number",
    "email": "email",
}


def encode_contacts(found: Contacts) -> bytes:
    """Writes an answer.

    Raises:
        WireError: too many contacts, a number out of range, or a text with control characters.
    """
    _check(found)
    xml = XmlWriter(declaration=True)
    counts = {
        "start": found.start,
        "requestedCount": found.requested,
        "returnedCount": len(found.contacts),
        "totalCount": found.total,
    }
    attributes = {name: str(number) for name, number in counts.items()}
    with xml.inside("users", version=found.version, uri=found.uri, **attributes):
        for contact in found.contacts:
            with xml.inside("user", uri=contact.uri):
                for element, name in _ELEMENTS.items():
                    xml.words(element, getattr(contact, name))
    return xml.finish()


def decode_contacts(data: bytes) -> Contacts:
    """Reads an answer.

    Raises:
        WireError: not well-formed, not ``<users>``, with a document type definition, or beyond a limit.
    """
    root = parse(data, "users")
    contacts = tuple(
        Contact(
            uri=user.attributes.get("uri", ""), **{name: user.token(element) for element, name in _ELEMENTS.items()}
        )
        for user in root.all("user")
    )
    found = Contacts(
        version=root.attributes.get("version", ""),
        uri=root.attributes.get("uri", ""),
        start=_count(root, "start", 0),
        requested=_count(root, "requestedCount", MAX_USERS),
        total=_count(root, "totalCount", len(contacts)),
        contacts=contacts,
    )
    _check(found)
    return found


def _count(root: Node, name: str, default: int) -> int:
    text = root.attributes.get(name, "").strip()
    return read_number(f"users {name}", text, 0, _MAX_COUNT) if text else default


def _check(found: Contacts) -> None:
    if len(found.contacts) > MAX_USERS:
        raise WireError(f"{len(found.contacts)} users in one answer; the limit is {MAX_USERS}")
    if not all(0 <= number <= _MAX_COUNT for number in (found.start, found.requested, found.total)):
        raise WireError(f"a count of <users> is not from 0 to {_MAX_COUNT}")
