"""What a phone's screen shows of pages that it opened: menus with numbers, forms, texts, directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from lab.reports import decision_table
from lab.story.text import Text
from wire.ipphone import Directory, Input, Menu, TextPage

if TYPE_CHECKING:
    from rich.console import Console

    from lab.story.text import Language
    from phone_sim.browsing import PageReport
    from phone_sim.contacts import ContactReport
    from phone_sim.mobility import MobilityReport
    from wire.ipphone import Page

_HOST_NOT_FOUND = Text("Host Not Found: {why}", "ホストが見つかりません: {why}")
_FAILED = Text("Cannot be shown: {why}", "表示できません: {why}")
_EMPTY = Text("(nothing found)", "(該当なし)")
_FIELDS = Text("to fill in", "入力項目")
_KEYS = Text("Keys", "キー")
_DONE = Text("Done: {said}", "完了: {said}")
_NOT_DONE = Text("Not done: {said}", "失敗: {said}")


def print_page(console: Console, report: PageReport, language: Language) -> None:
    """One page, how its server was judged, and what went wrong."""
    if report.url:
        console.print(report.url, style="bold")
    if report.decision is not None:
        console.print(decision_table([report.decision], language))
    if report.page is not None:
        print_content(console, report.page, language)
    if report.failure:
        said = _HOST_NOT_FOUND if report.refused or not report.reachable else _FAILED
        console.print(said.of(language, why=report.failure), style="red")


def print_content(console: Console, page: Page, language: Language) -> None:
    """The page alone."""
    console.print(f"{page.title}: {page.prompt}" if page.prompt else page.title, style="bold")
    table = Table.grid(padding=(0, 2))
    match page:
        case Menu():
            for number, item in enumerate(page.items, 1):
                table.add_row("", str(number), item.name)
        case TextPage():
            table.add_row("", page.text)
        case Input():
            for field in page.items:
                table.add_row("", f"{field.name}:", field.default, f"({_FIELDS.of(language)})")
        case Directory():
            for entry in page.entries:
                table.add_row("", entry.name, entry.telephone)
            if not page.entries:
                table.add_row("", _EMPTY.of(language))
    console.print(table)
    if page.soft_keys:
        keys = "  ".join(f"[{number}] {key.name}" for number, key in enumerate(page.soft_keys, 1))
        console.print(f"{_KEYS.of(language)}: {keys}", style="dim")


def print_mobility(console: Console, report: MobilityReport, language: Language) -> None:
    """A log-in or log-out: how the server was judged, and what the service said."""
    if report.last.decision is not None:
        console.print(decision_table([report.last.decision], language))
    if report.last.page is None:
        console.print(_HOST_NOT_FOUND.of(language, why=report.said), style="red")
        return
    said = _DONE if report.done else _NOT_DONE
    console.print(said.of(language, said=report.said), style="green" if report.done else "red")


def print_contacts(console: Console, report: ContactReport, language: Language) -> None:
    """People that a contact search found."""
    if report.found is None:
        said = _FAILED if report.login_wanted else _HOST_NOT_FOUND
        console.print(said.of(language, why=report.failure), style="red")
        return
    table = Table.grid(padding=(0, 2))
    for contact in report.found:
        table.add_row(contact.user_name, f"{contact.first_name} {contact.last_name}".strip(), contact.phone_number)
    if not report.found:
        table.add_row(_EMPTY.of(language))
    console.print(table)
