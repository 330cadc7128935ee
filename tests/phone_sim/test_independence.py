"""The phone knows the cluster only through sockets (R-PHN-6)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grimp

FORBIDDEN = ("cluster", "services", "lab", "sqlalchemy", "pydantic")

IMPORT_ALL = """
import importlib, pkgutil, sys
import phone_sim
for module in pkgutil.walk_packages(phone_sim.__path__, "phone_sim."):
    importlib.import_module(module.name)
print("\\n".join(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_no_phone_module_imports_the_cluster_even_indirectly() -> None:
    graph = grimp.build_graph("phone_sim", "cluster", "services", "lab", "wire", "base")
    for floor in ("cluster", "services", "lab"):
        assert not graph.find_shortest_chains("phone_sim", floor)
        assert not graph.find_shortest_chains(floor, "phone_sim") or floor == "lab"


def test_a_process_that_loads_the_whole_phone_has_not_loaded_the_cluster() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    loaded = done.stdout.split()
    assert "phone_sim" in loaded
    assert not set(FORBIDDEN) & set(loaded)
