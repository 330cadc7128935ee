"""``ucmsim admin`` and ``ucmsim audit``: a node's command line without SSH, or over it, and who changed what."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import err, out, print_json
from lab.options import DEFAULT_STATE, JsonOption, StateOption, host_and_port
from lab.tables import Rows
from wire.errors import OperatorError

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from services.commandline.context import CommandContext

ClusterOption = Annotated[str | None, typer.Option("--cluster", help="Which cluster, when the folder holds several.")]
INTERRUPTED = 130
UNREACHABLE = 4


def admin(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="As at the prompt; without one there is a prompt."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", help="Folder of the cluster; ucmsim-state when --host is not given.")
    ] = None,
    cluster: ClusterOption = None,
    node: Annotated[str | None, typer.Option("--node", help="Whose command line; the publisher's by default.")] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST[:PORT]", help="Run it over SSH there; port 22 by default.")
    ] = None,
    user: Annotated[str, typer.Option("--user", help="With --host: who logs in.")] = "admin",
    password: Annotated[
        str | None,
        typer.Option("--password", envvar="UCMSIM_ADMIN_PASSWORD", help="With --host; asked for when not given."),
    ] = None,
    *,
    accept_host_key: Annotated[
        bool, typer.Option("--accept-host-key", help="With --host: take whatever host key the server shows.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Answer every confirmation with yes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a command of a node's command line: the same commands as over SSH (see 'ucmsim admin help').

    Exit 0 done, 1 refused or failed, 2 no such command, 4 not reachable.
    """
    line = " ".join(command or [])
    if as_json and not line:
        raise typer.BadParameter("--json is for one command; give it")
    if host is None:
        raise typer.Exit(_here(state or DEFAULT_STATE, cluster, node, line, yes=yes, as_json=as_json))
    if state is not None or cluster is not None or node is not None:
        raise typer.BadParameter("--host names the node; --state, --cluster and --node are for a state folder")
    address, port = host_and_port(host, 22)
    if not line:
        raise typer.BadParameter(f"give a command; for a prompt there is 'ssh -p {port} {user}@{address}'")
    raise typer.Exit(
        _there(address, port, user, password, line, accept_host_key=accept_host_key, yes=yes, as_json=as_json)
    )


def audit(
    state: StateOption = DEFAULT_STATE,
    cluster: ClusterOption = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, newest first.", min=1)] = 100,
    *,
    as_json: JsonOption = False,
) -> None:
    """List the last changes of a cluster: who changed what, when, and from where."""
    from lab.stores import opened_store

    async def read() -> list[dict[str, object]]:
        async with opened_store(state, cluster) as store:
            return [dict(entry.as_json()) for entry in await store.audit(limit)]

    rows = asyncio.run(read())
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            str(row["revision"]),
            str(row["at"])[:19].replace("T", " "),
            str(row["who"]),
            str(row["origin"]),
            str(row["what"]),
        )
        for row in rows
    ]
    out.print(Rows(("Revision", "When (UTC)", "Who", "From", "What"), shown, prose=("From", "What")))


# ------------------------------------------------------------------ on a state folder


def _here(state: Path, cluster: str | None, node: str | None, line: str, *, yes: bool, as_json: bool) -> int:
    from cluster.audit import Actor
    from lab.stores import opened_store
    from lab.terminal import TerminalConsole
    from services.commandline.context import CommandContext
    from services.commandline.interpreter import execute
    from services.commandline.sftp import SftpServers

    kept: list[str] | None = [] if as_json else None

    def context_of(store: ClusterStore) -> CommandContext:
        definition = store.snapshot.definition
        owner = definition.publisher if node is None else definition.node(node)
        assert owner is not None  # noqa: S101 - the store was found by it
        actor = Actor(getpass.getuser(), "admin command")
        console = TerminalConsole(paged=not line, kept=kept)
        return CommandContext(owner.name, store, actor, console, SftpServers(), assume_yes=yes)

    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        opening = opened_store(state, cluster, node)
        context = context_of(runner.run(opening.__aenter__()))
        stack.callback(lambda: runner.run(opening.__aexit__(None, None, None)))
        stack.callback(lambda: runner.run(context.settle()))
        if not line:
            return _prompt(runner, context)
        try:
            outcome = runner.run(execute(context, line))
        except (asyncio.CancelledError, KeyboardInterrupt):
            err.print("^C")
            return INTERRUPTED
    if kept is not None:
        print_json({"node": context.node, "command": line, "outcome": outcome.name.lower(), "output": "".join(kept)})
    return outcome.value


def _prompt(runner: asyncio.Runner, context: CommandContext) -> int:
    from services.commandline.context import InputEnded
    from services.commandline.interpreter import execute
    from services.commandline.texts import Ucm

    _complete_with_tab(context)
    while not context.ended:
        try:
            line = runner.run(context.console.read_line(Ucm.PROMPT))
            runner.run(context.store.refresh())
            runner.run(execute(context, line))
        except InputEnded:
            print()
            break
        except OperatorError as error:
            err.print(f"ucmsim: {error}")
        except (asyncio.CancelledError, KeyboardInterrupt):
            print("^C")
    return 0


def _complete_with_tab(context: CommandContext) -> None:
    if not sys.stdin.isatty():
        return
    import readline

    from services.commandline.interpreter import complete

    def offers(_text: str, number: int) -> str | None:
        line = readline.get_line_buffer()
        completed, fitting = complete(context, line)
        words = [line[: line.rfind(" ") + 1] + word for word in fitting] or [completed]
        return words[number] if number < len(words) and words[number] != line else None

    readline.set_completer_delims("")
    readline.set_completer(offers)
    readline.parse_and_bind("tab: complete")


# ------------------------------------------------------------------ over SSH


def _there(
    host: str,
    port: int,
    user: str,
    password: str | None,
    line: str,
    *,
    accept_host_key: bool,
    yes: bool,
    as_json: bool,
) -> int:
    from lab.remote import RemoteNode, Unreachable, run_remotely
    from services.commandline.interpreter import Outcome

    if password is None:
        if not sys.stdin.isatty():
            raise OperatorError("no password: give --password, or set UCMSIM_ADMIN_PASSWORD")
        password = getpass.getpass(f"Password of {user} on {host}: ")
    kept: list[str] | None = [] if as_json else None
    where = RemoteNode(host, port, user, password, accept_host_key)
    try:
        status = asyncio.run(run_remotely(where, line, assume_yes=yes, kept=kept))
    except Unreachable as error:
        err.print(f"ucmsim: {error}")
        return UNREACHABLE
    if kept is not None:
        known = {outcome.value: outcome.name.lower() for outcome in Outcome}
        outcome = known.get(status, str(status))
        print_json({"host": host, "port": port, "command": line, "outcome": outcome, "output": "".join(kept)})
    return status
