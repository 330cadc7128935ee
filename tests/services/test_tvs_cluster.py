"""Certificates added or deleted anywhere are known everywhere, at once and without a restart (R-TVS-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.audit import SYSTEM
from cluster.management.certificates import delete_trust, upload_trust
from cluster.store import ClusterStore
from lab.laboratory import database_path
from tests.services.test_tvs_daemon import STRANGER, ask, query, verify
from tests.services.wires import any_server, connection, send
from tests.shared_lab import PUB, SUB
from tests.waiting import eventually
from wire.trustlist import Function
from wire.tvs import QueryResponse, Status, encode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import Lab, LabMaker
    from wire.certificates import Certificate


async def becomes(question: Callable[[], Awaitable[int]], expected: Status) -> None:
    """Waits for an answer: the other process tells nobody what it knows."""

    async def so() -> bool:
        return await question() == expected

    await eventually(so, f"the answer {expected.name}")


async def status(lab: Lab, node: str, certificate: Certificate = STRANGER) -> int:
    return (await ask(lab.ports(node).tvs, verify(certificate))).status


@pytest.mark.parametrize(
    ("store_name", "roles"),
    [
        ("tomcat-trust", (Function.APP_SERVER,)),
        ("Phone-SAST-trust", (Function.SAST,)),
        ("CallManager-trust", (Function.TFTP,)),
        ("CAPF-trust", ()),
        ("Phone-trust", ()),
    ],
)
async def test_an_added_certificate_has_the_roles_of_its_store_on_every_node(
    lab: Lab, store_name: str, roles: tuple[int, ...]
) -> None:
    await lab.store.add_trust(store_name, [STRANGER])
    for node in (PUB, SUB):
        response = await ask(lab.ports(node).tvs, query(STRANGER))
        assert isinstance(response, QueryResponse)
        assert (response.status == Status.TRUSTED, response.roles) == (bool(roles), roles)
    await lab.store.delete_trust(store_name, STRANGER.sha256)
    for node in (PUB, SUB):
        assert await status(lab, node) == Status.UNKNOWN


async def test_a_certificate_in_two_stores_keeps_the_roles_of_the_one_that_it_stays_in(lab: Lab) -> None:
    await lab.store.add_trust("CallManager-trust", [STRANGER])
    await lab.store.add_trust("Phone-SAST-trust", [STRANGER])
    assert (await ask(lab.ports().tvs, verify(STRANGER))).roles == (Function.SAST, Function.TFTP)
    await lab.store.delete_trust("CallManager-trust", STRANGER.sha256)
    assert (await ask(lab.ports().tvs, verify(STRANGER))).roles == (Function.SAST,)


async def test_what_an_operator_uploads_and_deletes_is_answered_at_once(lab: Lab) -> None:
    await upload_trust(lab.store, "tomcat-trust", STRANGER.pem.encode(), SYSTEM)
    assert await status(lab, SUB) == Status.TRUSTED
    await delete_trust(lab.store, "tomcat-trust", STRANGER.sha256.hex(), SYSTEM)
    assert await status(lab, SUB) == Status.UNKNOWN


async def test_an_open_connection_sees_the_change_as_well(lab: Lab) -> None:
    from tests.services.test_tvs_daemon import read_response

    async with connection(lab.ports(SUB).tvs, any_server()) as (reader, writer):
        writer.write(encode(verify(STRANGER)))
        assert (await read_response(reader)).status == Status.UNKNOWN
        await lab.store.add_trust("tomcat-trust", [STRANGER])
        writer.write(encode(verify(STRANGER)))
        assert (await read_response(reader)).status == Status.TRUSTED


async def test_another_process_on_the_same_database_is_heard_within_a_moment(lab: Lab) -> None:
    """A second store stands for the other process: nothing is shared but the file."""
    other = await ClusterStore.open(database_path(lab.laboratory.state, "alpha"))
    try:
        await other.add_trust("tomcat-trust", [STRANGER])
        for node in (PUB, SUB):
            await becomes(lambda node=node: status(lab, node), Status.TRUSTED)  # type: ignore[misc]
        await lab.store.delete_trust("tomcat-trust", STRANGER.sha256)
        await other.refresh()
        assert other.snapshot.find_by_digest(STRANGER.sha256) is None
    finally:
        await other.close()


async def test_a_deleted_trust_certificate_that_a_node_owns_stays_trusted(lab: Lab) -> None:
    """It was never the trust store that it was trusted through."""
    from cluster.purposes import Purpose

    own = lab.store.snapshot.require(PUB, Purpose.TOMCAT).certificate
    await lab.store.add_trust("tomcat-trust", [own])
    await lab.store.delete_trust("tomcat-trust", own.sha256)
    assert await status(lab, SUB, own) == Status.TRUSTED


async def test_the_ttl_is_that_of_the_parameter(make_lab: LabMaker) -> None:
    """R-TVS-1"""
    lab = await make_lab(parameters="{TVS Certificate Cache Time: 60}")
    await lab.store.add_trust("tomcat-trust", [STRANGER])
    assert (await ask(lab.ports().tvs, verify(STRANGER))).ttl_s == 60


async def test_a_stopped_tvs_leaves_the_other_answering(lab: Lab) -> None:
    from services.tvs.daemon import TvsDaemon

    await lab.laboratory.nodes[PUB].supervisor.stop(TvsDaemon.name)
    with pytest.raises(ConnectionError):
        await send(lab.ports(PUB).tvs, b"", any_server())
    assert await status(lab, SUB) == Status.UNKNOWN
