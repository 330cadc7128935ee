"""Who gets in over SSH, and how fast passwords can be guessed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncssh
import pytest
from pydantic import SecretStr

from base.trace import MemorySink, Trace
from cluster.config import Administrator, parse_config
from services.commandline.hostkey import host_key
from services.commandline.logins import Gatekeeper, LoginLimits
from services.commandline.ssh import SystemSsh
from services.service import Health
from tests.conftest import CONFIG
from tests.services.commandline_cast import HOST, PUB, SUB, SshNode, open_copy, ssh_node
from wire.errors import ConfigError, OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cluster.store import ClusterStore

SLOW = LoginLimits(first_delay_s=0.1, longest_delay_s=0.2)
ENDLESS = LoginLimits(first_delay_s=60, longest_delay_s=60)
SOURCE, OTHER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
async def store(tmp_path: Path, state_templates: Callable[[str], Awaitable[Path]]) -> AsyncIterator[ClusterStore]:
    opened = await open_copy(tmp_path / "state", state_templates)
    yield opened
    await opened.close()


@pytest.fixture
async def node(store: ClusterStore) -> AsyncIterator[SshNode]:
    async with ssh_node(store) as served:
        yield served


def gatekeeper(limits: LoginLimits = SLOW) -> Gatekeeper:
    return Gatekeeper(Administrator(name="admin", password=SecretStr("right")), limits)


async def duration(attempt: Awaitable[bool]) -> tuple[bool, float]:
    begin = time.monotonic()
    return await attempt, time.monotonic() - begin


# ------------------------------------------------------------------ the gatekeeper


@pytest.mark.parametrize(
    ("user", "password", "admitted"),
    [
        ("admin", "right", True),
        ("admin", "wrong", False),
        ("admin", "", False),
        ("admin", "right ", False),
        ("Admin", "right", False),
        ("root", "right", False),
        ("", "", False),
        ("adminr", "ight", False),
        ("admin", "\udcff", False),
    ],
)
async def test_only_the_account_is_admitted(user: str, password: str, *, admitted: bool) -> None:
    assert await gatekeeper(LoginLimits(first_delay_s=0)).admits(SOURCE, user, password) is admitted


async def test_right_password_is_answered_at_once() -> None:
    admitted, took = await duration(gatekeeper(ENDLESS).admits(SOURCE, "admin", "right"))
    assert admitted
    assert took < ENDLESS.first_delay_s


@pytest.mark.parametrize("user", ["admin", "nobody"])
async def test_wrong_password_and_unknown_user_take_the_same_time(user: str) -> None:
    admitted, took = await duration(gatekeeper().admits(SOURCE, user, "wrong"))
    assert not admitted
    assert SLOW.first_delay_s <= took < 20 * SLOW.first_delay_s


async def test_each_wrong_password_costs_more_up_to_a_bound() -> None:
    keeper = gatekeeper(LoginLimits(first_delay_s=0.02, longest_delay_s=0.08))
    times = [(await duration(keeper.admits(SOURCE, "admin", "wrong")))[1] for _ in range(4)]
    assert all(took >= least for took, least in zip(times, [0.02, 0.04, 0.08, 0.08], strict=True))


async def test_guessing_over_many_connections_gains_nothing() -> None:
    keeper = gatekeeper(LoginLimits(first_delay_s=0.02, longest_delay_s=0.08))
    guesses = [duration(keeper.admits(SOURCE, "admin", f"guess {number}")) for number in range(4)]
    times = [took for _, took in await asyncio.gather(*guesses)]
    assert max(times) >= 0.02 + 0.04 + 0.08 + 0.08


async def test_hanging_up_early_does_not_save_the_wait() -> None:
    keeper = gatekeeper()
    attempt = asyncio.create_task(keeper.admits(SOURCE, "admin", "wrong"))
    await asyncio.sleep(0)
    attempt.cancel()
    _, took = await duration(keeper.admits(SOURCE, "admin", "right"))
    assert took >= SLOW.first_delay_s * 0.9


async def test_other_addresses_do_not_wait() -> None:
    keeper = gatekeeper(ENDLESS)
    slow = asyncio.create_task(keeper.admits(SOURCE, "admin", "wrong"))
    admitted, took = await duration(keeper.admits(OTHER, "admin", "right"))
    assert admitted
    assert took < ENDLESS.first_delay_s
    assert not slow.done()
    slow.cancel()


async def test_attempts_beyond_the_queue_are_refused_without_being_judged() -> None:
    keeper = gatekeeper(replace(ENDLESS, waiting=2))
    queue = [asyncio.create_task(keeper.admits(SOURCE, "admin", "wrong")) for _ in range(2)]
    await asyncio.sleep(0)
    admitted, took = await duration(keeper.admits(SOURCE, "admin", "right"))
    assert not admitted
    assert took < ENDLESS.first_delay_s
    for task in queue:
        task.cancel()


async def test_right_password_forgives_the_wrong_ones() -> None:
    keeper = gatekeeper(LoginLimits(first_delay_s=0.02, longest_delay_s=1))
    for _ in range(3):
        await keeper.admits(SOURCE, "admin", "wrong")
    assert await keeper.admits(SOURCE, "admin", "right")
    assert keeper._turnstile._sources[SOURCE].failures == 0


async def test_memory_of_addresses_is_bounded() -> None:
    keeper = gatekeeper(LoginLimits(first_delay_s=0, remembered=10))
    for number in range(100):
        await keeper.admits(f"192.0.2.{number}", "admin", "wrong")
    assert len(keeper._turnstile._sources) == 10


# ------------------------------------------------------------------ over SSH


async def test_password_and_keyboard_interactive_are_offered(node: SshNode) -> None:
    for method in ("password", "keyboard-interactive"):
        async with node.connect(preferred_auth=method) as connection:
            assert (await connection.run("show ctl")).exit_status == 0


@pytest.mark.parametrize("method", ["none", "publickey", "hostbased"])
async def test_other_methods_are_refused(node: SshNode, method: str) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            HOST,
            node.port,
            username="admin",
            preferred_auth=method,
            client_keys=[key],
            known_hosts=None,
            agent_path=None,
            config=None,
        )


@pytest.mark.parametrize(("user", "password"), [("admin", "wrong"), ("nobody", "wrong"), ("nobody", "ucmsim")])
async def test_wrong_password_and_unknown_user_get_the_same_answer(node: SshNode, user: str, password: str) -> None:
    with pytest.raises(asyncssh.PermissionDenied) as refused:
        await node.connect(password=password, user=user, preferred_auth="password")
    assert refused.value.reason == f"Permission denied for user {user} on host 127.0.0.1"


async def test_connection_is_closed_after_three_wrong_passwords(node: SshNode) -> None:
    asked: list[str] = []

    class Guesser(asyncssh.SSHClient):
        def password_auth_requested(self) -> str | None:
            asked.append("password")
            return "wrong"

    with pytest.raises((asyncssh.DisconnectError, asyncssh.PermissionDenied)):
        await asyncssh.connect(
            HOST,
            node.port,
            username="admin",
            client_factory=Guesser,
            preferred_auth="password",
            known_hosts=None,
            client_keys=None,
            agent_path=None,
            config=None,
        )
    assert len(asked) == 3


async def test_no_password_is_in_trace_or_log(node: SshNode, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await node.connect(password="hunter2")
    async with node.connect() as connection:
        await connection.run("show ctl")
    traced = repr(node.sink.events)
    assert "login_refused" in traced
    assert "logged_in" in traced
    assert "hunter2" not in traced + caplog.text
    assert "password" not in traced


async def test_too_many_connections_are_cut_off(store: ClusterStore) -> None:
    async with ssh_node(store, connections_of_source=2) as node, node.connect(), node.connect():
        with pytest.raises((asyncssh.Error, OSError)):
            await node.connect()
        assert "connection_refused" in node.sink.steps()


async def test_client_that_never_logs_in_is_cut_off(store: ClusterStore) -> None:
    async with ssh_node(store, login_s=0.2) as node:
        reader, writer = await asyncio.open_connection(HOST, node.port)
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"SSH-2.0-ucmsim")
            await reader.read()
        writer.close()


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 70_000, b"SSH-2.0-x\r\n" + b"\xff" * 40_000])
async def test_garbage_does_not_disturb_the_service(node: SshNode, data: bytes) -> None:
    reader, writer = await asyncio.open_connection(HOST, node.port)
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            await reader.read()
    except OSError:
        pass
    finally:
        writer.close()
    async with node.connect() as connection:
        assert (await connection.run("show ctl")).exit_status == 0


# ------------------------------------------------------------------ host key and port


async def test_host_key_is_made_once_and_differs_between_nodes(store: ClusterStore) -> None:
    first, again, other = [(await host_key(store, name)).get_fingerprint() for name in (PUB, PUB, SUB)]
    assert first == again != other
    revision = store.snapshot.revision
    async with ssh_node(store) as node:
        shown = await asyncssh.get_server_host_key(HOST, node.port, config=None)
    assert shown is not None
    assert shown.get_fingerprint() == first
    await store.refresh()
    assert store.snapshot.revision == revision, "a host key is no change of the cluster"


async def test_damaged_host_key_is_told_without_quoting_it(store: ClusterStore) -> None:
    from sqlalchemy import update

    from cluster import schema

    await host_key(store, PUB)
    await store.note(
        lambda connection: _written(connection, update(schema.host_key).values(private_key=b"secret garbage"))
    )
    with pytest.raises(OperatorError, match="the SSH host key of alpha-pub in the state database is damaged") as error:
        await host_key(store, PUB)
    assert "secret" not in str(error.value)


async def _written(connection: Any, statement: Any) -> None:
    await connection.execute(statement)


async def test_port_in_use_is_told_and_nothing_stays_bound(store: ClusterStore) -> None:
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), HOST, 0)
    port = taken.sockets[0].getsockname()[1]
    service = SystemSsh(PUB, HOST, lambda: port, store, Administrator(), trace=Trace(MemorySink()))
    try:
        with pytest.raises(OperatorError, match=f"SSH cannot listen on 127.0.0.1 port {port}: the port is in use"):
            await service.start()
        assert service.health() is Health.STOPPED
        listening = service.listeners
        assert listening == ()
    finally:
        taken.close()
        await taken.wait_closed()
    await service.start()
    (listener,) = service.listeners
    assert (listener.protocol, listener.port) == ("SSH", port)
    await service.stop(0)


# ------------------------------------------------------------------ configuration


def _configured(lab: str, **environment: str) -> Administrator:
    text = f"{lab}{CONFIG.format(release='12.5', parameters='{}', more='')}"
    return parse_config(text, "test.yaml", environment).lab.administrator


def test_account_is_admin_and_ucmsim_unless_configured() -> None:
    account = _configured("")
    assert (account.name, account.password.get_secret_value()) == ("admin", "ucmsim")
    configured = _configured("lab: {administrator: {name: trainer, password: s3cret}}\n")
    assert (configured.name, configured.password.get_secret_value()) == ("trainer", "s3cret")


def test_password_comes_from_the_environment_and_is_never_printed() -> None:
    account = _configured("", UCMSIM_LAB__ADMINISTRATOR__PASSWORD="s3cret")
    assert account.password.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(account) + account.model_dump_json()


@pytest.mark.parametrize("account", ["{name: ''}", "{name: a b}", "{password: ''}", "{pasword: x}"])
def test_impossible_account_is_a_mistake_of_the_configuration(account: str) -> None:
    with pytest.raises(ConfigError) as error:
        _configured(f"lab: {{administrator: {account}}}\n")
    assert error.value.problems[0].where == "test.yaml:1"
