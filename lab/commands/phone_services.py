"""``ucmsim phone services``, ``search``, ``contacts``, ``login``, ``logout``: what a phone opens on servers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import out, print_json
from lab.options import JsonOption, LanguageOption, TraceOption, open_trace, read_file
from wire.errors import OperatorError
from wire.ipphone import Input

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from lab.story.text import Language
    from phone_sim.browsing import Browser, PageReport
    from phone_sim.mobility import MobilityReport
    from phone_sim.phone import Phone

FolderOption = Annotated[Path, typer.Option("--flash", help="Folder that is the phone's memory.")]
UserOption = Annotated[str, typer.Option("--user", help="User ID.")]
PinOption = Annotated[
    str | None,
    typer.Option("--pin", help="PIN; others on this machine can see it here, so it is asked for when it is not given."),
]
PinFileOption = Annotated[Path | None, typer.Option("--pin-file", help="File whose first line is the PIN.")]
_MAX_PIN_FILE = 1_024


def add_to(app: typer.Typer, phone_of: Callable[[Path, Trace], Phone]) -> None:
    """Puts the commands beside the others of ``ucmsim phone``.

    Args:
        app: of ``ucmsim phone``.
        phone_of: makes the phone of a folder.
    """

    @app.command("services")
    def services(
        flash: FolderOption,
        select: Annotated[
            list[str] | None,
            typer.Argument(help="Numbers of entries to select, one after the other; in a form, what is filled in."),
        ] = None,
        trace: TraceOption = None,
        language: LanguageOption = "en",
        *,
        as_json: JsonOption = False,
    ) -> None:
        """Press the services key of a phone that has booted, and select entries by number.

        Each HTTPS server is checked by ITL or TVS before anything is sent.

        Exit 0 shown, 1 refused, 4 no server answered.
        """
        with open_trace(trace) as events:
            report = asyncio.run(_walk(phone_of(flash, events).browser, select or []))
        _show_page(report, language, as_json=as_json)
        raise typer.Exit(report.exit_code)

    @app.command("search")
    def search(
        flash: FolderOption,
        name: Annotated[str, typer.Option("--name", help="Part of a name.")] = "",
        number: Annotated[str, typer.Option("--number", help="Beginning of a directory number.")] = "",
        trace: TraceOption = None,
        language: LanguageOption = "en",
        *,
        as_json: JsonOption = False,
    ) -> None:
        """Search the corporate directory with a phone that has booted; everybody when nothing is given.

        Exit 0 shown, 1 refused, 4 no server answered.
        """
        with open_trace(trace) as events:
            report = asyncio.run(phone_of(flash, events).browser.search(name, number))
        _show_page(report, language, as_json=as_json)
        raise typer.Exit(report.exit_code)

    @app.command("contacts")
    def contacts(
        flash: FolderOption,
        name: Annotated[str, typer.Option("--name", help="Part of a name or user ID.")] = "",
        user: Annotated[str | None, typer.Option("--user", help="User ID, for a search that wants a log-in.")] = None,
        password_file: Annotated[
            Path | None,
            typer.Option("--password-file", help="File whose first line is the password; else it is asked for."),
        ] = None,
        trace: TraceOption = None,
        language: LanguageOption = "en",
        *,
        as_json: JsonOption = False,
    ) -> None:
        """Search people by the configuration's contact search (UDS); everybody when nothing is given.

        The password is given only to a server that is trusted and asks for it.

        Exit 0 answered, 1 refused, 4 no server answered.
        """
        from lab.pages import print_contacts

        login = (user, _secret(None, password_file, "Password")) if user is not None else None
        with open_trace(trace) as events:
            report = asyncio.run(phone_of(flash, events).search_contacts(name, login))
        if as_json:
            print_json(report.as_json())
        else:
            print_contacts(out, report, language)
        raise typer.Exit(report.exit_code)

    @app.command("login")
    def login(
        flash: FolderOption,
        user: UserOption,
        pin: PinOption = None,
        pin_file: PinFileOption = None,
        trace: TraceOption = None,
        language: LanguageOption = "en",
        *,
        as_json: JsonOption = False,
    ) -> None:
        """Log a user in to a phone that has booted (Extension Mobility).

        It has the user's lines after its next boot; a phone that runs is restarted by its server.

        Exit 0 logged in, 1 refused, 4 no server answered.
        """
        from phone_sim.mobility import log_in

        secret = _secret(pin, pin_file)
        with open_trace(trace) as events:
            report = asyncio.run(log_in(phone_of(flash, events).browser, user, secret))
        _show_mobility(report, language, as_json=as_json)
        raise typer.Exit(report.exit_code)

    @app.command("logout")
    def logout(
        flash: FolderOption, trace: TraceOption = None, language: LanguageOption = "en", *, as_json: JsonOption = False
    ) -> None:
        """Log out whoever is logged in to a phone (Extension Mobility): it gets its own lines back.

        Exit 0 logged out, 1 refused, 4 no server answered.
        """
        from phone_sim.mobility import log_out

        with open_trace(trace) as events:
            report = asyncio.run(log_out(phone_of(flash, events).browser))
        _show_mobility(report, language, as_json=as_json)
        raise typer.Exit(report.exit_code)


async def _walk(browser: Browser, selected: list[str]) -> PageReport:
    from phone_sim.browsing import choose, filled

    report = await browser.services()
    left = list(selected)
    while left and report.page is not None:
        page = report.page
        if isinstance(page, Input):
            values = {item.parameter: left.pop(0) for item in page.items if left}
            report = await browser.open(filled(page, values), filled_in=True)
            continue
        text = left.pop(0)
        if not (text.isascii() and text.isdecimal()):
            raise OperatorError(f"{page.title!r} wants the number of an entry, not {text!r}")
        report = await browser.open(choose(page, int(text[:6])))
    return report


def _secret(pin: str | None, pin_file: Path | None, what: str = "PIN") -> str:
    if pin is not None and pin_file is not None:
        raise typer.BadParameter("--pin and --pin-file exclude each other")
    if pin is not None:
        return pin
    if pin_file is not None:
        lines = read_file(pin_file, _MAX_PIN_FILE).decode("utf-8", "replace").splitlines()
        return lines[0].strip() if lines else ""
    return str(typer.prompt(what, hide_input=True, err=True))


def _show_page(report: PageReport, language: Language, *, as_json: bool) -> None:
    from lab.pages import print_page

    if as_json:
        print_json(report.as_json())
    else:
        print_page(out, report, language)


def _show_mobility(report: MobilityReport, language: Language, *, as_json: bool) -> None:
    from lab.pages import print_mobility

    if as_json:
        print_json(report.as_json())
    else:
        print_mobility(out, report, language)
