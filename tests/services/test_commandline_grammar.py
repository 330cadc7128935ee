"""Which command a line means, what tab and ``?`` make of it, and who may run it (R-CLI-1, R-CLI-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.commandline.grammar import Argument, Command, Found, Grammar, Mistake
from services.commandline.interpreter import Outcome, complete, explain
from services.commandline.texts import Ours
from services.commandline.tree import GRAMMAR
from tests.services.commandline_cast import PUB, SUB, Desk, open_copy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cluster.store import ClusterStore
    from services.commandline.context import CommandContext
    from services.commandline.grammar import Arguments


async def _nothing(_context: CommandContext, _arguments: Arguments) -> None:
    """Does nothing."""


TINY = Grammar(
    (
        Command("show itl", "", _nothing),
        Command("show cert own", "", _nothing, (Argument("NAME", ""),)),
        Command("set paging", "", _nothing, (Argument("STATE", "", fixed=("on", "off")),)),
        Command("start", "", _nothing, (Argument("SERVICE", "", rest=True),)),
        Command("reset", "", _nothing, (Argument("HOST", "", optional=True), Argument("USER", "", optional=True))),
    )
)


@pytest.fixture
async def store(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[ClusterStore]:
    opened = await open_copy(tmp_path / "state", state_templates)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("line", "words", "arguments"),
    [
        ("show itl", "show itl", {}),
        ("  show \t itl  ", "show itl", {}),
        ("show cert own tomcat/tomcat.pem", "show cert own", {"NAME": "tomcat/tomcat.pem"}),
        ("set paging off", "set paging", {"STATE": "off"}),
        ("start Cisco Tftp", "start", {"SERVICE": "Cisco Tftp"}),
        ("start  Cisco   Tftp ", "start", {"SERVICE": "Cisco Tftp"}),
        ("reset", "reset", {}),
        ("reset 192.0.2.1 me", "reset", {"HOST": "192.0.2.1", "USER": "me"}),
    ],
)
def test_line_means_a_command_with_arguments(line: str, words: str, arguments: dict[str, str]) -> None:
    found = TINY.find(line)
    assert isinstance(found, Found)
    assert (found.command.words, dict(found.arguments)) == (words, arguments)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("sho itl", "No valid command entered: sho"),
        ("SHOW ITL", "No valid command entered: SHOW"),
        ("show itlx", "No valid command entered: itlx"),
        ("show", "The command is incomplete; 'show ?' shows what may follow"),
        ("show cert own", "The command is incomplete; 'show cert own ?' shows what may follow"),
        ("start", "The command is incomplete; 'start ?' shows what may follow"),
        ("show itl now", "now is not expected after 'show itl'"),
        ("set paging maybe", "STATE cannot be maybe; possible: on, off"),
    ],
)
def test_line_that_means_none_is_told_why(line: str, reason: str) -> None:
    assert TINY.find(line) == Mistake(reason)


@pytest.mark.parametrize(
    ("line", "completed", "fitting"),
    [
        ("sh", "show ", ()),
        ("show i", "show itl ", ()),
        ("s", "s", ("show", "set")),
        ("show c", "show c", ("ctl", "cert", "csr", "cli")),
        ("utils ctl set-cluster m", "utils ctl set-cluster mixed-mode ", ()),
        ("utils service restart cisco to", "utils service restart Cisco Tomcat ", ()),
        ("show cert own tomcat-", "show cert own tomcat-ECDSA/tomcat-ECDSA.pem ", ()),
        ("set cert regen TV", "set cert regen TVS ", ()),
        ("set cli pagination o", "set cli pagination o", ("on", "off")),
        ("bogus x", "bogus x", ()),
        ("show itl ", "show itl ", ()),
    ],
)
async def test_tab_completes_words_and_names(
    store: ClusterStore, line: str, completed: str, fitting: tuple[str, ...]
) -> None:
    context = Desk(store).context
    seen, words = complete(context, line)
    assert seen.rstrip() == completed.rstrip()
    if line in {"s", "show c"}:
        assert set(fitting) <= set(words)
    else:
        assert sorted(words) == sorted(fitting)


async def test_tab_stops_where_the_words_differ(store: ClusterStore) -> None:
    line, fitting = complete(Desk(store).context, "utils service restart Cisco CT")
    assert line == "utils service restart Cisco CT"
    assert fitting == ("Cisco CTIManager", "Cisco CTL Provider")


async def test_tab_offers_a_subscriber_no_units_of_the_publisher(store: ClusterStore) -> None:
    offered = {node: complete(Desk(store, node).context, "set cert regen ")[1] for node in (PUB, SUB)}
    assert set(offered[PUB]) - set(offered[SUB]) == {"CAPF", "ITLRecovery"}


async def test_question_mark_lists_what_may_follow(store: ClusterStore) -> None:
    text = explain(Desk(store).context, "utils ctl ")
    assert text is not None
    assert [line.split("  ")[0].strip() or line.strip().split("  ")[0] for line in text.splitlines()] == [
        "utils ctl set-cluster mixed-mode",
        "utils ctl set-cluster non-secure-mode",
        "utils ctl update CTLFile",
        "utils ctl reset localkey",
    ]


async def test_question_mark_shows_the_values_of_an_argument(store: ClusterStore) -> None:
    text = explain(Desk(store).context, "show cert own ")
    assert text is not None
    assert "         TVS/TVS.pem" in text.splitlines()


async def test_question_mark_in_free_text_is_a_sign_like_others(store: ClusterStore) -> None:
    assert explain(Desk(store).context, "run sql select x from y where z=") is None


@pytest.mark.parametrize("line", [command.words for command in GRAMMAR.commands()])
async def test_every_command_has_help(store: ClusterStore, line: str) -> None:
    desk = Desk(store)
    shown = await desk(f"help {line}")
    assert desk.outcome is Outcome.DONE
    assert shown.startswith(line)
    assert "Privilege level:" in shown


async def test_help_lists_every_command(store: ClusterStore) -> None:
    shown = await Desk(store)("help")
    listed = shown.splitlines()
    for command in GRAMMAR.commands():
        assert any(line.startswith(command.words) for line in listed), command.words


async def test_unknown_command_is_usage_and_not_refusal(store: ClusterStore) -> None:
    desk = Desk(store)
    assert await desk("make coffee") == f"{Ours.FAILED}\nNo valid command entered: make\n"
    assert desk.outcome is Outcome.USAGE


async def test_line_over_the_limit_is_refused_whole(store: ClusterStore) -> None:
    desk = Desk(store)
    shown = await desk("show itl" + " " * 5_000)
    assert shown == f"{Ours.FAILED}\nThe line was refused: it is longer than 4096 characters\n"
    assert desk.outcome is Outcome.USAGE


PUBLISHER_ONLY = [command.words for command in GRAMMAR.commands() if command.publisher_only]


@pytest.mark.parametrize("line", PUBLISHER_ONLY)
async def test_subscriber_refuses_what_only_the_publisher_may(store: ClusterStore, line: str) -> None:
    """R-CLI-3."""
    desk = Desk(store, SUB)
    before = store.snapshot.revision
    shown = await desk(line)
    assert desk.outcome is Outcome.REFUSED
    assert shown == (
        "Executed command unsuccessfully\n"
        "The command is allowed on the publisher only, which is alpha-pub; this node is alpha-sub1\n"
    )
    assert store.snapshot.revision == before


def test_publisher_only_are_the_commands_of_the_reference() -> None:
    assert set(PUBLISHER_ONLY) == {
        "utils itl reset localkey",
        "utils itl reset remotekey",
        "utils ctl set-cluster mixed-mode",
        "utils ctl set-cluster non-secure-mode",
        "utils ctl update CTLFile",
        "utils ctl reset localkey",
    }


async def test_account_of_a_low_level_is_refused(store: ClusterStore) -> None:
    desk = Desk(store)
    desk.context.level = 1
    shown = await desk("utils itl reset localkey")
    assert "The command needs privilege level 4; this account has 1" in shown
    assert await desk("show itl")
    assert desk.outcome is Outcome.DONE


# ------------------------------------------------------------------ pages


async def test_long_output_comes_a_page_at_a_time(store: ClusterStore) -> None:
    desk = Desk(store)
    shown = await desk("show itl", keys=" q", page=(200, 24))
    pages = shown.split(f"<{Ours.MORE}>\n")
    assert [len(page.splitlines()) for page in pages] == [23, 23, 0]
    assert desk.outcome is Outcome.DONE


async def test_enter_shows_one_more_line(store: ClusterStore) -> None:
    shown = await Desk(store)("show itl", keys="\r\nxq", page=(200, 24))
    pages = shown.split(f"<{Ours.MORE}>\n")
    assert [len(page.splitlines()) for page in pages] == [23, 1, 1, 0, 0]


async def test_line_wider_than_the_screen_counts_as_several(store: ClusterStore) -> None:
    shown = await Desk(store)("help", keys="q", page=(40, 24))
    page = shown.split(f"<{Ours.MORE}>\n")[0].splitlines()
    assert sum(-(-len(line) // 40) for line in page) <= 23
    assert len(page) < 23


async def test_pagination_can_be_switched_off(store: ClusterStore) -> None:
    desk = Desk(store)
    assert await desk("show cli pagination") == "Automatic Pagination : On.\n"
    assert await desk("set cli pagination off") == "Automatic pagination is turned off\n"
    assert await desk("show cli pagination") == "Automatic Pagination : Off.\n"
    assert Ours.MORE not in await desk("show itl", page=(80, 24))


async def test_quitting_the_pages_does_not_stop_the_command(store: ClusterStore) -> None:
    desk = Desk(store)
    await desk("utils itl reset localkey", keys="q", page=(80, 6))
    assert set(store.snapshot.itl_resets) == {PUB, SUB}
