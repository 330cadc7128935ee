"""How results are told and kept. Nothing is measured here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.cputime import CpuTime
from benchmarks.results import Section, Verdict
from benchmarks.run import Record, dump_records, is_present, load_records, machine, main, render

if TYPE_CHECKING:
    from pathlib import Path

SECTION = Section(
    title="Speed",
    columns=("server", "per second", "p99 ms"),
    rows=(("ours", 12_345.6, 0.123456), ("theirs | old", 100, 0.0), ("missing", None, float("nan"))),
    notes=("missing was not measured: it is not installed.",),
    verdicts=(
        Verdict("At least twice theirs", "123 times", held=True),
        Verdict("p99 below 0.1 ms", "0.123 ms", held=False),
        Verdict("At least as good as missing", "not measured", held=None),
    ),
)


def test_a_section_is_told_as_markdown_with_what_is_missing() -> None:
    assert SECTION.markdown() == (
        "## Speed\n"
        "\n"
        "| server | per second | p99 ms |\n"
        "| :-- | --: | --: |\n"
        "| ours | 12,346 | 0.123 |\n"
        "| theirs \\| old | 100 | 0 |\n"
        "| missing | – | – |\n"
        "\n"
        "| claim | measured | verdict |\n"
        "| :-- | --: | :-- |\n"
        "| At least twice theirs | 123 times | held |\n"
        "| p99 below 0.1 ms | 0.123 ms | **missed** |\n"
        "| At least as good as missing | not measured | not judged |\n"
        "\n"
        "- missing was not measured: it is not installed.\n"
    )


def test_a_row_has_to_fit_its_columns() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells under 2 columns"):
        Section("Speed", ("a", "b"), (("x",),))


def test_sections_that_were_not_run_again_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert load_records(path) == {}
    plain = Section("Boots", ("phone", "boots/s"), (("8865", 30),))
    records = {
        "boots": Record(plain, "2026-11-24", "x86_64", quick=False),
        "tftp": Record(plain, "2026-11-25", "x86_64", quick=True),
    }
    dump_records(path, records)
    assert load_records(path) == records
    text = render(records)
    assert text.index("2026-11-25; a quick run") < text.index("2026-11-24. x86_64."), "in the order of the benchmarks"


@pytest.mark.parametrize("stored", ["", "{", "[]", '{"tftp": {}}', json.dumps({"tftp": {"section": {"title": 1}}})])
def test_stored_results_that_are_none_are_nothing(tmp_path: Path, stored: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(stored, "utf-8")
    assert load_records(path) == {}


def test_a_benchmark_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert is_present("tftp")
    with pytest.raises(SystemExit) as ended:
        main(["speed-of-light"], tmp_path)
    assert ended.value.code == 2
    assert "speed-of-light" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_machine_is_described_without_its_name() -> None:
    import socket

    assert "cores" in machine()
    assert "OpenSSL" in machine()
    assert f" {socket.gethostname()}" not in machine()


def test_processor_time_includes_children_that_were_forgotten() -> None:
    """tftpd-hpa ignores SIGCHLD: the kernel does not add up what its children used."""
    program = (
        "import os, signal, sys, time\n"
        "sys.stdin.readline()\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    while time.process_time() < 0.2: pass\n"
        "    os._exit(0)\n"
        "try: os.wait()\n"
        "except ChildProcessError: pass\n"
        "print('done', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        cpu = CpuTime(process.pid)
        try:
            if not cpu.exact:
                pytest.skip("this system does not let us count")
            process.stdin.write("go\n")
            process.stdin.flush()
            process.stdout.readline()
            assert 0.2 <= cpu.seconds() < 10
        finally:
            cpu.close()
            process.kill()
