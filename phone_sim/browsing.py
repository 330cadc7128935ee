"""What the phone's services and directories keys open: menus, forms and texts of the phone services interface.

Every HTTPS server is judged by ITL and TVS before anything is sent; a refused one reads ``Host Not Found``. Nothing
that a person filled in is reported or traced.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from phone_sim.clients.appserver import Opened, ask, open_object, without_query
from phone_sim.clients.errors import FetchError, ServerUnreachable
from phone_sim.messages import Status
from phone_sim.report import DecisionReport, directory_url
from phone_sim.trust import ServerPurpose
from wire.errors import OperatorError, WireError
from wire.ipphone import Directory, Input, Menu, MenuItem, PhoneError, TextPage
from wire.phoneconfig import PhoneConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from base.clock import Clock
    from base.trace import Json, Trace
    from phone_sim.clients.http import HttpAnswer
    from phone_sim.judging import ServerJudge
    from phone_sim.memory import PhoneMemory
    from phone_sim.options import Timeouts
    from wire.ipphone import Page

SERVICES, DIRECTORIES = 0, 1
"""Menus, as ``phoneService@type`` numbers them."""
_ALONE, _NEVER = 0, 1
"""``provisioning``: the configuration's entries alone; the URL alone; otherwise both."""
MAX_PAGES = 100
"""Pages of one directory search that are followed."""
_CORPORATE = "Application:Cisco/CorporateDirectory"
_CORPORATE_PATH = "/ccmcip/xmldirectoryinput.jsp"
_KINDS: Mapping[type, str] = {Menu: "menu", TextPage: "text", Input: "input", Directory: "directory"}


@dataclass(frozen=True, slots=True)
class PageReport:
    """One page that was opened, or not.

    Attributes:
        url: without what was filled in; empty for a menu of the phone's own.
        page: what was shown; None when nothing was.
        decision: on the server; None over plain HTTP, or when it was not reached.
        failure: why something is missing; empty when nothing is.
        reachable: the server answered.
        next_url: where a directory goes on.
    """

    url: str
    page: Page | None
    decision: DecisionReport | None = None
    failure: str = ""
    reachable: bool = True
    next_url: str = ""
    duration_ms: float = 0.0

    @property
    def refused(self) -> bool:
        """The phone did not trust the server."""
        return self.decision is not None and not self.decision.accepted

    @property
    def exit_code(self) -> int:
        """0 something is shown, 1 refused or not understood, 4 no server answered."""
        return 0 if self.page is not None else 1 if self.reachable else 4

    def as_json(self) -> dict[str, Json]:
        """Plain values."""
        return {
            "url": self.url,
            "kind": _KINDS.get(type(self.page)),
            "page": asdict(self.page) if self.page is not None else None,
            "decision": self.decision.as_json() if self.decision else None,
            "failure": self.failure,
            "reachable": self.reachable,
            "duration_ms": self.duration_ms,
        }


class Browser:
    """Opens pages for one phone.

    Args:
        device: ``SEP<MAC>``, which stands for ``#DEVICENAME#`` in addresses.
        memory: holds the configuration and the status messages.
        judge: of servers.
    """

    def __init__(
        self,
        device: str,
        memory: PhoneMemory,
        judge: ServerJudge,
        *,
        clock: Clock,
        trace: Trace,
        timeouts: Timeouts,
    ) -> None:
        self._device, self._memory, self._judge = device, memory, judge
        self._clock, self._timeouts = clock, timeouts
        self._trace = trace.bind(service="Services")

    async def services(self) -> PageReport:
        """The services key: entries of the configuration, those of its services URL, or both, as it says.

        Raises:
            OperatorError: there is nothing to open.
            FlashError: flash cannot be written.
        """
        config = self._config
        url = config.urls.get("secureServicesURL", "") or config.urls.get("servicesURL", "")
        own = Menu("Services", "", self._own_entries(config, SERVICES))
        if config.provisioning == _NEVER or not own.items:
            if not url:
                raise OperatorError(f"the configuration of {self._device} has neither services nor a services URL")
            return await self.open(url)
        if config.provisioning == _ALONE or not url:
            return PageReport("", own)
        report = await self.open(url)
        if not isinstance(report.page, Menu):
            return replace(report, page=own)
        named = {item.name for item in own.items}
        more = tuple(item for item in report.page.items if item.name not in named)
        return replace(report, page=replace(report.page, items=(*own.items, *more)))

    def _own_entries(self, config: PhoneConfig, kind: int) -> tuple[MenuItem, ...]:
        return tuple(MenuItem(entry.name, entry.url) for entry in config.phone_services if entry.kind == kind)

    async def directories(self) -> PageReport:
        """The directories key.

        Raises:
            OperatorError: there is nothing to open.
            FlashError: flash cannot be written.
        """
        config = self._config
        url, own = directory_url(config), self._own_entries(config, DIRECTORIES)
        if config.provisioning == _ALONE or not url:
            if not own:
                raise OperatorError(f"{self._device} has no directory URL; boot it first or give one")
            return PageReport("", Menu("Directories", "", own))
        return await self.open(url)

    async def open(self, url: str, *, filled_in: bool = False) -> PageReport:
        """One page.

        Args:
            url: what to open; ``Application:Cisco/CorporateDirectory`` is the one of its kind that is known.
            filled_in: it has what a person typed.

        Raises:
            OperatorError: it is no URL.
            FlashError: flash cannot be written.
        """
        target = self._resolve(url)
        shown, begun = without_query(target) if filled_in else target, self._clock.monotonic()
        decisions: list[DecisionReport] = []
        tls = self._judge.tls(ServerPurpose.APPLICATION, shown, decisions.append)
        opened, failure, reachable = None, "", True
        try:
            opened = await open_object(target, tls, trace=self._trace, limits=self._timeouts.http)
        except ServerUnreachable as error:
            failure, reachable = str(error), False
        except (FetchError, WireError) as error:
            failure = str(error)
        page = _page_of(opened)
        if opened is not None and page is None:
            failure = _told_by(opened)
        decision = decisions[-1] if decisions else None
        self._note(decision)
        duration_ms = round((self._clock.monotonic() - begun) * 1000, 3)
        kind = _KINDS.get(type(page), "")
        self._trace.emit("page_opened" if page else "page_failed", url=shown, kind=kind, detail=failure)
        next_url = opened.next_url if opened is not None else ""
        return PageReport(shown, page, decision, failure, reachable, next_url, duration_ms)

    async def ask(self, url: str, *, login: tuple[str, str] | None = None) -> HttpAnswer:
        """Something that is no object for the screen; 401 is an answer, too.

        Raises:
            OperatorError: it is no URL.
            FetchError: it could not be had.
            FlashError: flash cannot be written.
        """
        decisions: list[DecisionReport] = []
        tls = self._judge.tls(ServerPurpose.APPLICATION, without_query(url), decisions.append)
        try:
            return await ask(
                url, tls, trace=self._trace, limits=self._timeouts.http, login=login, wanted=frozenset({200, 401})
            )
        finally:
            self._note(decisions[-1] if decisions else None)

    def _note(self, decision: DecisionReport | None) -> None:
        if decision is not None and not decision.accepted:
            self._memory.say(Status.HOST_NOT_FOUND, reason=decision.reason.value, detail=decision.reason.text())
            self._memory.save_log()

    async def search(self, name: str, number: str) -> PageReport:
        """A whole search of the corporate directory: all its pages in one.

        Raises:
            OperatorError: there is nothing to open.
            FlashError: flash cannot be written.
        """
        report = await self.directories()
        if isinstance(report.page, Menu) and report.page.items:
            report = await self.open(choose(report.page, 1))
        if not isinstance(report.page, Input):
            return report
        form = report.page
        values = {item.parameter: number if "T" in item.flags.upper() else name for item in form.items}
        report = await self.open(filled(form, values), filled_in=True)
        entries = list(report.page.entries) if isinstance(report.page, Directory) else []
        last = report
        for _ in range(MAX_PAGES):
            if not isinstance(last.page, Directory) or not last.next_url:
                break
            last = await self.open(last.next_url, filled_in=True)
            entries += last.page.entries if isinstance(last.page, Directory) else ()
        if not isinstance(report.page, Directory):
            return report
        return replace(report, page=replace(report.page, entries=tuple(entries)), failure=last.failure, next_url="")

    @property
    def _config(self) -> PhoneConfig:
        config = self._memory.config
        if not isinstance(config, PhoneConfig):
            raise OperatorError(f"{self._device} has no configuration of its own; boot it first")
        return config

    def _resolve(self, url: str) -> str:
        if url == _CORPORATE:
            parts = urlsplit(directory_url(self._memory.config))
            return f"{parts.scheme}://{parts.netloc}{_CORPORATE_PATH}" if parts.netloc else url
        return url.replace("#DEVICENAME#", self._device)


def choose(page: Page, number: int) -> str:
    """Where the entry of that number leads: an item of a menu, else a key below the screen.

    Raises:
        OperatorError: there is no such entry.
    """
    choices = [item.url for item in page.items] if isinstance(page, Menu) else [key.url for key in page.soft_keys]
    if not 1 <= number <= len(choices):
        raise OperatorError(f"{page.title!r} has {len(choices)} entries to choose from; there is no number {number}")
    return choices[number - 1]


def filled(form: Input, values: Mapping[str, str]) -> str:
    """The address of a form with what was filled in: ``parameter=value`` for each field, its default when not named."""
    query = "&".join(
        f"{quote(item.parameter, safe='')}={quote(values.get(item.parameter, item.default), safe='')}"
        for item in form.items
    )
    return f"{form.url}{'&' if '?' in form.url else '?'}{query}" if query else form.url


def _page_of(opened: Opened | None) -> Page | None:
    content = opened.content if opened is not None else None
    return content if isinstance(content, Menu | TextPage | Input | Directory) else None


def _told_by(opened: Opened) -> str:
    content = opened.content
    if isinstance(content, PhoneError):
        return f"the server answers with error {content.number} {content.text}".rstrip()
    return f"the server answers with {type(content).__name__}, which is nothing to show"
