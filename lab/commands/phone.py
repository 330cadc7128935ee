"""``ucmsim phone``: one phone against any server, ours or not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands import phone_services
from lab.console import err, out, print_json, say
from lab.dhcp import dhcp_network, print_lease
from lab.options import (
    DEFAULT_STATE,
    JsonOption,
    LanguageOption,
    ModelOption,
    StateOption,
    TraceOption,
    open_trace,
)
from lab.serveroptions import (
    DhcpOption,
    HttpPortOption,
    HttpsPortOption,
    InformOption,
    ServerOptions,
    TftpOption,
    TftpPortOption,
)
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from base.trace import Trace
    from phone_sim.flash import Flash
    from phone_sim.lease import Lease
    from phone_sim.models import Model
    from phone_sim.network import DhcpNetwork
    from phone_sim.phone import Phone
    from phone_sim.report import BootReport
    from phone_sim.servers import ServerSource, TftpServer

app = typer.Typer(
    help="Boot a simulated phone from any TFTP server, and look into its memory.",
    no_args_is_help=True,
    epilog="Exit codes: 0 booted or opened, 1 refused something, 2 usage, 3 flash cannot be used, "
    "4 no server reached, or no DHCP server.",
)
MacOption = Annotated[str, typer.Option("--mac", help="MAC address, in any usual notation.")]
FlashOption = Annotated[
    Path | None, typer.Option("--flash", help="Folder that is the phone's memory; without it, a new phone each time.")
]
AuthStringOption = Annotated[
    str | None, typer.Option("--auth-string", help="Authentication string that somebody types for CAPF.")
]
ClockOption = Annotated[
    str | None,
    typer.Option(
        "--clock",
        metavar="TIME",
        help="What the phone's clock says when it starts, such as 2010-01-01T00:00:00Z, or how wrong it is, such as "
        "-3650d or +90m (d, h, m, s).",
    ),
]
FolderOption = Annotated[Path, typer.Option("--flash", help="Folder that is the phone's memory.")]


@app.command("boot")
def boot(
    mac: MacOption,
    tftp: TftpOption = None,
    dhcp: DhcpOption = None,
    model: ModelOption = "8865",
    flash: FlashOption = None,
    tftp_port: TftpPortOption = None,
    http_port: HttpPortOption = None,
    https_port: HttpsPortOption = None,
    auth_string: AuthStringOption = None,
    clock: ClockOption = None,
    trace: TraceOption = None,
    language: LanguageOption = "en",
    *,
    inform: InformOption = False,
    as_json: JsonOption = False,
) -> None:
    """Power a phone on: it fetches CTL, ITL, configuration and the files that this names, and decides whom to trust.

    Give --tftp or --dhcp. Exit 0 booted and nothing refused, 1 refused a file or found no configuration, 4 no server
    answered.
    """
    from lab.reports import print_boot

    options = ServerOptions(tftp or [], dhcp, tftp_port, http_port, https_port, inform=inform)
    with open_trace(trace) as events:
        network = options.network(*_mac_and_model(mac, model), events)
        phone = _phone(mac, model, network or options.servers, flash, events, auth_string, clock)
        report, lease = asyncio.run(_booted(phone, network))
    if as_json:
        print_json({**report.as_json(), "dhcp": lease.as_json() if lease else None})
    else:
        if lease is not None:
            print_lease(out, lease, language)
        print_boot(out, report, language)
    raise typer.Exit(report.exit_code)


@app.command("run")
def run(
    mac: MacOption,
    tftp: TftpOption = None,
    dhcp: DhcpOption = None,
    model: ModelOption = "8865",
    flash: FlashOption = None,
    tftp_port: TftpPortOption = None,
    http_port: HttpPortOption = None,
    https_port: HttpsPortOption = None,
    auth_string: AuthStringOption = None,
    web: Annotated[
        str | None,
        typer.Option("--web", metavar="[HOST:]PORT", help="Serve the phone's own web page there; off by default."),
    ] = None,
    clock: ClockOption = None,
    trace: TraceOption = None,
    language: LanguageOption = "en",
    *,
    inform: InformOption = False,
) -> None:
    """Keep a phone alive until Ctrl-C: it boots, registers, renews, and obeys resets and restarts from its server.

    Give --tftp or --dhcp. DHCP is asked again at each boot, and before its lease ends.
    """
    from lab.phoneweb import web_address
    from lab.screen import WebPage, show_life

    where = web_address(web) if web is not None else None
    options = ServerOptions(tftp or [], dhcp, tftp_port, http_port, https_port, inform=inform)
    with open_trace(trace) as events:
        network = options.network(*_mac_and_model(mac, model), events)
        phone = _phone(mac, model, network or options.servers, flash, events, auth_string, clock)
        page = WebPage(where, events) if where is not None else None
        asyncio.run(show_life(phone, out, language, page, network))


@app.command("dhcp")
def dhcp(
    mac: MacOption,
    interface: Annotated[
        str, typer.Option("--interface", help="Network interface; 'auto' is the only one beside lo.")
    ] = "auto",
    model: ModelOption = "8865",
    timeout_s: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long to ask.", min=1, max=3_600)
    ] = 30.0,
    trace: TraceOption = None,
    language: LanguageOption = "en",
    *,
    inform: InformOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask DHCP what a phone would get, show it, and give it back.

    Exit 0 a server answered, 3 the interface cannot be used, 4 no server answered.
    """
    from phone_sim.clients.dhcp import DhcpTimes
    from phone_sim.servers import TftpServer

    with open_trace(trace) as events:
        address, chosen = _mac_and_model(mac, model)
        times = DhcpTimes(overall_s=timeout_s)
        network = dhcp_network(interface, address, chosen.name, TftpServer, events, inform=inform, times=times)
        lease = asyncio.run(_leased(network))
    if as_json:
        print_json(lease.as_json())
    else:
        print_lease(out, lease, language)


@app.command("manufacture")
def manufacture(
    mac: MacOption,
    flash: FolderOption,
    model: ModelOption = "8865",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Make a factory-new phone with a manufacturer installed certificate (MIC), which the clusters of STATE trust.

    The CA that signs it is made with the first phone and lies in the state folder.
    """
    from base.trace import Trace
    from lab.laboratory import installed_clusters
    from lab.manufacturing import ManufacturingCa, trust_manufacturer
    from lab.stores import opened_store
    from phone_sim.servers import TftpServer

    async def trust(authority: ManufacturingCa) -> None:
        for cluster in clusters:
            async with opened_store(state, cluster) as store:
                await trust_manufacturer(store, authority)

    clusters = installed_clusters(state)
    phone = _phone(mac, model, [TftpServer("0.0.0.0")], flash, Trace())  # noqa: S104 - nobody is asked
    authority = ManufacturingCa.of(state)
    asyncio.run(trust(authority))
    mic = authority.mic(phone.mac, phone.model.name)
    phone.install_mic(mic)
    say(f"{phone.name} has a MIC: {mic.certificate.subject}, of {authority.identity.certificate.subject}")


@app.command("directory")
def directory(
    flash: FolderOption,
    url: Annotated[str | None, typer.Argument(help="What to open; the configuration's directory by default.")] = None,
    clock: ClockOption = None,
    trace: TraceOption = None,
    language: LanguageOption = "en",
    *,
    as_json: JsonOption = False,
) -> None:
    """Press the directory key of a phone that has booted: its server is checked by ITL or TVS before anything is sent.

    Exit 0 opened, 1 refused, 4 no server answered.
    """
    from lab.reports import print_directory

    with open_trace(trace) as events:
        phone = _phone_of(flash, events, clock)
        report = asyncio.run(phone.open_directory(url))
    if as_json:
        print_json(report.as_json())
    else:
        print_directory(out, report, language)
    raise typer.Exit(0 if report.menu else 1 if report.reachable else 4)


@app.command("show")
def show(flash: FolderOption, language: LanguageOption = "en", *, as_json: JsonOption = False) -> None:
    """Show a phone's security menu with its trust lists, its configuration, the files beside it, and its messages."""
    from base.trace import Trace
    from lab.reports import print_settings

    settings = _phone_of(flash, Trace()).settings
    if as_json:
        print_json(settings.as_json())
    else:
        print_settings(out, settings, language)


@app.command("erase")
def erase(
    flash: FolderOption,
    trace: TraceOption = None,
    *,
    ctl: Annotated[bool, typer.Option("--ctl", help="Erase the CTL.")] = False,
    itl: Annotated[bool, typer.Option("--itl", help="Erase the ITL.")] = False,
    lsc: Annotated[bool, typer.Option("--lsc", help="Erase the LSC and its key.")] = False,
) -> None:
    """Erase a phone's CTL and ITL by hand, as its settings menu does, or only what is named.

    A phone that holds neither list any more trusts the next one blindly. The configuration stays.
    """
    from phone_sim.trust import ListKind

    lists = tuple(kind for kind, wanted in ((ListKind.CTL, ctl), (ListKind.ITL, itl)) if wanted)
    with open_trace(trace) as events:
        phone = _phone_of(flash, events)
        if lists or not lsc:
            phone.erase_trust_lists(*lists)
            err.print(f"{lists[0].name} is erased." if len(lists) == 1 else "CTL and ITL are erased.")
        if lsc:
            phone.erase_lsc()
            err.print("LSC is erased.")


@app.command("factory-reset")
def factory_reset(flash: FolderOption, trace: TraceOption = None) -> None:
    """Make a phone factory-new: everything goes but its MIC, its MAC address and its model."""
    with open_trace(trace) as events:
        phone = _phone_of(flash, events)
        phone.reset_to_factory()
    err.print(f"{phone.name} is factory-new.")


async def _booted(phone: Phone, network: DhcpNetwork | None) -> tuple[BootReport, Lease | None]:
    if network is None:
        return await phone.boot(), None
    async with network:
        return await phone.boot(), network.lease


async def _leased(network: DhcpNetwork) -> Lease:
    async with network:
        await network.servers()
        lease = network.lease
    assert lease is not None  # noqa: S101 - servers() raises without one
    return lease


def _mac_and_model(mac: str, model_name: str) -> tuple[str, Model]:
    from phone_sim.models import model
    from phone_sim.phone import normal_mac

    try:
        return normal_mac(mac), model(model_name)
    except OperatorError as error:
        raise typer.BadParameter(str(error)) from error


def _phone(
    mac: str,
    model_name: str,
    servers: Sequence[TftpServer] | ServerSource,
    folder: Path | None,
    trace: Trace,
    auth_string: str | None = None,
    clock: str | None = None,
) -> Phone:
    from lab.phoneclock import phone_clock
    from phone_sim.flash import DirectoryFlash, MemoryFlash, Owner
    from phone_sim.phone import Phone

    address, chosen = _mac_and_model(mac, model_name)
    flash: Flash = MemoryFlash() if folder is None else DirectoryFlash.create(folder, Owner(address, chosen.name))
    return Phone(address, chosen, servers, flash, clock=phone_clock(clock), trace=trace, auth_string=auth_string)


def _phone_of(folder: Path, trace: Trace, clock: str | None = None) -> Phone:
    """The phone that a folder is the memory of; it is only looked at, or uses servers of its configuration."""
    from lab.phoneclock import phone_clock
    from phone_sim.flash import DirectoryFlash
    from phone_sim.models import model
    from phone_sim.phone import Phone
    from phone_sim.servers import TftpServer

    time, flash = phone_clock(clock), DirectoryFlash.open(folder)
    nobody = [TftpServer("127.0.0.1")]
    return Phone(flash.owner.mac, model(flash.owner.model), nobody, flash, clock=time, trace=trace)


phone_services.add_to(app, _phone_of)
