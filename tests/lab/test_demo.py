"""``ucmsim demo``: the main job, told as a story (R-LAB-3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from phone_sim.reasons import Reason
from tests.lab.command import Done, run, ucmsim

if TYPE_CHECKING:
    from pathlib import Path

REASONS = {
    "first-boot": ["leap_of_faith", "signed_by_itl"],
    "second-boot": ["unchanged", "signed_by_itl"],
    "other-node": ["signed_by_itl", "signed_by_itl"],
    "directory": ["server_vouched_by_tvs"],
    "impostor": ["tvs_does_not_know"],
    "tampered-configuration": ["signed_by_itl", "bad_signature"],
    "stranger-itl": ["tvs_does_not_know", "signed_by_itl"],
    "first-tvs-down": ["server_vouched_by_tvs"],
}
"""Scene -> the rule that decides each time."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Path]:
    """One demonstration in a process of its own, as JSON, with its trace."""
    trace = tmp_path_factory.mktemp("demo") / "trace.jsonl"
    return run("demo", "--json", "--any-ports", "--trace", trace), trace


def test_every_scene_goes_as_expected(played: tuple[Done, Path]) -> None:
    done, _ = played
    assert (done.code, done.err) == (0, "")
    assert done.json["as_expected"] is True
    told = {scene["scene"]: [item["reason"] for item in scene["decisions"]] for scene in done.json["scenes"]}
    assert told == REASONS


def test_every_decision_says_why_in_both_languages(played: tuple[Done, Path]) -> None:
    for scene in played[0].json["scenes"]:
        assert scene["title"]["en"] != scene["title"]["ja"]
        for item in scene["decisions"]:
            reason = Reason(item["reason"])
            assert item["text"] == {"en": reason.text("en"), "ja": reason.text("ja")}
            assert item["decision"] == ("accepted" if reason.accepts else "refused")
        assert all(remark["holds"] and remark["en"] and remark["ja"] for remark in scene["remarks"])


def test_the_trace_shows_all_three_sides_and_no_private_key(played: tuple[Done, Path]) -> None:
    text = played[1].read_text("utf-8")
    events = [json.loads(line) for line in text.splitlines()]
    assert {"alpha-pub", "alpha-sub1", "SEP001122334455", "attacker"} <= {event["where"] for event in events}
    assert {"power_on", "decided", "verify_answered", "file_sent", "server_judged"} <= {
        event["step"] for event in events
    }
    assert "PRIVATE" not in text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            ["First boot: blind trust", "8 of 8 scenes went as expected", "A web server with a certificate of its own"],
        ),
        ("ja", ["初回起動: 無条件の信頼", "8 場面中 8 場面が想定どおりでした", "受入", "拒否"]),
    ],
)
def test_the_story_is_told_to_people(language: str, said: list[str]) -> None:
    done = ucmsim("demo", "--any-ports", "--lang", language)
    assert done.code == 0
    for text in said:
        assert text in done.out
    assert "想定外" not in done.out
    assert "NOT what was expected" not in done.out
