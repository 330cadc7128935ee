"""``ucmsim fleet``: thousands of phones in one process, against any server, ours or not."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import err, out, print_json
from lab.openfiles import require_open_files
from lab.options import JsonOption, LanguageOption, ModelOption, TraceOption, open_trace
from lab.serveroptions import HttpPortOption, HttpsPortOption, RequiredTftpOption, ServerOptions
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from base.trace import Trace
    from phone_sim.models import Model
    from phone_sim.phone import Phone
    from phone_sim.servers import TftpServer

app = typer.Typer(
    help="Run thousands of simulated phones in one process.",
    no_args_is_help=True,
    epilog="Exit codes: 0 all registered, 1 some not, 2 usage, 3 cannot be done here, 4 no server reached.",
)
_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})")
_MOST = 1_000_000
_EACH_BOOT = 4
"""Descriptors of a phone that boots: a download, a question to TVS, a CAPF session."""
_OTHERS = 64


@app.callback()
def group() -> None:
    """Run thousands of simulated phones in one process."""


@app.command("run")
def run(
    tftp: RequiredTftpOption,
    count: Annotated[int, typer.Option("--count", help="How many phones.", min=1, max=_MOST)],
    first_mac: Annotated[
        str, typer.Option("--first-mac", help="MAC address of the first phone; the others have the next ones.")
    ] = "0AFF00000001",
    model: ModelOption = "8865",
    rate: Annotated[
        float,
        typer.Option("--rate", help="Switch on at most so many phones in a second; 0: as fast as they boot.", min=0),
    ] = 0.0,
    at_once: Annotated[
        int, typer.Option("--at-once", help="Let at most so many phones boot at the same moment.", min=1, max=1_000)
    ] = 32,
    stay: Annotated[
        float | None,
        typer.Option(
            "--stay",
            metavar="SECONDS",
            help="End so long after the last phone has registered or found out that it cannot; Ctrl-C without it.",
            min=0,
        ),
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Run only part I of N, from 1, for several machines.")
    ] = None,
    flash: Annotated[
        Path | None, typer.Option("--flash", help="Folder that keeps each phone's memory; without it, new phones.")
    ] = None,
    http_port: HttpPortOption = None,
    https_port: HttpsPortOption = None,
    trace: TraceOption = None,
    language: LanguageOption = "en",
    *,
    as_json: JsonOption = False,
) -> None:
    """Boot many phones, register them, keep them registered, and say how many are at the end.

    Each phone registers over the transport that its configuration says, and obeys resets and restarts. The cluster
    has to know the phones: 'device_ranges' of a configuration makes thousands at a stroke.

    Exit 0 all registered when the time was over, 1 some not, 4 no server answered.
    """
    from lab.fleetscreen import print_report, show_fleet
    from phone_sim.fleet import Fleet, FleetLimits, macs_from, shard_of
    from phone_sim.models import model as model_of

    part, parts = _shard(shard)
    servers = ServerOptions(tftp, None, None, http_port, https_port, inform=False).servers
    try:
        macs, chosen = shard_of(macs_from(first_mac, count), part, parts), model_of(model)
    except OperatorError as error:
        raise typer.BadParameter(str(error)) from error
    if not macs:
        raise typer.BadParameter(f"part {shard} of {count} phones is empty", param_hint="--shard")
    require_open_files(len(macs) + _EACH_BOOT * at_once + _OTHERS, f"{len(macs)} phones")
    limits = FleetLimits(rate_per_s=rate, boots_at_once=at_once)
    with open_trace(trace) as events:
        fleet = Fleet(macs, _maker(chosen, servers, flash, events), limits)
        report = asyncio.run(show_fleet(fleet, stay, err, language))
    if as_json:
        print_json(report.as_json())
    else:
        print_report(out, report, language)
    raise typer.Exit(report.exit_code)


def _shard(text: str | None) -> tuple[int, int]:
    found = _SHARD.fullmatch(text or "1/1")
    part, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= part <= parts:
        raise typer.BadParameter(f"{text!r} is not I/N, such as 1/4 for the first of four parts", param_hint="--shard")
    return part, parts


def _maker(model: Model, servers: list[TftpServer], folder: Path | None, trace: Trace) -> Callable[[str], Phone]:
    from phone_sim.flash import DirectoryFlash, Flash, Owner
    from phone_sim.fleetflash import fleet_flash
    from phone_sim.phone import Phone

    volatile = fleet_flash()

    def make(mac: str) -> Phone:
        flash: Flash = (
            volatile() if folder is None else DirectoryFlash.create(folder / f"SEP{mac}", Owner(mac, model.name))
        )
        return Phone(mac, model, servers, flash, trace=trace)

    return make
