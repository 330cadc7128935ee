"""Extension Mobility from the phone's side: the pages of the service, walked through as a person does.

The service is found in the services menu by its path. Whether a log-in worked is told by the text alone: Cisco's
messages of failure end with a number in brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from phone_sim.browsing import choose, filled
from wire.errors import OperatorError
from wire.ipphone import Input, Menu, TextPage

if TYPE_CHECKING:
    from base.trace import Json
    from phone_sim.browsing import Browser, PageReport

_PATH = "/emapp/EMAppServlet"
_FAILED = re.compile(r"\(\d+\)\s*$")


@dataclass(frozen=True, slots=True)
class MobilityReport:
    """A log-in or log-out.

    Attributes:
        done: the service says that it worked.
        said: its words, or why there are none.
        last: the last page that was opened.
    """

    done: bool
    said: str
    last: PageReport

    @property
    def exit_code(self) -> int:
        """0 done, 1 refused, 4 no server answered."""
        return 0 if self.done else self.last.exit_code or 1

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {"done": self.done, "said": self.said, "last": self.last.as_json()}


async def log_in(browser: Browser, user: str, pin: str) -> MobilityReport:
    """Opens the service, fills in its form and sends it.

    Raises:
        OperatorError: the services menu does not offer it.
        FlashError: flash cannot be written.
    """
    report = await _open(browser)
    form = report.page
    if not isinstance(form, Input):
        return _told(report, expected=False)
    values = {item.parameter: pin if item.hidden else user for item in form.items}
    return _told(await browser.open(filled(form, values), filled_in=True), expected=True)


async def log_out(browser: Browser) -> MobilityReport:
    """Opens the service and says yes to its question.

    Raises:
        OperatorError: the services menu does not offer it.
        FlashError: flash cannot be written.
    """
    report = await _open(browser)
    if isinstance(report.page, Input):
        return MobilityReport(done=False, said="nobody is logged in", last=report)
    if not isinstance(report.page, TextPage) or not report.page.soft_keys:
        return _told(report, expected=False)
    return _told(await browser.open(choose(report.page, 1)), expected=True)


async def _open(browser: Browser) -> PageReport:
    report = await browser.services()
    if report.page is None:
        return report
    items = report.page.items if isinstance(report.page, Menu) else ()
    url = next((item.url for item in items if urlsplit(item.url).path == _PATH), None)
    if url is None:
        raise OperatorError(f"the services menu offers no Extension Mobility: no entry leads to {_PATH}")
    return await browser.open(url)


def _told(report: PageReport, *, expected: bool) -> MobilityReport:
    """What a page says; it is success only where one was expected."""
    if not isinstance(report.page, TextPage):
        return MobilityReport(done=False, said=report.failure or "the service answers with something else", last=report)
    said = report.page.text
    return MobilityReport(done=expected and not _FAILED.search(said), said=said, last=report)
