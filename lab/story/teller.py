"""Plays the scenes and tells them: to people on a terminal, or as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text as Styled

from lab.reports import decision_table, mark
from lab.story.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from lab.story.scenes import Played, Scene
    from lab.story.stage import Stage
    from lab.story.text import Language

_SCREEN = Text("on the phone's screen:", "電話機の画面:")
_UNEXPECTED = Text("NOT what was expected: {expected}", "想定外です。想定: {expected}")
_NOTHING = Text("no decision", "判断なし")
_DONE = Text(
    "{good} of {all} scenes went as expected, with {decisions} trust decisions in {seconds:.1f} s.",
    "{all} 場面中 {good} 場面が想定どおりでした。信頼判断 {decisions} 件、{seconds:.1f} 秒。",
)
_BOOK = Text(
    "Next: 'ucmsim up' runs a cluster for your own phones and tools, 'ucmsim phone boot --help' boots a phone from any "
    "server.",
    "次は: 'ucmsim up' で実際の電話機やツール用のクラスタを起動、"
    "'ucmsim phone boot --help' で任意のサーバから電話機を起動できます。",
)


@dataclass(frozen=True, slots=True)
class Told:
    """A scene that was played."""

    scene: Scene
    played: Played

    @property
    def as_expected(self) -> bool:
        """See `Scene.as_expected`."""
        return self.scene.as_expected(self.played)


async def play(scenes: Sequence[Scene], stage: Stage, console: Console | None, language: Language) -> list[Told]:
    """Plays every scene in order; with a console each is told while it happens."""
    told: list[Told] = []
    for number, scene in enumerate(scenes, 1):
        if console is not None:
            _open(console, number, scene, language)
        result = Told(scene, await scene.play(stage))
        told.append(result)
        if console is not None:
            _close(console, result, language)
    if console is not None:
        console.rule()
        decisions = sum(len(item.played.decisions) for item in told)
        seconds = sum(item.played.duration_ms for item in told) / 1000
        good = sum(item.as_expected for item in told)
        line = _DONE.of(language, good=good, all=len(told), decisions=decisions, seconds=seconds)
        console.print(line, style="bold green" if good == len(told) else "bold red")
        console.print(_BOOK.of(language))
    return told


def as_json(told: Sequence[Told]) -> dict[str, object]:
    """All scenes for programs, texts in both languages."""
    return {
        "as_expected": all(item.as_expected for item in told),
        "scenes": [
            {
                "scene": item.scene.name,
                "title": asdict(item.scene.title),
                "as_expected": item.as_expected,
                "expected": [{"what": each.what, "reason": each.reason.value} for each in item.scene.expected],
                "decisions": [decision.as_json() for decision in item.played.decisions],
                "remarks": [{**asdict(text), "holds": holds} for text, holds in item.played.remarks],
                "status_messages": [asdict(message) for message in item.played.status_messages],
                "duration_ms": item.played.duration_ms,
            }
            for item in told
        ],
    }


def _open(console: Console, number: int, scene: Scene, language: Language) -> None:
    console.print()
    console.rule(Styled(f"{number}. {scene.title.of(language)}", style="bold"), align="left")
    console.print(scene.happens.of(language), style="italic")


def _close(console: Console, told: Told, language: Language) -> None:
    table = decision_table(told.played.decisions, language)
    if not told.played.decisions:
        table.add_row("–", _NOTHING.of(language))
    for text, holds in told.played.remarks:
        table.add_row(mark(good=holds), text.of(language))
    console.print(Padding(table, (0, 0, 0, 2)))
    screen = [message.text for message in told.played.status_messages]
    if screen:
        _indented(console, f"{_SCREEN.of(language)} {' | '.join(screen)}")
    if not told.as_expected:
        expected = ", ".join(f"{item.what}: {item.reason.value}" for item in told.scene.expected)
        console.print(f"  {_UNEXPECTED.of(language, expected=expected)}", style="bold red")
    _indented(console, f"→ {told.scene.means.of(language)}")


def _indented(console: Console, text: str) -> None:
    console.print(Padding(Styled(text), (0, 0, 0, 2)))
