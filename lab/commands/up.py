"""``ucmsim up``, ``ucmsim node`` and ``ucmsim health``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from lab.console import err, out, print_json
from lab.options import DEFAULT_STATE, ConfigOption, StateOption, TraceOption, host_and_port, open_trace

ReadyOption = Annotated[
    Path | None, typer.Option("--ready-file", help="Written as JSON when all is up, removed at the end.")
]
OffsetOption = Annotated[
    int | None, typer.Option("--port-offset", help="Added to every port number.", min=0, max=50_000)
]


def up(
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    ready_file: ReadyOption = None,
    port_offset: OffsetOption = None,
    trace: TraceOption = None,
) -> None:
    """Run the configured clusters until Ctrl-C, and show what listens where."""
    asyncio.run(_run(config, state, None, ready_file, port_offset, trace))


def node(
    name: Annotated[str, typer.Argument(help="Name of the node, as in the configuration.")],
    config: ConfigOption = None,
    state: StateOption = DEFAULT_STATE,
    ready_file: ReadyOption = None,
    port_offset: OffsetOption = None,
    trace: TraceOption = None,
) -> None:
    """Run one node of a cluster; the others run elsewhere on the same state folder."""
    asyncio.run(_run(config, state, name, ready_file, port_offset, trace))


async def _run(
    config_path: Path | None,
    state: Path,
    only: str | None,
    ready_file: Path | None,
    port_offset: int | None,
    trace_path: Path | None,
) -> None:
    from cluster.config import load_config
    from lab.laboratory import Laboratory, write_atomically
    from lab.ports import plan_ports
    from lab.tables import listening_table

    config = load_config(config_path, os.environ)
    if port_offset is not None:
        config = config.model_copy(update={"lab": config.lab.model_copy(update={"port_offset": port_offset})})
    plan = plan_ports(config, only)
    for note in plan.notes:
        err.print(f"[yellow]note:[/] {note}")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    with open_trace(trace_path) as trace:
        async with Laboratory(plan, state, only=only, trace=trace, say=lambda text: err.print(f"… {text}")) as lab:
            ports_file = lab.write_ports_file()
            out.print(listening_table(lab.listeners()))
            for warning in lab.warnings():
                err.print(f"[yellow]warning:[/] {warning}")
            out.print(f"State is kept in {state}/, ports are written to {ports_file}. Stop with Ctrl-C.")
            if ready_file is not None:
                write_atomically(ready_file, json.dumps(lab.as_json(), indent=2) + "\n")
            try:
                await stopping.wait()
            finally:
                if ready_file is not None:
                    _remove(ready_file)
            err.print("… stopping")


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def health(
    host: Annotated[
        str, typer.Argument(help="HOST[:PORT] of a node's configuration server (HTTP, 6970).")
    ] = "127.0.0.1",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Ask a node for its file list: exit 0 when it answers, 4 when it does not. For container health checks."""
    from http.client import HTTPConnection, HTTPException

    address, port = host_and_port(host, 6970)
    connection = HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/ConfigFileCacheList.txt")
        status: int | None = connection.getresponse().status
        problem = None if status == 200 else f"answered {status}"
    except (OSError, HTTPException) as error:
        status, problem = None, str(error)
    finally:
        connection.close()
    if as_json:
        print_json({"host": address, "port": port, "healthy": problem is None, "problem": problem})
    elif problem is None:
        out.print(f"{address}:{port} is up")
    else:
        err.print(f"ucmsim: {address}:{port} is not up: {problem}")
    raise typer.Exit(0 if problem is None else 1 if status else 4)
