"""The page that is open on the screen of a phone that stays up, and what keys do with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.pages import print_page
from lab.reports import print_settings
from lab.story.text import Text
from phone_sim.browsing import choose, filled
from wire.ipphone import Input, InputItem, Menu, TextPage

if TYPE_CHECKING:
    from rich.console import Console

    from lab.story.text import Language
    from phone_sim.browsing import PageReport
    from phone_sim.phone import Phone

CLOSE = "."
_CHOOSE = Text("Number to select, . to close", "番号で選択、. で閉じる")
_FILL = Text("{field}: type and Enter ({close} cancels)", "{field}: 入力して Enter({close} で中止)")
_CLOSED = Text("Page closed", "ページを閉じました")
_KEYPAD, _SOFT = "Key:KeyPad", "Key:Soft"


class PageView:
    """One page at a time; the keyboard and what is pushed to the phone wait for each other."""

    def __init__(self, phone: Phone, console: Console, language: Language) -> None:
        self._phone, self._console, self._language = phone, console, language
        self._report: PageReport | None = None
        self._missing: list[InputItem] = []
        self._values: dict[str, str] = {}
        self._turn = asyncio.Lock()

    async def services(self) -> bool:
        """The services key.

        Raises:
            OperatorError: there is nothing to open.
            FlashError: flash cannot be written.
        """
        async with self._turn:
            return self._show(await self._phone.browser.services())

    async def directories(self) -> bool:
        """The directories key; raises as `services`."""
        async with self._turn:
            return self._show(await self._phone.browser.directories())

    async def open(self, url: str) -> bool:
        """An address that was pushed; False when nothing is shown. Raises as `services`."""
        async with self._turn:
            return self._show(await self._phone.browser.open(url))

    async def press(self, key: str) -> bool:
        """A key that was pushed, such as ``Key:Services``; False for one that the phone lacks. Raises as `services`."""
        match key:
            case "Key:Services":
                return await self.services()
            case "Key:Directories":
                return await self.directories()
            case "Key:Settings":
                print_settings(self._console, self._phone.settings)
                return True
            case "Key:NavBack" | "Init:Services" | "Init:Directories":
                self.close()
                return True
        page = self._report.page if self._report is not None else None
        number = key[-1:]
        pressed = (isinstance(page, Menu | TextPage) and key == f"{_KEYPAD}{number}") or (
            isinstance(page, TextPage) and key == f"{_SOFT}{number}"
        )
        return pressed and number.isdecimal() and await self.type(number)

    async def type(self, text: str) -> bool:
        """A line that a person typed; False when no page is open that takes it. Raises as `services`."""
        async with self._turn:
            page = self._report.page if self._report is not None else None
            if page is None or (not self._missing and text != CLOSE and not text.isdecimal()):
                return False
            if text == CLOSE:
                self.close()
            elif isinstance(page, Input) and self._missing:
                await self._fill(page, text)
            elif isinstance(page, Menu | TextPage):
                await self._follow(choose(page, int(text[:6])))
            else:
                return False
            return True

    def close(self) -> None:
        """Back to the idle screen."""
        if self._report is not None:
            self._console.print(_CLOSED.of(self._language), style="dim")
        self._report, self._missing, self._values = None, [], {}

    async def _follow(self, url: str) -> None:
        if url.startswith("SoftKey:"):
            self.close()
        else:
            self._show(await self._phone.browser.open(url))

    async def _fill(self, form: Input, text: str) -> None:
        item = self._missing.pop(0)
        self._values[item.parameter] = text or item.default
        if self._missing:
            self._ask()
        else:
            self._show(await self._phone.browser.open(filled(form, self._values), filled_in=True))

    def _show(self, report: PageReport) -> bool:
        print_page(self._console, report, self._language)
        page = report.page
        self._report = report if page is not None else None
        self._missing, self._values = list(page.items) if isinstance(page, Input) else [], {}
        if self._missing:
            self._ask()
        elif isinstance(page, Menu) or (isinstance(page, TextPage) and page.soft_keys):
            self._console.print(_CHOOSE.of(self._language), style="dim")
        return page is not None

    def _ask(self) -> None:
        self._console.print(_FILL.of(self._language, field=self._missing[0].name, close=CLOSE), style="dim")
