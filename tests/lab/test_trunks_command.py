"""``ucmsim trunks list``: which SIP trunks are in service, where, and why others are not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cluster.management.trunks import TrunkStatus, note_trunks
from cluster.store import ClusterStore
from lab.laboratory import database_path
from tests.conftest import lab_config
from tests.lab.command import ucmsim
from tests.shared_lab import PUB, SUB, SharedLab
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

TRUNK = "sip_trunks: [{name: gateway, destination: 127.0.0.77, destination_port: 9, transport: udp}]"


def trunks(state: Path) -> list[dict[str, Any]]:
    done = ucmsim("trunks", "list", "--state", state, "--json")
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = done.json
    return found


def test_a_cluster_without_trunks_says_so(state: Path) -> None:
    done = ucmsim("trunks", "list", "--state", state)
    assert (done.code, done.out) == (
        0,
        "this cluster has no SIP trunks; 'sip_trunks' of the configuration makes them\n",
    )
    assert trunks(state) == []


def test_trunks_are_listed_with_why_they_are_out_of_service(state: Path) -> None:
    with SharedLab(lab_config(more=TRUNK), state) as lab:
        for _ in until(lambda: [row["state"] for row in trunks(state)] == ["Out Of Service"] * 2):
            pass
        rows = trunks(state)
        assert [row["node"] for row in rows] == [PUB, SUB]
        first = rows[0]
        assert first.pop("since").endswith("+00:00")
        assert first == {
            "trunk": "gateway",
            "destination": "127.0.0.77:9",
            "security": "non-secure",
            "node": PUB,
            "incoming_port": lab.ports().sip,
            "state": "Out Of Service",
            "reason": "Connection refused",
            "tls": "",
        }
        table = ucmsim("trunks", "list", "--state", state)
        assert table.code == 0
        for word in ("gateway", "Out Of", "refused", "Status", "Reason"):
            assert word in table.out
        hostile = TrunkStatus(PUB, "gateway", "In Service", "200 [/red] [bold]", "", 5060, "x")
        store = lab._laboratory.clusters["alpha"].store
        lab.call(lambda: note_trunks(store, PUB, [hostile]))
        assert "[/red]" in ucmsim("trunks", "list", "--state", state).out, "what a stranger said is no markup"
        lab.call(lambda: lab._laboratory.nodes[SUB].supervisor.stop("Cisco CallManager"))
        assert trunks(state)[1]["reason"] == "Cisco CallManager does not run there"
    assert {(row["state"], row["reason"]) for row in trunks(state)} == {("Unknown", "node is not running")}


def test_what_a_killed_process_left_is_not_listed(state: Path) -> None:
    with SharedLab(lab_config(more=TRUNK), state):
        pass
    left = TrunkStatus(PUB, "gateway", "In Service", "200 OK", "", 5060, "2026-03-09T18:32:46+00:00")

    async def leave() -> None:
        store = await ClusterStore.open(database_path(state, "alpha"))
        await note_trunks(store, PUB, [left])
        await store.close()

    asyncio.run(leave())
    assert {row["state"] for row in trunks(state)} == {"Unknown"}
