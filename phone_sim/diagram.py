"""Draws the boot from its table: Mermaid for Markdown, DOT for Graphviz, the page ``docs/boot-states.md``.

``python -m phone_sim.diagram`` prints the page.
"""

from __future__ import annotations

import sys

from phone_sim.boot import (
    ENDS,
    TABLE,
    AskTvs,
    Effect,
    Fetch,
    FetchNamed,
    Install,
    Judge,
    KeepOld,
    Row,
    RunCapf,
    State,
    UseNextServer,
)

_INTRODUCTION = """\
# The boot of a phone

Drawn from the table in `phone_sim/boot.py` by `python -m phone_sim.diagram`; do not edit by hand.
Rows of one state and event are tried from top to bottom; the first whose condition holds is taken.

Fetching a file climbs its ladder of transports until the file arrives: HTTPS 6971 (the phone's own
signed configuration only, and only if the ITL's header has a signer version of 1.1 or more), HTTP 6970,
TFTP 69. "Not to be had" means that the server answered on at least one of them, "no answer" that it
answered on none. "Named files" are those that an accepted configuration names and those that phones ask for unbidden:
`phone_sim/namedfiles.py` has them in order. How files and servers are judged is told in `phone_sim/trust.py`.
"""


def mermaid() -> str:
    """A Mermaid ``stateDiagram-v2``; rows with the same way are drawn as one arrow."""
    lines = ["stateDiagram-v2", "    [*] --> OFF"]
    lines += [f"    {state.name}: {state.value}" for state in State]
    for (start, end), labels in _arrows().items():
        lines.append(f"    {start.name} --> {end.name}: {' / '.join(labels)}")
    lines += [f"    {state.name} --> [*]" for state in State if state in ENDS]
    return "\n".join(lines) + "\n"


def dot() -> str:
    """The same picture for Graphviz."""
    lines = ["digraph boot {", "  node [shape=box, style=rounded];"]
    lines += [f'  {state.name} [label="{state.value}"{", peripheries=2" if state in ENDS else ""}];' for state in State]
    for (start, end), labels in _arrows().items():
        text = "\\n".join(labels)
        lines.append(f'  {start.name} -> {end.name} [label="{text}"];')
    return "\n".join([*lines, "}"]) + "\n"


def table() -> str:
    """The table itself, in Markdown."""
    lines = ["| state | event | condition | next | what the phone does |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.state.value} | {row.event.value} | {_condition(row)} | {row.next.value} | {effects} |"
        for row in TABLE
        for effects in ["; ".join(map(_effect, row.effects))]
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole of ``docs/boot-states.md``."""
    return f"{_INTRODUCTION}\n```mermaid\n{mermaid()}```\n\n## The table\n\n{table()}"


def _arrows() -> dict[tuple[State, State], list[str]]:
    arrows: dict[tuple[State, State], list[str]] = {}
    for row in TABLE:
        condition = _condition(row)
        label = f"{row.event.value} ({condition})" if condition else row.event.value
        labels = arrows.setdefault((row.state, row.next), [])
        if label not in labels:
            labels.append(label)
    return arrows


def _condition(row: Row) -> str:
    text = (row.when.__doc__ or "") if row.when else ""
    return text[:1].lower() + text[1:]


_WORDS = {
    Fetch: "fetch",
    FetchNamed: "fetch",
    UseNextServer: "turn to the next server",
    Judge: "judge the",
    AskTvs: "ask TVS about the",
    Install: "put into flash the",
    KeepOld: "refuse the",
    RunCapf: "let CAPF do its work",
}


def _effect(effect: Effect) -> str:
    words = _WORDS[type(effect)]
    if isinstance(effect, UseNextServer | RunCapf):
        return words
    if isinstance(effect, Fetch):
        return f"{words} `{effect.file.name_for('<MAC>')}`"
    if isinstance(effect, FetchNamed):
        which = "the same" if effect.again else "the next"
        return f"{words} {which} named file{' with `.sgn`' if effect.signed else ''}"
    return f"{words} {effect.part.value}"


if __name__ == "__main__":
    sys.stdout.write(page())
