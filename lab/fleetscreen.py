"""A fleet on the screen: a bar while it comes up, and what it came to when it is stopped or its time is over."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab.story.text import Text
from phone_sim.fleet import Standing
from phone_sim.fleetreport import PERCENTILES, FleetReport

if TYPE_CHECKING:
    from rich.console import Console

    from lab.story.text import Language
    from phone_sim.fleet import Fleet
    from phone_sim.fleetreport import Spread

_EVERY_S = 0.25
_EVERY_LINE_S = 5.0
_NAMED = 3
_PROGRESS = Text(
    "booted {booted}, registered {registered}, refused {refused}, failed {failed}",
    "起動 {booted}、登録 {registered}、拒否 {refused}、失敗 {failed}",
)
_SUMMARY = Text(
    "{registered} of {phones} phones registered; {boots} boots, {registrations} registrations",
    "{phones} 台中 {registered} 台が登録済み (起動 {boots} 回、登録 {registrations} 回)",
)
_LEFT = Text("Unregistered: {unregistered} of {registered}", "登録解除: {registered} 台中 {unregistered} 台")
_LEAVING = Text("Unregistering ...", "登録を解除しています ...")
_STAYS = Text("Press Ctrl-C to unplug the phones.", "Ctrl-C で電話機の電源を切ります。")
_TROUBLE = Text("Not registered", "未登録"), Text("Why", "理由"), Text("Phones", "台数"), Text("Such as", "例")
_TIMES = Text("Seconds", "秒"), Text("Phones", "台数")
_BOOT = Text("boot", "起動")
_REGISTER = Text("registration after it", "その後の登録")
_STANDING = {
    Standing.OFF: Text("switched off", "電源断"),
    Standing.BOOTING: Text("booting", "起動中"),
    Standing.REGISTERING: Text("registering", "登録中"),
    Standing.REGISTERED: Text("registered", "登録済み"),
    Standing.REFUSED: Text("refused", "登録拒否"),
    Standing.UNANSWERED: Text("no CallManager answers", "CallManager の応答なし"),
    Standing.UNCONFIGURED: Text("nothing to register", "登録する設定なし"),
    Standing.NO_TFTP: Text("no TFTP server answers", "TFTP サーバの応答なし"),
    Standing.BROKEN: Text("flash cannot be used", "フラッシュを使用できない"),
}
_FAILED = (Standing.UNANSWERED, Standing.UNCONFIGURED, Standing.NO_TFTP, Standing.BROKEN)


async def show_fleet(fleet: Fleet, stay_s: float | None, remarks: Console, language: Language) -> FleetReport:
    """Runs a fleet until its time is over or it is stopped by a signal; how it stood at that moment.

    Args:
        fleet: not running yet.
        stay_s: seconds after the last phone has registered, or found out that it cannot; without end when None.
        remarks: takes the progress.
        language: of the progress.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, fleet.stop)
    reports: list[FleetReport] = []

    def leaving() -> None:
        reports.append(FleetReport.of(fleet))
        watching.cancel()

    if stay_s is None:
        remarks.print(_STAYS.of(language), style="dim")
    watching, ending = asyncio.create_task(_watch(fleet, remarks, language)), asyncio.create_task(_end(fleet, stay_s))
    try:
        await fleet.run(leaving=leaving)
    finally:
        ending.cancel()
        await asyncio.gather(watching, ending, return_exceptions=True)
    remarks.print(_LEFT.of(language, unregistered=fleet.unregistered, registered=reports[0].registered))
    return reports[0]


async def _end(fleet: Fleet, stay_s: float | None) -> None:
    await fleet.settled.wait()
    if stay_s is not None:
        await asyncio.sleep(stay_s)
        fleet.stop()


async def _watch(fleet: Fleet, console: Console, language: Language) -> None:
    """A bar on a terminal; elsewhere a line now and then, while anything changes."""
    if not console.is_terminal:
        await _tell(fleet, console, language)
        return
    columns = BarColumn(), TextColumn("{task.completed}/{task.total}"), TextColumn("{task.description}")
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        bar = progress.add_task("", total=len(fleet.members))
        try:
            while True:
                _draw(progress, bar, fleet, _progress(fleet, language))
                await asyncio.sleep(_EVERY_S)
        finally:
            _draw(progress, bar, fleet, f"{_progress(fleet, language)}. {_LEAVING.of(language)}")


def _draw(progress: Progress, bar: TaskID, fleet: Fleet, text: str) -> None:
    progress.update(bar, completed=fleet.counts[Standing.REGISTERED], description=text)


async def _tell(fleet: Fleet, console: Console, language: Language) -> None:
    said = ""
    try:
        while True:
            said = _tell_if_new(fleet, console, language, said)
            await asyncio.sleep(_EVERY_LINE_S)
    finally:
        _tell_if_new(fleet, console, language, said)
        console.print(_LEAVING.of(language))


def _tell_if_new(fleet: Fleet, console: Console, language: Language, said: str) -> str:
    now = _progress(fleet, language)
    if now != said:
        console.print(now)
    return now


def _progress(fleet: Fleet, language: Language) -> str:
    counts = fleet.counts
    under_way = counts[Standing.OFF] + counts[Standing.BOOTING]
    unbooted = under_way + counts[Standing.UNCONFIGURED] + counts[Standing.NO_TFTP] + counts[Standing.BROKEN]
    return _PROGRESS.of(
        language,
        booted=len(fleet.members) - unbooted,
        registered=counts[Standing.REGISTERED],
        refused=counts[Standing.REFUSED],
        failed=sum(counts[standing] for standing in _FAILED),
    )


def print_report(console: Console, report: FleetReport, language: Language) -> None:
    """What a person wants to know of a fleet."""
    console.print(
        _SUMMARY.of(
            language,
            registered=report.registered,
            phones=report.phones,
            boots=report.boots,
            registrations=report.registrations,
        )
    )
    if report.troubles:
        table = Table()
        for heading in _TROUBLE:
            table.add_column(heading.of(language), overflow="fold")
        for trouble in report.troubles:
            names = ", ".join(trouble.phones[:_NAMED]) + (" ..." if len(trouble.phones) > _NAMED else "")
            table.add_row(_STANDING[trouble.standing].of(language), trouble.reason, str(len(trouble.phones)), names)
        console.print(table)
    table = Table()
    for heading in _TIMES:
        table.add_column(heading.of(language))
    for percent in PERCENTILES:
        table.add_column(f"p{percent}" if percent < 100 else "max", justify="right")
    for what, spread in ((_BOOT, report.boot), (_REGISTER, report.register)):
        table.add_row(what.of(language), str(spread.count), *_figures(spread))
    console.print(table)


def _figures(spread: Spread) -> list[str]:
    shown = [f"{seconds:.3f}" for seconds in spread.percentiles]
    return [*shown, *["–"] * (len(PERCENTILES) - len(shown))]
