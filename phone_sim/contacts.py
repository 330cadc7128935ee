"""Contact search: people by ``secureUDSUsersAccessURL`` of the configuration, with a log-in where one is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from phone_sim.clients.errors import FetchError, ServerUnreachable
from wire.errors import OperatorError, WireError
from wire.uds import MAX_USERS, decode_contacts

if TYPE_CHECKING:
    from base.trace import Json
    from phone_sim.browsing import Browser
    from phone_sim.clients.http import HttpAnswer
    from wire.uds import Contact

_MAX_PAGES = 100


@dataclass(frozen=True, slots=True)
class ContactReport:
    """A search.

    Attributes:
        found: everybody, of all pages; None when the search failed.
        failure: why; empty when it did not.
        reachable: the server answered.
        login_wanted: the server refused the log-in, or the want of one.
    """

    found: tuple[Contact, ...] | None
    failure: str = ""
    reachable: bool = True
    login_wanted: bool = False

    @property
    def exit_code(self) -> int:
        """0 found or nobody there, 1 refused, 4 no server answered."""
        return 0 if self.found is not None else 1 if self.reachable else 4

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        found: list[Json] | None = None if self.found is None else [dict(asdict(contact)) for contact in self.found]
        return {
            "found": found,
            "failure": self.failure,
            "reachable": self.reachable,
            "login_wanted": self.login_wanted,
        }


async def search_contacts(browser: Browser, url: str, name: str, login: tuple[str, str] | None = None) -> ContactReport:
    """Asks for everybody with `name` in the name.

    Args:
        browser: judges the server.
        url: of the search.
        name: part of it; all when empty.
        login: user and password, given only to a server that asks for them.

    Raises:
        OperatorError: `url` is empty or none.
        FlashError: flash cannot be written.
    """
    if not url:
        raise OperatorError("the configuration has no contact search URL; boot the phone first")
    found: list[Contact] = []
    try:
        for _ in range(_MAX_PAGES):
            page = f"{url}?{urlencode({'name': name, 'start': len(found), 'max': MAX_USERS})}"
            answer = await _ask(browser, page, login)
            if answer.status != HTTPStatus.OK:
                said = "the server wants a log-in" if login is None else "the server refuses the log-in"
                return ContactReport(None, said, login_wanted=True)
            contacts = decode_contacts(answer.body)
            found += contacts.contacts
            if not contacts.contacts or len(found) >= contacts.total:
                break
    except ServerUnreachable as error:
        return ContactReport(None, str(error), reachable=False)
    except (FetchError, WireError) as error:
        return ContactReport(None, str(error))
    return ContactReport(tuple(found))


async def _ask(browser: Browser, url: str, login: tuple[str, str] | None) -> HttpAnswer:
    answer = await browser.ask(url)
    if answer.status == HTTPStatus.UNAUTHORIZED and login is not None:
        return await browser.ask(url, login=login)
    return answer
