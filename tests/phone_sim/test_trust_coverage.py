"""The rows of the decision tables reach every line and every branch of the rules, and none of them is let off."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import phone_sim.trust

MODULE = Path(phone_sim.trust.__file__)
MEASURE = """
import sys
import coverage

module, report = sys.argv[1:]
measured = coverage.Coverage(data_file=None, branch=True, include=[module], config_file=False)
measured.clear_exclude()  # no comment exempts a line
measured.clear_exclude("partial")
measured.exclude(r"^if TYPE_CHECKING:$")
measured.start()
from tests.phone_sim import trust_rows
assert not trust_rows.wrong_rows(), trust_rows.wrong_rows()
measured.stop()
measured.json_report(outfile=report)
"""


def test_the_rows_reach_every_line_and_branch_of_the_rules(tmp_path: Path) -> None:
    """In a process of its own: there the module is first imported while it is measured, and no other test helps."""
    report = tmp_path / "coverage.json"
    subprocess.run(
        [sys.executable, "-c", MEASURE, str(MODULE), str(report)], check=True, cwd=MODULE.parents[1], timeout=100
    )
    (measured,) = json.loads(report.read_text("utf-8"))["files"].values()
    source = MODULE.read_text("utf-8").splitlines()
    missed = [f"line {number}: {source[number - 1].strip()}" for number in measured["missing_lines"]]
    missed += [
        f"line {start}: {source[start - 1].strip()} -> {f'line {end}' if end > 0 else 'the end'}"
        for start, end in measured["missing_branches"]
    ]
    assert missed == [], "no row reaches:\n" + "\n".join(missed)
    assert measured["summary"]["num_branches"] > 30, "branches were not measured"
