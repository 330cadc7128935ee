"""CAPF settings of phones in the store: scheduled, carried out, taken back, and what a configuration says of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from base.clock import ManualClock
from cluster.audit import Actor
from cluster.endpoints import Endpoints, Ports
from cluster.lsc import issue_lsc
from cluster.management.capf import Outcome, find_device, lsc_of, record_outcome, schedule
from cluster.parameters import SECURITY_MODE
from cluster.phonefiles import changed_at, encryption_recipient, phone_config, phone_stub, version_stamp
from cluster.phonesecurity import (
    MAX_WRONG_STRINGS,
    UNKNOWN_PHONE,
    Authentication,
    CapfOrder,
    KeyOrder,
    Operation,
    PhoneSecurity,
)
from cluster.purposes import Purpose
from tests.wire.material import certificate, private_key
from wire.encryptedfile import certificate_hash
from wire.errors import Refusal
from wire.phoneconfig import decode_phone_config

if TYPE_CHECKING:
    from cluster.store import ClusterStore
    from tests.cluster.conftest import StoreMaker
    from wire.certificates import Certificate

DEVICE, OTHER = "SEP001122334455", "SEP001122334456"
ADMIN = Actor("admin", "test")
INSTALL = CapfOrder(Operation.INSTALL)
BY_STRING = CapfOrder(Operation.INSTALL, Authentication.STRING, "123456")
WRONG = "Upgrade Failed: Invalid Authentication String"


def rsa_lsc(store: ClusterStore) -> Certificate:
    authority = store.snapshot.require("alpha-pub", Purpose.CAPF).identity
    return issue_lsc(authority, DEVICE, private_key("phone-mic.pem").public_key(), store.now())


async def outcome(store: ClusterStore, status: str, **more: object) -> None:
    scheduled = store.snapshot.security_of(DEVICE).scheduled
    await record_outcome(store, DEVICE, replace(Outcome(status, scheduled), **more), ADMIN)  # type: ignore[arg-type]


async def test_nothing_is_scheduled_for_a_phone_that_nobody_spoke_of(store: ClusterStore) -> None:
    assert store.snapshot.security_of(DEVICE) is UNKNOWN_PHONE
    assert UNKNOWN_PHONE.status == "None"
    assert UNKNOWN_PHONE.order.operation.label == "No Pending Operation"
    assert lsc_of(store.snapshot, DEVICE) is None


async def test_what_is_scheduled_is_pending_and_in_the_audit_trail(store: ClusterStore) -> None:
    order = CapfOrder(Operation.INSTALL, Authentication.MIC, "", KeyOrder.EC_PREFERRED, 4096, 521)
    await schedule(store, "0011.2233.4455".replace(".", ""), order, ADMIN)
    security = store.snapshot.security_of(DEVICE)
    assert security.order == order
    assert (security.status, security.pending) == ("Operation Pending", True)
    assert security.scheduled == security.revision == store.snapshot.revision
    (entry,) = await store.audit(1)
    assert (entry.who, entry.what) == ("admin", f"CAPF of {DEVICE}: Install/Upgrade")


async def test_a_completed_operation_resets_the_device_to_none_and_keeps_its_settings(store: ClusterStore) -> None:
    await schedule(store, DEVICE, replace(BY_STRING, rsa_size=4096), ADMIN)
    lsc = rsa_lsc(store)
    await outcome(store, "Upgrade Success", ends=True, lsc=lsc)
    security = store.snapshot.security_of(DEVICE)
    assert (security.status, security.order.operation) == ("Upgrade Success", Operation.NONE)
    assert (security.order.auth_string, security.order.complete_by) == ("", None), "a string is good for once"
    assert (security.order.rsa_size, security.order.authentication) == (4096, Authentication.STRING)
    assert lsc_of(store.snapshot, DEVICE) == lsc
    await schedule(store, DEVICE, CapfOrder(Operation.DELETE), ADMIN)
    await outcome(store, "Delete Success", ends=True, lsc_gone=True)
    assert lsc_of(store.snapshot, DEVICE) is None


async def test_an_operation_is_over_after_three_wrong_strings(store: ClusterStore) -> None:
    await schedule(store, DEVICE, BY_STRING, ADMIN)
    for attempt in range(1, MAX_WRONG_STRINGS + 1):
        await outcome(store, WRONG, wrong_string=True)
        security = store.snapshot.security_of(DEVICE)
        assert (security.wrong_strings, security.pending) == (attempt, attempt < MAX_WRONG_STRINGS)
    assert security.status == WRONG
    revision = store.snapshot.revision
    await outcome(store, WRONG, wrong_string=True)
    assert store.snapshot.revision == revision, "what is over is not written again"
    await schedule(store, DEVICE, BY_STRING, ADMIN)
    assert store.snapshot.security_of(DEVICE).wrong_strings == 0


async def test_an_outcome_of_an_older_order_leaves_the_new_one_alone(store: ClusterStore) -> None:
    await schedule(store, DEVICE, INSTALL, ADMIN)
    old, lsc = store.snapshot.security_of(DEVICE).scheduled, rsa_lsc(store)
    await schedule(store, DEVICE, CapfOrder(Operation.TROUBLESHOOT), ADMIN)
    await record_outcome(store, DEVICE, Outcome("Upgrade Success", old, ends=True, lsc=lsc), ADMIN)
    security = store.snapshot.security_of(DEVICE)
    assert (security.order.operation, security.status) == (Operation.TROUBLESHOOT, "Operation Pending")
    assert security.lsc == lsc, "but the certificate is there"


async def test_what_was_scheduled_can_be_taken_back(store: ClusterStore) -> None:
    await schedule(store, DEVICE, BY_STRING, ADMIN)
    await schedule(store, DEVICE, CapfOrder(), ADMIN)
    assert store.snapshot.security_of(DEVICE).status == "None"
    assert not store.snapshot.security_of(DEVICE).pending


async def test_other_processes_and_later_ones_see_the_same(store: ClusterStore, open_store: StoreMaker) -> None:
    from pathlib import Path

    path = Path(store._where)
    other = await open_store(path)
    deadline = datetime(2027, 1, 1, tzinfo=UTC)
    await schedule(store, DEVICE, replace(BY_STRING, complete_by=deadline), ADMIN)
    await outcome(store, WRONG, wrong_string=True, mic=certificate("phone-mic.pem"))
    assert await other.refresh()
    assert other.snapshot.security_of(DEVICE) == store.snapshot.security_of(DEVICE)
    later = await open_store(path)
    assert later.snapshot.security_of(DEVICE) == store.snapshot.security_of(DEVICE)
    assert later.snapshot.security_of(DEVICE).order.complete_by == deadline
    assert later.snapshot.security_of(DEVICE).mic == certificate("phone-mic.pem")


async def test_a_change_elsewhere_shares_what_is_known_of_the_phones(store: ClusterStore) -> None:
    await schedule(store, DEVICE, INSTALL, ADMIN)
    before = store.snapshot.phone_security
    await store.set_parameter("Auto-registration", "False", ADMIN)
    assert store.snapshot.phone_security is before


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (replace(INSTALL, rsa_size=2047), "RSA key size 2047 is not one of 512, 1024, 2048, 3072, 4096"),
        (replace(INSTALL, ec_size=512), "EC key size 512 is not one of 256, 384, 521"),
        (replace(BY_STRING, auth_string=""), "an authentication string has 4 to 10 digits"),
        (replace(BY_STRING, auth_string="123"), "an authentication string has 4 to 10 digits"),
        (replace(BY_STRING, auth_string="12345678901"), "an authentication string has 4 to 10 digits"),
        (replace(BY_STRING, auth_string="12a45"), "an authentication string has 4 to 10 digits"),
        (replace(BY_STRING, auth_string="١٢٣٤٥"), "an authentication string has 4 to 10 digits"),
        (replace(INSTALL, auth_string="12345"), "'By Null String' takes no authentication string"),
        (replace(INSTALL, complete_by=datetime(2027, 1, 1)), "needs a time zone"),
    ],
)
async def test_an_order_that_the_phone_page_would_not_take_is_refused(
    order: CapfOrder, said: str, store: ClusterStore
) -> None:
    with pytest.raises(Refusal, match=said) as caught:
        await schedule(store, DEVICE, order, ADMIN)
    assert caught.value.code == 400
    assert store.snapshot.revision == 1


async def test_an_unknown_device_is_refused(store: ClusterStore) -> None:
    for name in ("SEP0011223344FF", "", "alpha-pub"):
        with pytest.raises(Refusal, match="there is no device"):
            await schedule(store, name, INSTALL, ADMIN)
    assert find_device(store.snapshot, "sep001122334455") == DEVICE


# --- what the configuration says ---

ENDPOINTS = Endpoints(Ports())


async def test_a_configuration_asks_for_capf_while_something_is_pending(store: ClusterStore) -> None:
    device = store.snapshot.devices[DEVICE]
    modes = {
        Authentication.STRING: 1,
        Authentication.NULL_STRING: 2,
        Authentication.LSC: 3,
        Authentication.MIC: 4,
    }
    for authentication, mode in modes.items():
        string = "123456" if authentication is Authentication.STRING else ""
        await schedule(store, DEVICE, CapfOrder(Operation.INSTALL, authentication, string), ADMIN)
        config = decode_phone_config(phone_config(store.snapshot, device, ENDPOINTS, ""))
        assert config.capf_auth_mode == mode
        assert config.capf_nodes == ((store.snapshot.definition.publisher.address, 3804),)
        assert not config.encrypted
    await outcome(store, "Upgrade Success", ends=True)
    config = decode_phone_config(phone_config(store.snapshot, device, ENDPOINTS, ""))
    assert (config.capf_auth_mode, config.capf_nodes) == (0, ())


async def test_a_configuration_names_no_capf_that_is_not_there(store: ClusterStore) -> None:
    await schedule(store, DEVICE, INSTALL, ADMIN)
    device = store.snapshot.devices[DEVICE]
    nowhere = Endpoints(replace(Ports(), capf=0))
    assert decode_phone_config(phone_config(store.snapshot, device, nowhere, "")).capf_nodes == ()
    definition = store.snapshot.definition
    nodes = tuple(node.model_copy(update={"services": ("tftp", "tvs")}) for node in definition.nodes)
    without = replace(store.snapshot, definition=definition.model_copy(update={"nodes": nodes}))
    assert decode_phone_config(phone_config(without, device, ENDPOINTS, "")).capf_auth_mode == 0


@pytest.mark.parametrize(
    ("cluster", "security", "mode", "transport"),
    [
        ("1", "non-secure", 1, 4),
        ("1", "authenticated", 2, 3),
        ("1", "encrypted", 3, 3),
        ("0", "non-secure", 1, 4),
        ("0", "encrypted", 1, 4),
    ],
)
async def test_a_security_profile_decides_mode_and_transport_in_a_mixed_cluster(
    cluster: str, security: str, mode: int, transport: int, store: ClusterStore
) -> None:
    """R-SBD-5: signalling security needs mixed mode."""
    device = store.snapshot.devices[DEVICE].model_copy(update={"security": security})
    snapshot = replace(store.snapshot, overrides={SECURITY_MODE: cluster})
    config = decode_phone_config(phone_config(snapshot, device, ENDPOINTS, ""))
    assert (config.device_security_mode, config.transport_layer_protocol) == (mode, transport)


async def test_for_whom_a_configuration_is_encrypted(store: ClusterStore) -> None:
    """The LSC, else the MIC; an EC LSC lets an RSA MIC go first."""
    device = store.snapshot.devices[DEVICE].model_copy(update={"encrypted_config": True})
    rsa, mic = rsa_lsc(store), certificate("phone-mic.pem")
    elliptic = certificate("callmanager-ecdsa.pem")
    table: list[tuple[Certificate | None, Certificate | None, Certificate | None]] = [
        (None, None, None),
        (rsa, None, rsa),
        (None, mic, mic),
        (rsa, mic, rsa),
        (elliptic, mic, mic),
        (elliptic, None, elliptic),
    ]
    for lsc, known_mic, expected in table:
        snapshot = replace(store.snapshot, phone_security={DEVICE: PhoneSecurity(lsc=lsc, mic=known_mic)})
        assert encryption_recipient(snapshot, device) == expected
        assert encryption_recipient(snapshot, store.snapshot.devices[DEVICE]) is None, "not asked for"
        config = decode_phone_config(phone_config(snapshot, device, ENDPOINTS, "load"))
        assert config.encrypted is (expected is not None)
        if expected is not None:
            stub = decode_phone_config(phone_stub(snapshot, device, expected, ENDPOINTS, "load"))
            assert (stub.full_config, stub.encrypted) == (False, True)
            assert stub.cert_hash == config.cert_hash == certificate_hash(expected)
            assert stub.load_information == "load"


async def test_a_phones_configuration_changes_with_its_own_certificates_alone(open_store: StoreMaker) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(minutes=5))
    store = await open_store(clock=clock)
    devices = store.snapshot.devices
    before = {name: version_stamp(store.snapshot, devices[name]) for name in (DEVICE, OTHER)}
    clock.advance(60)
    await schedule(store, DEVICE, INSTALL, ADMIN)
    after = {name: version_stamp(store.snapshot, devices[name]) for name in (DEVICE, OTHER)}
    assert after[DEVICE] != before[DEVICE]
    assert after[OTHER] == before[OTHER]
    assert changed_at(store.snapshot, devices[DEVICE]) == clock.now()
    assert changed_at(store.snapshot, devices[OTHER]) == store.snapshot.configured_at
