"""``utils ctl``: the cluster's security mode and its CTL (R-CTL-1). The dialogs are UCM's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.management.ctl import reset_ctl_localkey, set_mixed_mode, set_non_secure_mode, update_ctl
from services.commandline.grammar import Command
from services.commandline.texts import Ours, Ucm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


def _dialog(
    operation: Callable[..., Coroutine[object, object, None]], question: str, working: str, *done: str
) -> Callable[[CommandContext, Arguments], Awaitable[None]]:
    """A handler that asks, says what it does, does it, and says what it did."""

    async def run(context: CommandContext, _arguments: Arguments) -> None:
        await context.confirm(question, "y", "yes")
        await context.write(working)
        await context.finish(operation(context.store, context.actor))
        await context.write("\n".join(done))

    return run


COMMANDS = (
    Command(
        "utils ctl set-cluster mixed-mode",
        "make the CTL and switch the cluster to mixed mode",
        _dialog(set_mixed_mode, Ucm.MIXED_QUESTION, Ucm.MIXED_MOVING, Ucm.MIXED_DONE, Ucm.CTL_RESTART),
        level=1,
        publisher_only=True,
    ),
    Command(
        "utils ctl set-cluster non-secure-mode",
        "leave mixed mode",
        _dialog(
            set_non_secure_mode,
            Ucm.NON_SECURE_QUESTION,
            Ucm.NON_SECURE_MOVING,
            Ucm.NON_SECURE_DONE,
            Ucm.CTL_RESTART,
        ),
        level=1,
        publisher_only=True,
    ),
    Command(
        "utils ctl update CTLFile",
        "make the CTL anew from the certificates of this moment",
        _dialog(update_ctl, Ucm.CTL_QUESTION, Ucm.CTL_UPDATING, Ucm.CTL_UPDATED, Ucm.CTL_RESTART),
        level=1,
        publisher_only=True,
    ),
    Command(
        "utils ctl reset localkey",
        "sign the CTL with the CallManager key, for phones that do not know a new ITLRecovery",
        _dialog(
            reset_ctl_localkey,
            Ours.CTL_RESET_QUESTION,
            Ours.CTL_RESET_WORKING,
            Ours.CTL_RESET_DONE,
            Ucm.CTL_RESTART,
            Ours.CTL_RESET_NEXT,
        ),
        level=4,
        publisher_only=True,
    ),
)
