"""Settings of the session and of the system: paging, time-out, FIPS mode, least TLS version, contact search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.contactsearch import contact_search_authenticated, set_contact_search
from cluster.parameters import FIPS_MODE, TLS_MIN_VERSION, TLS_VERSIONS, read_bool
from cluster.servicecatalogue import CALLMANAGER, CTI_MANAGER, TVS
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ours, Ucm
from wire.errors import Refusal

if TYPE_CHECKING:
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments

_MINUTES = range(5, 100_000)
"""Minutes that a session may be idle."""
_ON_OFF = Argument("STATE", "on or off", fixed=("on", "off"))


# ------------------------------------------------------------------ the session


async def show_pagination(context: CommandContext, _arguments: Arguments) -> None:
    """Whether long output is shown in pages."""
    await context.write(Ucm.PAGINATION.format(state="On" if context.settings.pagination else "Off"))


async def set_pagination(context: CommandContext, arguments: Arguments) -> None:
    """Switches that for this session."""
    context.settings.pagination = arguments["STATE"] == "on"
    await context.write(Ucm.PAGINATION_SET.format(state=arguments["STATE"]))


async def show_timeout(context: CommandContext, _arguments: Arguments) -> None:
    """After how long without input the session ends."""
    await context.write(Ours.TIMEOUT.format(minutes=f"{context.settings.idle_minutes:g}"))


async def set_timeout(context: CommandContext, arguments: Arguments) -> None:
    """Sets it for this session."""
    text = arguments["MINUTES"]
    if not text.isascii() or not text.isdecimal() or int(text) not in _MINUTES:
        possible = f"{_MINUTES.start} to {_MINUTES.stop - 1}"
        raise Refusal(400, Ours.WRONG_VALUE.format(name="MINUTES", value=text, possible=possible))
    context.settings.idle_minutes = int(text)
    await context.write(Ours.TIMEOUT_SET.format(minutes=text))


# ------------------------------------------------------------------ the system


async def fips_status(context: CommandContext, _arguments: Arguments) -> None:
    """The cluster's FIPS mode."""
    await context.write(Ours.FIPS.format(state="FIPS mode" if _fips(context) else "non-FIPS mode"))


async def fips_enable(context: CommandContext, _arguments: Arguments) -> None:
    """From then on only what FIPS allows is made (R-CRT-2)."""
    await _set_fips(context, enabled=True)


async def fips_disable(context: CommandContext, _arguments: Arguments) -> None:
    """The opposite."""
    await _set_fips(context, enabled=False)


async def _set_fips(context: CommandContext, *, enabled: bool) -> None:
    if _fips(context) is enabled:
        raise Refusal(409, Ours.FIPS_ALREADY.format(state=_state(enabled=enabled)))
    await context.confirm(Ours.FIPS_QUESTION.format(state="on" if enabled else "off"), "yes", "y")
    await context.finish(context.store.set_parameter(FIPS_MODE, str(enabled), context.actor))
    await context.write(Ours.FIPS_SET.format(state=_state(enabled=enabled)))


def _fips(context: CommandContext) -> bool:
    return read_bool(context.snapshot.parameter(FIPS_MODE))


async def show_tls_minimum(context: CommandContext, _arguments: Arguments) -> None:
    """The least TLS version of SIP, CTI and TVS."""
    await context.write(Ours.TLS_MINIMUM.format(version=context.snapshot.parameter(TLS_MIN_VERSION)))


async def set_tls_minimum(context: CommandContext, arguments: Arguments) -> None:
    """Sets it; a higher one shuts out old phones."""
    version, now = arguments["VERSION"], context.snapshot.parameter(TLS_MIN_VERSION)
    if version == now:
        raise Refusal(409, Ours.TLS_MINIMUM_ALREADY.format(version=version))
    if TLS_VERSIONS.index(version) > TLS_VERSIONS.index(now):
        await context.write(Ours.TLS_MINIMUM_WARNING.format(version=version))
    await context.confirm(Ours.TLS_MINIMUM_QUESTION.format(version=version), "yes", "y")
    await context.finish(context.store.set_parameter(TLS_MIN_VERSION, version, context.actor))
    await context.write(Ours.TLS_MINIMUM_SET.format(version=version))
    await context.write(Ours.RELATED.format(services=", ".join((CALLMANAGER, CTI_MANAGER, TVS))))


async def contact_search_status(context: CommandContext, _arguments: Arguments) -> None:
    """Whether this node's contact search asks for a log-in (R-UDS-1)."""
    enabled = contact_search_authenticated(context.snapshot, context.node)
    await context.write(Ours.CONTACT_SEARCH.format(state=_state(enabled=enabled)))


async def contact_search_enable(context: CommandContext, _arguments: Arguments) -> None:
    """Switches it on, on this node."""
    await _set_contact_search(context, enabled=True)


async def contact_search_disable(context: CommandContext, _arguments: Arguments) -> None:
    """Switches it off; the URL that phones have stays as it is."""
    await _set_contact_search(context, enabled=False)


async def _set_contact_search(context: CommandContext, *, enabled: bool) -> None:
    changed = await context.finish(set_contact_search(context.store, context.node, context.actor, enabled=enabled))
    if not changed:
        await context.write(Ours.CONTACT_SEARCH.format(state=_state(enabled=enabled)))
        return
    await context.write(Ours.CONTACT_SEARCH_SET.format(state=_state(enabled=enabled)))


def _state(*, enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


COMMANDS = (
    Command("show cli pagination", "whether long output is shown in pages", show_pagination),
    Command("show cli session timeout", "minutes without input that end the session", show_timeout),
    Command("set cli pagination", "show long output in pages, or not", set_pagination, (_ON_OFF,)),
    Command(
        "set cli session timeout",
        "minutes without input that end this session",
        set_timeout,
        (Argument("MINUTES", f"{_MINUTES.start} to {_MINUTES.stop - 1}"),),
        level=1,
    ),
    Command("show tls min-version", "least TLS version of SIP, CTI and TVS", show_tls_minimum),
    Command(
        "set tls min-version",
        "least TLS version of SIP, CTI and TVS, in the whole cluster",
        set_tls_minimum,
        (Argument("VERSION", " or ".join(TLS_VERSIONS), fixed=TLS_VERSIONS),),
        level=1,
    ),
    Command("utils fips status", "FIPS mode of the cluster", fips_status),
    Command("utils fips enable", "make only what FIPS allows from now on", fips_enable, level=1),
    Command("utils fips disable", "leave FIPS mode", fips_disable, level=1),
    Command(
        "utils contactsearchauthentication status", "whether contact search asks for a log-in", contact_search_status
    ),
    Command(
        "utils contactsearchauthentication enable",
        "let contact search of this node ask for a log-in",
        contact_search_enable,
        level=4,
    ),
    Command(
        "utils contactsearchauthentication disable",
        "open contact search of this node to everybody",
        contact_search_disable,
        level=4,
    ),
)
