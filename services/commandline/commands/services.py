"""``utils service``: the list, and orders with every state on the way (R-CLI-1, R-CLI-2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.services import Order, carry_out, service_statuses
from cluster.servicecatalogue import CATALOGUE, Health, Kind, find_service
from services.commandline.grammar import Argument, Command
from services.commandline.texts import Ucm
from wire.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from cluster.management.services import ServiceStatus
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments

PATIENCE_S = 60.0
_WORDS = {
    Order.START: ("STARTED", "Started"),
    Order.STOP: ("STOPPED", "Stopped"),
    Order.RESTART: ("RESTARTED", "Restarted"),
    Order.ACTIVATE: ("ACTIVATED", "Activated"),
    Order.DEACTIVATE: ("DEACTIVATED", "Deactivated"),
}
_RUNNING_AFTERWARDS = frozenset({Order.START, Order.RESTART, Order.ACTIVATE})


async def list_services(context: CommandContext, _arguments: Arguments) -> None:
    """Every service of this node, the operating system's first."""
    await context.write(Ucm.SERVICES_REQUESTING)
    statuses = await service_statuses(context.store, context.node)
    platform = [status.line for status in statuses if status.kind is Kind.PLATFORM]
    product = [status.line for status in statuses if status.kind is not Kind.PLATFORM]
    between = (Ucm.SERVICE_MANAGER_RUNS, Ucm.SERVICES_GETTING, Ucm.SERVICES_CODE.format(code=0))
    await context.write("\n".join([*platform, *between, *product]))


def _order(order: Order) -> Callable[[CommandContext, Arguments], Awaitable[None]]:
    async def run(context: CommandContext, arguments: Arguments) -> None:
        name = find_service(arguments["SERVICE"]).name
        state, change = _WORDS[order]
        await context.write(Ucm.DO_NOT_INTERRUPT.format(state=state, change=change))
        await context.write(Ucm.SERVICE_MANAGER_RUNS)
        last: ServiceStatus | None = None
        steps = carry_out(context.store, context.node, name, order, context.actor, PATIENCE_S)
        async for last in steps:
            await context.write(last.line)
        if order in _RUNNING_AFTERWARDS and last is not None and last.state is not Health.STARTED:
            raise OperatorError(f"{name} did not start: {last.reason or 'no reason was given'}")

    return run


def _names(_context: CommandContext) -> Iterable[str]:
    return CATALOGUE


_SERVICE = Argument("SERVICE", "as 'utils service list' prints it, blanks included", choices=_names, rest=True)
_ABOUT = {
    Order.START: "start a service",
    Order.STOP: "stop a service until it is started, or the node is",
    Order.RESTART: "stop and start a service: it takes up new certificates",
    Order.ACTIVATE: "activate a feature service on this node",
    Order.DEACTIVATE: "deactivate a feature service on this node",
}

COMMANDS = (
    Command("utils service list", "every service of this node and its state", list_services),
    *(
        Command(f"utils service {order.value}", about, _order(order), (_SERVICE,), level=1)
        for order, about in _ABOUT.items()
    ),
)
