"""The screen of a phone that stays up: one line for each thing that changes, a few keys to press.

Keys are lines on standard input: ``d`` directories, ``v`` services, a number selects, ``.`` closes a page, ``s``
settings, ``m`` status messages, ``e`` erase trust lists (``ec`` the CTL alone, ``ei`` the ITL), ``el`` erase the LSC,
``factory`` factory reset, ``r`` reset, ``q`` unplug. While a form is open, lines are what is filled in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from base.clock import SystemClock
from lab.dhcp import lease_line
from lab.pageview import PageView
from lab.phoneweb import PhoneWeb
from lab.reports import decision_table, outcome_text, print_settings
from lab.screentexts import BOOTED, KEYS, NO_NUMBER, WEB, message_text, registration_text
from phone_sim.life import LifeEvents, PhoneLife
from phone_sim.pushing import PushDesk
from phone_sim.trust import ListKind
from phone_sim.webpages import WebFacts
from wire.errors import UcmsimError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rich.console import Console

    from base.trace import Trace
    from lab.story.text import Language
    from phone_sim.clients.errors import DhcpError
    from phone_sim.lease import Lease
    from phone_sim.network import DhcpNetwork
    from phone_sim.phone import Phone
    from phone_sim.registration import RegistrationStatus
    from phone_sim.report import BootReport

_ERASED = {"e": (), "ec": (ListKind.CTL,), "ei": (ListKind.ITL,)}
_LONGEST_KEY = 256


@dataclass(frozen=True, slots=True)
class WebPage:
    """Where the phone's own web pages are served.

    Attributes:
        where: host and port to bind; the port may be 0.
        trace: takes what happens there.
    """

    where: tuple[str, int]
    trace: Trace


async def show_life(
    phone: Phone,
    console: Console,
    language: Language,
    page: WebPage | None = None,
    network: DhcpNetwork | None = None,
) -> None:
    """Runs the phone until it is unplugged, by key, Ctrl-C or a signal.

    Args:
        phone: which.
        console: its screen.
        language: of what is shown.
        page: where its web pages are; None for none.
        network: where it has its servers from, if from DHCP; it lives as long as the phone.

    Raises:
        FlashError: flash cannot be written.
        OperatorError: the web page's address cannot be bound, or the network interface not be used.
    """
    screen = _Screen(phone, console, language, network)
    unplugged = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, unplugged.set)
    console.print(f"{phone.name} ({phone.model.name})", style="bold")
    console.print(KEYS.of(language), style="dim")
    keys = asyncio.create_task(screen.read_keys(unplugged))
    try:
        async with contextlib.AsyncExitStack() as stack:
            if network is not None:
                network.on_lease = screen.leased
                await stack.enter_async_context(network)
            if page is not None:
                trace = page.trace.bind(where=phone.name)
                desk = PushDesk(phone.authorizes, screen.view, clock=SystemClock(), trace=trace)
                web = PhoneWeb(page.where, screen.facts, trace, desk=desk, allowed=lambda: phone.web_access)
                await stack.enter_async_context(web)
                console.print(WEB.of(language, url=web.url), markup=False)
            await screen.live(unplugged)
    finally:
        keys.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keys


class _Screen:
    def __init__(self, phone: Phone, console: Console, language: Language, network: DhcpNetwork | None) -> None:
        self._phone, self._console, self._language, self._network = phone, console, language, network
        self._life = PhoneLife(phone, LifeEvents(self._booted, self._registration, no_network=self._no_network))
        self._restart = asyncio.Event()
        self.view = PageView(phone, console, language)

    def facts(self) -> WebFacts:
        """What the phone's web pages say now."""
        registration = self._life.registration
        status = registration.status if registration is not None else None
        return WebFacts(
            settings=self._phone.settings,
            number=registration.number if registration is not None else "",
            address=registration.address if registration is not None else "",
            tftp_servers=self._phone.tftp_servers,
            registered_with=status.server if status is not None else "",
            status=status.text if status is not None else "",
            lease=self._network.lease if self._network is not None else None,
        )

    def leased(self, lease: Lease) -> None:
        """A lease that differs from the one before."""
        self._line(lease_line(lease, self._language))

    async def live(self, unplugged: asyncio.Event) -> None:
        while not unplugged.is_set():
            self._restart.clear()
            life = asyncio.create_task(self._life.run())
            waits = [asyncio.create_task(event.wait()) for event in (unplugged, self._restart)]
            await asyncio.wait({life, *waits}, return_when=asyncio.FIRST_COMPLETED)
            for task in (life, *waits):
                task.cancel()
            results = await asyncio.gather(life, *waits, return_exceptions=True)
            failure = results[0]
            if isinstance(failure, Exception):
                raise failure

    async def read_keys(self, unplugged: asyncio.Event) -> None:
        """Reads lines of standard input as they come; its end is no key.

        The descriptor stays blocking, as a terminal shares it with the output.
        """
        async with self._keyboard() as keys:
            while (key := await keys.get()) is not None:
                await self._press(key, unplugged)

    @contextlib.asynccontextmanager
    async def _keyboard(self) -> AsyncIterator[asyncio.Queue[str | None]]:
        loop, keys, typed = asyncio.get_running_loop(), asyncio.Queue[str | None](), bytearray()

        def readable() -> None:
            data = os.read(descriptor, 1024)
            if not data:
                loop.remove_reader(descriptor)
                keys.put_nowait(None)
                return
            *lines, rest = bytes(typed + data).split(b"\n")
            typed[:] = rest[:_LONGEST_KEY]
            for line in lines:
                keys.put_nowait(line.decode("utf-8", "replace").strip())

        try:
            descriptor = sys.stdin.fileno()
            loop.add_reader(descriptor, readable)
        except (OSError, ValueError, AttributeError):
            keys.put_nowait(None)  # nobody can press a key there: a file, or nothing at all
            yield keys
            return
        try:
            yield keys
        finally:
            loop.remove_reader(descriptor)

    async def _press(self, key: str, unplugged: asyncio.Event) -> None:
        try:
            if await self.view.type(key) or await self._look(key.lower()):
                return
            match key.lower():
                case "e" | "ec" | "ei" | "el" | "factory":
                    self._erase(key.lower())
                    self._restart.set()
                case "r":
                    self._restart.set()
                case "q":
                    unplugged.set()
                case _:
                    self._console.print(KEYS.of(self._language), style="dim")
        except UcmsimError as error:
            self._line(str(error))

    def _erase(self, key: str) -> None:
        match key:
            case "el":
                self._phone.erase_lsc()
            case "factory":
                self._phone.reset_to_factory()
            case _:
                self._phone.erase_trust_lists(*_ERASED[key])
        self._line(message_text(self._phone.settings.status_messages[-1].text, self._language))

    async def _look(self, key: str) -> bool:
        """Keys that show something; False for others."""
        match key:
            case "d":
                await self.view.directories()
            case "v":
                await self.view.services()
            case "s":
                print_settings(self._console, self._phone.settings, self._language)
            case "m":
                for message in self._phone.settings.status_messages:
                    said = message_text(message.text, self._language)
                    self._console.print(f"{message.time[:19].replace('T', ' ')}  {said}", markup=False)
            case _:
                return False
        return True

    def _booted(self, report: BootReport) -> None:
        outcome = outcome_text(report.outcome.value, self._language)
        self._line(BOOTED.of(self._language, number=self._life.boots, outcome=outcome))
        self._console.print(decision_table(report.decisions, self._language))
        for message in report.status_messages:
            self._line(message_text(message.text, self._language))

    def _no_network(self, error: DhcpError) -> None:
        self._line(str(error))

    def _registration(self, status: RegistrationStatus) -> None:
        """The status line: time, number, state, server."""
        registration = self._life.registration
        number = registration.number if registration is not None else ""
        said = registration_text(status.text, self._language)
        server = f" ({status.server})" if status.server else ""
        self._line(f"{number or NO_NUMBER.of(self._language)}  {said}{server}")

    def _line(self, text: str) -> None:
        self._console.print(f"{datetime.now(UTC):%H:%M:%S}  {text}", markup=False)
