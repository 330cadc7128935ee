"""``ucmsim demo``: the main job, told as a story on real sockets."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lab.console import err, out, print_json
from lab.options import AnyPortsOption, JsonOption, LanguageOption, TraceOption, open_trace

if TYPE_CHECKING:
    from base.trace import Trace
    from lab.story.teller import Told
    from lab.story.text import Language


def demo(
    language: LanguageOption = "en",
    trace: TraceOption = None,
    *,
    any_ports: AnyPortsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start a two-node cluster on loopback, boot a phone from it, and try to fool the phone.

    Nothing is kept. Exit 0 only if every trust decision was the expected one.
    """
    with open_trace(trace) as events:
        told = asyncio.run(_run(language, events, any_ports=any_ports, quiet=as_json))
    if as_json:
        from lab.story.teller import as_json as story_as_json

        print_json(story_as_json(told))
    raise typer.Exit(0 if all(item.as_expected for item in told) else 1)


async def _run(language: Language, trace: Trace, *, any_ports: bool, quiet: bool) -> list[Told]:
    from cluster.config import default_config_text, parse_config
    from lab.laboratory import Laboratory
    from lab.ports import any_free_ports, plan_ports
    from lab.story.scenes import SCENES
    from lab.story.stage import Stage
    from lab.story.teller import play
    from lab.tables import listening_table
    from services.binding import BindingError

    config = parse_config(default_config_text(), "lab.yaml", {})
    plan = any_free_ports(config) if any_ports else plan_ports(config)

    async def run(laboratory: Laboratory) -> list[Told]:
        async with laboratory as lab:
            if not quiet:
                out.print(listening_table(lab.listeners()))
            return await play(SCENES, Stage(lab, trace), None if quiet else out, language)

    def say(text: str) -> None:
        if not quiet:
            err.print(f"… {text}")

    with tempfile.TemporaryDirectory(prefix="ucmsim-demo-") as folder:
        try:
            return await run(Laboratory(plan, Path(folder), trace=trace, say=say))
        except BindingError as error:
            if not error.moving_helps or any_ports:
                raise
            say("UCM's port numbers are in use here: the system chooses others for this demonstration")
            return await run(Laboratory(any_free_ports(config), Path(folder), trace=trace, say=say))
