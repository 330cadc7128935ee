"""What an administrator is warned of (R-ITL-8, R-CRT-9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from base.clock import ManualClock
from cluster.audit import SYSTEM
from cluster.config import parse_config
from cluster.management.certificates import regenerate
from cluster.management.warnings import warnings_of
from cluster.purposes import Purpose
from cluster.store import ClusterStore

if TYPE_CHECKING:
    from pathlib import Path

ONE_NODE = """
clusters:
  - name: alpha
    nodes:
      - {name: pub, publisher: true, address: 127.0.0.1}
"""
DAY_S = 24 * 3600


async def test_certificates_that_end_soon_or_have_ended_are_told_by_the_clusters_clock(tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    store = await ClusterStore.open(tmp_path / "state.sqlite", clock=clock)
    await store.install(parse_config(ONE_NODE, "lab.yaml", {}).clusters[0])
    assert warnings_of(store.snapshot, store.now()) == []

    clock.advance((datetime(2031, 1, 1, tzinfo=UTC) - timedelta(days=10) - store.now()).total_seconds())
    await regenerate(store, "pub", Purpose.TVS, SYSTEM)
    told = warnings_of(store.snapshot, store.now())
    assert "tomcat of pub expires on 2031-01-01, in 10 day(s): regenerate it before" in told
    assert not any("TVS" in line or "ITLRecovery" in line for line in told)  # made anew; valid 20 years

    clock.advance(20 * DAY_S)
    told = warnings_of(store.snapshot, store.now())
    assert "tomcat of pub expired on 2031-01-01: regenerate it" in told
    await store.close()
