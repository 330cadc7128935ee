"""Tables on any terminal: nothing is lost, no word is broken."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.console import PlainConsole
from lab.tables import Rows

HEADINGS = ("Device", "Status", "Remark")
ROWS = (
    ("SEP001122334455", "Unregistered", "stands in the reception, beside the door"),
    ("SEP001122334456", "Registered", ""),
)
WORDS = st.text("abcdefgh日本", min_size=1, max_size=12)


def printed(rows: Rows, width: int) -> str:
    stream = io.StringIO()
    PlainConsole(file=stream, width=width, highlight=False).print(rows)
    return stream.getvalue()


def test_what_fits_is_a_table() -> None:
    lines = printed(Rows(HEADINGS, ROWS), 120).splitlines()
    assert lines[0].startswith("┏")
    assert [line for line in lines if "SEP001122334455" in line and "beside the door" in line]


def test_a_sentence_is_wrapped_between_its_words() -> None:
    text = printed(Rows(HEADINGS, ROWS, prose=("Remark",)), 60)
    assert text.startswith("┏")
    assert "beside the" in text
    assert all(len(line) <= 60 for line in text.splitlines())


def test_what_does_not_fit_is_a_block_for_each_row_without_its_empty_values() -> None:
    lines = [line.rstrip() for line in printed(Rows(HEADINGS, ROWS), 60).splitlines()]
    assert lines == [
        "Device: SEP001122334455",
        "  Status  Unregistered",
        "  Remark  stands in the reception, beside the door",
        "Device: SEP001122334456",
        "  Status  Registered",
    ]


@given(st.lists(st.tuples(WORDS, WORDS, st.lists(WORDS, max_size=5).map(" ".join)), max_size=4), st.integers(40, 130))
def test_every_word_is_there_whole_at_every_width(rows: list[tuple[str, str, str]], width: int) -> None:
    shown = printed(Rows(HEADINGS, rows, prose=("Remark",)), width)
    words = shown.replace("│", " ").split()
    assert all(word in words for row in rows for text in row for word in text.split())


def test_output_to_a_pipe_has_no_blanks_at_the_ends_of_lines() -> None:
    program = (
        "from lab.console import out\nfrom lab.tables import Rows\n"
        "out.print(Rows(('Device', 'Status'), [('a' * 100, 'x' * 30), ('b', 'y')]))\n"
        "out.print('no end ', end='')\nout.print(' here  ')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"Device: {'a' * 100}",
        f"  Status  {'x' * 30}",
        "Device: b",
        "  Status  y",
        "no end  here",
    ]


@pytest.mark.parametrize("statement", ["out.print('x' * 100)", "print_json(['x' * 100])"])
def test_a_reader_that_goes_away_ends_the_program_quietly(statement: str) -> None:
    program = f"from lab.console import out, print_json\nfor _ in range(10_000):\n    {statement}\n"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        complaints = process.stderr.read()
        assert (process.wait(30), complaints) == (141, b"")
