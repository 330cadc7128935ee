"""``ucmsim up``, ``ucmsim node`` and ``ucmsim health``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.console import err, out, print_json, say
from lab.openfiles import raise_open_file_limit
from lab.options import (
    DEFAULT_STATE,
    AnyPortsOption,
    ConfigOption,
    JsonOption,
    StateOption,
    TraceOption,
    host_and_port,
    open_trace,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine

ReadyOption = Annotated[
    Path | None, typer.Option("--ready-file", help="Written as JSON when all is up, removed at the end.")
]
OffsetOption = Annotated[
    int | None, typer.Option("--port-offset", help="Added to every port number.", min=0, max=50_000)
]


@dataclass(frozen=True, slots=True)
class _Ports:
    """What the command line says about ports."""

    offset: int | None
    any_free: bool

    def __post_init__(self) -> None:
        if self.any_free and self.offset is not None:
            raise typer.BadParameter("--any-ports leaves nothing to move with --port-offset; give one of them")


def up(
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    ready_file: ReadyOption = None,
    port_offset: OffsetOption = None,
    trace: TraceOption = None,
    *,
    any_ports: AnyPortsOption = False,
) -> None:
    """Run the configured clusters until Ctrl-C, and show what listens where."""
    asyncio.run(_run(config, state, None, ready_file, _Ports(port_offset, any_ports), trace))


def node(
    name: Annotated[str, typer.Argument(help="Name of the node, as in the configuration.")],
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    ready_file: ReadyOption = None,
    port_offset: OffsetOption = None,
    trace: TraceOption = None,
    *,
    any_ports: AnyPortsOption = False,
) -> None:
    """Run one node of a cluster; the others run elsewhere on the same state folder.

    With --any-ports the nodes learn each other's ports through files in that folder.
    """
    asyncio.run(_run(config, state, name, ready_file, _Ports(port_offset, any_ports), trace))


async def _run(
    config_path: Path | None,
    state: Path,
    only: str | None,
    ready_file: Path | None,
    ports: _Ports,
    trace_path: Path | None,
) -> None:
    from cluster.config import load_config
    from lab.laboratory import Laboratory, write_atomically
    from lab.ports import any_free_ports, plan_ports
    from lab.tables import listening_table

    raise_open_file_limit()
    config = load_config(config_path, os.environ)
    if ports.offset is not None:
        config = config.model_copy(update={"lab": config.lab.model_copy(update={"port_offset": ports.offset})})
    plan = any_free_ports(config, only) if ports.any_free else plan_ports(config, only)
    for note in plan.notes:
        err.print(f"note: {note}", style="yellow")
    if ready_file is not None:
        _remove(ready_file)  # of a process that was killed
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    with open_trace(trace_path) as trace:
        laboratory = Laboratory(plan, state, only=only, trace=trace, say=lambda text: err.print(f"… {text}"))
        async with contextlib.AsyncExitStack() as stack:
            if not await _started(stack.enter_async_context(laboratory), stopping):
                err.print("… stopped before everything was up")
                return
            ports_file = laboratory.write_ports_file()
            stack.callback(_remove, ports_file)
            out.print(listening_table(laboratory.listeners()))
            for warning in laboratory.warnings():
                err.print(f"warning: {warning}", style="yellow")
            say(f"State is kept in {state}/, ports are written to {ports_file}. Stop with Ctrl-C.")
            if ready_file is not None:
                write_atomically(ready_file, json.dumps(laboratory.as_json(), indent=2) + "\n")
                stack.callback(_remove, ready_file)
            await stopping.wait()
            err.print("… stopping")


async def _started(start: Coroutine[object, object, object], stopping: asyncio.Event) -> bool:
    """Waits until everything is up; False when a signal came first and the start was given up."""
    starting, stopped = asyncio.ensure_future(start), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
        await starting
    except asyncio.CancelledError:
        return False
    finally:
        stopped.cancel()
    return True


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def health(
    host: Annotated[
        str, typer.Argument(help="HOST[:PORT] of a node's configuration server (HTTP, 6970).")
    ] = "127.0.0.1",
    *,
    as_json: JsonOption = False,
) -> None:
    """Ask a node for its ITL: exit 0 when it has one, 4 when it does not answer. For container health checks."""
    from http.client import HTTPConnection, HTTPException

    address, port = host_and_port(host, 6970)
    connection = HTTPConnection(address, port, timeout=5)
    try:
        connection.request("HEAD", "/ITLFile.tlv")
        status: int | None = connection.getresponse().status
        problem = None if status == 200 else f"answered {status}"
    except OSError as error:
        status, problem = None, error.strerror or str(error)
    except HTTPException as error:
        status, problem = None, f"no HTTP answer: {error!r}"
    finally:
        connection.close()
    if as_json:
        print_json({"host": address, "port": port, "healthy": problem is None, "problem": problem})
    elif problem is None:
        say(f"{address}:{port} is up")
    else:
        err.print(f"ucmsim: {address}:{port} is not up: {problem}")
    raise typer.Exit(0 if problem is None else 1 if status else 4)
