"""Private keys are in the database and in memory, and nowhere else: not in texts, traces, logs or errors."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from base.trace import MemorySink, Trace
from cluster import schema
from cluster.purposes import Purpose
from tests.cluster.material import definition
from wire.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

    from cluster.changes import Transaction
    from cluster.snapshot import ClusterSnapshot
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StoreMaker


def secrets_of(snapshot: ClusterSnapshot) -> list[str]:
    """Stretches of each key as they would look in a text."""
    found: list[str] = []
    for own in snapshot.own.values():
        found += [line for line in own.key_pem.decode().splitlines() if len(line) == 64]
        numbers = own.private_key.private_numbers()
        found.append(str(numbers.d if isinstance(numbers, rsa.RSAPrivateNumbers) else numbers.private_value))
    assert len(found) > 50
    return found


def assert_silent(text: str, snapshot: ClusterSnapshot) -> None:
    assert not [secret for secret in secrets_of(snapshot) if secret in text]
    assert "PRIVATE KEY" not in text


async def test_no_text_of_an_object_shows_a_key(store: ClusterStore) -> None:
    snapshot = store.snapshot
    own = snapshot.require("alpha-pub", Purpose.CALLMANAGER)
    for item in (own, own.identity, snapshot, store, dict(snapshot.own), snapshot.definition, own.certificate):
        assert_silent(f"{item!r} {item!s}", snapshot)


async def test_a_snapshot_has_a_short_text(store: ClusterStore) -> None:
    assert repr(store.snapshot) == "<ClusterSnapshot alpha revision 1>"


async def test_neither_trace_nor_log_of_an_installation_shows_a_key(
    open_store: StoreMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sink = MemorySink()
    store = await open_store(tmp_path / "state" / "cluster.sqlite", trace=Trace(sink))
    await store.install(definition(1, release="8.6"))
    assert sink.events
    text = caplog.text + repr(sink.events)
    assert "INSERT INTO own_certificate" in text, "the driver's own messages are there"
    assert_silent(text, store.snapshot)


async def test_a_failed_statement_does_not_show_the_key_that_was_in_it(store: ClusterStore) -> None:
    own = store.snapshot.require("alpha-pub", Purpose.CALLMANAGER)
    row = {"node": own.node, "purpose": own.purpose.value, "private_key": own.key_pem}

    async def twice(transaction: Transaction) -> bool:
        await transaction.connection.execute(schema.own_certificate.insert().values(**row))
        return True

    with pytest.raises(OperatorError) as caught:
        await store.apply("a mistake", twice)
    text = "".join(traceback.format_exception(caught.value))
    assert "own_certificate" in text
    assert "[parameters:" not in text
    assert_silent(text, store.snapshot)
